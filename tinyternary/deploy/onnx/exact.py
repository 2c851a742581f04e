"""The compiled encoder's own arithmetic, operation by operation, as an ONNX graph (lesson 10).

Two correct programs that round differently in the last bit of a float agree to 1e-6, until
an activation lies so near the border between two int8 codes that this bit decides: then one
code differs by one, and logits by about 0.01. The only cure is to round alike. So here sums
run over sixteen lanes as the encoder's do, GELU and the powers of two in softmax are its
polynomials, and a fused multiply-add is a product and a sum in double precision, rounded once
(a product of two floats is exact there). A float product needs no more than the right order
of operands: a processor's fused chain over up to 256 terms gives the same bits in
onnxruntime as in the encoder; longer ones do where few columns are multiplied at a time, and more
than one. What no graph can equal is refused: see `check`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary.compiled import erf
from tinyternary.config import vit_matrices
from tinyternary.config.grid import BITLINEAR_EPS, FLOOR, MOST
from tinyternary.deploy.encoder.polynomials import EXP2
from tinyternary.deploy.format.header import LayerHeader
from tinyternary.deploy.format.reader import PackedFile
from tinyternary.deploy.onnx.graph import FAR, Native
from tinyternary.deploy.packed_layers import FloatLinear, IntegerLinear, unknown_to_encoder
from tinyternary.errors import ConfigError
from tinyternary.kernels import PackedTernary

LANES = 16
CHAINS = ((128, 0), (256, 64), (512, 32), (1024, 16))
"""Terms that onnxruntime sums in one chain, and how many columns at most it then may be given
at a time (0: any number). Longer sums are cut into pieces, which rounds differently."""
LONGEST = CHAINS[-1][0]
"""Terms of the longest sum of floats that an exact graph may have."""


class Exact(Native):
    """The steps of the walk as the encoder computes them; see `Native` for what each is."""

    def norm(self, name: str, x: str) -> str:
        """LayerNorm: mean and variance by lanes, then factor, weight and bias."""
        g, width = self.graph, self.config.width
        g.scope = name
        mean = g.add("Div", self._row_sum(x, width), g.scalar(width))
        off = g.add("Sub", x, mean)
        variance = g.add("Div", self._row_sum(g.add("Mul", off, off), width), g.scalar(width))
        factor = self._inverse_root(variance, self.config.norm_eps)
        y = g.add("Mul", off, factor)
        y = g.add("Mul", y, g.constant(f"{name}.weight", self.tensors[f"{name}.weight"]))
        bias = g.constant(f"{name}.bias", self.tensors[f"{name}.bias"])
        return g.add("Add", y, bias)  # type: ignore[no-any-return]

    def linear(self, name: str, layer: Any, header: LayerHeader, x: str) -> str:
        """Apply a layer: floats in a chain that begins with the bias, integers as they are."""
        g = self.graph
        if isinstance(layer, IntegerLinear):
            _, matrix, levels = layer.parts[0]
            known = header.activation == "int8" and len(layer.parts) == 1
            if not (known and isinstance(matrix, PackedTernary)):
                return super().linear(name, layer, header, x)
            codes, scale = self._quantize(name, layer, header.norm, x)
            weight = g.constant(f"{name}.trits_0", matrix.unpack().T, np.int8)
            # in double precision: the product is exact, and rounded once as in the encoder;
            # onnxruntime would fuse floats here, and scale otherwise
            sums = self._double(g.add("MatMulInteger", codes, weight))
            factor = g.add("Mul", scale, g.constant(f"{name}.scale_0", levels))
            y = self._float(g.add("Mul", sums, self._double(factor)))
            if layer.bias is None:
                return y
            return g.add("Add", y, g.constant(f"{name}.bias", layer.bias))  # type: ignore[no-any-return]
        if not isinstance(layer, FloatLinear):
            x, layer = self._rms_norm(name, layer.weight, x), layer.linear
        bias = np.zeros(len(layer.weight), np.float32) if layer.bias is None else layer.bias
        one = g.add("Slice", x, g.shape(0), g.shape(1), g.shape(-1))
        one = g.add("Add", g.add("Mul", one, g.scalar(0.0)), g.scalar(1.0))
        return self._chain(
            name, g.add("Concat", one, x, axis=-1), np.vstack((bias, layer.weight.T))
        )

    def attention(self, name: str, qkv: str) -> str:
        """Scaled keys, softmax in powers of two, and division after the product with values."""
        g, c = self.graph, self.config
        g.scope = name
        q, k, v = self.heads(qkv)
        # one factor for each number: onnxruntime would move a single one into the product
        factor = np.full(c.head_dim, np.float32(np.log2(np.e) / np.sqrt(c.head_dim)), np.float32)
        k = g.add("Mul", k, g.constant(f"key_factor_{c.head_dim}", factor))
        k = g.add("Transpose", k, perm=[0, 1, 3, 2])
        scores = self._product(q, k, c.head_dim, c.tokens)
        if c.causal:
            scores = g.add("Where", self.seen(), scores, g.scalar(FAR))
        top = g.add("ReduceMax", scores, axes=[-1], keepdims=1)
        low = g.scalar(-126.0)
        powers = self._exp2(g.add("Max", g.add("Sub", scores, top), low))
        total = self._row_sum(powers, c.tokens, axes=4, fill=2.0**-126)
        share = self._inverse(total)
        if c.causal:
            powers = g.add("Where", self.seen(), powers, g.scalar(0.0))
        mixed = self._product(powers, v, c.tokens, c.head_dim)
        return self.join(g.add("Mul", mixed, share))

    def activation(self, name: str, x: str) -> str:
        """Apply GELU: erf as a quotient of two polynomials, or tanh by a power of two."""
        g, kind = self.graph, self.config.activation
        g.scope = name
        if kind == "gelu":
            z = g.add("Mul", x, g.scalar(float(np.float32(0.7071067811865476))))
            limit = float(erf.LIMIT)
            z = g.add("Max", g.add("Min", z, g.scalar(limit)), g.scalar(-limit))
            square = self._double(g.add("Mul", z, z))
            above, below = (self._horner(p, square) for p in (erf.P, erf.Q))
            ratio = g.add("Div", g.add("Mul", z, above), below)
            half = self._double(g.add("Mul", x, g.scalar(0.5)))
            product = g.add("Mul", half, self._double(ratio))
            return self._float(g.add("Add", product, half))
        if kind == "gelu_tanh":
            cube = g.add("Mul", g.add("Mul", x, x), x)
            inner = g.add("Add", x, g.add("Mul", cube, g.scalar(0.044715)))
            power = g.add("Mul", inner, g.scalar(2.302208198))
            away = g.add("Max", g.add("Neg", g.add("Abs", power)), g.scalar(-126.0))
            small = self._exp2(away)
            share = self._inverse(g.add("Add", g.scalar(1.0), small))
            negative = g.add("Less", power, g.scalar(0.0))
            kept = g.add("Where", negative, g.add("Mul", small, share), share)
            return g.add("Mul", x, kept)  # type: ignore[no-any-return]
        return super().activation(name, x)

    def mean(self, x: str) -> str:
        """Mean over tokens, first to last: a product with ones adds in that order."""
        g, tokens = self.graph, self.config.grid**2
        g.scope = "head"
        total, step = "", CHAINS[1][0] - 1
        for first in range(0, tokens, step):
            count = min(step, tokens - first)
            part = g.add("Slice", x, g.shape(first), g.shape(first + count), g.shape(1))
            if total:
                part = g.add("Concat", total, part, axis=1)
                count += 1
            # four rows: for a single one the runtime has another program
            ones = g.constant(f"ones_{count}", np.ones((4, count)))
            total = self._product(ones, part, count, self.config.width)
            total = g.add("Slice", total, g.shape(0), g.shape(1), g.shape(1))
        return g.add("Div", total, g.scalar(tokens))  # type: ignore[no-any-return]

    def _double(self, x: str) -> str:
        return self.graph.add("Cast", x, to=self.graph.onnx.TensorProto.DOUBLE)  # type: ignore[no-any-return]

    def _float(self, x: str) -> str:
        return self.graph.add("Cast", x, to=self.graph.onnx.TensorProto.FLOAT)  # type: ignore[no-any-return]

    def _horner(self, coefficients: tuple[float, ...], x: str) -> str:
        """Polynomial of x (double) in fused steps; float32."""
        g = self.graph
        names = [
            g.constant(f"double_{c!r}", np.float64(np.float32(c)), np.float64) for c in coefficients
        ]
        value = names[0]
        for name in names[1:]:
            result = self._float(g.add("Add", g.add("Mul", value, x), name))
            value = self._double(result)
        return result

    def _exp2(self, x: str) -> str:
        """2^x for x from -126 to 0: a polynomial of what is left of the nearest whole number."""
        g = self.graph
        whole = g.add("Round", x)
        value = self._horner(EXP2, self._double(g.add("Sub", x, whole)))
        index = g.add("Cast", g.add("Neg", whole), to=g.onnx.TensorProto.INT64)
        powers = g.constant("powers_of_half", 2.0 ** -np.arange(127.0))
        return g.add("Mul", value, g.add("Gather", powers, index))  # type: ignore[no-any-return]

    def _padded(self, x: str, width: int, axes: int = 3, fill: float = 0.0) -> str:
        """Fill the last of so many axes up to whole groups of lanes."""
        rest = -width % LANES
        if not rest:
            return x
        g = self.graph
        pads = g.constant(f"pads_{axes}_{rest}", [0] * (2 * axes - 1) + [rest], np.int64)
        return g.add("Pad", x, pads, g.scalar(fill))  # type: ignore[no-any-return]

    def _row_sum(self, x: str, width: int, axes: int = 3, fill: float = 0.0) -> str:
        return self._lane_sum(self._padded(x, width, axes, fill), width)

    def _lane_sum(self, x: str, width: int) -> str:
        """Sum over the last, padded axis (kept, of extent 1) in the encoder's order."""
        parts = self._split(x, -(-width // LANES))
        total = parts[0]
        for part in parts[1:]:
            total = self.graph.add("Add", total, part)
        return self._fold(total)

    def _split(self, x: str, count: int) -> list[str]:
        if count == 1:
            return [x]
        return self.graph.add("Split", x, outputs=count, axis=-1)  # type: ignore[no-any-return]

    def _fold(self, x: str) -> str:
        """Add the upper half of the lanes to the lower until one is left."""
        for _ in range(4):
            low, high = self.graph.add("Split", x, outputs=2, axis=-1)
            x = self.graph.add("Add", low, high)
        return x

    def _inverse_root(self, x: str, eps: float) -> str:
        return self._inverse(
            self.graph.add("Sqrt", self.graph.add("Add", x, self.graph.scalar(eps)))
        )

    def _inverse(self, x: str) -> str:
        """1 / x; in double precision, or onnxruntime would make one division of it and a Mul."""
        g = self.graph
        one = g.constant("double_1", np.float64(1), np.float64)
        # rounded twice, a quotient of floats is as if rounded once: 53 >= 2 * 24 + 2 bits
        return self._float(g.add("Div", one, self._double(x)))

    def _rms_norm(self, name: str, weight: Any, x: str) -> str:
        g = self.graph
        width = self.widths[name]
        mean = g.add("Div", self._row_sum(g.add("Mul", x, x), width), g.scalar(width))
        y: str = g.add("Mul", x, self._inverse_root(mean, BITLINEAR_EPS))
        return y if weight is None else g.add("Mul", y, g.constant(f"{name}.norm.weight", weight))

    def _quantize(self, name: str, layer: IntegerLinear, norm: bool, x: str) -> tuple[str, str]:
        """Return int8 codes and scale: the norm's factor is in the scale, not in the numbers."""
        g, width = self.graph, self.widths[name]
        y, factor = x, g.scalar(1.0)
        if norm:
            assert layer.norm is not None
            y = g.add("Mul", x, g.constant(f"{name}.norm.weight", layer.norm))
            exact = self._double(self._padded(x, width))
            parts = self._split(g.add("Mul", exact, exact), -(-width // LANES))
            total = self._float(parts[0])
            for part in parts[1:]:
                total = self._float(g.add("Add", self._double(total), part))
            mean = g.add("Div", self._fold(total), g.scalar(width))
            factor = self._inverse_root(mean, BITLINEAR_EPS)
        most = MOST["int8"]
        largest = g.add("ReduceMax", g.add("Abs", y), axes=[-1], keepdims=1)
        floor = g.add("Max", g.add("Mul", factor, largest), g.scalar(FLOOR))
        scale = g.add("Div", floor, g.scalar(most))
        codes = g.add("Round", g.add("Mul", y, g.add("Div", factor, scale)))
        codes = g.add("Clip", codes, g.scalar(-most - 1), g.scalar(most))
        return g.add("Cast", codes, to=g.onnx.TensorProto.INT8), scale

    def _chain(self, name: str, x: str, matrix: Any) -> str:
        """x times a constant matrix, each output one chain of fused multiply-adds."""
        g, (terms, n) = self.graph, matrix.shape
        weight = g.constant(f"{name}.weight", matrix)
        if terms <= CHAINS[1][0]:
            return g.add("MatMul", x, weight)  # type: ignore[no-any-return]
        # constants are laid out ahead, in pieces of 256 terms: so add a zero known only later
        zero = g.add("Slice", g.reshape(x, -1), g.shape(0), g.shape(1), g.shape(0))
        weight = g.add("Add", weight, g.add("Mul", zero, g.scalar(0.0)))
        c = self.config
        rows = {"head": 1, "patch_embed.proj": c.grid**2}.get(name, c.tokens)
        if rows == 1:  # for a single one of a single image the runtime has another program
            x = g.add("Concat", x, x, axis=1)
        y = self._product(x, weight, terms, n)
        return g.add("Slice", y, g.shape(0), g.shape(1), g.shape(1)) if rows == 1 else y

    def _product(self, a: str, b: str, terms: int, columns: int) -> str:
        """Multiply by what is no constant, each number of the result one chain of so many terms."""
        g, step = self.graph, _columns(terms) or columns
        parts = []
        for first in range(0, columns, step):
            count = min(step, columns - first)
            part = b
            if count < columns:
                part = g.add("Slice", b, g.shape(first), g.shape(first + count), g.shape(-1))
            if count == 1:  # for one column the runtime has another program
                part = g.add("Concat", part, part, axis=-1)
            part = g.add("MatMul", a, part)
            if count == 1:
                part = g.add("Slice", part, g.shape(0), g.shape(1), g.shape(-1))
            parts.append(part)
        return parts[0] if len(parts) == 1 else g.add("Concat", *parts, axis=-1)  # type: ignore[no-any-return]


def _columns(terms: int) -> int:
    """Columns that may be multiplied at a time for one chain of so many terms; 0: any number."""
    return next(columns for most, columns in CHAINS if terms <= most)


def check(packed: PackedFile) -> None:
    """Refuse a network whose bits no graph of standard operators gives.

    Raises
    ------
    ConfigError
        If the compiled encoder cannot run it, or sums more terms in one chain than onnxruntime.
    """
    reason = unknown_to_encoder(packed)
    if reason:
        raise ConfigError(f"exact: the compiled encoder cannot run this network: {reason}")
    c, headers = packed.header.config, packed.header.layers
    chains = {"the head dimension": c.head_dim, "the tokens": c.tokens} | {
        f"{matrix.name}, with its bias": matrix.inputs + 1
        for matrix in vit_matrices(c)
        if headers[matrix.name].activation == "none"
    }
    for what, terms in chains.items():
        if terms > LONGEST:
            raise ConfigError(
                f"exact: {what}: a sum of {terms} floats, expected at most {LONGEST}, the most "
                "that onnxruntime adds in one order; leave exact out"
            )
