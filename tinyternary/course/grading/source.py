"""A lesson as a course's own source notebook has it: a teacher's edits count.

`tinyternary lessons course` writes instructors' notebooks. Teachers change points and texts in
them, leave exercises out, write others; what they say then is what is graded. What a notebook
does not hold (wrong answers to probe a check with) comes from the lesson that the library
carries, where it still fits.
"""

from __future__ import annotations

import functools
from pathlib import Path

from tinyternary.course.authoring.variants import try_answer
from tinyternary.course.grading.submission import lesson_name, read_notebook
from tinyternary.course.judge.judging import Judge
from tinyternary.course.lesson.model import GUARD, Cell, Exercise, Lesson, lesson_of
from tinyternary.course.lesson.pack import is_packed, left_as_found, packed_lesson
from tinyternary.errors import LessonError


def read_source(path: str | Path) -> Lesson:
    """Read a lesson from an instructor's notebook.

    Parameters
    ----------
    path : path
        ``source/NN_name/NN_name.ipynb`` of a course.

    Returns
    -------
    Lesson
        Its exercises carry the library's wrong answers where the exercise is as the library has
        it, and elsewhere those that its check still finds wrong.

    Raises
    ------
    LessonError
        If it is no notebook, or breaks a rule of lessons.
    ConfigError
        If there is no such file.
    """
    path = Path(path)
    return _read(path, path.stat().st_mtime_ns if path.is_file() else 0)


@functools.cache
def _read(path: Path, changed: int) -> Lesson:
    notebook = read_notebook(path)
    name = lesson_name(notebook, path)
    cells = [
        Cell(raw.cell_type, _text(raw.source), dict(raw.metadata), raw.get("id", f"cell-{place}"))
        for place, raw in enumerate(notebook.cells)
        if raw.cell_type in ("code", "markdown")
    ]
    lesson = lesson_of(name, cells, path)
    carried = packed_lesson(name) if is_packed(name) else None
    if carried is None:
        return lesson
    with left_as_found():  # what is judged here is at hand, and is not what the library carries
        variants = _variants(lesson, carried)
    return lesson_of(name, [*cells, *variants], path)


def _text(source: str) -> str:
    return source.replace(GUARD, "").rstrip()


def _variants(lesson: Lesson, carried: Lesson) -> list[Cell]:
    """Return the cells of a packed lesson's wrong answers that fit a teacher's exercises."""
    judge = Judge(lesson)
    found = []
    theirs = {exercise.solution.grade_id: exercise for exercise in lesson.exercises}
    for exercise in carried.exercises:
        mine = theirs.get(exercise.solution.grade_id)
        if mine is None:
            continue
        same = _judged_by(mine) == _judged_by(exercise)
        for cell in carried.cells:
            if cell.metadata.get("variant", {}).get("of") != mine.solution.grade_id:
                continue
            wrong = "wrong" in cell.metadata["variant"]
            if wrong and (same or _is_wrong(judge, mine.number, cell.source)):
                found.append(cell)
    return found


def _judged_by(exercise: Exercise) -> tuple[str, str]:
    return exercise.solution.for_instructor(), exercise.check.for_instructor()


def _is_wrong(judge: Judge, number: str, text: str) -> bool:
    try:
        return try_answer(judge, number, text).status in ("failed", "partly")
    except Exception as error:  # the teacher's own cells, run for the first time
        raise LessonError(f"exercise {number}: its check stops with {error!r}") from None
