"""LiteRT as a peer: converted from PyTorch, quantised by its own tool, run by XNNPACK."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def litert_run(path: Path, threads: int) -> Callable[[NDArray[np.uint8]], Any]:
    """Return what answers for a batch (B, S, S, C) uint8, with the file of that batch size."""
    interpreters: dict[int, Any] = {}

    def run(images: NDArray[np.uint8]) -> Any:
        found = interpreters.get(len(images))
        if found is None:
            name = str(path).format(batch=len(images))
            interpreter: Any = importlib.import_module("ai_edge_litert.interpreter")
            found = interpreters[len(images)] = interpreter.Interpreter(name, num_threads=threads)
            found.allocate_tensors()
        found.set_tensor(found.get_input_details()[0]["index"], images)
        found.invoke()
        return found.get_tensor(found.get_output_details()[0]["index"])

    return run


def write_litert(source: Path, target: Path, batch: int) -> None:
    """Write a float packed file as LiteRT's, with int8 weights and activations of each call."""
    from tinyternary.bench.infer_torch import torch_network
    from tinyternary.deploy.format.reader import read_packed

    torch: Any = importlib.import_module("torch")
    config = read_packed(source).header.config

    class Network(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = torch_network(source)

        def forward(self, images: Any) -> Any:
            return self.network(images)

    shape = (batch, config.image_size, config.image_size, config.channels)
    images = torch.zeros(shape, dtype=torch.uint8)
    with contextlib.redirect_stdout(sys.stderr):  # their own messages
        converter: Any = importlib.import_module("litert_torch")
        converter.convert(Network().eval(), (images,)).export(str(target))
        tool: Any = importlib.import_module("ai_edge_quantizer.quantizer")
        recipes: Any = importlib.import_module("ai_edge_quantizer.recipe")
        quantizer = tool.Quantizer(str(target))
        quantizer.load_quantization_recipe(recipes.dynamic_wi8_afp32())
        quantizer.quantize().export_model(str(target), overwrite=True)
