"""The runtimes that people would pick instead, each as a function from bytes to logits.

Peers are looked up when asked for and never imported by the library itself. Each
runs in this process for the timing, and in one of its own for memory and start-up.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = Callable[[NDArray[np.uint8]], Any]

CONTENDERS: dict[str, tuple[str, str, str]] = {
    # name: the file it runs, the package it needs, what it is
    "ternary": ("ternary.safetensors", "", "this engine, ternary layers, float32 attention"),
    "float": ("float.safetensors", "", "this engine, float32 throughout"),
    "pytorch": ("float.safetensors", "torch", "PyTorch eager, float32"),
    "onnxruntime float32": ("float.onnx", "onnxruntime", "the exported float model"),
    "onnxruntime int8": ("int8.onnx", "onnxruntime", "the same, dynamic int8 quantisation"),
}
"""Everything that is timed."""


def installed(name: str) -> bool:
    """Whether the package that a contender needs can be imported."""
    package = CONTENDERS[name][1]
    return not package or importlib.util.find_spec(package) is not None


def start(name: str, folder: Path, threads: int) -> Run:
    """Load a contender's file and return what answers for a batch (B, S, S, C) uint8."""
    path = folder / CONTENDERS[name][0]
    if name in ("ternary", "float"):
        from tinyternary.deploy import load

        return load(path, threads=threads)
    if name == "pytorch":
        return _torch(path, threads)
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])

    def run(images: NDArray[np.uint8]) -> Any:
        return session.run(["logits"], {"images": images})[0]

    return run


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


def _torch(path: Path, threads: int) -> Run:
    """Build the network of a float packed file from PyTorch's functions."""
    from tinyternary.deploy.format.reader import read_packed
    from tinyternary.deploy.plain import positions

    torch: Any = importlib.import_module("torch")
    f: Any = importlib.import_module("torch.nn.functional")
    packed = read_packed(path)
    c, prepare = packed.header.config, packed.header.preprocessing
    w = {name: torch.from_numpy(array.copy()) for name, array in packed.tensors.items()}
    w["pos_embed"] = torch.from_numpy(positions(packed).copy())
    mean = torch.tensor(prepare.mean).reshape(1, 1, 1, -1)
    std = torch.tensor(prepare.std).reshape(1, 1, 1, -1)
    approximate = "tanh" if c.activation == "gelu_tanh" else "none"

    def linear(name: str, x: Any) -> Any:
        return f.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))

    def norm(name: str, x: Any) -> Any:
        weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
        return f.layer_norm(x, (c.width,), weight, bias, c.norm_eps)

    def block(name: str, x: Any) -> Any:
        qkv = linear(f"{name}.attn.qkv", norm(f"{name}.norm1", x) if c.attn_norm else x)
        kv = c.key_value_heads
        heads = qkv.reshape(len(x), c.tokens, c.heads + 2 * kv, c.head_dim).transpose(1, 2)
        q, k, v = heads.split((c.heads, kv, kv), dim=1)
        mixed = f.scaled_dot_product_attention(q, k, v, enable_gqa=kv != c.heads)
        x = x + linear(f"{name}.attn.proj", mixed.transpose(1, 2).reshape(x.shape))
        hidden = linear(f"{name}.mlp.fc1", norm(f"{name}.norm2", x) if c.mlp_norm else x)
        hidden = (
            f.relu(hidden).square()
            if c.activation == "relu_squared"
            else f.gelu(hidden, approximate=approximate)
        )
        return x + linear(f"{name}.mlp.fc2", hidden)

    kernel = w["patch_embed.proj.weight"].reshape(c.width, c.channels, c.patch_size, c.patch_size)

    def run(images: NDArray[np.uint8]) -> Any:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            x = torch.from_numpy(images).to(torch.float32).div_(255).sub_(mean).div_(std)
            x = f.conv2d(
                x.permute(0, 3, 1, 2), kernel, w["patch_embed.proj.bias"], c.step, c.padding
            )
            x = x.flatten(2).transpose(1, 2)
            if c.pool == "cls":
                x = torch.cat((w["cls_token"].expand(len(x), 1, -1), x), dim=1)
            x = x + w["pos_embed"]
            for i in range(c.depth):
                x = block(f"blocks.{i}", x)
            x = x[:, 0] if c.pool == "cls" else x.mean(dim=1)
            return linear("head", norm("norm", x)).numpy()

    return run
