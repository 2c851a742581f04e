"""How long a first result takes, and what happens where nothing can be cached."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE

FIRST = """
import time; begin = time.perf_counter()
import numpy as np, tinyternary as tt
packed = tt.kernels.pack(np.ones((64, 64), np.int8))
y = tt.kernels.TernaryLinear(packed, 1.0)(np.ones((4, 64), np.float32))
assert (y == 64).all()
print(time.perf_counter() - begin)
"""


def seconds(environment: dict[str, str], source: str = FIRST, folder: Path | None = None) -> float:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=PATIENCE,
        env={**os.environ, **environment}, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return time.perf_counter() - begin


COUNTED = f"""
from numba.core.event import install_recorder
with install_recorder("numba:compile") as seen:
    exec({FIRST!r})
open("compiled", "w").write(str(len(seen.buffer)))
"""


@pytest.mark.slow
def test_a_warm_first_result_compiles_nothing(tmp_path):
    # how long it takes is for `bench kernels` to say: a busy machine has another clock
    cache = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    seconds(cache, COUNTED, tmp_path)
    assert any(tmp_path.rglob("*.loop"))
    assert int((tmp_path / "compiled").read_text()) > 0
    seconds(cache, COUNTED, tmp_path)
    assert int((tmp_path / "compiled").read_text()) == 0


@pytest.mark.slow
def test_a_cache_folder_that_cannot_be_written_costs_time_only(tmp_path):
    # a file in its place: not even an administrator can write there
    (tmp_path / "file").write_text("not a folder")
    seconds({"NUMBA_CACHE_DIR": str(tmp_path / "file")})


def test_importing_the_package_compiles_and_loads_nothing():
    source = (
        "import sys, tinyternary as tt; tt.kernels.pack; "
        "bad = {'numba', 'llvmlite', 'matplotlib', 'torch', 'onnxruntime'} & set(sys.modules); "
        "sys.exit(f'loaded {bad}' if bad else 0)"
    )
    seconds({}, source)


def test_warmup_says_how_long_each_kernel_took():
    from tinyternary import kernels

    took = kernels.warmup()
    assert {"linear", "matmul"} <= set(took) <= {"linear", "matmul", "plan"}
    assert all(value >= 0 for value in took.values())


@pytest.mark.slow
def test_editing_an_emitter_makes_old_machine_code_unused(tmp_path):
    """The function is in another file than what emits its instructions."""
    here = Path(__file__).resolve().parents[2] / "tinyternary"
    package = tmp_path / "tinyternary"
    shutil.copytree(here, package, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    seconds(environment, folder=tmp_path)
    epilogue = package / "kernels" / "simd" / "epilogue.py"
    text = epilogue.read_text("utf-8")
    changed = text.replace("builder.sitofp(value, floats), scale)", "scale, scale)")
    assert changed != text
    epilogue.write_text(changed, "utf-8")
    seconds(environment, FIRST.replace("(y == 64)", "(y != 64)"), tmp_path)
