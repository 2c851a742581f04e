"""Kernels read and write nothing outside their arrays.

Inputs and outputs are put against pages that may not be touched: one byte too far ends the
process. Run in a child, so that this is a failing test and not the end of all tests.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from tests.kernels.cases import NAMES, trits
from tests.patience import PATIENCE
from tinyternary import kernels

CHILD = r"""
import ctypes, mmap, sys
import numpy as np
from tinyternary import kernels

libc = ctypes.CDLL(None, use_errno=True)
PAGE = mmap.PAGESIZE

def fenced(shape, dtype, at_end):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    inner = -(-max(size, 1) // PAGE) * PAGE
    region = mmap.mmap(-1, inner + 2 * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(region))
    for page in (start, start + PAGE + inner):
        assert libc.mprotect(ctypes.c_void_p(page), PAGE, 0) == 0
    offset = PAGE + (inner - size if at_end else 0)
    array = np.frombuffer(region, dtype, int(np.prod(shape)), offset).reshape(shape)
    kept.append(region)
    return array

kept = []
name, most = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
for m, k, n in [(1, 1, 1), (1, 17, 3), (2, 63, 65), (3, 64, 64), (4, 16, 16), (5, 130, 70),
                (7, 33, 129), (9, 257, 10), (12, 48, 63)]:
    w = rng.integers(-1, 2, (n, k)).astype(np.int8)
    packed = kernels.pack(w)
    layer = kernels.TernaryLinear(packed, 0.5, np.ones(n, np.float32), "gelu", name)
    halves = None
    if k % 2 == 0:
        halves = kernels.TernaryLinear(packed, np.ones((n, 2), np.float32), backend=name)
    for at_end in (False, True):
        x = fenced((m, k), np.int8, at_end)
        x[:] = rng.integers(-most, most + 1, (m, k))
        out = fenced((m, n), np.int32, at_end)
        kernels.matmul(x, packed, name, out=out)
        assert np.array_equal(out, x.astype(np.int64) @ w.T)
        x = fenced((m, k), np.float32, at_end)
        x[:] = rng.normal(size=(m, k))
        out = fenced((m, n), np.float32, at_end)
        layer(x, out)
        assert np.array_equal(out, layer(x.copy()))
        if halves is not None:
            halves(x, out)
            assert np.array_equal(out, halves(x.copy()))
print("inside")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="fences pages with mprotect")
@pytest.mark.parametrize("name", NAMES)
def test_pages_next_to_the_arrays_are_never_touched(name):
    backend = next(b for b in kernels.backends() if b.name == name)
    most = {"int8": 127, "int7": 63, "ternary": 1}[backend.activations]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, name, str(most)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout.strip() == "inside", done.stderr or f"died of signal {-done.returncode}"


@pytest.mark.parametrize("name", NAMES)
def test_guard_bytes_around_outputs_survive(name, rng):
    for m, k, n in [(1, 20, 3), (5, 33, 70), (4, 64, 64), (6, 16, 65)]:
        w = trits(rng, n, k)
        packed = kernels.pack(w)
        x = rng.integers(-1, 2, (m, k)).astype(np.int8)
        raw = np.full(m * n + 128, 0x5A5A5A5A, np.int32)
        kernels.matmul(x, packed, name, out=raw[64 : 64 + m * n].reshape(m, n))
        assert (raw[:64] == 0x5A5A5A5A).all()
        assert (raw[-64:] == 0x5A5A5A5A).all()
        layer = kernels.TernaryLinear(packed, 1.0, activation="gelu", backend=name)
        rawf = np.full(m * n + 128, 7, np.float32)
        layer(x.astype(np.float32), rawf[64 : 64 + m * n].reshape(m, n))
        assert (rawf[:64] == 7).all()
        assert (rawf[-64:] == 7).all()
