import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tinyternary.autograd import Tensor
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.train import (
    SGD,
    AdamW,
    ParameterGroup,
    clip_gradients,
    gradient_norm,
    parameter_groups,
)

shapes = st.sampled_from([(3,), (2, 5), (4, 1, 3)])


def _parameter(rng, shape):
    tensor = Tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True)
    return tensor


@pytest.mark.parity
@pytest.mark.parametrize("name", ["adamw", "sgd", "nesterov", "plain"])
@given(shape=shapes, decay=st.sampled_from([0.0, 0.1]), seed=st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_steps_equal_pytorch(name, shape, decay, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    ours = _parameter(rng, shape)
    theirs = torch.nn.Parameter(torch.tensor(ours.data.copy()))
    if name == "adamw":
        a = AdamW([ours], lr=0.01, betas=(0.8, 0.95), weight_decay=decay)
        b = torch.optim.AdamW([theirs], lr=0.01, betas=(0.8, 0.95), weight_decay=decay)
    else:
        momentum = 0.0 if name == "plain" else 0.9
        nesterov = name == "nesterov"
        a = SGD([ours], lr=0.01, momentum=momentum, weight_decay=decay, nesterov=nesterov)
        b = torch.optim.SGD(
            [theirs], lr=0.01, momentum=momentum, weight_decay=decay, nesterov=nesterov
        )
    for _ in range(7):
        grad = rng.standard_normal(shape).astype(np.float32)
        ours.grad, theirs.grad = grad.copy(), torch.tensor(grad)
        a.step()
        b.step()
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=2e-5, atol=2e-6)


def test_adamw_first_step_is_lr_times_sign():
    # with bias correction, mean / sqrt(square) is the gradient's sign at step 1
    p = Tensor(np.zeros(4, np.float32), requires_grad=True)
    p.grad = np.array([3.0, -0.01, 100.0, -5.0], np.float32)
    AdamW([p], lr=0.1, weight_decay=0.0).step()
    np.testing.assert_allclose(p.data, [-0.1, 0.1, -0.1, 0.1], rtol=1e-4)


def test_decay_is_decoupled_from_the_gradient():
    p = Tensor(np.full(3, 2.0, np.float32), requires_grad=True)
    p.grad = np.zeros(3, np.float32)
    AdamW([p], lr=0.1, weight_decay=0.5).step()
    np.testing.assert_allclose(p.data, 2.0 * (1 - 0.1 * 0.5), rtol=1e-6)


def test_groups_spare_norms_biases_and_positions():
    from tinyternary.models import ViT, preset

    model = ViT(preset("tiny", depth=1, pool="cls"))
    decay, plain = parameter_groups(model, 0.3)
    assert (decay.weight_decay, plain.weight_decay) == (0.3, 0.0)
    assert {"patch_embed.proj.weight", "blocks.0.mlp.fc1.weight", "head.weight"} <= set(
        decay.parameters
    )
    for name in ("pos_embed", "cls_token", "norm.weight", "head.bias", "blocks.0.norm1.bias"):
        assert name in plain.parameters
    together = [*decay.parameters, *plain.parameters]
    assert sorted(together) == sorted(name for name, _ in model.named_parameters())


def test_group_learning_rates_and_missing_gradients():
    a, b, c = (Tensor(np.ones(2, np.float32), requires_grad=True) for _ in range(3))
    groups = [
        ParameterGroup({"a": a}, lr_scale=1.0),
        ParameterGroup({"b": b, "c": c}, lr_scale=0.5),
    ]
    optimizer = SGD(groups, lr=0.2, momentum=0.0)
    a.grad, b.grad = np.ones(2, np.float32), np.ones(2, np.float32)
    optimizer.step()
    np.testing.assert_allclose(a.data, 0.8, rtol=1e-6)
    np.testing.assert_allclose(b.data, 0.9, rtol=1e-6)
    np.testing.assert_array_equal(c.data, 1.0)


@given(limit=st.floats(0.01, 10), scale=st.floats(0.001, 100), seed=st.integers(0, 50))
@settings(deadline=None)
def test_clipping_keeps_direction_and_bounds_norm(limit, scale, seed):
    rng = np.random.default_rng(seed)
    ps = [_parameter(rng, shape) for shape in ((3,), (2, 2))]
    for p in ps:
        p.grad = (scale * rng.standard_normal(p.shape)).astype(np.float32)
    before = np.concatenate([p.grad.ravel() for p in ps])
    norm = clip_gradients(ps, limit)
    after = np.concatenate([p.grad.ravel() for p in ps])
    assert norm == pytest.approx(np.linalg.norm(before), rel=1e-5)
    assert gradient_norm(ps) <= limit * (1 + 1e-5) or norm <= limit
    expected = before * min(1.0, limit / norm)
    np.testing.assert_allclose(after, expected, rtol=1e-3, atol=1e-6)


def test_state_goes_round_and_foreign_state_is_refused():
    rng = np.random.default_rng(0)
    p = _parameter(rng, (3, 2))
    first = AdamW([ParameterGroup({"w": p})])
    p.grad = np.ones((3, 2), np.float32)
    first.step()
    saved = {name: array.copy() for name, array in first.state_dict().items()}
    second = AdamW([ParameterGroup({"w": _parameter(rng, (3, 2))})])
    second.load_state_dict(saved, first.steps)
    for name, array in second.state_dict().items():
        np.testing.assert_array_equal(array, saved[name])
    assert second.steps == 1
    with pytest.raises(CheckpointError, match=r"'w\.mean'.*\(2, 2\)"):
        AdamW([ParameterGroup({"w": _parameter(rng, (2, 2))})]).load_state_dict(saved, 1)
    with pytest.raises(CheckpointError, match="missing"):
        second.load_state_dict({}, 1)


def test_bad_arguments():
    with pytest.raises(ConfigError, match="no parameters"):
        AdamW([])
    p = Tensor(np.ones(1, np.float32), requires_grad=True)
    with pytest.raises(ConfigError, match="two groups"):
        SGD([ParameterGroup({"a": p}), ParameterGroup({"a": p})])
    with pytest.raises(ConfigError, match="clip norm"):
        clip_gradients([p], 0.0)
