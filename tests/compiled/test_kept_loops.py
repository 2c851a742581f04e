"""A loop's machine code in Numba's cache is as old as the newest file that it was made with."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import tinyternary
from tests.marks import needs_compiled

PROGRAM = """
import numpy as np
from numba.core.event import install_recorder
with install_recorder("numba:compile") as compiled:
    from tinyternary.compiled.gelu import Gelu
    from tinyternary.compiled.twins import _Forgetful
    y = Gelu.forward(_Forgetful(), np.ones(16, np.float32))
print(len(compiled.buffer) > 0, y[0])
"""


def gelu_of_one(folder):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, timeout=200, check=True,
        env={**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")},
    )  # fmt: skip
    made, value = done.stdout.split()
    return made == "True", float(value)


@needs_compiled
def test_an_edit_of_another_file_makes_a_loop_anew(tmp_path):
    package = tmp_path / "tinyternary"
    shutil.copytree(
        Path(tinyternary.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    made, before = gelu_of_one(tmp_path)
    assert made
    assert gelu_of_one(tmp_path) == (False, before)
    erf = package / "compiled" / "erf.py"
    edited = erf.read_text("utf-8").replace("LIMIT = np.float32(3.832506856900711)",
                                            "LIMIT = np.float32(0.5)")  # fmt: skip
    assert edited != erf.read_text("utf-8")
    erf.write_text(edited, "utf-8")
    made, after = gelu_of_one(tmp_path)
    assert made
    assert after < before  # erf of more than 0.5 is now erf of 0.5
