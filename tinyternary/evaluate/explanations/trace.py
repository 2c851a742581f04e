"""Attention weights of a network and the gradient of one class's logit, image by image.

In a ternary network the gradient is that of training: straight through the roundings of weights
and activations (lesson 04).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor
from tinyternary.models import ViT

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Trace:
    """What one forward and one backward pass of a batch leave for the methods to read.

    Attributes
    ----------
    logits : (B, C) float32
    classes : (B,) int64
        Whose logits were differentiated.
    attention, attention_grads : tuple of (B, H, T, T) float32, one per block
        Row: the token that asks; column: the token that is asked.
    inputs, input_grads : (B, C, H, W) float32
    """

    logits: F32
    classes: NDArray[np.int64]
    attention: tuple[F32, ...]
    attention_grads: tuple[F32, ...]
    inputs: F32
    input_grads: F32


def trace(model: ViT, inputs: F32, classes: NDArray[np.int64] | None = None) -> Trace:
    """Run a network forward, and backward from one logit of each image.

    Parameters
    ----------
    model : ViT
        Float or ternary; it is left as it was, gradients and mode included.
    inputs : (B, C, H, W) float32
        Preprocessed images.
    classes : (B,) int64, optional
        Classes to explain; by default the largest logit of each image.
    """
    with _explaining(model):
        x = Tensor(inputs, requires_grad=True)
        record: dict[str, Tensor] = {}
        logits = model.forward(x, record)
        values = logits.numpy()
        chosen = values.argmax(1) if classes is None else classes
        weights = [record[f"blocks.{i}.weights"].retain_grad() for i in range(model.config.depth)]
        # images do not meet in the network: the gradient of a sum is that of each
        logits[np.arange(len(values)), chosen].sum().backward()
    return Trace(
        values,
        chosen,
        tuple(w.numpy() for w in weights),
        tuple(_grad(w) for w in weights),
        inputs,
        _grad(x),
    )


def _grad(x: Tensor) -> F32:
    """Return the gradient; of what the logit does not depend on it is zero."""
    return np.zeros(x.shape, np.float32) if x.grad is None else x.grad


@contextmanager
def _explaining(model: ViT) -> Iterator[None]:
    """Attention step by step, nothing random, and no gradient for any weight; then as before."""
    training = model.training
    learned = [p for p in model.parameters() if p.requires_grad]
    attentions = [block.attn for block in model.blocks]
    fused = [attention.fused for attention in attentions]
    try:
        model.eval()
        for parameter in learned:
            parameter.requires_grad = False
        for attention in attentions:
            attention.fused = False
        yield
    finally:
        model.train(training)
        for parameter in learned:
            parameter.requires_grad = True
        for attention, before in zip(attentions, fused):
            attention.fused = before
