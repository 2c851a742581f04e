"""The Arm paths run, on an Arm processor that is emulated: their integers are the reference's.

Emitted for aarch64 as `assembly` does, linked with a few lines of C, run by qemu's user mode.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import trits
from tests.patience import PATIENCE
from tinyternary.kernels import reference
from tinyternary.kernels.simd import assembly
from tinyternary.kernels.simd.layout import BLOCK, interleave, padded
from tinyternary.kernels.simd.targets import TARGETS

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
missing = [name for name in (COMPILER, EMULATOR) if shutil.which(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing), reason=f"needs {' and '.join(missing)}"),
]


@pytest.fixture(scope="module", params=["neon", "vector-arm"])
def program(request, tmp_path_factory):
    """Return a target and the program that runs its functions."""
    target = next(t for t in TARGETS if t.name == request.param.split("-")[0])
    folder = tmp_path_factory.mktemp(request.param)
    code = assembly.compile_for(target, assembly.PROCESSORS[request.param])[1]
    (folder / "kernels.o").write_bytes(code)
    made = folder / "program"
    driver = Path(__file__).parent / "arm_driver.c"
    subprocess.run(
        [COMPILER, "-O1", "-static", "-o", made, driver, folder / "kernels.o"],
        check=True, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
    return target, made


def run(program, x, w, floats, folder):
    target, made = program
    rows, k = x.shape
    wide = padded(k, BLOCK)
    weights = interleave(w, target)
    filled = np.zeros((rows, wide), np.int8)
    filled[:, :k] = x
    facts = np.array([rows, target.outputs, wide // BLOCK, k], np.int64)
    sums = x.astype(np.int32).sum(axis=1, dtype=np.int32)
    given, answer = folder / "in", folder / "out"
    given.write_bytes(b"".join(part.tobytes() for part in (facts, weights, filled, sums, floats)))
    subprocess.run([EMULATOR, made, given, answer], check=True, timeout=PATIENCE)
    raw = answer.read_bytes()
    size = (rows + 1) * target.outputs
    integers = np.frombuffer(raw, np.int32, size).reshape(rows + 1, target.outputs)
    codes = np.frombuffer(raw, np.int8, wide, 4 * size)[:k]
    total, scale = raw[-8:-4], raw[-4:]
    return integers, codes, int.from_bytes(total, "little", signed=True), np.frombuffer(
        scale, np.float32
    )[0]  # fmt: skip


@pytest.mark.parametrize("k", [1, 15, 16, 17, 192, 500, 4096])
@pytest.mark.parametrize("kind", ["random", "lowest", "highest"])
def test_integers_are_those_of_the_reference(program, k, kind, tmp_path, rng):
    target, _ = program
    w = trits(rng, target.outputs, k)
    x = rng.integers(-128, 128, (target.rows, k)).astype(np.int8)
    if kind != "random":
        x[:] = -128 if kind == "lowest" else 127
        w[: target.outputs // 2] = 1
        w[-1] = -1
    floats = (rng.normal(size=k) * 3).astype(np.float32)
    integers, codes, total, scale = run(program, x, w, floats, tmp_path)
    wanted = reference.matmul(x, w)
    assert np.array_equal(integers[:-1], wanted)
    assert np.array_equal(integers[-1], wanted[0])
    (want_codes,), (want_scale,) = reference.quantize(floats[None])
    assert np.array_equal(codes, want_codes)
    assert total == want_codes.sum(dtype=np.int32)
    assert scale == want_scale
