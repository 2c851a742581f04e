"""The GPU's kernel against NumPy's int64 product; run with ``NUMBA_ENABLE_CUDASIM=1`` (test_cuda).

``python -m tests.kernels.cuda_cases DRAWN`` runs the edges and so many drawn shapes.
"""

from __future__ import annotations

import sys

import numpy as np
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.kernels.cases import exact, trits
from tinyternary import kernels
from tinyternary.kernels.cuda.product import COLUMNS, ROWS, STEP


def agrees(x: np.ndarray, w: np.ndarray) -> None:
    out = np.full((len(x), len(w)), 7, np.int32)
    kernels.matmul(x, kernels.pack(w), "cuda", out=out)
    assert np.array_equal(out, exact(x, w)), (x.shape, w.shape)


def drawn(m: int, k: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    agrees(rng.integers(-128, 128, (m, k)).astype(np.int8), trits(rng, n, k))


def extremes() -> None:
    """Sums of one sign, for as long as a pair goes without rest; neighbours of the other sign."""
    for value in (-128, 127):
        x = np.full((2, 2 * STEP + 1), value, np.int8)
        x[1] = -1 - x[1]
        w = np.ones((2, x.shape[1]), np.int8)
        w[1] = -1
        agrees(x, w)
        agrees(x[::-1], w)


def main(examples: int) -> None:
    assert kernels.dispatch.choose("cuda").available
    for m, k, n in [(0, 3, 2), (2, 0, 3), (1, 1, 1), (ROWS + 1, 3, COLUMNS + 1), (3, STEP + 1, 2)]:
        drawn(m, k, n, seed=m + k + n)
    extremes()
    if examples:
        side = st.integers(1, 34)
        shapes = given(m=st.integers(1, 66), k=st.integers(1, 80), n=side, seed=side)
        slow = [HealthCheck.too_slow]  # a simulated block takes a second
        unhurried = settings(
            max_examples=examples, database=None, deadline=None, suppress_health_check=slow
        )
        unhurried(shapes(drawn))()
    print("equal")


if __name__ == "__main__":
    main(int(sys.argv[1]))
