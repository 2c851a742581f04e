"""Files of timm's own networks: its logits, or an error that says what they compute."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.models.timm_alone import timm
from tinyternary.autograd import no_grad
from tinyternary.config import ViTConfig
from tinyternary.errors import CheckpointError
from tinyternary.models import ViT, load_pretrained

pytestmark = pytest.mark.parity

SMALL = {"embed_dim": 32, "depth": 2, "num_heads": 4, "num_classes": 5}
PLAIN = {"pool": "cls"}

FAMILIES = {
    "vit_tiny_patch16_224": PLAIN,
    "vit_small_patch32_224": PLAIN,
    "deit_tiny_patch16_224": PLAIN,
    "deit3_small_patch16_224": PLAIN,  # LayerScale, no position for the class token
    "deit_tiny_distilled_patch16_224": {"pool": "distilled"},
    "vit_base_patch8_224": PLAIN,
    "vit_small_patch14_dinov2": PLAIN,
    "vit_small_patch14_reg4_dinov2": {"pool": "cls", "registers": 4},
    "vit_base_patch16_clip_224": {"pool": "cls", "embed_norm": True},
    "vit_base_patch16_siglip_gap_224": {"token_norm": True},
    "vit_medium_patch16_gap_240": {"token_norm": True},
    "vit_little_patch16_reg1_gap_256": {"registers": 1},
    "vit_medium_patch16_reg4_gap_256": {"registers": 4},
}
"""timm's name to what our configuration must say."""

REFUSED = {
    "vit_base_patch16_siglip_224": "the head pools by attention",
    "vit_base_patch16_18x2_224": "the model has no place for it",
    "vit_giant_patch14_dinov2": r"the MLP is gated \(SwiGLU\)",
    "vit_relpos_small_patch16_224": "attention has relative positions",
    "beit_base_patch16_224": "attention has relative positions",
    "eva02_tiny_patch14_224": r"the MLP is gated \(SwiGLU\)",
}  # fmt: skip

VARIANTS = {
    "norm before the mean": ({"class_token": False, "global_pool": "avg", "fc_norm": False},
                             {"token_norm": True}),
    "norm after the mean": ({"class_token": False, "global_pool": "avg"}, {}),
    "class token beside a mean": ({"global_pool": "avg"}, {"registers": 1}),
    "class token, registers, mean": ({"global_pool": "avg", "reg_tokens": 2, "fc_norm": False},
                                     {"registers": 3, "token_norm": True}),
    "class token, fc_norm": ({"fc_norm": True}, PLAIN),
    "registers with positions": ({"reg_tokens": 2}, {"pool": "cls", "registers": 2}),
    "no position in front": ({"reg_tokens": 2, "no_embed_class": True},
                             {"pool": "cls", "registers": 2}),
    "norm after the embedding": ({"pre_norm": True}, {"pool": "cls", "embed_norm": True}),
    "LayerScale": ({"init_values": 0.5}, PLAIN),
    "no biases in queries, keys and values": ({"qkv_bias": False}, PLAIN),
    "no bias after attention": ({"proj_bias": False}, PLAIN),
    "tanh in GELU": ({"act_layer": "gelu_tanh"}, {"pool": "cls", "activation": "gelu_tanh"}),
}  # fmt: skip


def theirs(name, **changes):
    """A small network of a timm family; no value is a 0, a 1 or another's."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    model = timm().create_model(name, pretrained=False, **(SMALL | changes)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def saved(model, path):
    save_file({n: t.numpy().copy() for n, t in model.state_dict().items()}, path)
    return path


def ours(model, **changes):
    patch = model.patch_embed.patch_size[0]
    norm = model.blocks[0].norm1
    return ViT(ViTConfig(
        image_size=model.patch_embed.img_size[0], patch_size=patch, width=32, depth=2, heads=4,
        mlp_width=model.blocks[0].mlp.fc1.out_features, num_classes=5, norm_eps=norm.eps, **changes,
    ))  # fmt: skip


def same_logits(model, network):
    import torch

    size = model.config.image_size
    x = np.random.default_rng(1).standard_normal((3, 3, size, size), np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x)).numpy()
    with no_grad():
        found = model.eval()(x).data
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def size_for(name):
    patch = int(name.split("_patch")[1].split("_")[0])
    return 4 * patch


@pytest.mark.parametrize("name", FAMILIES)
def test_families_give_timms_logits(name, tmp_path):
    network = theirs(name, img_size=size_for(name))
    model = ours(network, **FAMILIES[name])
    report = load_pretrained(model, saved(network, tmp_path / "v.safetensors"))
    assert report.naming == "timm"
    assert report.missing == report.unused == []
    same_logits(model, network)


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_give_timms_logits_and_no_other_configuration_does(name, tmp_path):
    options, changes = VARIANTS[name]
    network = theirs("vit_tiny_patch16_224", img_size=64, **options)
    path = saved(network, tmp_path / "v.safetensors")
    model = ours(network, **changes)
    load_pretrained(model, path)
    same_logits(model, network)
    # every other way to read its tokens is an error, or another choice that the file allows
    pools = [{"pool": "cls"}, {"pool": "distilled"}, {"token_norm": True}, {}]
    for other in pools:
        for more in ({}, {"registers": 1}, {"embed_norm": True}):
            wrong = {"activation": changes.get("activation", "gelu"), **other, **more}
            asked = ours(network, **wrong).config
            if asked == model.config or not _other_tokens(asked, model.config):
                continue
            with pytest.raises(CheckpointError, match=r"build the model|configuration asks for"):
                load_pretrained(ViT(asked), path)


def _other_tokens(one, other):
    """Whether two configurations differ in what the arrays of a file can tell."""

    def told(c):
        return c.front, c.embed_norm, c.pool == "distilled", c.pool == "mean" and c.token_norm

    return told(one) != told(other) and one.pool == other.pool


def _hidden(network):
    """The hidden width, as near as a network that is not ours has one."""
    mlp = getattr(network.blocks[0], "mlp", None)
    layer = getattr(mlp, "fc1", None) or getattr(mlp, "fc1_g", None)
    return 128 if layer is None else layer.out_features


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_built_is_refused_in_one_line(name, tmp_path):
    network = theirs(name, img_size=size_for(name))
    path = saved(network, tmp_path / "v.safetensors")
    for changes in ({}, {"pool": "cls"}, {"registers": 1}, {"pool": "cls", "registers": 1}):
        model = ViT(ViTConfig(
            image_size=size_for(name), patch_size=size_for(name) // 4, width=32, depth=2, heads=4,
            mlp_width=_hidden(network), num_classes=5, **changes,
        ))  # fmt: skip
        with pytest.raises(CheckpointError) as found:
            load_pretrained(model, path)
        assert "\n" not in str(found.value)
        if "build the model" not in str(found.value):
            assert found.match(REFUSED[name])


def test_normalised_queries_and_keys_are_refused(tmp_path):
    for options, why in (
        ({"qk_norm": True}, r"queries and keys are normalised \(qk_norm\)"),
        ({"scale_attn_norm": True}, "a norm stands inside of attention or MLP"),
        ({"scale_mlp_norm": True}, "a norm stands inside of attention or MLP"),
        ({"global_pool": "map"}, "the head pools by attention"),
        ({"pos_embed": "none"}, "it has no pos_embed"),
        ({"final_norm": False}, r"it has no norm\.weight \(and 1 more\)"),
        ({"num_classes": 0}, r"it has no head\.weight \(and 1 more\)"),
    ):
        network = theirs("vit_tiny_patch16_224", img_size=64, **options)
        path = saved(network, tmp_path / "v.safetensors")
        with pytest.raises(CheckpointError, match=why):
            load_pretrained(ours(network, **PLAIN), path)


@pytest.mark.parametrize("size", [32, 96, 144])
@pytest.mark.parametrize("options", [{}, {"no_embed_class": True, "reg_tokens": 2}])
def test_another_grid_is_interpolated_as_timm_does(size, options, tmp_path):
    network = theirs("vit_tiny_patch16_224", img_size=64, **options)
    path = saved(network, tmp_path / "v.safetensors")
    network.set_input_size((size, size))
    model = ours(network, pool="cls", registers=options.get("reg_tokens", 0))
    with pytest.raises(CheckpointError, match=r"not the model's grid of .* by grid=\(4, 4\)$"):
        load_pretrained(model, path)
    report = load_pretrained(model, path, grid=(4, 4))
    assert f"4 x 4 interpolated to {size // 16} x {size // 16}" in report.adapted["pos_embed"]
    same_logits(model, network)


@pytest.mark.parametrize("grid", [(2, 8), (2, 4), (8, 2)])
def test_a_grid_that_is_not_square_is_said_by_who_loads_it(grid, tmp_path):
    network = theirs("vit_tiny_patch16_224", img_size=(16 * grid[0], 16 * grid[1]))
    path = saved(network, tmp_path / "v.safetensors")
    network.set_input_size((64, 64))
    model = ours(network, **PLAIN)
    if grid == (2, 4):  # 9 positions: those of 2 x 4 patches and a class token, or of 3 x 3
        with pytest.raises(
            CheckpointError, match=r"not the model's grid of 4 x 4; .*grid=\(3, 3\)"
        ):
            load_pretrained(model, path)
    with pytest.raises(CheckpointError, match="no grid of 3 x 5"):
        load_pretrained(model, path, grid=(3, 5))
    load_pretrained(model, path, grid=grid)
    same_logits(model, network)


def test_a_number_of_positions_that_could_be_two_grids_is_not_guessed(tmp_path):
    network = theirs("vit_tiny_patch16_224", img_size=64, reg_tokens=6, no_embed_class=True)
    path = saved(network, tmp_path / "v.safetensors")  # 16, or 7 in front of 9
    model = ours(network, pool="cls", registers=6)
    with pytest.raises(CheckpointError, match=r"by grid=\(3, 3\) or \(4, 4\)$"):
        load_pretrained(model, path)
    load_pretrained(model, path, grid=(4, 4))
    same_logits(model, network)
