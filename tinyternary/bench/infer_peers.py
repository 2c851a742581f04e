"""The runtimes that people would pick instead, each as a function from bytes to logits.

Peers are looked up when asked for and never imported by the library itself. Each
runs in this process for the timing, and in one of its own for memory and start-up.
All start from the same float network: as ONNX, or written in PyTorch; each is quantised by
the tool that its own makers offer, with phantoms where that wants to see images.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = Callable[[NDArray[np.uint8]], Any]


@dataclass(frozen=True)
class Contender:
    """A runtime and what it runs.

    Attributes
    ----------
    what : str
        In words.
    file : str
        The file that it runs.
    packages : tuple of str
        What has to be installed: to run it, and to make its file.
    """

    what: str
    file: str
    packages: tuple[str, ...] = ()

    @property
    def missing(self) -> str:
        """Why it cannot be timed here, or an empty string if it can."""
        absent = [name for name in self.packages if importlib.util.find_spec(name) is None]
        return f"not installed: {', '.join(absent)}" if absent else ""


_ONNX = ("onnx", "onnxruntime")
_OPENVINO = ("onnx", "openvino")
_LITERT = ("torch", "litert_torch", "ai_edge_quantizer", "ai_edge_litert")
CONTENDERS: dict[str, Contender] = {
    "ternary": Contender("this engine, ternary layers, float32 attention", "ternary.safetensors"),
    "int8 attention": Contender("the same, attention in int8", "int8-attention.safetensors"),
    "float": Contender("this engine, float32 throughout", "float.safetensors"),
    "pytorch": Contender("PyTorch eager, float32", "float.safetensors", ("torch",)),
    "onnxruntime float32": Contender("the exported float model", "float.onnx", _ONNX),
    "onnxruntime int8": Contender("the same, dynamic int8 quantisation", "int8.onnx", _ONNX),
    "openvino float32": Contender("the exported float model", "float.onnx", _OPENVINO),
    "openvino int8": Contender(
        "the same, NNCF's post-training int8 quantisation", "openvino.xml", (*_OPENVINO, "nncf")
    ),
    "litert int8": Contender(
        "LiteRT with XNNPACK, dynamic int8 quantisation", "litert-{batch}.tflite", _LITERT
    ),
}
"""Everything that is timed."""
OURS = ("ternary", "int8 attention", "float")
"""What this engine runs."""


def installed(name: str) -> bool:
    """Whether the packages that a contender needs can be imported."""
    return not CONTENDERS[name].missing


def start(name: str, folder: Path, threads: int) -> Run:
    """Load a contender's file and return what answers for a batch (B, S, S, C) uint8."""
    path = folder / CONTENDERS[name].file
    if name in OURS:
        from tinyternary.deploy import load

        return load(path, threads=threads)
    if name == "pytorch":
        from tinyternary.bench.infer_torch import torch_run

        return torch_run(path, threads)
    if name.startswith("openvino"):
        from tinyternary.bench.infer_openvino import openvino_run

        return openvino_run(path, threads)
    if name.startswith("litert"):
        from tinyternary.bench.infer_litert import litert_run

        return litert_run(path, threads)
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])

    def run(images: NDArray[np.uint8]) -> Any:
        return session.run(["logits"], {"images": images})[0]

    return run


def write(folder: Path, names: Iterable[str], batches: Iterable[int]) -> None:
    """Write what peers run, from ``float.safetensors`` and ``float.onnx`` in a folder.

    Parameters
    ----------
    folder : Path
    names : iterable of str
        Of `CONTENDERS`.
    batches : iterable of int
        Sizes of batches, for runtimes whose files hold them.
    """
    source = folder / "float.onnx"
    if "onnxruntime int8" in names:
        quantize_onnx(source, folder / CONTENDERS["onnxruntime int8"].file)
    if "openvino int8" in names:
        from tinyternary.bench.infer_openvino import quantize_openvino

        quantize_openvino(source, folder / CONTENDERS["openvino int8"].file)
    if "litert int8" in names:
        from tinyternary.bench.infer_litert import write_litert

        for batch in sorted(set(batches)):
            target = str(folder / CONTENDERS["litert int8"].file).format(batch=batch)
            write_litert(folder / "float.safetensors", Path(target), batch)


def quantize_onnx(source: Path, target: Path) -> None:
    """Write what onnxruntime's dynamic quantisation makes of a float model."""
    import logging

    tools: Any = importlib.import_module("onnxruntime.quantization")
    quiet = logging.getLogger()
    level = quiet.level
    quiet.setLevel(logging.ERROR)  # it advises to preprocess, which changes nothing here
    try:
        tools.quantize_dynamic(str(source), str(target), weight_type=tools.QuantType.QInt8)
    finally:
        quiet.setLevel(level)
