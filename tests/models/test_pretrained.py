"""Files in timm's and transformers' names; their own code and PyTorch's are the oracles."""

from __future__ import annotations

import json
import pickle
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from safetensors.numpy import save_file

from tests.damage import damaged
from tinyternary.autograd import no_grad
from tinyternary.config import LayerQuant
from tinyternary.errors import CheckpointError, ConfigError, ShapeError
from tinyternary.models import ViT, load_pretrained, preset, resize_positions
from tinyternary.models.pretrained import read_safetensors
from tinyternary.quant import ternarize
from tinyternary.quant.registry import WEIGHTS

CONFIG = preset(
    "tiny", image_size=16, width=32, depth=2, heads=4, mlp_width=48, num_classes=5, pool="cls"
)


def images(config, batch=3):
    shape = (batch, config.channels, config.image_size, config.image_size)
    return np.random.default_rng(1).standard_normal(shape, np.float32)


def logits(model, x):
    with no_grad():
        return model.eval()(x).data


def timm_file(model, path, **changes):
    """Write a model as timm's VisionTransformer names it: a convolution for the patches."""
    c = model.config
    state = {name: array.copy() for name, array in model.state_dict().items()}
    conv = state["patch_embed.proj.weight"]
    state["patch_embed.proj.weight"] = conv.reshape(c.width, c.channels, c.patch_size, c.patch_size)
    state |= changes
    save_file({n: np.ascontiguousarray(a) for n, a in state.items() if a is not None}, path)
    return path


def shaken(config, seed):
    """A model with no zero and no one among its values."""
    model = ViT(config, seed)
    rng = np.random.default_rng(seed)
    for parameter in model.parameters():
        parameter.data += 0.1 * rng.standard_normal(parameter.shape).astype(np.float32)
    return model


def test_timm_names_round_trip(tmp_path):
    source, model = shaken(CONFIG, 1), ViT(CONFIG, 2)
    report = load_pretrained(model, timm_file(source, tmp_path / "vit.safetensors"))
    assert report.naming == "timm"
    assert set(report.matched) == set(source.state_dict())
    assert report.missing + report.unused == []
    np.testing.assert_array_equal(logits(model, images(CONFIG)), logits(source, images(CONFIG)))


def test_timm_layer_scale_is_multiplied_in(tmp_path):
    source, model = shaken(CONFIG, 1), ViT(CONFIG, 2)
    rng = np.random.default_rng(5)
    gammas = {
        f"blocks.{i}.ls{b}.gamma": rng.standard_normal(32).astype(np.float32)
        for i in range(2)
        for b in (1, 2)
    }
    path = timm_file(source, tmp_path / "vit.safetensors", **gammas)
    report = load_pretrained(model, path)
    assert not report.unused
    for i in range(2):  # what timm computes: the branch times gamma
        for b, layer in ((1, source.blocks[i].attn.proj), (2, source.blocks[i].mlp.fc2)):
            gamma = gammas[f"blocks.{i}.ls{b}.gamma"]
            layer.weight.data *= gamma[:, None]
            layer.bias.data *= gamma
    x = images(CONFIG)
    np.testing.assert_allclose(logits(model, x), logits(source, x), atol=1e-5)


def test_a_mean_pooling_timm_model_calls_its_norm_fc_norm(tmp_path):
    config = preset("tiny", width=16, heads=2, depth=1)
    source, model = shaken(config, 1), ViT(config, 2)
    norm = {f"fc_norm.{p}": source.state_dict()[f"norm.{p}"] for p in ("weight", "bias")}
    path = timm_file(
        source, tmp_path / "v.safetensors", **norm, **{"norm.weight": None, "norm.bias": None}
    )
    load_pretrained(model, path)
    np.testing.assert_array_equal(logits(model, images(config)), logits(source, images(config)))


def test_other_classes_channels_grid_and_pooling_are_adapted_or_left_out_on_request(tmp_path):
    source = shaken(CONFIG, 1)
    config = preset(
        "tiny", image_size=32, width=32, depth=2, heads=4, mlp_width=48, num_classes=2, channels=1,
        token_norm=True,
    )  # fmt: skip
    model = ViT(config, 2)
    head = model.head.weight.data.copy()
    path = timm_file(source, tmp_path / "v.safetensors")
    with pytest.raises(CheckpointError, match=r"a class token, the model none .*registers=1$"):
        load_pretrained(model, path, drop=["head.*"])
    with pytest.raises(CheckpointError, match=r"not the model's grid of 8 x 8; .* grid=\(4, 4\)$"):
        load_pretrained(model, path, drop=["cls_token"])
    with pytest.raises(CheckpointError, match=r"\(5, 32\).*\(2, 32\); drop=\['head"):
        load_pretrained(model, path, drop=["cls_token"], grid=(4, 4))
    with pytest.raises(ConfigError, match=r"drop: 'haed\.\*' is no name"):
        load_pretrained(model, path, drop=["haed.*"])
    report = load_pretrained(model, path, drop=["head.*", "cls_token"], grid=(4, 4))
    assert report.missing == ["head.weight", "head.bias"]
    assert set(report.unused) == {"head.weight", "head.bias", "cls_token"}
    assert "3 colour channels summed" in report.adapted["patch_embed.proj.weight"]
    assert "4 x 4 interpolated to 8 x 8" in report.adapted["pos_embed"]
    np.testing.assert_array_equal(model.head.weight.data, head)
    expected = resize_positions(source.pos_embed.data[0, 1:], 8)
    np.testing.assert_array_equal(model.pos_embed.data[0], expected)
    text = str(report)
    for name in ("head.weight", "cls_token", "pos_embed", "as it was", "not used", "adapted"):
        assert name in text


def test_grey_images_give_what_the_same_grey_gives_in_colour(tmp_path):
    source = shaken(CONFIG, 1)
    gray = ViT(replace(CONFIG, channels=1), 2)
    load_pretrained(gray, timm_file(source, tmp_path / "v.safetensors"))
    x = images(gray.config)
    np.testing.assert_allclose(logits(gray, x), logits(source, np.repeat(x, 3, 1)), atol=1e-4)


def test_a_ternary_model_takes_its_latent_weights_from_the_file(tmp_path):
    source, model = shaken(CONFIG, 1), ternarize(ViT(CONFIG, 2), "all-linear")
    report = load_pretrained(model, timm_file(source, tmp_path / "v.safetensors"))
    assert all(name.endswith(".norm.weight") for name in report.missing)
    assert len(report.missing) == 8
    loaded = model.blocks[0].mlp.fc1.weight.data
    np.testing.assert_array_equal(loaded, source.blocks[0].mlp.fc1.weight.data)


@pytest.mark.parametrize("rule", sorted(WEIGHTS))
def test_a_ternary_model_learns_its_scales_for_the_weights_of_the_file(tmp_path, rule):
    """Loaded before or after the layers became ternary: the same network."""
    config = replace(CONFIG, depth=1)
    path = timm_file(shaken(config, 1), tmp_path / "v.safetensors")
    first, then = ViT(config, 2), ViT(config, 2)
    load_pretrained(first, path)
    policy = {"blocks.*.*.*": LayerQuant(weight=rule)}
    if rule not in ("int8", "int4"):
        policy["*norm*"] = LayerQuant(weight=rule, activation="none", norm=False)
    ternarize(first, policy)
    report = load_pretrained(ternarize(then, policy), path)
    np.testing.assert_array_equal(logits(then, images(config)), logits(first, images(config)))
    # what is left are the layers' own norms, of which the file says nothing
    assert all(".norm." in name for name in report.missing)
    # a file that has scales of its own keeps them
    own = dict(first.state_dict())
    own |= {n: np.asarray(a * np.float32(1.5)) for n, a in own.items() if ".quantizer." in n}
    save_file(own, tmp_path / "own.safetensors")
    assert load_pretrained(then, tmp_path / "own.safetensors").missing == []
    for name, array in then.state_dict().items():
        np.testing.assert_array_equal(array, own[name])


@given(data=st.data())
@settings(max_examples=40)
def test_whatever_changes_the_function_is_refused(tmp_path_factory, data):
    """An array too many, too few, or of another name: an error, and the model is as it was."""
    path = tmp_path_factory.mktemp("odd") / "v.safetensors"
    config = replace(CONFIG, depth=1)
    source, model = shaken(config, 1), ViT(config, 2)
    names = [
        n
        for n in source.state_dict()
        if not n.endswith(("proj.bias", "fc1.bias", "fc2.bias", "qkv.bias", "head.bias"))
    ]
    name = data.draw(st.sampled_from(names))
    spare = source.state_dict()[name]
    part = data.draw(st.sampled_from(["gone", "renamed", "another"]))
    new = re.sub(r"\w+$", "extra", name)
    changes = {} if part == "another" else {name: None}
    changes |= {} if part == "gone" else {new: spare}
    timm_file(source, path, **changes)
    before = {n: a.copy() for n, a in model.state_dict().items()}
    with pytest.raises(CheckpointError, match=path.name) as found:
        load_pretrained(model, path)
    assert "\n" not in str(found.value)
    for n, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[n])


def test_a_linear_layer_without_bias_has_one_of_zeros(tmp_path):
    source, model = shaken(CONFIG, 1), shaken(CONFIG, 2)
    path = timm_file(source, tmp_path / "v.safetensors", **{"blocks.0.attn.qkv.bias": None})
    report = load_pretrained(model, path)
    assert report.adapted["blocks.0.attn.qkv.bias"] == "the file has no bias here: 0"
    source.blocks[0].attn.qkv.bias.data[...] = 0
    np.testing.assert_array_equal(logits(model, images(CONFIG)), logits(source, images(CONFIG)))
    # and the other way round: biases of 0 may be left out, others may not
    bare = ViT(replace(CONFIG, attention_bias=False), 3)
    with pytest.raises(CheckpointError, match="attention has biases: build the model with"):
        load_pretrained(bare, timm_file(source, path))
    for block in source.blocks:
        block.attn.qkv.bias.data[...] = block.attn.proj.bias.data[...] = 0
    load_pretrained(bare, timm_file(source, path))
    np.testing.assert_array_equal(logits(bare, images(CONFIG)), logits(source, images(CONFIG)))


def test_two_arrays_of_one_name_are_refused(tmp_path):
    source, model = shaken(CONFIG, 1), ViT(CONFIG, 2)
    path = timm_file(
        source, tmp_path / "v.safetensors", **{"model.head.weight": np.ones((5, 32), np.float32)}
    )
    with pytest.raises(CheckpointError, match=r"would both be the head\.weight of a ViT"):
        load_pretrained(model, path)
    load_pretrained(model, path, drop=["model.head.weight"])
    np.testing.assert_array_equal(model.head.weight.data, source.head.weight.data)


def test_integers_are_no_weights(tmp_path):
    source, model = shaken(CONFIG, 1), ViT(CONFIG, 2)
    codes = np.ones((5, 32), np.int8)
    path = timm_file(source, tmp_path / "v.safetensors", **{"head.weight": codes})
    with pytest.raises(CheckpointError, match=r"head\.weight is stored as int8, expected floats"):
        load_pretrained(model, path)
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch

    save_torch({"head.weight": torch.ones(5, 32).to(torch.float8_e4m3fn)}, path)
    with pytest.raises(CheckpointError, match=r"head\.weight: dtype: 'F8_E4M3', expected one of"):
        load_pretrained(model, path)


def test_files_of_torch_save_are_named_as_such(tmp_path):
    model = ViT(CONFIG, 2)
    path = tmp_path / "vit.pth"
    path.write_bytes(pickle.dumps({"head.weight": 1}))
    with pytest.raises(
        CheckpointError, match=r"vit\.pth: a file of torch\.save.*weights_only=True"
    ):
        load_pretrained(model, path)
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(CheckpointError, match="header length"):
        load_pretrained(model, path)
    torch = pytest.importorskip("torch")
    torch.save({n: torch.from_numpy(a) for n, a in model.state_dict().items()}, path)
    with pytest.raises(
        CheckpointError, match=r"vit\.pth: a file of torch\.save.*weights_only=True"
    ):
        load_pretrained(model, path)
    # what the message says to do gives a file that can be read
    from safetensors.torch import save_file as save_torch

    weights = torch.load(path, weights_only=True, map_location="cpu")
    save_torch(weights.get("model", weights), tmp_path / "vit.safetensors")
    assert load_pretrained(model, tmp_path / "vit.safetensors").missing == []


def test_bfloat16_and_float16_are_read(tmp_path):
    source = shaken(CONFIG, 1)
    half = {n: a.astype(np.float16) for n, a in source.state_dict().items()}
    save_file(half, tmp_path / "half.safetensors")
    model = ViT(CONFIG, 2)
    load_pretrained(model, tmp_path / "half.safetensors")
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, half[name].astype(np.float32))
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch

    brain = {n: torch.from_numpy(a).to(torch.bfloat16) for n, a in source.state_dict().items()}
    save_torch(brain, tmp_path / "brain.safetensors")
    load_pretrained(model, tmp_path / "brain.safetensors")
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, brain[name].float().numpy())


def test_other_numbers_are_read_or_left_out(tmp_path):
    """Doubles are rounded, and what is no float is nobody's weight."""
    source, model = shaken(CONFIG, 1), ViT(CONFIG, 2)
    double = {n: a.astype(np.float64) for n, a in source.state_dict().items()}
    path = tmp_path / "double.safetensors"
    save_file(double | {"step": np.arange(3), "mask": np.array([True])}, path)
    report = load_pretrained(model, path)
    assert report.unused == report.missing == []
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, source.state_dict()[name])
    double["norm.bias"][0] = 1e300
    save_file(double, path)
    with pytest.raises(CheckpointError, match=r"norm\.bias has entries that are NaN or infinite"):
        load_pretrained(model, path)


@given(data=st.data())
@settings(max_examples=300)
def test_damage_is_an_error_or_harmless(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "a.safetensors"
    save_file(
        {"w": np.ones(9, np.float32), "h": np.ones((2, 3), np.float16), "n": np.ones(2)}, path
    )
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    try:
        found = read_safetensors(path)
    except CheckpointError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert {array.dtype for array in found.values()} <= {np.dtype(np.float32)}


@pytest.mark.parametrize("damage", ["missing", "short", "text", "foreign", "nan"])
def test_a_bad_file_is_named_and_nothing_changes(tmp_path, damage):
    model = ViT(CONFIG, 2)
    before = {n: a.copy() for n, a in model.state_dict().items()}
    path = timm_file(shaken(CONFIG, 1), tmp_path / "vit.safetensors")
    if damage == "missing":
        path = tmp_path / "nothing.safetensors"
    elif damage == "short":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "text":
        path.write_text("not a model")
    elif damage == "foreign":
        save_file({"conv1.weight": np.zeros((3, 3), np.float32)}, path)
    else:
        timm_file(shaken(CONFIG, 1), path, **{"norm.weight": np.full(32, np.nan, np.float32)})
    with pytest.raises(CheckpointError, match=path.name):
        load_pretrained(model, path)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("antialias", [False, True])
def test_resizing_to_the_same_grid_changes_nothing(antialias):
    table = np.random.default_rng(0).standard_normal((25, 3)).astype(np.float32)
    found = resize_positions(table, 5, antialias=antialias)
    np.testing.assert_allclose(found, table, atol=1e-6)
    constant = np.ones((9, 2), np.float32)
    for grid in (2, 7):
        found = resize_positions(constant, grid, antialias=antialias)
        np.testing.assert_allclose(found, 1, atol=1e-6)
    with pytest.raises(ShapeError, match="no square grid"):
        resize_positions(table[:24], 5, antialias=antialias)
    with pytest.raises(ShapeError, match="25 rows are no grid of 3 x 8"):
        resize_positions(table, 5, (3, 8), antialias=antialias)


@pytest.mark.parity
@given(
    old=st.tuples(st.integers(1, 17), st.integers(1, 17)), new=st.integers(1, 17),
    antialias=st.booleans(),
)  # fmt: skip
def test_resizing_equals_pytorch_bicubic(old, new, antialias):
    torch = pytest.importorskip("torch")
    table = np.random.default_rng(0).standard_normal((old[0] * old[1], 3)).astype(np.float32)
    grid = torch.from_numpy(table.reshape(1, *old, 3)).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(
        grid, size=(new, new), mode="bicubic", align_corners=False, antialias=antialias
    )
    expected = expected.permute(0, 2, 3, 1).reshape(new * new, 3).numpy()
    found = resize_positions(table, new, old, antialias=antialias)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.fixture
def transformers(monkeypatch):
    # a torchvision of another build breaks the import of transformers, which can do without
    if "transformers.models.vit.modeling_vit" not in sys.modules:
        monkeypatch.setitem(sys.modules, "torchvision", None)
    pytest.importorskip("torch")
    module = pytest.importorskip("transformers")
    assert module.ViTModel
    return module


def hugging_face(transformers, kind, **changes):
    torch = pytest.importorskip("torch")
    settings = {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 48, "image_size": 16, "patch_size": 4, "num_channels": 3,
        "layer_norm_eps": 1e-6, "num_labels": 5,
    }  # fmt: skip
    torch.manual_seed(0)
    family, _, teacher = kind.partition("With")
    config = getattr(transformers, f"{family}Config")(**(settings | changes))
    name = f"{family}ForImageClassification{teacher and 'With' + teacher}"
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parity
@pytest.mark.parametrize("saved_as", ["file", "module"])
def test_transformers_vit_gives_the_same_logits_and_tokens(tmp_path, transformers, saved_as):
    import torch

    theirs = hugging_face(transformers, "ViT")
    if saved_as == "file":
        theirs.save_pretrained(tmp_path)
        path = tmp_path / "model.safetensors"
    else:  # the names of its modules, which version 5 changed
        path = tmp_path / "state.safetensors"
        save_file({n: t.numpy().copy() for n, t in theirs.state_dict().items()}, path)
    model = ViT(CONFIG, 3).eval()
    report = load_pretrained(model, path)
    assert report.naming == "transformers"
    assert set(report.matched) == set(model.state_dict())
    assert report.unused == []
    x = images(CONFIG)
    record: dict = {}
    ours = model.forward(x, record).data
    with torch.no_grad():
        out = theirs(torch.from_numpy(x), output_hidden_states=True)
    np.testing.assert_allclose(ours, out.logits.numpy(), atol=1e-5)
    for i in range(2):
        expected = out.hidden_states[i + 1].numpy()
        np.testing.assert_allclose(record[f"blocks.{i}"].data, expected, atol=1e-4)


@pytest.mark.parity
def test_transformers_interpolated_positions_give_the_same_logits(tmp_path, transformers):
    import torch

    theirs = hugging_face(transformers, "ViT")
    theirs.save_pretrained(tmp_path)
    model = ViT(replace(CONFIG, image_size=24), 3)
    load_pretrained(model, tmp_path / "model.safetensors")  # its config.json says the grid
    x = images(model.config)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x), interpolate_pos_encoding=True).logits.numpy()
    np.testing.assert_allclose(logits(model, x), expected, atol=1e-5)


@pytest.mark.parity
@pytest.mark.parametrize(
    ("kind", "pooling"),
    [("DeiT", {"pool": "cls", "registers": 1}), ("DeiTWithTeacher", {"pool": "distilled"})],
)
def test_transformers_deit_gives_the_same_logits(tmp_path, transformers, kind, pooling):
    """Without its teacher's head the distillation token is one that no head reads: a register."""
    import torch

    theirs = hugging_face(transformers, kind)
    theirs.save_pretrained(tmp_path)
    model = ViT(replace(CONFIG, **pooling), 3)
    report = load_pretrained(model, tmp_path / "model.safetensors")
    assert report.unused == []
    assert ("head.weight" in report.adapted) == (kind == "DeiTWithTeacher")
    x = images(model.config)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x)).logits.numpy()
    np.testing.assert_allclose(logits(model, x), expected, atol=1e-5)
    with pytest.raises(CheckpointError, match="build the model with pool="):
        load_pretrained(ViT(CONFIG, 3), tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"model_type": "vit", "num_attention_heads": 8}, "num_attention_heads: 8, the model has heads=4"),
        ({"model_type": "deit", "layer_norm_eps": 1e-12}, "layer_norm_eps: 1e-12, the model has norm_eps=1e-06"),
        ({"model_type": "vit", "hidden_act": "quick_gelu"}, "hidden_act: 'quick_gelu', the model has activation='gelu'"),
        ({"model_type": "vit", "hidden_act": "gelu_new"}, "hidden_act: 'gelu_new', the model has"),
        ({"model_type": "vit", "image_size": [8, 32], "patch_size": 4}, ""),
        ({"architecture": "vit_base_patch16_224", "global_pool": "avg"}, "global_pool: 'avg', the model has pool='cls'"),
        ({"architecture": "vit_base_patch16_siglip_224", "global_pool": "map"}, "global_pool: 'map'"),
        ({"architecture": "vit_base_patch16_rpn_224"}, "norms after attention and MLP"),
        ({"architecture": "vit_base_patch16_224", "global_pool": "token"}, ""),
        ({"model": {"heads": 2}, "recipe": {}}, ""),  # a run folder's own
        ({"model_type": "vit", "image_size": {}, "patch_size": [0, 0]}, ""),
    ],
)  # fmt: skip
def test_a_config_beside_the_weights_is_compared(tmp_path, said, message):
    """What arrays do not tell; the grid that it states is taken."""
    source, model = shaken(CONFIG, 1), ViT(CONFIG, 2)
    path = timm_file(source, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(said))
    if message:
        with pytest.raises(CheckpointError, match=re.escape(message)):
            load_pretrained(model, path)
        return
    report = load_pretrained(model, path)
    assert ("pos_embed" in report.adapted) == (said.get("image_size") == [8, 32])
    if "pos_embed" in report.adapted:
        assert "2 x 8 interpolated to 4 x 4" in report.adapted["pos_embed"]


def test_a_damaged_config_beside_the_weights_is_named(tmp_path):
    path = timm_file(shaken(CONFIG, 1), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_pretrained(ViT(CONFIG, 2), path)
