"""A linear layer whose weights are laid out once and used often (lessons 08 and 10).

The twin of `Linear` copies weights into panels at each call, as training has to: they have
changed. For an engine they stay. A width that is no multiple of a vector is filled up with
columns of zeros, so that every layer runs on the compiled product: there a row's sums run in
one order, alone and in a batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled._arrays import EMPTY, as_rows, floats
from tinyternary.compiled.buffers import empty
from tinyternary.compiled.switch import jit_enabled

F32 = NDArray[np.float32]


class PreparedLinear:
    """x W^T + b for float32 rows.

    Parameters
    ----------
    weight : (N, K) float32
    bias : (N,) float32, optional

    Notes
    -----
    Without the compiler (``TINYTERNARY_JIT=0``) a product is BLAS's, one call per image of the
    same shape each time. BLAS does not promise that this gives the same bits in any batch.
    """

    def __init__(self, weight: F32, bias: F32 | None) -> None:
        self.weight, self.bias = weight, bias
        self._panels: F32 | None = None
        if jit_enabled() and floats(weight, bias):
            from tinyternary.compiled.linear import pack_panels_transposed
            from tinyternary.compiled.tiles import LANES

            n, k = weight.shape
            filled = np.zeros((-(-n // LANES) * LANES, k), np.float32)
            filled[:n] = weight
            self._panels = empty((filled.size,))
            pack_panels_transposed(filled, self._panels)
            self._columns = len(filled)
            self._bias = EMPTY
            if bias is not None:
                self._bias = np.zeros(len(filled), np.float32)
                self._bias[:n] = bias

    def __call__(self, x: NDArray[Any]) -> F32:
        """Apply the layer to (..., T, K); returns (..., T, N)."""
        if self._panels is None or not floats(x):
            out: F32 = np.matmul(x, self.weight.T)
            if self.bias is not None:
                out += self.bias
            return out
        from tinyternary.compiled.linear import MAC, multiply_rows
        from tinyternary.compiled.threads import share_pieces

        rows = as_rows(x)
        found: F32 = empty((len(rows), self._columns))
        share_pieces(
            multiply_rows, len(rows), 64, MAC * self._panels.size,
            rows, self._panels, self._bias, found, self.bias is not None,
        )  # fmt: skip
        n = len(self.weight)
        if n < self._columns:
            found = np.ascontiguousarray(found[:, :n])
        return found.reshape(*x.shape[:-1], n)
