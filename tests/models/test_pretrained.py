"""Files in timm's and transformers' names; their own code and PyTorch's are the oracles."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from safetensors.numpy import load_file, save_file

from tests.damage import damaged
from tinyternary.autograd import no_grad
from tinyternary.errors import CheckpointError, ShapeError
from tinyternary.models import ViT, load_pretrained, preset, resize_positions
from tinyternary.models.pretrained import read_safetensors
from tinyternary.quant import ternarize

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
    assert report.missing + report.unused + list(report.mismatched) == []
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


def test_other_classes_channels_grid_and_pooling_are_adapted_or_reported(tmp_path):
    source = shaken(CONFIG, 1)
    config = preset(
        "tiny", image_size=32, width=32, depth=2, heads=4, mlp_width=48, num_classes=2, channels=1
    )
    model = ViT(config, 2)
    head = model.head.weight.data.copy()
    report = load_pretrained(model, timm_file(source, tmp_path / "v.safetensors"))
    assert set(report.mismatched) == {"head.weight", "head.bias"}
    assert "(5, 32)" in report.mismatched["head.weight"]
    assert report.unused == ["cls_token"]
    assert "3 colour channels summed" in report.adapted["patch_embed.proj.weight"]
    assert "4 x 4 interpolated to 8 x 8" in report.adapted["pos_embed"]
    np.testing.assert_array_equal(model.head.weight.data, head)
    expected = resize_positions(source.pos_embed.data[0, 1:], 8)
    np.testing.assert_array_equal(model.pos_embed.data[0], expected)
    text = str(report)
    for name in ("head.weight", "cls_token", "pos_embed", "not loaded", "not used", "adapted"):
        assert name in text


def test_grey_images_give_what_the_same_grey_gives_in_colour(tmp_path):
    source = shaken(CONFIG, 1)
    from dataclasses import replace

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


def test_resizing_to_the_same_grid_changes_nothing():
    table = np.random.default_rng(0).standard_normal((25, 3)).astype(np.float32)
    np.testing.assert_allclose(resize_positions(table, 5), table, atol=1e-6)
    constant = np.ones((9, 2), np.float32)
    np.testing.assert_allclose(resize_positions(constant, 7), 1, atol=1e-6)
    with pytest.raises(ShapeError, match="square"):
        resize_positions(table[:24], 5)


@pytest.mark.parity
@pytest.mark.parametrize(("old", "new"), [(4, 9), (7, 14), (14, 7), (5, 3), (1, 4)])
def test_resizing_equals_pytorch_bicubic(old, new):
    torch = pytest.importorskip("torch")
    table = np.random.default_rng(0).standard_normal((old * old, 6)).astype(np.float32)
    grid = torch.from_numpy(table.reshape(1, old, old, 6)).permute(0, 3, 1, 2)
    expected = torch.nn.functional.interpolate(
        grid, size=(new, new), mode="bicubic", align_corners=False
    )
    expected = expected.permute(0, 2, 3, 1).reshape(new * new, 6).numpy()
    np.testing.assert_allclose(resize_positions(table, new), expected, atol=1e-5)


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
    config = getattr(transformers, f"{kind}Config")(**(settings | changes))
    name = {"ViT": "ViTForImageClassification", "DeiT": "DeiTForImageClassification"}[kind]
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
    from dataclasses import replace

    import torch

    theirs = hugging_face(transformers, "ViT")
    theirs.save_pretrained(tmp_path)
    model = ViT(replace(CONFIG, image_size=24), 3)
    load_pretrained(model, tmp_path / "model.safetensors")
    x = images(model.config)
    with torch.no_grad():
        expected = theirs(torch.from_numpy(x), interpolate_pos_encoding=True).logits.numpy()
    np.testing.assert_allclose(logits(model, x), expected, atol=1e-5)


@pytest.mark.parity
def test_deit_distillation_token_is_reported(tmp_path, transformers):
    theirs = hugging_face(transformers, "DeiT")
    theirs.save_pretrained(tmp_path)
    assert "deit.embeddings.distillation_token" in load_file(tmp_path / "model.safetensors")
    model = ViT(CONFIG, 3)
    report = load_pretrained(model, tmp_path / "model.safetensors")
    assert report.unused == ["deit.embeddings.distillation_token"]
    assert "1 extra token(s) left out" in report.adapted["pos_embed"]
    positions = theirs.deit.embeddings.position_embeddings.detach().numpy()[0]
    np.testing.assert_array_equal(model.pos_embed.data[0], positions[[0, *range(2, 18)]])
