"""A packed network in integers alone: fixed-point norms, softmax and GELU (lesson 10).

A processor without a float unit spends most of its time on floats. Ternary products are integers
already; here everything between them is too. A number x stands as the integer round(x 2^16); where
a factor may have any size it stands as a mantissa of 31 bits and an exponent. What is left of the
real numbers happens once, when a file is converted. This is the reference in NumPy, int64
throughout; the C export with ``integer=True`` gives the same integers on any machine. The idea is
that of I-BERT (Kim et al., 2021); its polynomials are not: a table and a straight line between two
of its entries is simpler and closer.
"""

from __future__ import annotations

from math import erf, exp, log2, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config import vit_matrices
from tinyternary.config.grid import BITLINEAR_EPS, MOST
from tinyternary.deploy import int8_attention
from tinyternary.deploy.format.reader import PackedFile
from tinyternary.deploy.packed_layers import integer_parts
from tinyternary.deploy.plain import forward, positions
from tinyternary.errors import ConfigError

I64 = NDArray[np.int64]

POINT = 16
"""Binary places of a number: 1 stands as 2^16."""
MOST_TOKENS = 2048
"""Sums over more could leave 64 bits."""
_TOP, _BOTTOM = 2**31 - 1, -(2**31)


# ---- integers --------------------------------------------------------------------------------


def clip(x: I64) -> I64:
    """Keep what fits into 32 bits."""
    return np.clip(x, _BOTTOM, _TOP)


def narrow(x: I64) -> I64:
    """Keep what fits into 27 bits: numbers up to 1024."""
    return np.clip(x, -(2**26), 2**26 - 1)


def shifted(x: I64, left: ArrayLike) -> I64:
    """x 2^left, rounded down: to the right where `left` is negative."""
    left = np.asarray(left, np.int64)
    result: I64 = np.where(left >= 0, x << np.clip(left, 0, 62), x >> np.clip(-left, 0, 63))
    return result


def shift_right(x: I64, places: ArrayLike) -> I64:
    """x / 2^places, rounded half up; nothing is left of it after 62 places."""
    places = np.clip(np.asarray(places, np.int64), 0, 63)
    half = np.where(places > 0, np.int64(1) << np.clip(places - 1, 0, 61), 0)
    return np.where(places > 62, 0, shifted(x + half, -places))


def divide(x: I64, by: ArrayLike) -> I64:
    """x / by for by > 0, rounded half away from zero."""
    by = np.asarray(by, np.int64)
    whole: I64 = (np.abs(x) + by // 2) // by
    return np.sign(x) * whole


def bit_length(x: I64) -> I64:
    """Places of x >= 0 in binary: 0 for 0, 1 for 1, 2 for 2 and 3."""
    found = np.zeros_like(x)
    rest = x
    for places in (32, 16, 8, 4, 2, 1):
        large = rest >= np.int64(1) << places
        found += np.where(large, places, 0)
        rest = np.where(large, rest >> places, rest)
    return found + (rest > 0)


def square_root(x: I64) -> I64:
    """Largest integer whose square is at most x >= 0."""
    root = np.sqrt(x.astype(np.float64)).astype(np.int64)
    root -= root * root > x
    root += (root + 1) * (root + 1) <= x
    return root


# ---- numbers of any size ---------------------------------------------------------------------


def to_scale(values: ArrayLike) -> tuple[I64, I64]:
    """Mantissas (2^30 to 2^31 - 1) and exponents of positive reals: mantissa / 2^exponent."""
    fractions, powers = np.frexp(np.asarray(values, np.float64))
    mantissas = np.rint(fractions * 2.0**31).astype(np.int64)
    full = mantissas == 2**31
    mantissas = np.where(full, 2**30, mantissas)
    return mantissas, 31 - (powers + full).astype(np.int64)


def normal(x: I64, places: int) -> tuple[I64, I64]:
    """Shift x > 0 so that it has so many places; return it and how far, to the left."""
    left = places - bit_length(x)
    return shifted(x, left), left


def quotient(x: I64, by: I64) -> tuple[I64, I64]:
    """x / by, both positive and below 2^40, as mantissa and exponent."""
    wide, left = normal(x, 62)
    mantissa, further = normal(wide // by, 31)
    return mantissa, left + further


def rescaled(sums: I64, scale: tuple[I64, I64], other: tuple[I64, I64]) -> I64:
    """Integers times two scales, as a number: the rescaling behind every integer product."""
    (m, e), (n, f) = scale, other
    places = e + f - 31 - POINT
    product = sums * ((m * n) >> 31)
    huge = np.where(sums > 0, _TOP, np.where(sums < 0, _BOTTOM, 0))
    return np.where(places < 0, huge, clip(shift_right(product, places)))


# ---- rows ------------------------------------------------------------------------------------


def root_mean_square(x: I64, eps: float) -> tuple[I64, I64, I64]:
    """sqrt(mean x^2 + eps) of rows (..., K) of numbers.

    Returns
    -------
    root, left, aligned
        The rows are brought to 24 places or less, `left` to the left; ``root`` belongs to those,
        so that the real root is root / 2^(left + POINT).
    """
    largest = np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1)
    small, exponent = to_scale(eps)
    # up to 24 places, but eps has to fit too: it is as large as 2^31 in units of the squares
    left = np.minimum(24 - bit_length(largest), (31 + exponent) // 2 - POINT)
    aligned = shifted(x, left)
    mean = (aligned * aligned).sum(axis=-1, keepdims=True) // x.shape[-1]
    added = shifted(small, 2 * (left + POINT) - exponent)
    return square_root(mean + added), left, aligned


def layer_norm(x: I64, weight: I64, bias: I64, eps: float) -> I64:
    """(x - mean) / sqrt(variance + eps) * weight + bias of rows (..., K)."""
    off = clip(x - divide(x.sum(axis=-1, keepdims=True), x.shape[-1]))
    root, _, aligned = root_mean_square(off, eps)
    mantissa, exponent = quotient(np.ones_like(root), np.maximum(root, 1))
    unit = clip(shift_right(aligned * mantissa, exponent - POINT))
    return clip(shift_right(unit * weight, POINT) + bias)


def quantize(x: I64, most: int, norm: I64 | None) -> tuple[I64, tuple[I64, I64]]:
    """Rows of numbers as integers from -most to most, and their scale; see BitLinear.

    With a norm's weight the row is y = x weight / rms(x): in the integers the rms cancels.
    """
    y = x if norm is None else clip(shift_right(x * norm, POINT))
    top = np.maximum(np.abs(y).max(axis=-1, keepdims=True), 1)
    spare = np.maximum(bit_length(top) - 23, 0)  # so that the division below fits 32 bits
    codes = divide(most * (y >> spare), np.maximum(top >> spare, 1))
    codes = np.clip(codes, -most, most)
    if norm is None:
        mantissa, exponent = quotient(top, np.full_like(top, most))
        return codes, (mantissa, exponent + POINT)
    root, left, _ = root_mean_square(x, BITLINEAR_EPS)
    mantissa, exponent = quotient(top, most * np.maximum(root, 1))
    return codes, (mantissa, exponent - left)


# ---- curves ----------------------------------------------------------------------------------

CURVE = 256
"""Pieces of a curve: straight lines between entries of a table."""
REACH = 8
"""Beyond it GELU is 0 or its input."""


def _curve(function: Any, first: float, last: float, one: int) -> I64:
    points = np.linspace(first, last, CURVE + 1)
    return np.rint([function(p) * one for p in points]).astype(np.int64)


EXP2 = _curve(lambda x: 2.0**-x, 0, 1, 2**30)
"""2^-x for x from 0 to 1, in units of 2^-30."""
GELU = _curve(lambda x: (1 + erf(x / sqrt(2))) / 2, -REACH, REACH, 2**15)
"""Share of x that GELU lets through, for x from -REACH to REACH, in units of 2^-15."""
GELU_TANH = _curve(
    lambda x: 1 / (1 + exp(-2 * sqrt(2 / np.pi) * (x + 0.044715 * x**3))), -REACH, REACH, 2**15
)
"""The same by the approximation with tanh."""


def on_curve(table: I64, x: I64, span: int) -> I64:
    """Value of a table's curve at x from 0 to `span`, both numbers."""
    at = x * CURVE
    piece = np.minimum(at // span, CURVE - 1)
    low, high = table[piece], table[piece + 1]
    return low + divide((high - low) * (at - piece * span), span)


def gelu(x: I64, table: I64) -> I64:
    """Return x times the share of it that a table's curve gives."""
    reach = REACH << POINT
    inside = np.clip(x, -reach, reach)
    share = on_curve(table, inside + reach, 2 * reach)
    return np.where(x > reach, x, np.where(x < -reach, 0, clip(shift_right(x * share, 15))))


def powers_of_two(x: I64) -> I64:
    """2^x of numbers x <= 0, in units of 2^-20."""
    whole, rest = -x >> POINT, -x & ((1 << POINT) - 1)
    return shift_right(on_curve(EXP2, rest, 1 << POINT), whole + 10)


# ---- the network -----------------------------------------------------------------------------


class Stored:
    """Floats of a file as the C holds them: 16 bits each, and one exponent for all.

    Attributes
    ----------
    values : int64
        Integers of 16 bits.
    exponent : int
        The reals are values / 2^exponent.
    """

    def __init__(self, values: ArrayLike) -> None:
        floats = np.asarray(values, np.float64)
        largest = float(np.abs(floats).max(initial=0))
        # largest * 2^exponent below 2^15
        self.exponent = 15 - (int(np.frexp(largest)[1]) if largest else 0)
        self.values = np.clip(np.rint(np.ldexp(floats, self.exponent)), -(2**15), 2**15 - 1)
        self.values = self.values.astype(np.int64)

    def numbers(self) -> I64:
        """Return them as numbers: with `POINT` binary places, in 32 bits."""
        right = self.exponent - POINT
        if right >= 0:
            return shift_right(self.values, right)
        return clip(shifted(self.values, min(-right, 40)))


class FixedNetwork:
    """What each step of `forward` does with integers.

    Parameters
    ----------
    packed : PackedFile
        Of layers that read floats and have float weights, or read integers.

    Raises
    ------
    ConfigError
        If a layer reads trits, or floats with weights that are none, or there are too many tokens.
    """

    def __init__(self, packed: PackedFile) -> None:
        self.config, self._packed = packed.header.config, packed
        refuse(packed)
        small = {n: a for n, a in packed.tensors.items() if not n.endswith((".codes", ".values"))}
        self.stored = {name: Stored(array) for name, array in small.items()}
        self.layers = {m.name: m for m in vit_matrices(self.config)}
        self.key_scale = key_scale(self.config.head_dim)

    def __call__(self, images: NDArray[np.uint8]) -> I64:
        """Return logits (B, classes) as numbers, for images (B, S, S, C) uint8."""
        return forward(self, self.config, images.astype(np.int64))[:, 0]  # type: ignore[no-any-return]

    def patches(self, images: I64) -> I64:
        """Cut images (B, S, S, C) of bytes into patches (B, P, C p p) of numbers."""
        c, prepare = self.config, self._packed.header.preprocessing
        gain, offset = pixel_numbers(prepare.mean, prepare.std)
        x = shift_right(images * gain, 8) - offset
        pad, size = c.padding, c.patch_size
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
        grid = windows[:, :: c.step, :: c.step]  # (B, rows, columns, C, p, p)
        return grid.reshape(len(images), c.grid**2, c.channels * size**2)

    def put_in_front(self, x: I64) -> I64:
        """Put class token, distillation token and registers before the others."""
        front = [
            np.broadcast_to(
                self.stored[name].numbers().reshape(count, -1), (len(x), count, self.config.width)
            )
            for name, count in self.config.front_tokens.items()
        ]
        return np.concatenate((*front, x), axis=1)

    def add_positions(self, x: I64) -> I64:
        """Add to each token where it comes from."""
        if "pos_embed.values" in self._packed.tensors:
            mantissa, exponent = to_scale(self._packed.tensors["pos_embed.scale"])
            values = self._packed.tensors["pos_embed.values"].astype(np.int64)
            return self.add(x, clip(shift_right(values * mantissa, exponent - POINT)))
        return self.add(x, Stored(positions(self._packed)).numbers())

    def layer(self, name: str, x: I64) -> I64:
        """(B, T, K) to (B, T, N)."""
        header, matrix = self._packed.header.layers[name], self.layers[name]
        bias = self.stored.get(f"{name}.bias")
        if header.is_float:
            weight = self.stored[f"{name}.weight"]
            sums = x @ weight.values.reshape(matrix.outputs, matrix.inputs).T
            out = clip(shift_right(sums, weight.exponent))
        else:
            norm = self.stored[f"{name}.norm.weight"].numbers() if header.norm else None
            codes, scale = quantize(x, MOST[header.activation], norm)
            out = np.zeros((*x.shape[:-1], matrix.outputs), np.int64)
            parts = integer_parts(self._packed, name, matrix.outputs, matrix.inputs)
            for columns, trits, levels in parts:
                whole = trits if isinstance(trits, np.ndarray) else trits.unpack()
                sums = codes[..., columns] @ whole.astype(np.int64).T
                out = clip(out + rescaled(sums, scale, to_scale(levels)))
        return out if bias is None else self.add(out, bias.numbers())

    def norm(self, name: str, x: I64) -> I64:
        """LayerNorm of each token."""
        weight, bias = (self.stored[f"{name}.{part}"].numbers() for part in ("weight", "bias"))
        return layer_norm(x, weight, bias, self.config.norm_eps)

    def attention(self, name: str, qkv: I64) -> I64:
        """(B, T, D + 2 Hkv Dh) to mixed values (B, T, D)."""
        c = self.config
        heads = (c.heads, c.key_value_heads, c.key_value_heads)
        x = qkv.reshape(*qkv.shape[:2], sum(heads), c.head_dim).transpose(0, 2, 1, 3)
        q, k, v = np.split(x, np.cumsum(heads[:2]), axis=1)  # (B, H, T, Dh)
        # 27 bits each, so that sums of products stay within 64
        q, k = narrow(q), narrow(shift_right(k * self.key_scale, 30))
        k, v = (np.repeat(part, c.heads // c.key_value_heads, axis=1) for part in (k, v))
        scores = clip(shift_right(q @ k.transpose(0, 1, 3, 2), POINT))  # (B, H, T, T)
        seen = np.tri(c.tokens, dtype=bool) if c.causal else np.ones((c.tokens,) * 2, bool)
        top = np.where(seen, scores, _BOTTOM).max(axis=-1, keepdims=True)
        shares = np.where(seen, powers_of_two(np.minimum(scores - top, 0)), 0)
        mixed = divide(shares @ v, shares.sum(axis=-1, keepdims=True))
        return clip(mixed).transpose(0, 2, 1, 3).reshape(*qkv.shape[:2], c.width)

    def activation(self, name: str, x: I64) -> I64:
        """Apply the non-linearity of the feed-forward network."""
        kind = self.config.activation
        if kind == "relu_squared":
            positive = np.maximum(x, 0)
            return clip(shift_right(positive * positive, POINT))
        return gelu(x, GELU_TANH if kind == "gelu_tanh" else GELU)

    def add(self, x: I64, y: I64) -> I64:
        """Add two arrays of numbers."""
        return clip(x + y)

    add_to = add

    def tokens(self, x: I64, first: int, last: int) -> I64:
        """Take tokens from `first` up to `last`."""
        return x[:, first:last]

    def side_by_side(self, x: I64) -> I64:
        """Put two tokens into one row: (B, 2, D) to (B, 1, 2 D)."""
        return x.reshape(len(x), 1, self.config.head_inputs)

    def mean(self, x: I64) -> I64:
        """Average over tokens: (B, 1, D)."""
        return divide(x.sum(axis=1, keepdims=True), x.shape[1])


def key_scale(head_dim: int) -> int:
    """Return what multiplies keys, log2(e) / sqrt(Dh), in units of 2^-30."""
    return int(np.rint(log2(np.e) / sqrt(head_dim) * 2**30))


def pixel_numbers(mean: ArrayLike, std: ArrayLike) -> tuple[I64, I64]:
    """Return what multiplies a byte, in units of 2^-24, and what is taken off, a number."""
    mean, std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    gain = np.rint(2.0 ** (POINT + 8) / 255 / std).astype(np.int64)
    return gain, np.rint(mean / std * 2.0**POINT).astype(np.int64)


def refuse(packed: PackedFile) -> None:
    """Raise `ConfigError` for a network that has no form in integers."""
    config = packed.header.config
    int8_attention.refuse(packed.header, "integers")
    if config.tokens > MOST_TOKENS:
        raise ConfigError(f"integers: {config.tokens} tokens; at most {MOST_TOKENS} fit")
    for name, layer in packed.header.layers.items():
        if not layer.is_float and layer.activation in ("none", "ternary"):
            raise ConfigError(
                f"integers: {name} is {layer.storage} with {layer.activation} inputs; "
                "expected int8, int7 or int4 inputs, or float weights"
            )
