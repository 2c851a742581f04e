"""Lessons that pick up a real file where there is one: that path runs, and shows its figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tinyternary import course
from tinyternary.course.authoring.build import run_solved

ROOT = Path(__file__).parents[2]
REAL = [
    name for name in course.list_lessons(ROOT)
    if "data.medmnist(" in (ROOT / "lessons" / "source" / f"{name}.py").read_text(encoding="utf-8")
]  # fmt: skip


def test_some_lessons_look_for_real_files() -> None:
    assert REAL


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_a_solved_lesson_runs_on_the_real_file(
    name: str, medmnist_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINYTERNARY_DATA", str(medmnist_root))
    notebook, _ = run_solved(course.read_lesson(name, ROOT))
    readers = [cell for cell in notebook.cells if "data.medmnist(" in cell.source]
    assert readers
    for cell in readers:
        said = "".join(output.get("text", "") for output in cell.outputs)
        assert "is not here" not in said
