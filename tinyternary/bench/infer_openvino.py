"""OpenVINO as a peer: the exported model, and what NNCF makes of it."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CALIBRATION_IMAGES = 64
"""Phantoms that the quantiser sees; its own default are 300 images, of which ours are no richer."""


def openvino_run(path: Path, threads: int) -> Callable[[NDArray[np.uint8]], Any]:
    """Return what answers for a batch (B, S, S, C) uint8; `path` is .onnx or .xml."""
    openvino: Any = importlib.import_module("openvino")
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
                "INFERENCE_PRECISION_HINT": "f32"}  # fmt: skip
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    request = compiled.create_infer_request()

    def run(images: NDArray[np.uint8]) -> Any:
        return request.infer({"images": images})["logits"]

    return run


def quantize_openvino(source: Path, target: Path) -> None:
    """Write NNCF's post-training int8 quantisation of an ONNX model, calibrated with phantoms."""
    nncf: Any = importlib.import_module("nncf")
    openvino: Any = importlib.import_module("openvino")
    model = openvino.Core().read_model(str(source))
    _, size, _, channels = model.input("images").get_partial_shape()
    images = phantoms_of(size.get_length(), channels.get_length())
    with contextlib.redirect_stdout(sys.stderr):  # its own bars and messages
        quantized = nncf.quantize(
            model, nncf.Dataset([images[i : i + 1] for i in range(len(images))]),
            model_type=nncf.ModelType.TRANSFORMER, subset_size=len(images),
        )  # fmt: skip
    openvino.save_model(quantized, str(target))


def phantoms_of(size: int, channels: int) -> NDArray[np.uint8]:
    """Phantoms (N, S, S, C) uint8, their pixels repeated up to the size of a network."""
    from tinyternary.data import phantoms

    images = phantoms("train").images[:CALIBRATION_IMAGES]
    places = np.arange(size) * images.shape[1] // size
    images = images[:, places][:, :, places]
    return np.ascontiguousarray(images[..., :1] if channels == 1 else images)
