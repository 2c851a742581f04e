"""Lessons 01 to 07 need no Numba: they run in a kernel that has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyternary import course
from tinyternary.course.authoring.build import records, run_solved

ROOT = Path(__file__).parents[2]
PLAIN = [name for name in course.list_lessons(ROOT) if int(name[:2]) <= 7]
BLOCK = "import sys\nsys.modules['numba'] = sys.modules['llvmlite'] = None\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", PLAIN)
def test_a_solved_lesson_runs_without_numba(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # read by every Python that the kernel starts, before anything of ours
    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    monkeypatch.setenv("TINYTERNARY_JIT", "0")
    lesson = course.read_lesson(name, ROOT)
    notebook, _ = run_solved(lesson)  # stops at an error or a check that does not pass
    judged = {record["exercise"] for cell in notebook.cells for record in records(cell)}
    assert judged >= {exercise.number for exercise in lesson.exercises if exercise.check}


@pytest.mark.slow
def test_the_block_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess
    import sys

    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", "import numba"], capture_output=True, text=True)
    assert "ModuleNotFoundError" in done.stderr
