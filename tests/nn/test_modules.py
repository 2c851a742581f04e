"""Modules: names, state, modes, generators, and messages for what does not fit."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary import nn
from tinyternary.autograd import Tensor, gradcheck
from tinyternary.errors import CheckpointError, ConfigError, ShapeError


def block(dim=8, heads=2, kv_heads=None, drop=0.0, norm2=True, seed=0, activation="gelu"):
    rng = np.random.default_rng(seed)
    return nn.EncoderBlock(
        nn.LayerNorm(dim, 1e-6), nn.Attention(dim, heads, kv_heads, rng=rng),
        nn.LayerNorm(dim, 1e-6) if norm2 else None, nn.Mlp(dim, 3 * dim, activation, rng=rng),
        drop, drop,
    )  # fmt: skip


class Net(nn.Module):
    def __init__(self):
        self.first = nn.Linear(3, 4)
        self.blocks = [block(4, 1, seed=i) for i in range(2)]
        self.scale = nn.Parameter(np.ones(1, np.float32))
        self.tied = self.first.weight

    def forward(self, x):
        return self.first(x) * self.scale


NAMES = ["norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.qkv.bias", "attn.proj.weight",
         "attn.proj.bias", "norm2.weight", "norm2.bias", "mlp.fc1.weight", "mlp.fc1.bias",
         "mlp.fc2.weight", "mlp.fc2.bias"]  # fmt: skip


def test_parameters_are_named_by_path_and_shared_ones_once():
    names = [name for name, _ in Net().named_parameters()]
    assert [n.removeprefix("blocks.1.") for n in names if n.startswith("blocks.1.")] == NAMES
    assert names[:3] == ["scale", "tied", "first.bias"]  # first.weight is "tied", met before
    assert len(set(names)) == len(names) == 3 + 2 * len(NAMES)
    assert len({id(p) for p in Net().parameters()}) == len(list(Net().parameters()))
    modules = dict(Net().named_modules())
    assert isinstance(modules["blocks.0.attn.qkv"], nn.Linear)
    assert isinstance(modules[""], Net)


def test_state_dict_goes_round():
    one, two = block(seed=1), block(seed=2)
    x = np.random.default_rng(0).standard_normal((2, 5, 8)).astype(np.float32)
    assert not np.allclose(one(x).data, two(x).data)
    two.load_state_dict({k: v.copy() for k, v in one.state_dict().items()})
    np.testing.assert_array_equal(one(x).data, two(x).data)
    one.mlp.fc1.weight.data[:] = 0  # loading copied, it did not share
    assert two.mlp.fc1.weight.data.any()


def test_a_state_that_does_not_fit_changes_nothing_and_says_why():
    model = block()
    before = {k: v.copy() for k, v in model.state_dict().items()}
    state = {k: v + 1 for k, v in before.items()}
    missing = dict(state)
    del missing["attn.qkv.bias"]
    missing["extra"] = np.zeros(1)
    with pytest.raises(CheckpointError, match=r"missing attn.qkv.bias; unexpected extra"):
        model.load_state_dict(missing)
    wrong = dict(state) | {"mlp.fc2.bias": np.zeros(3)}
    with pytest.raises(
        CheckpointError, match=r"mlp.fc2.bias has shape \(3,\), the model's is \(8,\)"
    ):
        model.load_state_dict(wrong)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert model.load_state_dict(missing, strict=False) == ["attn.qkv.bias", "extra"]
    np.testing.assert_array_equal(model.state_dict()["mlp.fc2.bias"], before["mlp.fc2.bias"] + 1)


def test_train_and_eval_reach_all_modules():
    model = Net()
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    model.train()
    assert all(m.training for m in model.modules())


def test_one_generator_for_all_random_layers_makes_runs_repeat():
    x = np.random.default_rng(0).standard_normal((4, 5, 8)).astype(np.float32)
    runs = []
    for _ in range(2):
        model = block(drop=0.3)
        model.set_rng(np.random.default_rng(3))
        runs.append([model(x).data for _ in range(3)])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0][0], runs[0][1])
    model.eval()
    np.testing.assert_array_equal(model(x).data, model(x).data)


def test_dropout_keeps_the_mean_and_drop_path_drops_whole_images():
    x = np.ones((400, 3, 5), np.float32)
    rng = np.random.default_rng(0)
    dropped = nn.Dropout(0.25).set_rng(rng)(x).data
    assert abs(dropped.mean() - 1) < 0.03
    assert abs((dropped == 0).mean() - 0.25) < 0.03
    paths = nn.DropPath(0.25).set_rng(rng)(x).data
    assert set(np.unique(paths)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
    per_image = paths.reshape(400, -1)
    assert (per_image == per_image[:, :1]).all()
    assert abs((per_image[:, 0] == 0).mean() - 0.25) < 0.07


def test_zero_grad_forgets():
    model = block()
    model(np.ones((1, 3, 8), np.float32)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_repr_shows_the_tree():
    text = repr(Net())
    assert "blocks.1: EncoderBlock" in text
    assert "Linear(3, 4, bias=True)" in text


def to_float64(model):
    for parameter in model.parameters():
        parameter.data = parameter.data.astype(np.float64)
    return model


def check_all_gradients(model, *inputs):
    """Gradcheck of the inputs and of every parameter, at all entries."""
    parameters = dict(to_float64(model).named_parameters())
    rng = np.random.default_rng(1)
    values = [rng.standard_normal(p.shape) for p in parameters.values()]

    def run(*tensors):
        given_inputs, given_parameters = tensors[: len(inputs)], tensors[len(inputs) :]
        for (name, _), tensor in zip(parameters.items(), given_parameters):
            *path, last = name.split(".")
            owner = model
            for part in path:
                owner = owner[int(part)] if part.isdigit() else getattr(owner, part)
            object.__setattr__(owner, last, tensor)
        return model.forward(*given_inputs)

    assert gradcheck(run, *inputs, *values)


@pytest.mark.parametrize("kv_heads", [None, 2, 1])
def test_gradients_of_attention(kv_heads):
    x = np.random.default_rng(2).standard_normal((2, 3, 8))
    check_all_gradients(nn.Attention(8, 4, kv_heads), x)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kv_heads", [None, 2, 1])
def test_attention_step_by_step_is_the_fused_operation(kv_heads, causal):
    x = np.random.default_rng(2).standard_normal((2, 5, 64)).astype(np.float32)
    attention = nn.Attention(64, 4, kv_heads, causal=causal)
    record = {}
    expected = attention(x, record).data
    attention.fused = False
    np.testing.assert_allclose(attention(x).data, expected, rtol=1e-5, atol=1e-7)
    attention = nn.Attention(8, 4, kv_heads, causal=causal)
    check_all_gradients(attention, x[:, :3, :8].astype(np.float64))
    attention.fused = False
    check_all_gradients(attention, x[:, :3, :8].astype(np.float64))


def test_layers_in_a_row():
    layers = [nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 2)]
    row = nn.Sequential(*layers)
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    expected = layers[2](layers[0](x).gelu()).data
    np.testing.assert_array_equal(row(x).data, expected)
    assert list(row.state_dict()) == [f"layers.{i}.{n}" for i in (0, 2) for n in ("weight", "bias")]
    assert len(row) == 3
    assert row[1] is layers[1]
    assert not row.eval()[1].training
    check_all_gradients(row, x.astype(np.float64))


@pytest.mark.parametrize("norm2", [True, False])
def test_gradients_of_an_encoder_block(norm2):
    x = np.random.default_rng(2).standard_normal((2, 3, 4))
    check_all_gradients(block(4, 2, 1, norm2=norm2), x)


@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "relu", "relu_squared"])
def test_gradients_of_an_mlp(activation):
    x = np.random.default_rng(3).standard_normal((3, 4))
    check_all_gradients(nn.Mlp(4, 5, activation), x)


@pytest.mark.parametrize("layer", [nn.Linear(4, 3), nn.Linear(4, 3, bias=False), nn.LayerNorm(4, 0.1), nn.RMSNorm(4, 0.1), nn.RMSNorm(4, 0.1, affine=False)], ids=repr)  # fmt: skip
def test_gradients_of_simple_layers(layer):
    check_all_gradients(layer, np.random.default_rng(4).standard_normal((2, 3, 4)))


@pytest.mark.parametrize(("patch", "stride"), [(2, None), (4, 2), (3, 1)])
def test_gradients_of_patch_embedding_reach_the_image(patch, stride):
    check_all_gradients(nn.PatchEmbed(patch, 2, 3, stride), np.random.default_rng(5).standard_normal((1, 2, 6, 6)))  # fmt: skip


@given(patch=st.integers(1, 4), grid=st.integers(1, 3), channels=st.integers(1, 3), tensor=st.booleans())  # fmt: skip
def test_unfold_cuts_the_image_into_its_squares(patch, grid, channels, tensor):
    side = patch * grid
    image = np.arange(2 * channels * side * side, dtype=np.float32).reshape(2, channels, side, side)
    embed = nn.PatchEmbed(patch, channels, 3)
    rows = embed.unfold(Tensor(image) if tensor else image)
    rows = np.asarray(rows.data if tensor else rows)
    assert rows.shape == (2, grid * grid, channels * patch * patch)
    for token in range(grid * grid):
        r, c = divmod(token, grid)
        square = image[:, :, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch]
        np.testing.assert_array_equal(rows[:, token], square.reshape(2, -1))


def test_recorded_attention_weights_are_probabilities():
    record = {}
    block(8, 4, 2)(np.random.default_rng(0).standard_normal((3, 5, 8)).astype(np.float32), record)
    assert record["attn"].shape == (3, 4, 5, 5)
    np.testing.assert_allclose(record["attn"].sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize(("kv_heads", "causal"), [(None, False), (1, False), (2, True)])
def test_attention_step_by_step_hands_out_the_weights_that_it_uses(kv_heads, causal):
    rng, record = np.random.default_rng(0), {}
    attention = nn.Attention(16, 4, kv_heads, rng=rng, causal=causal)
    x = rng.standard_normal((2, 5, 16))
    expected = attention(x).data
    attention.fused = False
    made = attention(x, record)
    np.testing.assert_allclose(made.data, expected, atol=1e-6)
    np.testing.assert_allclose(record["weights"].data, record["attn"], atol=1e-6)
    record["weights"].retain_grad()
    grad = rng.standard_normal(made.shape).astype(made.dtype)
    made.backward(grad)
    # of token i's result what key j holds: the gradient of its share
    upstream = (grad @ attention.proj.weight.data).reshape(2, 5, 4, 4).swapaxes(1, 2)
    _, _, v = attention.split_heads(attention.qkv(x))
    v = np.repeat(v.data, 4 // attention.kv_heads, axis=1)  # (B, H, T, Dh)
    np.testing.assert_allclose(record["weights"].grad, upstream @ v.swapaxes(-1, -2), atol=1e-5)


@pytest.mark.parametrize("kv_heads", [None, 1])
def test_causal_attention_never_looks_ahead(kv_heads):
    """Whatever stands later changes nothing that stands before, bit for bit; recorded too."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 70, 32)).astype(np.float32)
    attention, record = nn.Attention(32, 2, kv_heads, causal=True), {}
    before = attention(x, record).data
    assert "causal" in attention.describe()
    assert not np.triu(record["attn"], 1).any()
    np.testing.assert_allclose(record["attn"].sum(-1), 1, rtol=1e-5)
    x[:, 41:] = rng.standard_normal((2, 29, 32))
    after = attention(x).data
    np.testing.assert_array_equal(after[:, :41], before[:, :41])
    assert (after[:, 41:] != before[:, 41:]).all()


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_images_are_no_mistake(fused, dtype):
    block = nn.EncoderBlock(
        nn.LayerNorm(8), nn.Attention(8, 2, 1, causal=True), nn.RMSNorm(8), nn.Mlp(8, 16), 0.5, 0.5
    )
    block.attn.fused = fused
    for stride in (2, 4):
        whole = nn.Sequential(nn.PatchEmbed(4, 3, 8, stride), nn.Dropout(0.5), block).train()
        images = Tensor(np.zeros((0, 3, 8, 8), dtype), requires_grad=True)
        tokens = whole(images)
        assert tokens.shape == (0, (8 // stride) ** 2, 8)
        tokens.sum().backward()
        assert images.grad.shape == images.shape
        for name, parameter in whole.named_parameters():
            np.testing.assert_array_equal(parameter.grad, np.zeros(parameter.shape), name)
        whole.zero_grad()


def test_weights_start_within_two_deviations_and_depend_on_the_seed():
    values = nn.truncated_normal((200, 50), 0.02, np.random.default_rng(0))
    assert np.abs(values).max() <= 0.04
    assert abs(values.std() - 0.02 * 0.88) < 0.001  # deviation of a normal cut at two
    bound = np.sqrt(6 / 70)
    uniform = nn.xavier_uniform((50, 20), np.random.default_rng(0))
    assert uniform.dtype == np.float32
    assert np.abs(uniform).max() <= bound
    same = nn.Linear(4, 5, rng=np.random.default_rng(1)).weight.data
    np.testing.assert_array_equal(same, nn.Linear(4, 5, rng=np.random.default_rng(1)).weight.data)
    assert not np.array_equal(same, nn.Linear(4, 5, rng=np.random.default_rng(2)).weight.data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Attention(10, 3), "heads: 3 does not divide the width 10"),
        (lambda: nn.Attention(12, 4, 3), "kv_heads: 3 does not divide 4 heads"),
        (lambda: nn.Mlp(4, 4, "swish"), "unknown activation 'swish'"),
        (lambda: nn.Dropout(1.0), r"p: expected a probability in \[0, 1\), got 1.0"),
        (lambda: nn.GELU("erf"), "unknown GELU approximation 'erf'"),
        (lambda: nn.Sequential(nn.Linear(2, 3), len), "number 1 is a builtin_function_or_method"),
        (lambda: nn.Linear(0, 3), "in_features: expected a positive integer, got 0"),
        (lambda: nn.PatchEmbed(4, 1, 8, stride=5), "stride: expected 1 to 4"),
    ],
)
def test_impossible_layers_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 2, 28, 28), r"expected \(B, 1, H, W\), got \(1, 2, 28, 28\)"),
        ((1, 1, 27, 28), r"27 x 28 pixels .* patches of 4 at stride 4"),
        ((1, 1, 2, 28), r"2 x 28 pixels"),
        ((28, 28), r"expected \(B, 1, H, W\)"),
    ],
)
def test_images_that_do_not_fit_are_refused(shape, message):
    with pytest.raises(ShapeError, match=message):
        nn.PatchEmbed(4, 1, 8)(np.zeros(shape, np.float32))


def test_a_block_learns():
    rng = np.random.default_rng(0)
    model, head = block(16, 4, 2), nn.Linear(16, 3, rng=rng)
    x = rng.standard_normal((9, 6, 16)).astype(np.float32)
    y = np.arange(9) % 3
    losses = []
    for _ in range(120):
        loss = nn.cross_entropy(head(model(x).mean(1)), y)
        loss.backward()
        for part in (model, head):
            for p in part.parameters():
                p.data -= 0.5 * p.grad
            part.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.3 < 1.0 < losses[0]
