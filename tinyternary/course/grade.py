"""Grading a learner's notebook: their answers, our checks, a kernel that may misbehave.

Of the learner's notebook only the answers and the cells they added are run. Set-up
and checks come from the lesson's source, hidden tests included, so that nothing a
learner does to those cells matters. A check counts as passed if its record carries
a token made for this one run of it, its cell ended without error, and the same
check, in the same kernel, then fails an answer that is known to be wrong: a
notebook that bent the tools of comparison is found out by that.
"""

from __future__ import annotations

import secrets
import tempfile
import time
from pathlib import Path

from tinyternary.course._notebooks import nbformat, new
from tinyternary.course.build import records
from tinyternary.course.grades import ExerciseGrade, GradeReport, Status
from tinyternary.course.kernel import Kernel, Ran, kernel
from tinyternary.course.source import (
    Exercise,
    Lesson,
)
from tinyternary.course.submission import Step, key_of, plan, read_notebook, source_of

CELL_LIMIT = 20.0
"""Seconds for one cell."""
TOTAL_LIMIT = 240.0
"""Seconds for a notebook."""

_FRESH_CHECKS = """\
def _fresh():
    import sys
    for name in [n for n in sys.modules if n.startswith("tinyternary.course")]:
        del sys.modules[name]
    from tinyternary.course.checking import Checks
    return Checks({lesson!r}, grading=True, token={token!r})
check = _fresh()
"""

# `exit()` lets its cell succeed and the kernel die later, under somebody else's cell
_EXIT_IS_AN_ERROR = """\
def _leave(*_):
    raise SystemExit("exit() ends the notebook here")
get_ipython().ask_exit = _leave
del _leave
"""


def grade(
    notebook: str | Path,
    source: str | Path | None = None,
    *,
    cell_limit: float = CELL_LIMIT,
    total_limit: float = TOTAL_LIMIT,
) -> GradeReport:
    """Grade a notebook against the source of its lesson.

    Parameters
    ----------
    notebook : path
        A learner's ``.ipynb``. Its metadata says which lesson it is, else its name.
    source : path, optional
        The lesson's source, or the checkout or `lessons` folder that holds it. By
        default looked for around the notebook, around the working directory, and in
        the checkout this package came from.
    cell_limit, total_limit : float
        Seconds for one cell and for the notebook.

    Returns
    -------
    GradeReport
        An untouched notebook scores zero; so does every exercise that was not
        reached, whatever the reason.

    Raises
    ------
    LessonError
        If the file is no notebook, or the lesson's source cannot be found.

    Notes
    -----
    The learner's code runs in a process of its own, but on this machine and as this
    user: put a stranger's notebook into a container.
    """
    path = Path(notebook)
    given = read_notebook(path)
    lesson = source_of(given, path, source)
    answers, steps = plan(given, lesson)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        run = _Run(lesson, Path(folder), cell_limit, start + total_limit)
        run.go([step for step in steps if step.kind == "setup" or answers])
    grades = []
    for exercise in lesson.exercises:
        if exercise.solution.grade_id not in answers:
            blank = _blank(given, exercise)
            grades.append(_grade(exercise, *blank))
        else:
            late: tuple[Status, str] = ("timeout", "The notebook's time was used up before it.")
            grades.append(run.grades.get(exercise.number) or _grade(exercise, *late))
    return GradeReport(
        lesson.name, str(path), tuple(grades), time.monotonic() - start, tuple(run.notes)
    )


class _Run:
    """One notebook on its way through kernels; a kernel that dies is replaced."""

    def __init__(self, lesson: Lesson, folder: Path, cell_limit: float, deadline: float) -> None:
        self.lesson = lesson
        self.folder = folder
        self.cell_limit = cell_limit
        self.deadline = deadline
        self.grades: dict[str, ExerciseGrade] = {}
        self.notes: list[str] = []
        self._done: list[Step] = []
        self._blocked: set[str] = set()

    def go(self, steps: list[Step]) -> None:
        """Run all steps, in as many kernels as it takes."""
        rest = list(steps)
        while any(step.kind == "check" for step in rest) and self._left() > 0:
            with kernel(self.folder, grading=True) as session:
                self._run(session, _EXIT_IS_AN_ERROR)
                for step in self._done:  # what had worked, in a kernel that is gone
                    self._run(session, step.source)
                while rest and session.alive and self._left() > 0:
                    self._step(session, rest.pop(0))

    def _step(self, session: Kernel, step: Step) -> None:
        exercise = step.exercise
        if exercise is not None and step.kind == "check":
            if exercise.number not in self._blocked:
                self.grades[exercise.number] = self._judge(session, exercise)
            return
        ran = self._run(session, step.source)
        if ran.ending == "done" and session.alive:
            self._done.append(step)
        elif exercise is not None:
            self._blocked.add(exercise.number)
            self.grades[exercise.number] = _grade(exercise, *self._trouble(ran), ran.seconds)
        elif step.kind == "own" or not session.alive:
            status, message = self._trouble(ran)
            self.notes.append(f"{status} in a cell of the notebook's own: {message}")

    def _judge(self, session: Kernel, exercise: Exercise) -> ExerciseGrade:
        text = exercise.check.solved(hidden=True)
        token = secrets.token_hex(16)
        ran = self._run(session, self._checks(token) + text)
        found = [record for record in records(ran.cell) if record.get("token") == token]
        if ran.ending in ("timeout", "died") or len(found) != 1:
            return _grade(exercise, *self._trouble(ran), ran.seconds)
        status, message = str(found[0].get("status")), str(found[0].get("message", ""))
        if status != "passed":
            kept: Status = "error" if status == "crashed" else "failed"
            if status == "not attempted":
                kept = "not attempted"
            return _grade(exercise, kept, message, ran.seconds)
        if ran.ending != "done":
            return _grade(exercise, *self._trouble(ran), ran.seconds)
        wrong = next((v.source for v in exercise.variants if v.kind == "wrong"), None)
        if wrong is not None and not self._rejects(session, text, wrong):
            words = "In this notebook the check accepts a wrong answer too."
            return _grade(exercise, "tampered", words, ran.seconds)
        return _grade(exercise, "passed", "", ran.seconds)

    def _rejects(self, session: Kernel, check: str, wrong: str) -> bool:
        token = secrets.token_hex(16)
        code = (
            "def _try():\n"
            "    names = dict(globals())\n"
            f"    exec({wrong!r}, names)\n"
            f"    exec({self._checks(token) + check!r}, names)\n"
            "_try()"
        )
        ran = self._run(session, code)
        found = [record for record in records(ran.cell) if record.get("token") == token]
        return [record.get("status") for record in found] == ["failed"]

    def _checks(self, token: str) -> str:
        return _FRESH_CHECKS.format(lesson=self.lesson.name, token=token)

    def _run(self, session: Kernel, source: str) -> Ran:
        return session.run(new.new_code_cell(source), max(1.0, min(self.cell_limit, self._left())))

    def _left(self) -> float:
        return self.deadline - time.monotonic()

    def _trouble(self, ran: Ran) -> tuple[Status, str]:
        if ran.ending == "timeout":
            return "timeout", f"It ran longer than {min(self.cell_limit, ran.seconds):.0f} s."
        if ran.ending == "died":
            return "kernel died", "The kernel died while this ran."
        return "error", ran.error or "The check did not run to its end."


def _blank(given: nbformat.NotebookNode, exercise: Exercise) -> tuple[Status, str]:
    if any(key_of(cell) == exercise.solution.grade_id for cell in given.cells):
        return "not attempted", "Not attempted."
    return "missing", f"The notebook has no cell {exercise.solution.grade_id}."


def _grade(exercise: Exercise, status: Status, message: str, seconds: float = 0.0) -> ExerciseGrade:
    points = exercise.points if status == "passed" else 0.0
    return ExerciseGrade(
        exercise.number, exercise.name, points, exercise.points, status, message, seconds
    )
