"""tinyternary: a ternary Vision Transformer from nothing but NumPy.

``import tinyternary as tt`` is quick: each part is loaded when it is first
used, so that neither Numba nor matplotlib costs anything until needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tinyternary import (
        autograd,
        bench,
        cost,
        course,
        data,
        demo,
        deploy,
        kernels,
        models,
        nn,
        quant,
        report,
        spec,
        train,
    )
    from tinyternary.autograd import Tensor, draw_graph, no_grad
    from tinyternary.autograd.gradcheck import gradcheck

# fmt: off
_PARTS = (
    "autograd", "bench", "cost", "course", "data", "demo", "deploy", "kernels", "models", "nn",
    "quant", "report", "spec", "train",
)
# fmt: on
_NAMES = dict.fromkeys(("Tensor", "no_grad", "gradcheck", "draw_graph"), "autograd")

__all__ = [  # noqa: RUF022 - parts first, then names
    "autograd", "bench", "cost", "course", "data", "demo", "deploy", "kernels", "models", "nn",
    "quant", "report", "spec", "train",
    "Tensor", "draw_graph", "gradcheck", "no_grad", "__version__",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return importlib.import_module(f"tinyternary.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"tinyternary.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'tinyternary' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
