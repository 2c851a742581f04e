"""The shape of a ViT as data."""

from __future__ import annotations

import json

import pytest

from tinyternary.config import (
    PRESETS,
    ViTConfig,
    preset,
    vit_matrices,
)
from tinyternary.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_configurations_survive_json(name):
    config = preset(name)
    assert ViTConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_bitmedvit_is_that_of_the_paper():
    c = preset("bitmedvit")
    assert (c.image_size, c.patch_size, c.tokens) == (224, 7, 1024)
    assert (c.width, c.depth, c.heads, c.key_value_heads, c.head_dim) == (512, 3, 8, 1, 64)
    assert (c.mlp_width, c.mlp_norm, c.pool, c.dropout, c.drop_path) == (
        2048,
        False,
        "mean",
        0.1,
        0.1,
    )
    # FACTS: 11.50 GMACs with attention (2 x 1024^2 x 512 a block) and the patch embedding
    macs = sum(layer.macs for layer in vit_matrices(c)) + 3 * 2 * 1024**2 * 512
    assert macs / 1e9 == pytest.approx(11.50, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "tokens"),
    [
        ({}, 49),
        ({"pool": "cls"}, 50),
        ({"patch_size": 7}, 16),
        ({"pool": "distilled", "registers": 3}, 54),
        ({"registers": 2}, 51),
        ({"patch_size": 8, "stride": 4}, 49),  # padded by 2 on each side
        ({"patch_size": 2}, 196),
    ],
)
def test_tokens(changes, tokens):
    assert ViTConfig(**changes).tokens == tokens


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width: expected a positive integer"),
        ({"depth": 1.5}, "depth"),
        ({"width": 65}, "width 65 is not a multiple of heads 4"),
        ({"kv_heads": 3}, "kv_heads 3 does not divide heads 4"),
        ({"registers": -1}, "registers: expected no negative integer up to"),
        ({"token_norm": True, "pool": "cls"}, "token_norm: only where the head reads a mean"),
        ({"stride": 5}, "stride 5"),
        ({"patch_size": 5}, "image size 28 does not divide"),
        ({"dropout": 1.0}, "dropout"),
        ({"pool": "max"}, "pool"),
        ({"positions": "rotary"}, "positions"),
        ({"activation": "relu6"}, "activation"),
        ({"positions": "sinusoidal", "width": 6, "heads": 2}, "multiple of 4"),
        ({"norm_eps": 0.0}, "norm_eps"),
    ],
)
def test_impossible_shapes_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        ViTConfig(**changes)


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="Did you mean 'tiny'"):
        preset("tinny")
    with pytest.raises(ConfigError, match="Did you mean 'channels'"):
        preset("tiny", channel=1)
    with pytest.raises(ConfigError, match="unknown field: 'layers'"):
        ViTConfig.from_dict({"layers": 3})
