"""Trits to bytes and back, in the plain orders that files use (lesson 08_packing_and_kernels).

Three storage forms, each with its inverse:

* 2 bits: code = trit + 1, four codes a byte, code i of a byte in bits 2i..2i+1;
* base 3: five trits a byte (3^5 = 243 <= 256), 1.6 bits a trit, decoded by multiplication;
* bit planes: one bit for "is +1" and one for "is -1".

Rows are padded to a whole byte with 0-trits. A reader rejects bytes that a writer never makes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import PackedFileError, ShapeError

TRITS_PER_BYTE = {2: 4, 1.6: 5}
"""How many trits one byte holds, by bits per trit."""

_FIELDS = np.array([0, 2, 4, 6], dtype=np.uint8)  # where code i of a byte stands
_POWERS = np.array([81, 27, 9, 3, 1], dtype=np.int32)  # the first trit is the leading digit


def check_trits(trits: NDArray[np.integer]) -> NDArray[np.int8]:
    """Return ``trits`` as int8, after checking that it is an (N, K) matrix of -1, 0 and +1.

    Raises
    ------
    ShapeError
        If it is not a 2-D array, or holds anything but -1, 0 and +1.
    """
    array = np.asarray(trits)
    if array.ndim != 2:
        raise ShapeError(f"trits must be a matrix (N, K), got shape {array.shape}")
    if array.dtype == np.int8:
        small = array
    else:
        small = array.astype(np.int8)
        if not np.array_equal(small, array):
            raise ShapeError(f"trits must be -1, 0 or +1, got other values of dtype {array.dtype}")
    if small.size and (small.min() < -1 or small.max() > 1):
        raise ShapeError(f"trits must be -1, 0 or +1, got {int(small.min())}..{int(small.max())}")
    return small


def row_bytes(k: int, bits: float) -> int:
    """Bytes that one row of ``k`` trits takes at ``bits`` (2 or 1.6) bits per trit."""
    return -(-k // TRITS_PER_BYTE[bits])


def _padded(trits: NDArray[np.int8], per_byte: int) -> NDArray[np.uint8]:
    """Digits trit + 1, (N, bytes, per_byte), rows filled up with 0-trits."""
    n, k = trits.shape
    length = -(-k // per_byte)
    digits = np.ones((n, length * per_byte), dtype=np.uint8)
    digits[:, :k] = (trits + np.int8(1)).view(np.uint8)
    return digits.reshape(n, length, per_byte)


def check_bytes(data: NDArray[np.uint8], bits: float) -> None:
    """Refuse bytes (N, bytes) that hold no trits at `bits` (2 or 1.6) bits per trit.

    Raises
    ------
    PackedFileError
        Naming the first code ``11``, or the first of the 13 bytes that no five trits make.
    """
    if bits == 2:
        wrong = data & (data >> 1) & 0x55
        if wrong.any():
            row, byte = np.argwhere(wrong)[0]
            raise PackedFileError(f"code 11 in row {row}, byte {byte}: codes are 00, 01 and 10")
        return
    known = np.zeros(256, dtype=bool)
    known[(np.arange(243) * 256 + 242) // 243] = True
    if not known[data].all():
        row, byte = np.argwhere(~known[data])[0]
        raise PackedFileError(
            f"byte {data[row, byte]} in row {row}, byte {byte}: no five trits are stored as that"
        )


def to_codes(trits: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack trits (N, K) into 2-bit codes, uint8 (N, ceil(K / 4))."""
    fields = _padded(trits, 4) << _FIELDS
    codes: NDArray[np.uint8] = np.bitwise_or.reduce(fields, axis=2)
    return codes


def from_codes(data: NDArray[np.uint8], k: int) -> NDArray[np.int8]:
    """Unpack 2-bit codes (N, ceil(K / 4)) into trits int8 (N, K).

    Raises
    ------
    PackedFileError
        If any code is ``11``, or a padding code is not ``01`` (the 0-trit).
    """
    check_bytes(data, 2)
    codes = (data[:, :, None] >> _FIELDS) & np.uint8(3)  # (N, bytes, 4)
    return _trim(codes.reshape(data.shape[0], 4 * data.shape[1]), k)


def to_base3(trits: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack trits (N, K) five a byte, uint8 (N, ceil(K / 5)).

    Five digits make q in 0..242; what is stored is q' = ceil(256 q / 243), so that
    a decoder needs multiplications only, no division (the idea of ggml's TQ1_0).
    """
    q = _padded(trits, 5).astype(np.int32) @ _POWERS  # (N, bytes)
    return ((q * 256 + 242) // 243).astype(np.uint8)


def from_base3(data: NDArray[np.uint8], k: int) -> NDArray[np.int8]:
    """Unpack base-3 bytes (N, ceil(K / 5)) into trits int8 (N, K).

    Trit n of a byte is ``((q' * 3^n mod 256) * 3) >> 8``, less one.

    Raises
    ------
    PackedFileError
        If a byte is one of the 13 that no five trits make, or padding is not the 0-trit.
    """
    check_bytes(data, 1.6)
    scaled = data[:, :, None] * np.array([1, 3, 9, 27, 81], dtype=np.uint8)  # modulo 256
    digits = (scaled.astype(np.uint16) * 3 >> 8).astype(np.uint8)
    return _trim(digits.reshape(data.shape[0], 5 * data.shape[1]), k)


def _trim(digits: NDArray[np.uint8], k: int) -> NDArray[np.int8]:
    """Cut the padding off after checking that it is what a writer puts there."""
    if (digits[:, k:] != 1).any():
        row = int(np.argwhere(digits[:, k:] != 1)[0][0])
        raise PackedFileError(f"padding of row {row} after {k} trits is not the 0-trit")
    return digits[:, :k].view(np.int8) - np.int8(1)


def to_planes(trits: NDArray[np.int8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Split trits (N, K) into the bit planes W+ and W-, uint64 (N, ceil(K / 64)) each.

    Bit b of word w of a row belongs to input 64 w + b; bits past K are 0.
    """
    n, k = trits.shape
    words = -(-k // 64)
    wide = np.zeros((n, words * 64), dtype=np.int8)
    wide[:, :k] = trits

    def plane(value: int) -> NDArray[np.uint64]:
        return np.packbits(wide == value, axis=1, bitorder="little").view("<u8").astype(np.uint64)

    if n == 0 or words == 0:
        empty = np.zeros((n, words), dtype=np.uint64)
        return empty, empty.copy()
    return plane(1), plane(-1)


def from_planes(plus: NDArray[np.uint64], minus: NDArray[np.uint64], k: int) -> NDArray[np.int8]:
    """Join the bit planes W+ and W- (N, ceil(K / 64)) into trits int8 (N, K)."""
    if plus.size and (plus & minus).any():
        raise PackedFileError("a trit is both +1 and -1: the planes W+ and W- overlap")

    def bits(plane: NDArray[np.uint64]) -> NDArray[np.int8]:
        raw = np.ascontiguousarray(plane.astype("<u8")).view(np.uint8)
        return np.unpackbits(raw, axis=1, count=k, bitorder="little").view(np.int8)

    if plus.size == 0:
        return np.zeros((plus.shape[0], k), dtype=np.int8)
    return bits(plus) - bits(minus)
