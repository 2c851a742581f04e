"""Kept loops: as old as the newest file that they were made with, and never in the way."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tinyternary
from tests.marks import needs_compiled
from tests.patience import PATIENCE

pytestmark = needs_compiled

SMALL = """
import numpy as np
from numba import types
from tinyternary.compiled.elementary import exp
from tinyternary.compiled.switch import njit

@njit(signature_or_function=types.float32(types.float32))
def twice(x):
    return np.float32(2) * exp(x)
"""
PROGRAM = """
import numpy as np
from numba.core.event import install_recorder
with install_recorder("numba:compile") as compiled:
    import small
print(len(compiled.buffer) > 0, small.twice(np.float32(1)))
"""
GELU = """
import numpy as np
from tinyternary.compiled.gelu import Gelu
from tinyternary.compiled.twins import _Forgetful
print(True, Gelu.forward(_Forgetful(), np.ones(16, np.float32))[0])
"""


def start(folder, program=PROGRAM, **environment):
    (folder / "small.py").write_text(SMALL)
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), **environment},
    )  # fmt: skip


def run(folder, program=PROGRAM, **environment):
    """Return whether something was compiled, the result and what was said."""
    process = start(folder, program, **environment)
    out, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    made, value = out.split()
    return made == "True", float(value), said


def copy_of_the_package(folder):
    package = folder / "tinyternary"
    shutil.copytree(
        Path(tinyternary.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    return package


def loops(folder):
    return sorted((folder / "cache").rglob("*.loop"))


def test_an_edit_of_another_file_makes_a_loop_anew(tmp_path):
    package = copy_of_the_package(tmp_path)
    here = {"PYTHONPATH": str(tmp_path)}
    assert run(tmp_path, GELU, **here)[1] == pytest.approx(0.8413447)
    erf = package / "compiled" / "erf.py"
    edited = erf.read_text("utf-8").replace("LIMIT = np.float32(3.832506856900711)",
                                            "LIMIT = np.float32(0.5)")  # fmt: skip
    assert edited != erf.read_text("utf-8")
    erf.write_text(edited, "utf-8")
    assert run(tmp_path, GELU, **here)[1] < 0.8  # erf of more than 0.5 is now erf of 0.5


def test_a_function_outside_the_package_runs_what_it_calls(tmp_path):
    package = copy_of_the_package(tmp_path)
    here = {"PYTHONPATH": str(tmp_path)}
    assert run(tmp_path, **here)[:2] == (True, pytest.approx(5.43656, abs=1e-4))
    assert run(tmp_path, **here)[:2] == (False, pytest.approx(5.43656, abs=1e-4))
    elementary = package / "compiled" / "elementary.py"
    text = elementary.read_text("utf-8")
    elementary.write_text(text + "\n\n@njit()\ndef exp(x):\n    return x\n", "utf-8")
    assert run(tmp_path, **here)[:2] == (True, 2.0)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Folder with kept loops, and the result that they give."""
    folder = tmp_path_factory.mktemp("kept")
    return folder, run(folder)[1]


def cut(content):
    return content[: len(content) // 2]


def flipped(content):
    at = random.Random(len(content)).randrange(len(content))
    return content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :]


@pytest.mark.parametrize(
    "damage", [lambda content: b"", cut, flipped, lambda content: b"\x80\x05]." * 50],
    ids=["empty", "cut", "one bit", "another pickle"],
)  # fmt: skip
def test_damaged_files_are_made_anew(kept, damage):
    folder, expected = kept
    whole = {path: path.read_bytes() for path in loops(folder)}
    assert whole
    for path, content in whole.items():
        path.write_bytes(damage(content))
    made, value, said = run(folder)
    assert made
    assert value == expected
    assert "Traceback" not in said
    assert run(folder) == (False, expected, "")


def test_whole_files_that_hold_something_else_are_made_anew(kept):
    import pickle

    from tinyternary import kept_files

    folder, expected = kept
    contents = [b"", b"no pickle", pickle.dumps(None), pickle.dumps((1, 2, 3))]
    for path, content in zip(loops(folder), contents * 9):
        kept_files.write(path, content)
    made, value, said = run(folder)
    assert (made, value) == (True, expected)
    assert "made anew" in said
    assert run(folder) == (False, expected, "")


def test_processes_that_start_together_compile_once(tmp_path):
    together = [start(tmp_path) for _ in range(4)]
    ended = [process.communicate(timeout=PATIENCE) for process in together]
    assert [process.returncode for process in together] == [0] * 4, ended
    assert sorted(out.split()[0] for out, _ in ended).count("True") == 1
    assert len({out.split()[1] for out, _ in ended}) == 1
    assert not list((tmp_path / "cache").rglob(".*"))  # neither locks nor drafts


def test_nothing_is_lost_where_nothing_can_be_kept(tmp_path):
    (tmp_path / "file").write_text("")
    made, value, said = run(tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "file"))
    assert made
    assert value == pytest.approx(5.43656, abs=1e-4)
    assert said == ""


def test_old_versions_go(tmp_path):
    from tinyternary.compiled import kept_loops

    place = tmp_path / "cache" / "tinyternary" / "loops"
    for i in range(9):
        folder = place / f"small-{i:016x}"
        folder.mkdir(parents=True)
        (folder / "twice-0.loop").write_bytes(b"old")
        os.utime(folder, (i, i))
    other = place / "tinyternary.compiled.softmax-0123456789abcdef"
    other.mkdir()
    run(tmp_path)
    left = sorted(place.glob("small-*"))
    assert len(left) == kept_loops.KEPT
    assert sum(time.time() - folder.stat().st_mtime < 600 for folder in left) == 1
    assert other.exists()


@pytest.mark.parametrize(("name", "value"), [("TINYTERNARY_JIT", "0"), ("NUMBA_DISABLE_JIT", "1")])
def test_both_switches_mean_the_same(tmp_path, name, value):
    program = """
import sys
import numpy as np
import tinyternary as tt
from tinyternary.compiled import switch, twins
assert not switch.jit_enabled() and twins.twin("Gelu") is None
assert not [rung.name for rung in tt.kernels.backends() if rung.available and rung.name == "tile"]
p = tt.kernels.pack(np.ones((8, 8), np.int8))
print(switch.why_not(), tt.kernels.matmul(np.ones((2, 8), np.int8), p).tolist() == [[8] * 8] * 2)
sys.exit("numba" in sys.modules)
"""
    process = start(tmp_path, program, **{name: value})
    out, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert name in out
    assert out.split()[-1] == "True"
    assert not (tmp_path / "cache").exists()
