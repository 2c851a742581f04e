"""The rung for graphics processors, without one: simulated by Numba, and compiled as for one."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.marks import needs_compiled
from tinyternary import kernels
from tinyternary.errors import ConfigError
from tinyternary.kernels import dispatch, packing

pytestmark = needs_compiled


def simulated(examples: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.kernels.cuda_cases", str(examples)],
        capture_output=True, text=True, timeout=900,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "TINYTERNARY_JIT": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "equal"


def test_edges_give_the_bits_of_every_rung():
    simulated(0)


@pytest.mark.slow
def test_drawn_shapes_give_the_bits_of_every_rung():
    simulated(10)


def test_it_is_never_taken_unasked_and_says_why_it_cannot_run():
    cuda = dispatch._BY_NAME["cuda"]
    assert "cuda" not in dispatch._PREFERENCE
    if cuda.available:
        pytest.skip("there is a GPU: tests/kernels/test_matmul.py runs on it")
    with pytest.raises(ConfigError, match=r"'cuda' cannot run here: .*CUDA"):
        kernels.matmul(np.ones((1, 1), np.int8), kernels.pack(np.ones((1, 1), np.int8)), "cuda")


def test_a_word_holds_the_bytes_of_a_file(rng):
    from tinyternary.kernels.cuda.product import to_words

    trits = rng.integers(-1, 2, (5, 37)).astype(np.int8)
    words = to_words(trits)
    assert words.shape == (5, 3)
    held = words.astype("<u4").view(np.uint8)[:, : packing.row_bytes(37, 2)]
    assert np.array_equal(packing.from_codes(held, 37), trits)


def test_it_compiles_for_gpus_and_multiplies_32_bits_wide():
    """The simulator cannot tell: its integers are NumPy's, the compiler's widen unless told."""
    from numba import cuda, int8, int32, uint32
    from numba.cuda.cudadrv.error import NvvmSupportError

    from tinyternary.kernels.cuda.product import _product

    types = (int8[:, ::1], uint32[:, ::1], int32[:, ::1])
    try:
        ptx, _ = cuda.compile_ptx(_product.py_func, types, cc=(8, 0))
    except NvvmSupportError as error:
        pytest.skip(f"no compiler for GPUs: {error}")
    inner = [block for block in re.split(r"^\$L", ptx, flags=re.M) if "ld.shared" in block]
    products = [block for block in inner if "mad.lo.s32" in block]
    assert products
    for block in products:
        assert not re.search(r"m(ul|ad)\.(wide|lo\.s64)", block)
