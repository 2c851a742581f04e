"""The matrices of a packed model as layers that can be called (lessons 08 and 10).

Each reads float32 rows (..., K) and gives float32 rows (..., N). A row's answer
depends on that row alone, bit for bit: integers are exact, and the compiled float
product sums each row in one order, so that a batch changes nothing.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyternary import kernels
from tinyternary.compiled import PreparedLinear
from tinyternary.compiled.locks import made_once
from tinyternary.config.grid import BITLINEAR_EPS, MOST
from tinyternary.deploy.encoder import kept
from tinyternary.deploy.floats import rms_norm
from tinyternary.deploy.format.header import LayerHeader
from tinyternary.deploy.format.reader import PackedFile
from tinyternary.kernels import PackedTernary, dispatch, reference
from tinyternary.kernels.simd.tile_shapes import shape_of

F32 = NDArray[np.float32]


class Layer(Protocol):
    """One linear layer: (B, T, K) float32 to (B, T, N) float32."""

    def __call__(self, x: F32) -> F32:
        """Apply the layer to tokens (B, T, K): (B, T, N) float32."""
        ...


class FloatLinear:
    """x W^T + b with the weights as they lie in the mapped file."""

    def __init__(self, weight: NDArray[Any], bias: F32 | None) -> None:
        # half precision is storage: NumPy has no fast product for it
        self.weight: F32 = np.asarray(weight, np.float32)
        self.bias = bias

    @made_once
    def _prepared(self) -> PreparedLinear:
        # not at once: the compiled encoder and exports want the weights alone
        return PreparedLinear(self.weight, self.bias)

    def __call__(self, x: F32) -> F32:
        """Apply the layer to (B, T, K)."""
        return self._prepared(x)


class IntegerLinear:
    """Norm, small-integer activations, integer product, rescale, bias (BitLinear)."""

    def __init__(
        self,
        header: LayerHeader,
        parts: list[tuple[slice, Any, F32]],
        norm: F32 | None,
        bias: F32 | None,
    ) -> None:
        self.header = header
        # (columns of x, integer matrix, its scales (N,)): one, unless scales go by groups
        self.parts = parts
        self.norm = norm
        self.bias = bias

    def __call__(self, x: F32) -> F32:
        """Apply the layer to (B, T, K)."""
        rows = np.ascontiguousarray(x.reshape(-1, x.shape[-1]))
        if self.header.norm:
            rows = rms_norm(rows, self.norm, BITLINEAR_EPS)
        codes, scale = quantize_rows(rows, self.header)
        out: F32 | None = None
        for columns, matrix, levels in self.parts:
            part = codes if columns == slice(None) else np.ascontiguousarray(codes[:, columns])
            term = _product(part, matrix) * (scale * levels)
            out = term if out is None else np.add(out, term, out=out)
        assert out is not None  # a matrix has at least one group
        if self.bias is not None:
            out += self.bias
        return out.reshape(*x.shape[:-1], out.shape[1])


def quantize_rows(x: F32, header: LayerHeader) -> tuple[NDArray[np.int8], F32]:
    """Quantise each row as `header.activation` says: codes (M, K) int8, scale (M, 1)."""
    if header.activation == "ternary":
        per_token = header.activation_per == "token"
        unit = reference.mean_magnitude(x) if per_token else np.ones((len(x), 1), np.float32)
        return reference.ternary(x, header.activation_threshold, header.activation_level, unit)
    codes, scale = reference.quantize(x, MOST[header.activation])
    return codes, scale[:, None]


def _product(x: NDArray[np.int8], matrix: PackedTernary | NDArray[np.int8]) -> NDArray[np.int32]:
    if isinstance(matrix, PackedTernary):
        exact: NDArray[np.int32] = kernels.matmul(x, matrix)
        return exact
    product: NDArray[np.int32] = x.astype(np.int32) @ matrix.astype(np.int32).T
    return product


def build_layer(packed: PackedFile, name: str, outputs: int, inputs: int) -> Layer:
    """Make the layer called `name` from the arrays of a packed file."""
    header = packed.header.layers[name]
    tensors = packed.tensors
    bias = _float32(tensors.get(f"{name}.bias"))
    norm = _float32(tensors.get(f"{name}.norm.weight"))
    if header.is_float:
        return FloatLinear(tensors[f"{name}.weight"], bias)
    if header.activation == "none":
        linear = FloatLinear(float_weight(packed, name, outputs, inputs), bias)
        return _Normed(linear, norm) if header.norm else linear
    parts = integer_parts(packed, name, outputs, inputs)
    return IntegerLinear(header, parts, norm, bias)


def float_weight(packed: PackedFile, name: str, outputs: int, inputs: int) -> F32:
    """Return the weights (N, K) of a layer that reads floats, dequantised if they are stored so."""
    if packed.header.layers[name].is_float:
        return np.asarray(packed.tensors[f"{name}.weight"], np.float32)
    weight = np.zeros((outputs, inputs), np.float32)
    for columns, matrix, levels in integer_parts(packed, name, outputs, inputs):
        values = matrix.unpack() if isinstance(matrix, PackedTernary) else matrix
        weight[:, columns] += values * levels[:, None]
    return weight


def _float32(array: NDArray[Any] | None) -> F32 | None:
    return None if array is None else np.asarray(array, np.float32)


class _Normed:
    def __init__(self, linear: FloatLinear, weight: F32 | None) -> None:
        self.linear, self.weight = linear, weight

    def __call__(self, x: F32) -> F32:
        return self.linear(rms_norm(x, self.weight, BITLINEAR_EPS))


def integer_parts(
    packed: PackedFile, name: str, outputs: int, inputs: int
) -> list[tuple[slice, Any, F32]]:
    """Split a matrix by its scale groups and, with two scales, into its +1 and -1 trits."""
    header = packed.header.layers[name]
    matrix = _matrix(packed, name, outputs, inputs)
    positive = packed.tensors[f"{name}.scale"]
    negative = packed.tensors.get(f"{name}.scale_negative")
    groups = max(header.groups, 1)
    parts: list[tuple[slice, Any, F32]] = []
    for group in range(groups):
        width = inputs // groups
        columns = slice(None) if groups == 1 else slice(group * width, (group + 1) * width)
        if negative is None:
            piece = matrix if groups == 1 else _columns(matrix, columns)
            parts.append((columns, piece, _levels(positive, outputs, group)))
            continue
        trits = matrix.unpack()[:, columns]
        for scale, sign in ((positive, 1), (negative, -1)):
            piece = kernels.pack(np.where(trits == sign, trits, 0).astype(np.int8))
            parts.append((columns, piece, _levels(scale, outputs, group)))
    return parts


def _levels(scale: F32, outputs: int, group: int) -> F32:
    return np.ascontiguousarray(np.broadcast_to(scale if scale.ndim == 0 else scale[:, group],
                                                (outputs,)))  # fmt: skip


def _columns(matrix: Any, columns: slice) -> Any:
    if isinstance(matrix, PackedTernary):
        return kernels.pack(np.ascontiguousarray(matrix.unpack()[:, columns]))
    return np.ascontiguousarray(matrix[:, columns])


def ternary_matrix(packed: PackedFile, name: str, outputs: int, inputs: int) -> PackedTernary:
    """Return a ternary matrix; the reader has checked its bytes, which are used as they lie."""
    return PackedTernary(packed.tensors[f"{name}.codes"], (outputs, inputs), packed.header.bits)


def _matrix(packed: PackedFile, name: str, outputs: int, inputs: int) -> Any:
    storage = packed.header.layers[name].storage
    if storage == "ternary":
        return ternary_matrix(packed, name, outputs, inputs)
    values = packed.tensors[f"{name}.values"]
    if storage == "int8":
        return values
    return unpack_nibbles(values, inputs)


def pack_nibbles(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Put int4 values (N, K) two a byte, value + 8 each, the first in the low four bits."""
    rows, inputs = values.shape
    padded = np.full((rows, inputs + inputs % 2), 8, np.uint8)
    padded[:, :inputs] = (values + np.int8(8)).view(np.uint8)
    packed: NDArray[np.uint8] = padded[:, 0::2] | padded[:, 1::2] << 4
    return packed


def unpack_nibbles(data: NDArray[np.uint8], inputs: int) -> NDArray[np.int8]:
    """Inverse of `pack_nibbles`: (N, inputs) int8."""
    pairs = np.stack((data & 15, data >> 4), axis=-1).reshape(data.shape[0], -1)
    return pairs[:, :inputs].view(np.int8) - np.int8(8)


def has_encoder(backend: dispatch.Backend) -> bool:
    """Whether the compiled encoder can be made for a backend."""
    # the portable vector path works in blocks that are narrower than the encoder's rows, and the
    # encoder unpacks no panels
    return backend.simd and backend.name not in ("vector", "five")


def unfusable(packed: PackedFile) -> str:
    """Return why a packed model cannot run on the compiled encoder; empty if it can."""
    chosen = dispatch.choose()
    if not has_encoder(chosen):
        return f"the backend {chosen.name} has no compiled encoder"
    return unknown_to_encoder(packed)


def unknown_to_encoder(packed: PackedFile) -> str:
    """Return what a network has that no compiled encoder knows; empty if there is nothing."""
    config = packed.header.config
    if not config.attn_norm:
        return "the attention has no norm before it"
    if config.registers or config.pool == "distilled":
        return "it has registers or a distillation token"
    if config.embed_norm or config.token_norm:
        return "it has a norm after the embedding, or before the mean of tokens"
    for name, layer in packed.header.layers.items():
        ternary = (
            layer.storage == "ternary"
            and layer.groups <= 1
            and not layer.two_scales
            and layer.activation == "int8"
        )
        if not (ternary or layer.activation == "none"):
            return f"{name} is {layer.storage} with {layer.activation} inputs"
    return ""


def runs_on(packed: PackedFile) -> str:
    """Return in words what would run a packed model here, and why nothing faster."""
    reason = unfusable(packed)
    if reason:
        return f"one layer after the other: {reason}"
    backend = dispatch.choose().name
    file, because = kept.look(shape_of(backend))
    how = f"Numba: {because}" if file is None else f"machine code kept in {file}"
    return f"compiled encoder ({backend}), {how}"
