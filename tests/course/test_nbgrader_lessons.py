"""Every lesson through nbgrader: untouched nothing, solved full marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.course.nbgrader_course import Course
from tinyternary import course
from tinyternary.course.authoring.build import learner_notebook, solved_notebook, to_text
from tinyternary.course.grading.classroom import lay_out_course
from tinyternary.course.lesson.pack import PACKS

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", course.list_lessons(ROOT))
def test_nbgrader_gives_nothing_untouched_and_full_marks_solved(name: str, tmp_path: Path) -> None:
    lesson = course.packed_lesson(name)
    lay_out_course(tmp_path / "course", [name])
    room = Course(tmp_path / "course", PACKS)
    room.run("generate_assignment", name, "--create")
    room.submit("ada", name, to_text(solved_notebook(lesson)))
    room.submit("bo", name, to_text(learner_notebook(lesson)))
    room.run("autograde", name, "--create")
    for student, share in (("ada", 1), ("bo", 0)):
        grades = room.grades(student, name)
        for exercise in lesson.exercises:
            assert grades[exercise.check.grade_id][0] == share * exercise.points, exercise.number
