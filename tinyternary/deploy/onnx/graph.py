"""A packed model as an ONNX graph of standard operators (lesson 10).

The graph takes the bytes of images and gives logits, as the engine does:
preprocessing is part of it. Ternary layers are their own arithmetic written
out: norm, absmax per token, round, clip, cast to int8, MatMulInteger with an
int8 initialiser of trits, rescale.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task, vit_matrices
from tinyternary.config.grid import BITLINEAR_EPS, FLOOR, MOST
from tinyternary.deploy.format.header import LayerHeader, PackedHeader
from tinyternary.deploy.format.reader import PackedFile
from tinyternary.deploy.packed_layers import (
    FloatLinear,
    IntegerLinear,
    build_layer,
)
from tinyternary.deploy.plain import positions
from tinyternary.kernels import PackedTernary

FAR = -1e30
"""Score of a key that stands after its query: the exponential of this is 0."""
OPSET = 17
"""Operator set of the exported graphs: the first with LayerNormalization."""


class Graph:
    """Nodes and initialisers in the making; values go by name."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.scope = ""

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Append a node; return the name of its output, or a list of names."""
        number = len(self.nodes)
        names = [f"{self.scope}/{op}_{number}_{i}" for i in range(outputs)]
        node = self.onnx.helper.make_node(
            op, list(inputs), names, name=f"{self.scope}/{op}_{number}", **attributes
        )
        self.nodes.append(node)
        return names[0] if outputs == 1 else names

    def constant(self, name: str, value: Any, dtype: Any = np.float32) -> str:
        """Put an array into the file under `name`, once; return the name."""
        if name not in self.initializers:
            array = np.ascontiguousarray(value, dtype)
            self.initializers[name] = self.onnx.numpy_helper.from_array(
                array.reshape(np.shape(value)), name
            )
        return name

    def scalar(self, value: float | np.floating[Any]) -> str:
        """Return the name of a float constant."""
        return self.constant(f"const_{float(value)!r}", np.float32(value))

    def shape(self, *extents: int) -> str:
        """Return the name of a shape (0 keeps an extent, -1 is inferred)."""
        return self.constant(f"shape_{extents}", extents, np.int64)

    def reshape(self, x: str, *extents: int) -> str:
        """Append a Reshape; 0 keeps an axis, -1 is what remains."""
        return self.add("Reshape", x, self.shape(*extents))  # type: ignore[no-any-return]

    def probabilities(self, header: PackedHeader) -> str:
        """Append `tinyternary.config.scores` of what is called logits, in double precision."""
        self.scope = "scores"
        kinds = self.onnx.TensorProto
        temperature = self.constant("temperature", header.temperature or 1.0, np.float64)
        scaled = self.add("Div", self.add("Cast", "logits", to=kinds.DOUBLE), temperature)
        several = header.task is Task.MULTI_LABEL
        found = self.add("Sigmoid", scaled) if several else self.add("Softmax", scaled, axis=1)
        return self.add("Cast", found, to=kinds.FLOAT)  # type: ignore[no-any-return]

    def labels(self, header: PackedHeader) -> str:
        """Append the decision rule (`tinyternary.config.decide`) on what is called logits."""
        self.scope = "decide"
        task, classes = header.task, header.config.num_classes
        if task is not Task.MULTI_LABEL and classes != 2:
            return self.add("ArgMax", "logits", axis=1, keepdims=0)  # type: ignore[no-any-return]
        limits = self.constant("limits", header.logit_limits())
        if task is Task.MULTI_LABEL:
            above = self.add("Greater", "logits", limits)
        else:
            first, second = self.add("Split", "logits", outputs=2, axis=1)
            above = self.reshape(self.add("Greater", self.add("Sub", second, first), limits), -1)
        return self.add("Cast", above, to=self.onnx.TensorProto.INT64)  # type: ignore[no-any-return]


class Native:
    """The steps of `tinyternary.deploy.plain.forward` in the operators that runtimes have.

    Parameters
    ----------
    graph : Graph
        What nodes are appended to.
    packed : PackedFile
    """

    def __init__(self, graph: Graph, packed: PackedFile) -> None:
        self.graph, self.packed = graph, packed
        self.config, self.tensors = packed.header.config, packed.tensors
        self.widths = {matrix.name: matrix.inputs for matrix in vit_matrices(self.config)}
        self.layers = {
            matrix.name: build_layer(packed, matrix.name, matrix.outputs, matrix.inputs)
            for matrix in vit_matrices(self.config)
        }

    def patches(self, images: str) -> str:
        """Bytes (B, S, S, C) to normalised patches (B, P, C p p)."""
        g, config, prepare = self.graph, self.config, self.packed.header.preprocessing
        g.scope = "embed"
        gain = np.float32(1 / 255) / np.asarray(prepare.std, np.float32)
        offset = np.asarray(prepare.mean, np.float32) / np.asarray(prepare.std, np.float32)
        x = g.add("Cast", images, to=g.onnx.TensorProto.FLOAT)
        x = g.add("Sub", g.add("Mul", x, g.constant("gain", gain)), g.constant("offset", offset))
        size, step, grid, c = config.patch_size, config.step, config.grid, config.channels
        if config.padding:
            pads = [0, config.padding, config.padding, 0] * 2
            x = g.add("Pad", x, g.constant("pads", pads, np.int64))
        if step == size:
            x = g.reshape(x, -1, grid, size, grid, size, c)
        else:  # overlapping patches: take rows, then columns, by number
            number = step * np.arange(grid)[:, None] + np.arange(size)
            index = g.constant("patch_rows", number, np.int64)
            x = g.add("Gather", x, index, axis=1)  # (B, grid, p, S, C)
            x = g.add("Gather", x, index, axis=3)  # (B, grid, p, grid, p, C)
        x = g.add("Transpose", x, perm=[0, 1, 3, 5, 2, 4])
        return g.reshape(x, -1, grid * grid, c * size * size)

    def put_in_front(self, x: str) -> str:
        """Put class token and registers before the patches' tokens: (B, T, D)."""
        g, width = self.graph, self.config.width
        g.scope = "embed"
        # the same for each image: zeros of the batch's size, plus the tokens
        zeros = g.add("Mul", self.tokens(x, 0, 1), g.scalar(0.0))
        front = [
            g.add("Add", zeros, g.constant(name, self.tensors[name].reshape(1, -1, width)))
            for name in self.config.front_tokens
        ]
        return g.add("Concat", *front, x, axis=1)  # type: ignore[no-any-return]

    def add_positions(self, x: str) -> str:
        """Add to each token where it comes from."""
        self.graph.scope = "embed"
        return self.add(x, self.graph.constant("pos_embed", positions(self.packed)))

    def add(self, x: str, y: str) -> str:
        """Append the sum of two values."""
        return self.graph.add("Add", x, y)  # type: ignore[no-any-return]

    def add_to(self, x: str, y: str) -> str:
        """Add two values: a graph has nothing to write over."""
        return self.add(x, y)

    def tokens(self, x: str, first: int, last: int) -> str:
        """Take some of the tokens: (B, last - first, D)."""
        g = self.graph
        return g.add("Slice", x, g.shape(first), g.shape(last), g.shape(1))  # type: ignore[no-any-return]

    def side_by_side(self, x: str) -> str:
        """Put two tokens into one row: (B, 2, D) to (B, 1, 2 D)."""
        return self.graph.reshape(x, -1, 1, self.config.head_inputs)

    def layer(self, name: str, x: str) -> str:
        """Append the layer called `name`: (B, T, K) to (B, T, N)."""
        self.graph.scope = name
        return self.linear(name, self.layers[name], self.packed.header.layers[name], x)

    def norm(self, name: str, x: str) -> str:
        """LayerNorm of (B, T, D)."""
        g = self.graph
        g.scope = name
        weight = g.constant(f"{name}.weight", self.tensors[f"{name}.weight"])
        bias = g.constant(f"{name}.bias", self.tensors[f"{name}.bias"])
        y: str = g.add("LayerNormalization", x, weight, bias, axis=-1, epsilon=self.config.norm_eps)
        return y

    def linear(self, name: str, layer: Any, header: LayerHeader, x: str) -> str:
        """Append one linear layer, float or integer, as it is stored."""
        g = self.graph
        if isinstance(layer, FloatLinear):
            y = g.add("MatMul", x, g.constant(f"{name}.weight", layer.weight.T))
            bias = layer.bias
        elif isinstance(layer, IntegerLinear):
            y = _integer(g, name, layer, header, x)
            bias = layer.bias
        else:  # a norm, then floats
            y = g.add("MatMul", _rms_norm(g, name, layer.weight, x),
                      g.constant(f"{name}.weight", layer.linear.weight.T))  # fmt: skip
            bias = layer.linear.bias
        return y if bias is None else g.add("Add", y, g.constant(f"{name}.bias", bias))  # type: ignore[no-any-return]

    def attention(self, name: str, qkv: str) -> str:
        """(B, T, D + 2 Hkv Dh) to mixed values (B, T, D)."""
        g = self.graph
        g.scope = name
        q, k, v = self.heads(qkv)
        q = g.add("Mul", q, g.scalar(1 / math.sqrt(self.config.head_dim)))
        scores = g.add("MatMul", q, g.add("Transpose", k, perm=[0, 1, 3, 2]))
        if self.config.causal:
            scores = g.add("Where", self.seen(), scores, g.scalar(FAR))
        return self.join(g.add("MatMul", g.add("Softmax", scores, axis=-1), v))

    def seen(self) -> str:
        """Which keys (T) each row of scores may look at: heads that share a key stand in turn."""
        c = self.config
        seen = np.tril(np.ones((c.tokens, c.tokens), bool))
        group = c.heads // c.key_value_heads
        return self.graph.constant("seen", np.tile(seen, (group, 1)), bool)

    def heads(self, qkv: str) -> tuple[str, str, str]:
        """Split into k, v (B, Hkv, T, Dh) and q, query heads that share a key one below another."""
        g, c = self.graph, self.config
        t, h, kv, d = c.tokens, c.heads, c.key_value_heads, c.head_dim
        x = g.reshape(qkv, -1, t, h + 2 * kv, d)
        x = g.add("Transpose", x, perm=[0, 2, 1, 3])  # (B, H + 2 Hkv, T, Dh)
        q, k, v = g.add("Split", x, g.shape(h, kv, kv), outputs=3, axis=1)
        return g.reshape(q, -1, kv, h // kv * t, d), k, v

    def join(self, mixed: str) -> str:
        """Put the heads beside each other: (B, T, D)."""
        g, c = self.graph, self.config
        mixed = g.reshape(mixed, -1, c.heads, c.tokens, c.head_dim)
        mixed = g.add("Transpose", mixed, perm=[0, 2, 1, 3])
        return g.reshape(mixed, -1, c.tokens, c.width)

    def activation(self, name: str, x: str) -> str:
        """Apply the non-linearity of the feed-forward network."""
        g, kind = self.graph, self.config.activation
        g.scope = name
        if kind == "relu_squared":
            positive = g.add("Relu", x)
            return g.add("Mul", positive, positive)  # type: ignore[no-any-return]
        if kind == "gelu":
            inner = g.add("Erf", g.add("Div", x, g.scalar(math.sqrt(2))))
        else:
            cubic = g.add("Mul", g.add("Mul", g.add("Mul", x, x), x), g.scalar(0.044715))
            inner = g.add("Mul", g.add("Add", x, cubic), g.scalar(math.sqrt(2 / math.pi)))
            inner = g.add("Tanh", inner)
        phi = g.add("Add", inner, g.scalar(1.0))
        return g.add("Mul", g.add("Mul", x, phi), g.scalar(0.5))  # type: ignore[no-any-return]

    def mean(self, x: str) -> str:
        """Mean over tokens: (B, T, D) to (B, 1, D)."""
        self.graph.scope = "head"
        return self.graph.add("ReduceMean", x, axes=[1], keepdims=1)  # type: ignore[no-any-return]


def _rms_norm(g: Graph, name: str, weight: NDArray[np.float32] | None, x: str) -> str:
    mean = g.add("ReduceMean", g.add("Mul", x, x), axes=[-1], keepdims=1)
    root = g.add("Sqrt", g.add("Add", mean, g.scalar(BITLINEAR_EPS)))
    y: str = g.add("Div", x, root)
    return y if weight is None else g.add("Mul", y, g.constant(f"{name}.norm.weight", weight))


def _integer(g: Graph, name: str, layer: IntegerLinear, header: LayerHeader, x: str) -> str:
    """Quantise each token, multiply integers, rescale."""
    if header.norm:
        x = _rms_norm(g, name, layer.norm, x)
    codes, scale = _quantize(g, header, x)
    y = ""
    for i, (columns, matrix, levels) in enumerate(layer.parts):
        values = matrix.unpack() if isinstance(matrix, PackedTernary) else matrix
        part = codes
        if columns != slice(None):
            bounds = (g.shape(columns.start), g.shape(columns.stop), g.shape(-1))
            part = g.add("Slice", codes, *bounds)
        weight = g.constant(f"{name}.trits_{i}", values.T, np.int8)
        product = g.add("Cast", g.add("MatMulInteger", part, weight), to=g.onnx.TensorProto.FLOAT)
        # one scale after the other: onnxruntime (1.23) takes the product of both
        # for a per-tensor scale, fuses it into MatMulIntegerToFloat and gives wrong numbers
        term = g.add("Mul", g.add("Mul", product, scale), g.constant(f"{name}.scale_{i}", levels))
        y = g.add("Add", y, term) if y else term
    return y


def _quantize(g: Graph, header: LayerHeader, x: str) -> tuple[str, str]:
    """Return int8 codes (..., K) and scales (..., 1) of each token."""
    size = g.add("Abs", x)
    if header.activation == "ternary":
        threshold, level = g.scalar(max(header.activation_threshold, 0.0)), header.activation_level
        scale = g.scalar(level)
        if header.activation_per == "token":
            mean = g.add("ReduceMean", size, axes=[-1], keepdims=1)
            threshold, scale = g.add("Mul", mean, threshold), g.add("Mul", mean, scale)
        scale = g.add("Max", scale, g.scalar(FLOOR))
        above = g.add("Cast", g.add("Greater", size, threshold), to=g.onnx.TensorProto.FLOAT)
        codes = g.add("Mul", g.add("Sign", x), above)
    else:
        most = MOST[header.activation]
        largest = g.add("Max", g.add("ReduceMax", size, axes=[-1], keepdims=1), g.scalar(FLOOR))
        scale = g.add("Div", largest, g.scalar(most))
        codes = g.add("Round", g.add("Div", x, scale))
        codes = g.add("Clip", codes, g.scalar(-most - 1), g.scalar(most))
    return g.add("Cast", codes, to=g.onnx.TensorProto.INT8), scale
