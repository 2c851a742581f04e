"""The products that people would use instead of a ternary kernel, as contenders (lesson 08).

Each takes the float32 weights W (N, K) and an input x (M, K) and returns a function without
arguments that computes x W^T. Only what is installed takes part.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Make = Callable[[Array, Array, int], Callable[[], Any]]

NUMPY = "NumPy float32"
TORCH, TORCH_INT8 = "PyTorch float32", "PyTorch dynamic int8"
ONNX, ONNX_INT8 = "onnxruntime float32", "onnxruntime dynamic int8"


def _numpy(w: Array, x: Array, threads: int) -> Callable[[], Any]:
    turned, out = w.T, np.empty((x.shape[0], w.shape[0]), np.float32)
    return lambda: np.matmul(x, turned, out=out)


def _torch(w: Array, x: Array, threads: int, int8: bool = False) -> Callable[[], Any]:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    layer = torch.nn.Linear(w.shape[1], w.shape[0], bias=False)
    layer.weight.data = torch.from_numpy(w.copy())
    if int8:
        quantization: Any = importlib.import_module("torch.ao.quantization")
        layer = quantization.quantize_dynamic(
            torch.nn.Sequential(layer), {torch.nn.Linear}, dtype=torch.qint8
        )
    given = torch.from_numpy(x)

    def run() -> Any:
        with torch.inference_mode():
            return layer(given)

    return run


def _onnx(w: Array, x: Array, threads: int, int8: bool = False) -> Callable[[], Any]:
    onnx: Any = importlib.import_module("onnx")
    runtime: Any = importlib.import_module("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", kind, [x.shape[0], w.shape[1]])],
        [helper.make_tensor_value_info("y", kind, [x.shape[0], w.shape[0]])],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(w.T), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    raw = model.SerializeToString()
    if int8:
        quantization: Any = importlib.import_module("onnxruntime.quantization")
        with tempfile.TemporaryDirectory() as folder:
            given, made = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
            given.write_bytes(raw)
            logging.disable(logging.WARNING)  # it recommends preparing models made by training
            try:
                quantization.quantize_dynamic(given, made)
            finally:
                logging.disable(logging.NOTSET)
            raw = made.read_bytes()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = runtime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    feed = {"x": x}
    return lambda: session.run(None, feed)


PEERS: dict[str, tuple[tuple[str, ...], Make]] = {
    NUMPY: ((), _numpy),
    TORCH: (("torch",), _torch),
    TORCH_INT8: (("torch",), lambda w, x, threads: _torch(w, x, threads, int8=True)),
    ONNX: (("onnx", "onnxruntime"), _onnx),
    ONNX_INT8: (("onnx", "onnxruntime"), lambda w, x, threads: _onnx(w, x, threads, int8=True)),
}
"""Name to the packages that it needs and how to make it."""


def installed() -> list[str]:
    """Return the names of the peers whose packages are there."""
    return [
        name
        for name, (packages, _) in PEERS.items()
        if all(importlib.util.find_spec(package) for package in packages)
    ]


@contextlib.contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Hold BLAS and OpenMP to ``threads`` threads inside a ``with`` block."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=threads):
        yield
