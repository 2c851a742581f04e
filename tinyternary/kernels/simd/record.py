"""A layer as compiled code knows it: numbers and addresses in one row (lesson 08).

Handing seven arrays to compiled code takes Python longer than a small layer takes to compute;
one address takes no time. These are the places of the numbers behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

(
    INPUTS, OUTPUTS, BLOCKS, PANELS, WEIGHTS, SCALES, SCALE_STEP, ACTIVATION, ALONE, GROUPS,
    UNPACK_FROM, FIELDS,
) = range(12)  # fmt: skip
"""K and N; blocks of inputs and panels of outputs; addresses of codes, and of float32 scales and
then biases, rows of `SCALE_STEP` bytes; the activation; from how many rows on one thread should not
do it alone; groups of inputs with a scale of their own; from how many rows on panels are unpacked
(`plans`)."""
NEVER = 2**62


class Record:
    """The numbers of one layer, and the arrays that they point to.

    Attributes
    ----------
    address : int
        Of the numbers: valid as long as this object lives.
    """

    __slots__ = ("_kept", "address", "numbers")

    def __init__(
        self,
        shape: tuple[int, int],
        layout: NDArray[Any],
        columns: NDArray[np.float32] | None = None,
        activation: int = 0,
        alone: int = NEVER,
        groups: int = 1,
        unpack_from: int = NEVER,
    ) -> None:
        n, k = shape
        numbers = [0] * FIELDS
        numbers[INPUTS], numbers[OUTPUTS] = k, n
        numbers[PANELS], numbers[BLOCKS] = layout.shape[:2]
        numbers[WEIGHTS] = layout.ctypes.data
        if columns is not None:
            numbers[SCALES], numbers[SCALE_STEP] = columns.ctypes.data, columns.strides[0]
        numbers[ACTIVATION], numbers[ALONE], numbers[GROUPS] = activation, alone, groups
        numbers[UNPACK_FROM] = unpack_from
        self.numbers = np.array(numbers, dtype=np.int64)
        self.address: int = self.numbers.ctypes.data
        self._kept = layout, columns


def columns(
    scales: NDArray[np.float32], biases: NDArray[np.float32], size: int
) -> NDArray[np.float32]:
    """Scales (groups, N) or (N,) and biases (N,) as kernels read them.

    Returns
    -------
    (groups + 1, ``size``) float32
        Rows of scales, then the biases, filled up with zeros.
    """
    rows: Sequence[Any] = [*np.atleast_2d(scales), biases]
    filled = np.zeros((len(rows), size), dtype=np.float32)
    for place, row in zip(filled, rows):
        place[: row.size] = row
    return filled
