"""Losses as single operations: their gradients are simpler than their parts' (lessons 02, 07)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd.function import Context, Function
from tinyternary.autograd.ops.elementwise import sigmoid_of
from tinyternary.autograd.ops.reductions import check_entries
from tinyternary.autograd.ops.softmax import log_softmax_of
from tinyternary.autograd.ops.types import float_operands, floating
from tinyternary.autograd.tensor import Tensor, values
from tinyternary.errors import ConfigError, ShapeError

Array = NDArray[Any]


def target_probabilities(targets: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """One row of probabilities per image, from class numbers or from probabilities.

    Raises
    ------
    ShapeError
        If the shapes do not fit or a class number is out of range.
    """
    if targets.dtype.kind in "iu":
        if targets.shape != shape[:1]:
            raise ShapeError(
                f"cross_entropy: targets {targets.shape} for logits {shape}: expected class "
                f"numbers of shape {shape[:1]} or probabilities of shape {shape}"
            )
        if targets.size and (targets.min() < 0 or targets.max() >= shape[1]):
            raise ShapeError(
                f"cross_entropy: targets from {targets.min()} to {targets.max()} "
                f"for {shape[1]} classes"
            )
        result = np.zeros(shape, dtype)
        result[np.arange(shape[0]), targets] = 1
        return result
    if targets.shape != shape:
        raise ShapeError(f"cross_entropy: targets {targets.shape} for logits {shape}")
    return targets.astype(dtype, copy=False)


def _weighted(p: Array, logarithm: Array) -> Array:
    """P log q, which is 0 where p is: also beside a logit of -inf."""
    return np.where(p == 0, p, p * logarithm)


class CrossEntropy(Function):
    """Mean over the batch of -sum(target * log_softmax(logits)), weighted per class."""

    @staticmethod
    def forward(
        ctx: Context, logits: Array, targets: Array, label_smoothing: float, weight: Array | None
    ) -> Array:
        if logits.ndim != 2 or 0 in logits.shape:
            raise ShapeError(f"cross_entropy: logits {logits.shape}: expected (batch, classes)")
        wanted = target_probabilities(targets, logits.shape, logits.dtype)
        normalizer = float(len(wanted))
        if weight is not None:
            weight = np.asarray(weight, logits.dtype)
            if weight.shape != logits.shape[1:]:
                raise ShapeError(f"cross_entropy: weight {weight.shape} for logits {logits.shape}")
            if targets.dtype.kind in "iu":  # a weighted mean, as in PyTorch
                normalizer = float(weight[targets].sum())
        if label_smoothing:
            uniform = label_smoothing / logits.shape[1]
            wanted = wanted * logits.dtype.type(1 - label_smoothing) + logits.dtype.type(uniform)
        if weight is not None:
            wanted = wanted * weight
        logp = log_softmax_of(logits)
        ctx.save(logp, wanted, normalizer)
        return np.asarray(-_weighted(wanted, logp).sum() / logits.dtype.type(normalizer))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, None]:
        logp, wanted, normalizer = ctx.saved
        # d/dlogits = (sum(wanted) softmax - wanted) / normaliser
        result = np.exp(logp) * wanted.sum(-1, keepdims=True) - wanted
        result *= grad / grad.dtype.type(normalizer)
        return result, None


class BinaryCrossEntropy(Function):
    """Mean of max(x, 0) - x t + log(1 + exp(-|x|)), from logits."""

    @staticmethod
    def forward(ctx: Context, logits: Array, targets: Array, weight: Array | None) -> Array:
        if targets.shape != logits.shape:
            raise ShapeError(f"bce_with_logits: targets {targets.shape}, logits {logits.shape}")
        check_entries("bce_with_logits", "a mean", logits, tuple(range(logits.ndim)))
        targets = targets.astype(logits.dtype, copy=False)
        if weight is not None:
            weight = np.broadcast_to(np.asarray(weight, logits.dtype), logits.shape)
        ctx.save(logits, targets, weight)
        terms = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
        return np.asarray((terms if weight is None else terms * weight).mean())

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, None]:
        logits, targets, weight = ctx.saved
        result = (sigmoid_of(logits) - targets) * (grad / grad.dtype.type(logits.size))
        return (result if weight is None else result * weight), None


class KLDivergence(Function):
    """T^2 times the mean over the batch of sum(p (log p - log q)), p the teacher's."""

    @staticmethod
    def forward(ctx: Context, student: Array, teacher: Array, temperature: float) -> Array:
        if student.ndim != 2 or teacher.shape != student.shape:
            raise ShapeError(f"kl_divergence: student {student.shape}, teacher {teacher.shape}")
        check_entries("kl_divergence", "a mean", student, (0, 1))
        t = student.dtype.type(temperature)
        log_p = log_softmax_of(teacher.astype(student.dtype, copy=False) / t)
        log_q = log_softmax_of(student / t)
        ctx.save(log_p, log_q, temperature)
        p = np.exp(log_p)
        total = (_weighted(p, log_p) - _weighted(p, log_q)).sum()
        return np.asarray(total * t * t / student.dtype.type(len(student)))

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, None]:
        log_p, log_q, temperature = ctx.saved
        # one T of T^2 remains after the 1/T inside
        scale = grad * grad.dtype.type(temperature / len(log_q))
        return (np.exp(log_q) - np.exp(log_p)) * scale, None


class MeanSquaredError(Function):
    """Mean of (a - b)^2."""

    @staticmethod
    def forward(ctx: Context, a: Array, b: Array) -> Array:
        if a.shape != b.shape:
            raise ShapeError(f"mse: shapes {a.shape} and {b.shape} differ")
        check_entries("mse", "a mean", a, tuple(range(a.ndim)))
        difference = a - b
        ctx.save(difference)
        return np.asarray((difference * difference).mean())

    @staticmethod
    def backward(ctx: Context, grad: Array) -> tuple[Array, Array]:
        (difference,) = ctx.saved
        result = difference * (grad * grad.dtype.type(2 / difference.size))
        return result, -result


def cross_entropy(
    logits: Any, targets: Any, label_smoothing: float = 0.0, weight: Any = None
) -> Tensor:
    """Cross-entropy of a softmax over classes.

    Parameters
    ----------
    logits : (B, C)
    targets : (B,) integers, or (B, C) probabilities
    label_smoothing : float
        Share of the target spread evenly over all classes.
    weight : (C,) floats, optional
        Weight of each class. With class numbers the mean is weighted too.

    Returns
    -------
    Tensor ()
        Mean over the batch.
    """
    if not 0.0 <= label_smoothing < 1.0:
        raise ConfigError(f"label_smoothing: expected a value in [0, 1), got {label_smoothing}")
    return CrossEntropy.apply(
        floating(logits),
        np.asarray(values(targets)),
        label_smoothing=label_smoothing,
        weight=values(weight),
    )


def bce_with_logits(logits: Any, targets: Any, weight: Any = None) -> Tensor:
    """Binary cross-entropy of each logit against a 0/1 target, averaged over all.

    Parameters
    ----------
    logits, targets : arrays of one shape
    weight : broadcastable array, optional
        Weight of each term.
    """
    return BinaryCrossEntropy.apply(
        floating(logits), np.asarray(values(targets)), weight=values(weight)
    )


def kl_divergence(student_logits: Any, teacher_logits: Any, temperature: float = 1.0) -> Tensor:
    """T^2 KL(teacher || student) at temperature T, mean over the batch.

    The teacher gets no gradient. Source: Hinton, Vinyals and Dean, arXiv
    1503.02531, section 2.

    Parameters
    ----------
    student_logits, teacher_logits : (B, C)
    temperature : float
        Divides both logits before the softmax.
    """
    if temperature <= 0:
        raise ConfigError(f"temperature: expected a positive number, got {temperature}")
    return KLDivergence.apply(
        floating(student_logits), np.asarray(values(teacher_logits)), temperature=temperature
    )


def mse(a: Any, b: Any) -> Tensor:
    """Mean squared difference of two tensors of one shape."""
    return MeanSquaredError.apply(*float_operands(a, b))
