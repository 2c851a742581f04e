"""Bytes that move between the levels of a memory, for a stated blocking (lesson 09).

A product Y (M, N) = X (M, K) W (N, K)^T touches every operand far more often than it is
large. How often each level is asked depends on the tile that the level above keeps. The
three ways to keep one are those of the accelerator literature (Sze et al., Efficient
Processing of Deep Neural Networks, Proc. IEEE 2017): the output tile stays and both
inputs stream, or a panel of X stays, or a panel of W stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

from tinyternary.errors import ConfigError, unknown_name

Stationary = Literal["output", "input", "weight"]


@dataclass(frozen=True)
class Gemm:
    """The shape of one matrix product, and how many bits its entries take.

    Attributes
    ----------
    rows, inputs, outputs : int
        M, K and N.
    x_bits, w_bits, y_bits : float
        Bits per entry of the activations, the weights and the result as stored.
    count : int
        How many products of this shape there are (attention: one per head).
    triangle : {"", "y", "x"}
        Causal attention: of a square of queries and keys, Y where scores are made and X where
        values are mixed, only the half up to the diagonal is made or read. How often the
        other operands are read anew is counted as for the whole square: no less than that.
    """

    rows: int
    inputs: int
    outputs: int
    x_bits: float = 32
    w_bits: float = 32
    y_bits: float = 32
    count: int = 1
    triangle: Literal["", "y", "x"] = ""

    def __post_init__(self) -> None:
        if min(self.rows, self.inputs, self.outputs, self.count) < 1:
            raise ConfigError(
                f"matrix product: M, K, N and count should be positive, got "
                f"{self.rows}, {self.inputs}, {self.outputs}, {self.count}"
            )
        if self.triangle not in ("", "y", "x"):
            raise unknown_name("triangle", self.triangle, ("", "y", "x"))
        if self.triangle and self.rows != (self.outputs if self.triangle == "y" else self.inputs):
            raise ConfigError(f"matrix product: a triangle needs a square, got {self}")

    def for_batch(self, batch: int, *, shared_weights: bool) -> Gemm:
        """Return the product for a batch: more rows where W is shared, else more products."""
        if shared_weights:
            return replace(self, rows=self.rows * batch)
        return replace(self, count=self.count * batch)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of all `count` products."""
        other = self.inputs if self.triangle == "y" else self.outputs
        pairs = self.y_entries if self.triangle == "y" else self.x_entries
        return self.count * pairs * other

    @property
    def x_entries(self) -> int:
        """Entries of one X that are read."""
        square = self.rows * self.inputs
        return (square + self.rows) // 2 if self.triangle == "x" else square

    @property
    def y_entries(self) -> int:
        """Entries of one Y that are made."""
        square = self.rows * self.outputs
        return (square + self.rows) // 2 if self.triangle == "y" else square

    @property
    def operand_bytes(self) -> float:
        """Bytes of X, W and Y, each counted once."""
        return self.count * (
            self.x_entries * self.x_bits
            + self.outputs * self.inputs * self.w_bits
            + self.y_entries * self.y_bits
        ) / 8  # fmt: skip


@dataclass(frozen=True)
class Blocking:
    """What a level of memory keeps while the rest streams past.

    Attributes
    ----------
    rows, outputs : int
        Rows of X (m) and of W (n) in the tile.
    stationary : {"output", "input", "weight"}
        Which operand stays: the m x n tile of Y, the m x K panel of X, or the n x K
        panel of W.
    """

    rows: int
    outputs: int
    stationary: Stationary

    def __post_init__(self) -> None:
        if self.stationary not in get_args(Stationary):
            raise unknown_name("stationary operand", self.stationary, get_args(Stationary))

    def __str__(self) -> str:
        return f"{self.stationary}-stationary {self.rows}x{self.outputs}"


@dataclass(frozen=True)
class Traffic:
    """Bytes that cross the boundary between two levels of memory.

    Attributes
    ----------
    read, written : float
        Bytes read from, and written to, the lower (larger) level.
    """

    read: float
    written: float

    @property
    def total(self) -> float:
        """Bytes in both directions."""
        return self.read + self.written

    def plus(self, other: Traffic) -> Traffic:
        """Add two amounts of traffic."""
        return Traffic(self.read + other.read, self.written + other.written)


REGISTER_TILE = Blocking(4, 64, "output")
"""The register tile of the SIMD kernels: 4 rows x 4 vectors of 16 outputs."""


def traffic(gemm: Gemm, blocking: Blocking) -> Traffic:
    """Bytes that a product reads from and writes to the level below the tile.

    Each X entry is read once for every tile along N, unless its panel stays; each W entry
    once for every tile along M, unless its panel stays; each Y entry is written once.
    """
    across = -(-gemm.outputs // blocking.outputs)
    down = -(-gemm.rows // blocking.rows)
    x_reads = 1 if blocking.stationary == "input" else across
    w_reads = 1 if blocking.stationary == "weight" else down
    x = gemm.count * gemm.x_entries * x_reads * gemm.x_bits / 8
    w = gemm.count * gemm.outputs * gemm.inputs * w_reads * gemm.w_bits / 8
    y = gemm.count * gemm.y_entries * gemm.y_bits / 8
    return Traffic(x + w, y)


def footprint(gemm: Gemm, blocking: Blocking) -> float:
    """Bytes that the tile needs while it is worked on.

    A stationary panel needs its whole length K; a streaming one needs a slice of 64 bytes
    (a cache line) per row. The m x n results are int32 or float32 accumulators.
    """
    m, n = min(blocking.rows, gemm.rows), min(blocking.outputs, gemm.outputs)
    x_row = gemm.inputs * gemm.x_bits / 8
    w_row = gemm.inputs * gemm.w_bits / 8
    held = 4.0 * m * n
    held += m * (x_row if blocking.stationary == "input" else min(64.0, x_row))
    held += n * (w_row if blocking.stationary == "weight" else min(64.0, w_row))
    return held


@lru_cache(maxsize=4096)
def choose_blocking(gemm: Gemm, capacity: int) -> Blocking:
    """Find the blocking with the least traffic whose tile fits.

    All powers of two up to the size of the product are tried, in each of the three ways.

    Parameters
    ----------
    gemm : Gemm
    capacity : int
        Bytes that the level may hold.

    Raises
    ------
    ConfigError
        If not even a 1 x 1 tile fits.
    """
    best: tuple[float, float, Blocking] | None = None
    ways: tuple[Stationary, ...] = ("output", "input", "weight")
    for way in ways:
        for m in _sizes(gemm.rows):
            for n in _sizes(gemm.outputs):
                blocking = Blocking(m, n, way)
                held = footprint(gemm, blocking)
                if held > capacity:
                    break
                moved = traffic(gemm, blocking).total
                # of equal traffic, the smaller tile
                if best is None or (moved, held) < best[:2]:
                    best = (moved, held, blocking)
    if best is None:
        raise ConfigError(f"a memory of {capacity} bytes holds no tile of a product of {gemm}")
    return best[2]


def _sizes(limit: int) -> list[int]:
    sizes = [1]
    while sizes[-1] < limit:
        sizes.append(min(2 * sizes[-1], limit))
    return sizes
