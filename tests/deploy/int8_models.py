"""Packed models that attend in integers."""

from __future__ import annotations

import dataclasses
from typing import Any

from tinyternary.config import LayerQuant
from tinyternary.deploy import pack
from tinyternary.deploy.format.writer import PackedModel

RULE = LayerQuant(weight="int8", activation="int8", norm=False)


def with_int8_attention(model: Any, blocks: Any = None) -> PackedModel:
    """Pack a model, and say that these blocks, or all, attend in integers."""
    read = pack(model).read()
    chosen = range(read.header.config.depth) if blocks is None else blocks
    policy = {**read.header.policy, **{f"blocks.{i}.attn": RULE for i in chosen}}
    return PackedModel(dataclasses.replace(read.header, policy=policy), dict(read.tensors))
