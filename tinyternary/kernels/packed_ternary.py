"""`PackedTernary`: a ternary matrix as real bytes (lesson 08_packing_and_kernels)."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import ConfigError, PackedFileError
from tinyternary.kernels import packing

_READERS: dict[float, Callable[[NDArray[np.uint8], int], NDArray[np.int8]]] = {
    2: packing.from_codes,
    1.6: packing.from_base3,
}

KEPT_READY = 16
"""Kinds of calls that a matrix is kept ready for."""


class PackedTernary:
    """A ternary weight matrix W (N, K) in 2 or 1.6 bits per trit.

    Made by `pack` or, from the bytes of a file, by `PackedTernary.from_bytes`. The
    bytes stay as a file has them; what a kernel wants (codes interleaved for wide
    loads, bit planes, lookup indices) is laid out once, when that kernel first runs.

    Attributes
    ----------
    shape : (int, int)
        (N, K): outputs, inputs.
    bits : float
        Bits per trit of the stored form: 2 or 1.6.
    data : (N, row bytes) uint8, read-only
        The stored bytes in the plain order that `tinyternary.kernels.packing` describes.

    Examples
    --------
    >>> packed = tt.kernels.pack(np.ones((2, 10), np.int8), bits=1.6)
    >>> packed.shape, packed.nbytes  # five trits in a byte
    ((2, 10), 4)
    """

    __slots__ = ("_layouts", "_ready", "bits", "data", "shape")

    def __init__(self, data: NDArray[np.uint8], shape: tuple[int, int], bits: float) -> None:
        self.shape = shape
        self.bits = bits
        self.data = data
        self.data.flags.writeable = False
        self._layouts: dict[Any, Any] = {}
        self._ready: dict[Any, Any] = {}

    @classmethod
    def from_bytes(
        cls,
        data: bytes | bytearray | memoryview | NDArray[np.uint8],
        shape: tuple[int, int],
        bits: float = 2,
    ) -> PackedTernary:
        """Take over the bytes of a file, after checking every one of them.

        Parameters
        ----------
        data : bytes-like or uint8 array
            Row after row in plain order, N * ceil(K / trits per byte) bytes. Copied.
        shape : (int, int)
            (N, K).
        bits : {2, 1.6}
            Bits per trit.

        Raises
        ------
        ConfigError
            If ``bits`` or ``shape`` is not one that exists.
        PackedFileError
            If the length does not fit the shape, or a byte is one that `pack` never writes.
        """
        bits = check_bits(bits)
        try:
            n, k = (int(side) for side in shape)
        except (TypeError, ValueError):
            raise ConfigError(f"shape must be (N, K), got {shape!r}") from None
        if n < 0 or k < 0:
            raise ConfigError(f"shape must be (N, K) with N, K >= 0, got {shape!r}")
        if isinstance(data, np.ndarray):
            if data.dtype != np.uint8:
                raise PackedFileError(f"packed bytes must be uint8, got {data.dtype}")
            flat = np.array(data, order="C").reshape(-1)
        else:
            flat = np.frombuffer(bytes(data), dtype=np.uint8).copy()
        length = packing.row_bytes(k, bits)
        if flat.size != n * length:
            raise PackedFileError(
                f"{flat.size} bytes for shape ({n}, {k}) at {bits:g} bits, "
                f"expected {n} rows of {length} bytes"
            )
        rows = flat.reshape(n, length)
        _READERS[bits](rows, k)  # raises on bytes that a writer never makes
        return cls(rows, (n, k), bits)

    @property
    def nbytes(self) -> int:
        """Bytes of the stored form (what a file holds; scales not included)."""
        return int(self.data.nbytes)

    def tobytes(self) -> bytes:
        """Return the stored bytes, as `from_bytes` takes them."""
        return self.data.tobytes()

    def unpack(self) -> NDArray[np.int8]:
        """Return the trits, int8 (N, K): exactly those that were packed."""
        return _READERS[self.bits](self.data, self.shape[1])

    def layout(self, name: str, make: Callable[[NDArray[np.int8]], Any]) -> Any:
        """Return the layout ``name`` of this matrix, made by ``make(trits)`` the first time."""
        found = self._layouts.get(name)
        if found is None:
            found = self._layouts[name] = make(self.unpack())
        return found

    def ready(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what a call of this kind needs, made by ``make()`` the first time.

        The last few are kept: looking at a call's arguments takes longer than a small product.
        """
        found = self._ready.get(key)
        if found is None:
            if len(self._ready) >= KEPT_READY:
                self._ready.clear()
            found = self._ready[key] = make()
        return found

    def renew(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what `make()` gives, in the place of what `ready` kept."""
        self._ready.pop(key, None)
        return self.ready(key, make)

    def __repr__(self) -> str:
        n, k = self.shape
        ready = ", ".join(sorted(self._layouts)) or "none yet"
        return (
            f"PackedTernary({n} x {k} trits, {self.bits:g} bits each, {self.nbytes:,} bytes; "
            f"float32 would take {4 * n * k:,}; kernel layouts: {ready})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PackedTernary):
            return NotImplemented
        return (
            self.shape == other.shape
            and self.bits == other.bits
            and np.array_equal(self.data, other.data)
        )

    __hash__ = None  # type: ignore[assignment]

    def __getstate__(self) -> tuple[NDArray[np.uint8], tuple[int, int], float]:
        return self.data, self.shape, self.bits  # layouts are made anew where they are needed

    def __setstate__(self, state: tuple[NDArray[np.uint8], tuple[int, int], float]) -> None:
        self.__init__(*state)  # type: ignore[misc]


def check_bits(bits: float) -> float:
    """Return 2 or 1.6, or raise `ConfigError`."""
    for known in packing.TRITS_PER_BYTE:
        if bits == known:
            return known
    raise ConfigError(f"bits must be 2 or 1.6, got {bits!r}")


def pack(trits: NDArray[np.integer], bits: float = 2) -> PackedTernary:
    """Pack a ternary matrix into real bytes.

    Parameters
    ----------
    trits : (N, K) int8
        Each -1, 0 or +1.
    bits : {2, 1.6}
        Bits per trit: 2 (four codes a byte) or 1.6 (five trits a byte, base 3).

    Returns
    -------
    PackedTernary
        ``.unpack()`` gives the same trits back.

    Raises
    ------
    ShapeError
        If ``trits`` is not a matrix of -1, 0 and +1.
    ConfigError
        If ``bits`` is neither 2 nor 1.6.

    Examples
    --------
    >>> import numpy as np
    >>> pack(np.array([[-1, 0, 1, 1]], dtype=np.int8)).data
    array([[164]], dtype=uint8)
    """
    bits = check_bits(bits)
    small = packing.check_trits(trits)
    data = packing.to_codes(small) if bits == 2 else packing.to_base3(small)
    n, k = small.shape
    return PackedTernary(np.ascontiguousarray(data), (n, k), bits)
