"""Compiled float kernels, each beside the plain NumPy code that it must equal.

Softmax, norms, GELU, attention and the like, on plain arrays: the autograd
engine trains with them and the inference engine runs on them.
``TINYTERNARY_JIT=0`` in the environment leaves Numba out altogether: every
function then runs its NumPy reference, with the same results to rounding.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyternary.jit.activations import gelu, gelu_backward
    from tinyternary.jit.attend import attention, attention_backward, attention_weights
    from tinyternary.jit.memory import copy, empty
    from tinyternary.jit.norms import (
        layer_norm,
        layer_norm_backward,
        layer_norm_forward,
        rms_norm,
        rms_norm_backward,
        rms_norm_forward,
    )
    from tinyternary.jit.optimise import adamw_step
    from tinyternary.jit.prepared import PreparedLinear
    from tinyternary.jit.probabilities import log_softmax, softmax, softmax_backward
    from tinyternary.jit.sums import add
    from tinyternary.jit.threads import crew_first, get_threads, set_threads

_HOMES = {
    "PreparedLinear": "prepared",
    "copy": "memory",
    "empty": "memory",
    "add": "sums",
    "crew_first": "threads",
    "get_threads": "threads",
    "set_threads": "threads",
    "adamw_step": "optimise",
    "linear_grad_weight": "linear",
    "linear_grad_input": "linear",
    "linear_forward": "linear",
    "fake_ternary": "fake",
    "fake_quantise_rows": "fake",
    "absmean_scale": "fake",
    "attention_forward": "attend",
    "attention": "attend",
    "attention_backward": "attend",
    "attention_weights": "attend",
    "gelu": "activations",
    "gelu_backward": "activations",
    "layer_norm": "norms",
    "layer_norm_backward": "norms",
    "layer_norm_forward": "norms",
    "rms_norm": "norms",
    "rms_norm_backward": "norms",
    "rms_norm_forward": "norms",
    "log_softmax": "probabilities",
    "softmax": "probabilities",
    "softmax_backward": "probabilities",
}


def __getattr__(name: str) -> Any:
    # loaded when first used: Numba costs half a second, and not every command needs it
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyternary.jit' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"tinyternary.jit.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


__all__ = [
    "PreparedLinear",
    "absmean_scale",
    "adamw_step",
    "add",
    "attention",
    "attention_backward",
    "attention_forward",
    "attention_weights",
    "copy",
    "crew_first",
    "empty",
    "fake_quantise_rows",
    "fake_ternary",
    "gelu",
    "gelu_backward",
    "get_threads",
    "layer_norm",
    "layer_norm_backward",
    "layer_norm_forward",
    "linear_forward",
    "linear_grad_input",
    "linear_grad_weight",
    "log_softmax",
    "rms_norm",
    "rms_norm_backward",
    "rms_norm_forward",
    "set_threads",
    "softmax",
    "softmax_backward",
]
