"""Deliberate faults in the kernels, and the check that has to notice each of them.

``python -m tests.kernels.mutants`` puts one fault after the other into a copy of the
package and runs a short check on it; a fault that goes unnoticed ends the script with status 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Mutant:
    what: str
    file: str  # below tinyternary/kernels
    old: str
    new: str
    backends: tuple[str, ...]


BEST = ("avx512", "avxvnni", "avx2", "neon", "vector")
VNNI = ("avx512", "avxvnni")

MUTANTS = (
    Mutant("a field is not shifted", "simd/gemm.py", "if field:", "if field > 1:", BEST),
    Mutant("mask too wide", "simd/gemm.py", "0x03030303", "0x07070707", BEST),
    Mutant("row sum added instead of taken away", "simd/intrinsics.py",
           "builder.neg(total)", "total", BEST),
    Mutant("row sum forgotten", "simd/intrinsics.py",
           "builder.neg(total)", "builder.sub(total, total)", BEST),
    Mutant("wrong shift after the one-row loop", "simd/gemv.py",
           "builder.ashr(part, splat(2 * field", "builder.ashr(part, splat(field", VNNI),
    Mutant("sign lost after the one-row loop", "simd/gemv.py", "builder.ashr(", "builder.lshr(",
           VNNI),
    Mutant("one-row accumulators never emptied", "simd/gemv.py", "SAFE_BLOCKS = 4096",
           "SAFE_BLOCKS = 1 << 20", VNNI),
    Mutant("AVX2 accumulators emptied one block late", "simd/tile_shapes.py", "32, 4, 2, 16,",
           "32, 4, 2, 17,", ("avx2",)),
    Mutant("portable accumulators emptied too late", "simd/tile_shapes.py", "16, 4, 1, 31,",
           "16, 4, 1, 33,", ("vector",)),
    Mutant("last tile starts past the rows", "simd/driver.py",
           "row = min(number * height, count - height)", "row = number * height", BEST),
    Mutant("tile that sticks out counts as fitting", "simd/driver.py",
           "fits = column + outputs <= n", "fits = column < n", BEST),
    Mutant("inputs past the last whole vector forgotten", "simd/quantize.py",
           "            take(self.spare, self.vectors, 0)", "            pass", BEST),
    Mutant("rows share the first row's scale", "simd/epilogue.py", "row_scales[row]",
           "row_scales[0]", BEST),
    Mutant("no floor under a row of zeros", "simd/quantize.py", "float(FLOOR)", "float(FLOOR) / 100",
           BEST),
    Mutant("columns interleaved in the wrong order", "simd/layout.py",
           "transpose(0, 3, 1, 2, 5, 4)", "transpose(0, 3, 1, 2, 4, 5)", BEST),
    Mutant("plus and minus planes swapped", "ladder/planes.py", "np.stack([plus.T, minus.T])",
           "np.stack([minus.T, plus.T])", ("planes",)),
    Mutant("top bit counted as positive", "ladder/planes.py", "-128 if bit == 7", "128 if bit == 7",
           ("planes",)),
    Mutant("negative products taken away once only", "simd/popcount.py", "splat(1, _WORDS)",
           "splat(0, _WORDS)", ("ternary",)),
    Mutant("sign planes compared by AND", "simd/popcount.py", "builder.xor(sign", "builder.and_(sign",
           ("ternary",)),
    Mutant("ternary threshold not scaled by the mean", "simd/popcount.py",
           "builder.fmul(unit, ir.Constant(F32, float(np.float32(TERNARY_THRESHOLD))))",
           "ir.Constant(F32, float(np.float32(TERNARY_THRESHOLD)))", ("ternary",)),
    Mutant("ternary mean over whole vectors only", "simd/popcount.py",
           "builder.sitofp(k, ir.DoubleType())",
           "builder.sitofp(builder.mul(row.vectors, ir.Constant(I64, 16)), ir.DoubleType())",
           ("ternary",)),
    Mutant("all groups take the first one's sum", "simd/intrinsics.py",
           "builder.mul(groups, ir.Constant(I64, row)), group)",
           "builder.mul(groups, ir.Constant(I64, row)), ir.Constant(I64, 0))", BEST),
    Mutant("all groups take the first one's scale", "simd/epilogue.py",
           "[builder.mul(loop.index, scale_step)]", "[ir.Constant(I64, 0)]", BEST),
    Mutant("groups moved from the front", "simd/intrinsics.py",
           "group = builder.sub(last, backwards.index)", "group = backwards.index", BEST),
    Mutant("table entries negated", "simd/tables.py", "{0: 1, 2: 0}",
           "{0: 0, 2: 1}", ("lookup7",)),
    Mutant("high and low nibble swapped", "simd/tables.py", "if half else word",
           "if not half else word", ("lookup7",)),
    Mutant("sums between parts dropped", "simd/tables_driver.py", "add_incoming(value, later)",
           "add_incoming(zero, later)", ("lookup7",)),
    Mutant("tables of the wrong part", "simd/tables_driver.py", "codes + row * wide + 16 * skip",
           "codes + row * wide", ("lookup7",)),
    Mutant("tables of the wrong part of the floats", "simd/tables_driver.py",
           "(done + row) * k + 16 * skip", "(done + row) * k", ("lookup7",)),
    Mutant("tables past the end of a row", "simd/tables_driver.py",
           "min(16 * few, k - 16 * skip)", "16 * few - 16", ("lookup7",)),
    Mutant("right half reads the left one's codes", "simd/tables_driver.py",
           "128 * (half % 2)", "0 * (half % 2)", ("lookup7",)),
    Mutant("lookups that stick out count as fitting", "simd/tables_driver.py",
           "fits = column + _OUTPUTS <= n", "fits = column < n", ("lookup7",)),
    Mutant("four digits are not turned round", "simd/five.py", "_TURN_FIFTH = 0xAA, 2",
           "_TURN_FIFTH = 0x2A, 2", ("five",)),
    Mutant("fifth digits lose their fields", "simd/five.py", "field = 2 * number",
           "field = 0 * number", ("five",)),
    Mutant("blocks left over are not unpacked", "simd/five.py", "builder.srem(blocks, five)",
           "ir.Constant(I64, 0)", ("five",)),
    Mutant("every panel is the first", "simd/driver.py", "matrix = weights + panel * panel_bytes",
           "matrix = weights", ("five",)),
    Mutant("wrong nibble looked up", "ladder/lookup.py", "codes >> 4", "codes >> 2", ("lookup",)),
    Mutant("packed loop without its correction", "ladder/packed.py", "total = -correction",
           "total = np.int32(0)", ("packed",)),
    Mutant("naive loop adds what it should take away", "ladder/naive.py", "out[row, column] -=",
           "out[row, column] +=", ("naive",)),
    Mutant("lower half taken for a positive number", "cuda/product.py",
           "^ int32(32768)) - int32(32768)", "^ int32(0)) - int32(0)", ("cuda",)),
    Mutant("upper half keeps the lower one's borrow", "cuda/product.py",
           "both[p] - lower) >>", "both[p]) >>", ("cuda",)),
    Mutant("codes of the wrong word", "cuda/product.py", "start // CODES + word", "word", ("cuda",)),
    Mutant("pairs never rest", "cuda/product.py", "STEP = 64", "STEP = 320", ("cuda",)),
)  # fmt: skip

CHECK = r"""
import sys
import numpy as np
from tinyternary import kernels
rng = np.random.default_rng(0)
found = [b for b in kernels.backends() if b.name in sys.argv[1:] and b.available][:1]
if not found:
    print("cannot run here")
    sys.exit(0)
name, inputs = found[0].name, found[0].activations
low, high = {"int8": (-128, 127), "int7": (-63, 63), "ternary": (-1, 1)}[inputs]
for m, k, n in [(1, 64, 64), (1, 100, 70), (4, 64, 64), (5, 33, 70), (7, 300, 130), (3, 17, 5),
                (9, 1100, 70), (12, 530, 33)]:
    w = rng.integers(-1, 2, (n, k)).astype(np.int8)
    x = rng.integers(low, high + 1, (m, k)).astype(np.int8)
    assert np.array_equal(kernels.matmul(x, kernels.pack(w), name), x.astype(np.int64) @ w.T)
    if found[0].fused:
        f = rng.normal(size=(m, k)).astype(np.float32) * np.float32(10) ** -rng.integers(0, 8, (m, 1))
        f = f.astype(np.float32)
        scale = rng.uniform(0.5, 2, n).astype(np.float32)
        got = kernels.TernaryLinear(kernels.pack(w), scale, backend=name)(f)
        want = kernels.TernaryLinear(kernels.pack(w), scale, backend="blas", inputs=inputs)(f)
        assert np.array_equal(got, want)
    if inputs != "ternary" and found[0].simd and k % 4 == 0:
        scale = rng.uniform(0.5, 2, (n, 4)).astype(np.float32)
        got = kernels.TernaryLinear(kernels.pack(w), scale, backend=name)(f)
        want = kernels.TernaryLinear(kernels.pack(w), scale, backend="blas", inputs=inputs)(f)
        assert np.array_equal(got, want)
for m, k in [(1, 600_000), (4, 600_000), (1, 1000), (4, 1000), (4, 528)]:
    for value in (low, high):
        x = np.full((m, k), value, np.int8)
        w = np.ones((2, k), np.int8)
        w[1] = -1
        assert np.array_equal(kernels.matmul(x, kernels.pack(w), name), x.astype(np.int64) @ w.T)
"""


def survives(mutant: Mutant, folder: Path) -> str:
    """Return "caught", "not here" (no such processor) or "SURVIVED"."""
    copy = folder / "package"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(
        ROOT / "tinyternary", copy / "tinyternary", ignore=shutil.ignore_patterns("__pycache__")
    )
    path = copy / "tinyternary" / "kernels" / mutant.file
    text = path.read_text("utf-8")
    if mutant.old not in text:
        raise SystemExit(f"mutant {mutant.what!r}: {mutant.old!r} is not in {mutant.file}")
    path.write_text(text.replace(mutant.old, mutant.new), "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("TINYTERNARY_KERNEL", None)
    environment["NUMBA_CACHE_DIR"] = str(copy / "cache")
    check = CHECK
    if mutant.backends == ("cuda",):  # simulated, in a process of its own kind
        environment["NUMBA_ENABLE_CUDASIM"] = "1"
        environment["PYTHONPATH"] += os.pathsep + str(ROOT)
        check = "from tests.kernels.cuda_cases import main; main(0)"
    done = subprocess.run(
        [sys.executable, "-c", check, *mutant.backends],
        capture_output=True, text=True, cwd=copy, env=environment, timeout=200,
    )  # fmt: skip
    if done.returncode == 0:
        return "not here" if "cannot run" in done.stdout else "SURVIVED"
    # a fault that writes past an array may end the process; one that does not compile is no fault
    if done.returncode > 0 and "AssertionError" not in done.stderr:
        raise SystemExit(f"mutant {mutant.what!r} broke the check:\n{done.stderr[-2000:]}")
    return "caught"


def main() -> int:
    unchanged = Mutant("nothing", "simd/gemm.py", "if field:", "if field:", BEST)
    worst = 0
    with tempfile.TemporaryDirectory() as place:
        if survives(unchanged, Path(place)) != "SURVIVED":
            raise SystemExit("the check fails on the package as it is")
        for mutant in MUTANTS:
            verdict = survives(mutant, Path(place))
            worst |= verdict == "SURVIVED"
            print(f"{verdict:9} {mutant.file}: {mutant.what}", flush=True)
    return int(worst)


if __name__ == "__main__":
    sys.exit(main())
