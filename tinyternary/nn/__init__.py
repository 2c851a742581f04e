"""Layers of a Vision Transformer, and the losses that train one (lessons 03 and 05)."""

from __future__ import annotations

from tinyternary.nn.attention import Attention
from tinyternary.nn.dropping import Dropout, DropPath
from tinyternary.nn.encoder import EncoderBlock
from tinyternary.nn.init import truncated_normal, xavier_uniform
from tinyternary.nn.linear import Linear
from tinyternary.nn.losses import (
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    KLDivergenceLoss,
    bce_with_logits,
    cross_entropy,
    kl_divergence,
    mse,
)
from tinyternary.nn.mlp import ACTIVATIONS, Mlp
from tinyternary.nn.module import Module, Parameter
from tinyternary.nn.norms import LayerNorm, RMSNorm
from tinyternary.nn.patches import PatchEmbed

__all__ = [
    "ACTIVATIONS",
    "Attention",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "DropPath",
    "Dropout",
    "EncoderBlock",
    "KLDivergenceLoss",
    "LayerNorm",
    "Linear",
    "Mlp",
    "Module",
    "Parameter",
    "PatchEmbed",
    "RMSNorm",
    "bce_with_logits",
    "cross_entropy",
    "kl_divergence",
    "mse",
    "truncated_normal",
    "xavier_uniform",
]
