"""The core needs none of the notebook machinery; what does need it names the extra in one line."""

from __future__ import annotations

import subprocess
import sys

import pytest

EXTRA = ("jupytext", "nbformat", "nbclient", "ipykernel", "psutil")
HIDE = f"""
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRA!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name.partition(".")[0])

sys.meta_path.insert(0, Hidden())
"""
IMPORT_EVERYTHING = """
import importlib, pkgutil
import tinyternary
from tinyternary.errors import LessonError

needing = set()
for found in pkgutil.walk_packages(tinyternary.__path__, "tinyternary."):
    if found.name == "tinyternary.__main__":
        continue
    try:
        importlib.import_module(found.name)
    except LessonError as error:
        assert "tinyternary[lessons]" in str(error)
        needing.add(found.name)
print(*sorted(needing))
"""
A_LEARNERS_CELLS = """
from tinyternary import course
check = course.checks("01_ternary_basics")
from tinyternary.cli import main
main(["cost", "tiny", "--json"])
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_only_parts_of_the_course_need_the_extra() -> None:
    done = python(HIDE + IMPORT_EVERYTHING)
    assert done.returncode == 0, done.stderr
    needing = done.stdout.split()
    assert needing
    assert all(name.startswith("tinyternary.course.") for name in needing)
    assert "tinyternary.course.learner.checks" not in needing


def test_checks_and_commands_work_without_it() -> None:
    done = python(HIDE + A_LEARNERS_CELLS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["grade", "lessons/01_ternary_basics.ipynb"],
        ["lessons", "start", "01"],
        ["lessons", "check"],
    ],
)
def test_commands_that_need_it_say_so_in_one_line(arguments: list[str]) -> None:
    done = python(HIDE + f"from tinyternary.cli import main\nmain({arguments!r})")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert 'pip install "tinyternary[lessons]"' in line
