"""exp, erf and sigmoid against float64 over the whole range of float32, with the stated errors."""

import numpy as np
import pytest
from scipy import special

from tests.marks import needs_compiled

numba = pytest.importorskip("numba")
elementary = pytest.importorskip("tinyternary.compiled.elementary")

pytestmark = needs_compiled


def over(function, x):
    @numba.njit(fastmath=elementary.FAST)
    def loop(source, target):
        for i in range(source.size):
            target[i] = function(source[i])

    x = np.asarray(x, np.float32)
    out = np.empty_like(x)
    loop(x, out)
    return x.astype(np.float64), out.astype(np.float64)


def every(low, high):
    """Dense in value, and dense in bits: all magnitudes down to the smallest normal."""
    bits = np.arange(0x00800000, np.float32(high).view(np.int32), 997, np.int32).view(np.float32)
    both = np.concatenate([np.linspace(low, high, 1_000_003, dtype=np.float32), bits, -bits])
    return both[(both >= low) & (both <= high)]


def test_exp_is_within_2e_7():
    x, y = over(elementary.exp, every(-87.33, 88.72))
    assert np.abs(y / np.exp(x) - 1).max() < 2e-7


def test_exp_at_its_ends():
    _, y = over(elementary.exp, [-np.inf, -1e30, -104, -87.4, 0, 88.8, 1e30, np.inf, np.nan])
    assert y[:4].tolist() == [0, 0, 0, 0]
    assert y[4] == 1
    assert np.isinf(y[5:8]).all()
    assert np.isnan(y[8])


def test_erf_is_within_5e_7():
    x, y = over(elementary.erf, every(-30, 30))
    assert np.abs(y - special.erf(x)).max() < 5e-7
    small = np.abs(x) < 1
    kept = small & (x != 0)
    assert np.abs(y[kept] / special.erf(x[kept]) - 1).max() < 5e-7
    _, ends = over(elementary.erf, [-np.inf, np.inf, np.nan, 0])
    assert ends[0] == pytest.approx(-1, abs=1e-6)
    assert ends[1] == pytest.approx(1, abs=1e-6)
    assert np.isnan(ends[2])
    assert ends[3] == 0


def test_sigmoid_is_within_4e_7():
    x, y = over(elementary.sigmoid, every(-86, 100))
    assert np.abs(y / special.expit(x) - 1).max() < 4e-7
    _, ends = over(elementary.sigmoid, [-np.inf, np.inf, np.nan])
    assert ends[:2].tolist() == [0, 1]
    assert np.isnan(ends[2])


def test_loops_around_them_are_vector_code():
    @numba.njit(numba.void(numba.float32[::1], numba.float32[::1]), fastmath=elementary.FAST)
    def loop(source, target):
        for i in range(source.size):
            target[i] = elementary.exp(source[i]) + elementary.erf(source[i])

    assembly = loop.inspect_asm(loop.signatures[0])
    if "xmm" not in assembly:
        pytest.skip("not an x86 processor: registers have other names")
    assert assembly.count("ymm") + assembly.count("zmm") > 20
