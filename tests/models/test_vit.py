"""The ViT: sizes, names, intermediates, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.autograd import cross_entropy, no_grad
from tinyternary.config import ViTConfig, vit_matrices
from tinyternary.errors import ConfigError, ShapeError
from tinyternary.models import ViT, list_models, preset, sinusoidal_positions
from tinyternary.nn import LayerNorm, Linear
from tinyternary.quant import ternarize


def count(model) -> int:
    return sum(p.data.size for p in model.parameters())


def images(config, batch=2, seed=0):
    shape = (batch, config.channels, config.image_size, config.image_size)
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.fixture(scope="module")
def bitmedvit():
    return ternarize(ViT(preset("bitmedvit")), "bitmedvit")


def test_bitmedvit_has_the_published_number_of_parameters(bitmedvit):
    # FACTS: 8,660,915, counting a feature matcher (a LayerNorm and a Linear to 49 features)
    # and biases of the ternary layers that are allocated but never added
    matcher = count(LayerNorm(512)) + count(Linear(512, 49))
    unused = 3 * (2048 + 512)
    assert count(bitmedvit) + unused + matcher == 8_660_915


def test_bitmedvit_quantises_the_feed_forward_network_only(bitmedvit):
    expected = [f"blocks.{i}.mlp.{fc}" for i in range(3) for fc in ("fc1", "fc2")]
    assert list(bitmedvit.policy) == expected
    names = dict(bitmedvit.named_parameters())
    assert not any("norm2" in name for name in names)
    assert names["blocks.0.attn.qkv.weight"].shape == (512 + 2 * 64, 512)
    assert names["pos_embed"].shape == (1, 1024, 512)
    assert names["blocks.2.mlp.fc2.norm.weight"].shape == (2048,)


def test_deit_tiny_has_the_published_number_of_parameters():
    assert count(ViT(preset("deit-tiny"))) == 5_717_416  # Touvron et al., 2021: 5.7 M


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_matrices_are_those_of_the_description(name):
    model = ViT(preset(name))
    modules = dict(model.named_modules())
    for layer in vit_matrices(model.config):
        assert modules[layer.name].weight.shape == (layer.outputs, layer.inputs)
        assert (modules[layer.name].bias is not None) == layer.bias
    matrices = {n for n, m in modules.items() if isinstance(m, Linear)}
    assert matrices == {layer.name for layer in vit_matrices(model.config)}


configs = st.builds(
    ViTConfig,
    image_size=st.just(12),
    channels=st.sampled_from([1, 3]),
    patch_size=st.sampled_from([4, 6]),
    stride=st.sampled_from([None, 2]),
    width=st.sampled_from([8, 16]),
    depth=st.integers(1, 2),
    heads=st.sampled_from([2, 4]),
    kv_heads=st.sampled_from([None, 1, 2]),
    mlp_width=st.sampled_from([8, 20]),
    num_classes=st.integers(1, 5),
    pool=st.sampled_from(["mean", "cls", "distilled"]),
    registers=st.integers(0, 2),
    embed_norm=st.booleans(),
    causal=st.booleans(),
    positions=st.sampled_from(["learned", "sinusoidal"]),
    activation=st.sampled_from(["gelu", "gelu_tanh", "relu_squared"]),
    attention_bias=st.booleans(),
    mlp_bias=st.booleans(),
    attn_norm=st.booleans(),
    mlp_norm=st.booleans(),
)


@given(configs)
def test_every_configuration_computes_and_learns(config):
    model = ViT(config)
    record: dict = {}
    logits = model.forward(images(config), record)
    assert logits.shape == (2, config.num_classes)
    assert record["tokens"].shape == (2, config.tokens, config.width)
    assert record["features"].shape == (2, config.head_inputs)
    for i in range(config.depth):
        assert record[f"blocks.{i}"].shape == (2, config.tokens, config.width)
        attention = record[f"blocks.{i}.attn"]
        assert attention.shape == (2, config.heads, config.tokens, config.tokens)
        np.testing.assert_allclose(attention.sum(-1), 1, rtol=1e-5)
    cross_entropy(logits, np.zeros(2, np.int64)).backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None]
    assert missing == []


def test_recording_changes_nothing():
    model = ViT(preset("tiny")).eval()
    x = images(model.config)
    with no_grad():
        np.testing.assert_array_equal(model(x).data, model.forward(x, {}).data)


def test_the_head_reads_the_pooled_normed_last_tokens():
    for pool, registers in (("mean", 0), ("cls", 0), ("mean", 3), ("cls", 2)):
        model = ViT(preset("tiny", pool=pool, registers=registers)).eval()
        record: dict = {}
        logits = model.forward(images(model.config), record).data
        last = record["blocks.3"].data.astype(np.float64)
        pooled = last[:, registers:].mean(1) if pool == "mean" else last[:, 0]
        normed = pooled - pooled.mean(-1, keepdims=True)
        normed /= np.sqrt((normed**2).mean(-1, keepdims=True) + 1e-6)
        np.testing.assert_allclose(record["features"].data, normed, atol=1e-5)
        expected = normed @ model.head.weight.data.T + model.head.bias.data
        np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_seed_decides_every_first_value():
    def values(seed):
        return np.concatenate([p.data.ravel() for p in ViT(preset("tiny"), seed).parameters()])

    np.testing.assert_array_equal(values(3), values(3))
    assert (values(3) != values(4)).mean() > 0.9


def test_dropout_is_at_work_in_training_only():
    model = ViT(preset("tiny", dropout=0.5, drop_path=0.5)).set_rng(np.random.default_rng(0))
    x = images(model.config)
    assert not np.array_equal(model(x).data, model(x).data)
    model.eval()
    np.testing.assert_array_equal(model(x).data, model(x).data)


def test_order_of_patches_matters_only_through_positions():
    model = ViT(preset("tiny")).eval()
    x = images(model.config, 1)
    swapped = x.copy()
    swapped[..., :4, :4], swapped[..., 4:8, :4] = x[..., 4:8, :4], x[..., :4, :4]
    assert not np.allclose(model(x).data, model(swapped).data, atol=1e-6)
    model.pos_embed.data[...] = 0
    np.testing.assert_allclose(model(x).data, model(swapped).data, atol=1e-5)


@given(st.integers(1, 9), st.sampled_from([4, 8, 32]))
def test_sinusoidal_positions_differ_and_repeat_along_an_axis(grid, width):
    table = sinusoidal_positions(grid, width).reshape(grid, grid, width)
    assert len(np.unique(table.reshape(-1, width).round(6), axis=0)) == grid * grid
    half = width // 2
    # the first half tells the column alone, the second the row alone
    assert (table[:, :, :half] == table[:1, :, :half]).all()
    assert (table[:, :, half:] == table[:, :1, half:]).all()
    np.testing.assert_allclose((table**2).sum(-1), half, rtol=1e-5)


@pytest.mark.parametrize(
    "shape", [(2, 1, 28, 28), (2, 3, 28, 27), (2, 3, 32, 32), (3, 28, 28), (2, 28, 28, 3)]
)
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError, match=r"expected \(B, 3, 28, 28\), got"):
        ViT(preset("tiny"))(np.zeros(shape, np.float32))


def test_models_are_listed_by_name_and_pattern():
    assert {"tiny", "small", "deit-tiny", "bitmedvit"} <= set(list_models())
    assert list_models("*tiny") == ["tiny", "deit-tiny"]
    assert list_models("no-*") == []
    for name in list_models():
        assert preset(name).to_dict()


def test_config_of_another_kind_is_refused():
    with pytest.raises(ConfigError, match="ViTConfig"):
        ViT("tiny")


def test_an_empty_batch_is_refused():
    with pytest.raises(ShapeError, match="empty"):
        ViT(preset("tiny"))(np.zeros((0, 3, 28, 28), np.float32))
