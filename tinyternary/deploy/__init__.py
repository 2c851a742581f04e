"""From a trained model to a file that runs: pack, packed file, engine, ONNX (lesson 10).

Each name is loaded when it is first used: the engine (`load`) needs NumPy, the
kernels and nothing of the training side, and importing it imports nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyternary.deploy.card import model_card
    from tinyternary.deploy.comparison import Agreement, agreement
    from tinyternary.deploy.engine import Engine, load, numba_because, warmup
    from tinyternary.deploy.engine import Prediction as Prediction
    from tinyternary.deploy.files import FilePrediction, predict_files
    from tinyternary.deploy.inspection import inspect
    from tinyternary.deploy.onnx import to_onnx
    from tinyternary.deploy.packing import PackedModel, pack

_NAMES = {
    "Agreement": "comparison",
    "agreement": "comparison",
    "Engine": "engine",
    "FilePrediction": "files",
    "PackedModel": "packing",
    "Prediction": "engine",
    "inspect": "inspection",
    "load": "engine",
    "model_card": "card",
    "numba_because": "engine",
    "pack": "packing",
    "predict_files": "files",
    "to_onnx": "onnx",
    "warmup": "engine",
}

__all__ = [
    "Agreement",
    "Engine",
    "FilePrediction",
    "PackedModel",
    "Prediction",
    "agreement",
    "inspect",
    "load",
    "model_card",
    "numba_because",
    "pack",
    "predict_files",
    "to_onnx",
    "warmup",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'tinyternary.deploy' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"tinyternary.deploy.{_NAMES[name]}"), name)

    globals()[name] = value
    return value
