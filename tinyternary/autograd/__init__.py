"""Reverse-mode differentiation of NumPy arrays (lesson 02).

A `Tensor` remembers the `Function` that made it; ``backward`` walks the graph
from the result to the leaves. Nothing here knows what a neural network is.
"""

from __future__ import annotations

from tinyternary.autograd.activations import dropout, gelu
from tinyternary.autograd.arithmetic import maximum, where
from tinyternary.autograd.attending import attention, packed_attention
from tinyternary.autograd.draw import Drawing, draw_graph
from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.gradcheck import gradcheck
from tinyternary.autograd.indexing import embedding
from tinyternary.autograd.losses import bce_with_logits, cross_entropy, kl_divergence, mse
from tinyternary.autograd.modes import grad_enabled, no_grad
from tinyternary.autograd.normalisation import layer_norm, rms_norm
from tinyternary.autograd.pointwise import clip
from tinyternary.autograd.probabilities import log_softmax, softmax
from tinyternary.autograd.products import linear, matmul
from tinyternary.autograd.shaping import (
    concatenate,
    pad,
    permute,
    reshape,
    split,
    stack,
    transpose,
)
from tinyternary.autograd.tensor import Tensor

__all__ = [
    "Context",
    "Drawing",
    "Function",
    "Tensor",
    "attention",
    "bce_with_logits",
    "clip",
    "concatenate",
    "cross_entropy",
    "draw_graph",
    "dropout",
    "embedding",
    "gelu",
    "grad_enabled",
    "gradcheck",
    "kl_divergence",
    "layer_norm",
    "linear",
    "log_softmax",
    "matmul",
    "maximum",
    "mse",
    "no_grad",
    "packed_attention",
    "pad",
    "permute",
    "reshape",
    "rms_norm",
    "softmax",
    "split",
    "stack",
    "transpose",
    "where",
]
