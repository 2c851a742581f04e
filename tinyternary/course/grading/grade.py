"""Grading a learner's notebook: their cells, our set-up and checks, a process of its own.

The learner's cells run in their order, as with Run All; set-up cells and checks are the
lesson's, hidden tests included, so that nothing a learner does to those cells matters. The
judge is the one that the notebook itself calls. It sits in the same process, so a notebook
could bend it: where an exercise has passed, its stub and a wrong answer are judged too, and
have to fail.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tinyternary.course._notebooks import nbformat
from tinyternary.course.grading.grades import ExerciseGrade, GradeReport, Status, WrittenAnswer
from tinyternary.course.grading.submission import (
    Step,
    lesson_for,
    plan,
    read_notebook,
)
from tinyternary.course.grading.worker import MEMORY, Ran, Worker, worker
from tinyternary.course.lesson.model import Exercise, Lesson

CELL_LIMIT = 20.0
"""Seconds of processor time for one cell."""
TOTAL_LIMIT = 240.0
"""Seconds of processor time for a notebook."""


def grade(
    notebook: str | Path,
    source: str | Path | None = None,
    *,
    cell_limit: float = CELL_LIMIT,
    total_limit: float = TOTAL_LIMIT,
    memory: int = MEMORY,
    halt: threading.Event | None = None,
) -> GradeReport:
    """Grade a notebook by the checks of its lesson.

    Parameters
    ----------
    notebook : path
        A learner's ``.ipynb``. Its metadata says which lesson it is, else its name.
    source : path, optional
        A lesson's source, or the checkout that holds it. By default the lesson that this
        package carries.
    cell_limit, total_limit : float
        Seconds of processor time for one cell and for the notebook (on the clock four times
        as much, for cells that wait).
    memory : int
        Bytes that the notebook may ask for, what it starts included.
    halt : threading.Event, optional
        Set by another thread, it ends the grading with a LessonError.

    Returns
    -------
    GradeReport
        An untouched notebook scores zero; so does every exercise that was not
        reached, whatever the reason.

    Raises
    ------
    LessonError
        If the file is no notebook, or its lesson is not known.

    Notes
    -----
    The learner's code runs in a process of its own, but on this machine and as this
    user: put a stranger's notebook into a container.
    """
    path = Path(notebook)
    given = read_notebook(path)
    lesson = lesson_for(given, path, source)
    return grade_notebook(
        given, lesson, str(path),
        cell_limit=cell_limit, total_limit=total_limit, memory=memory, halt=halt,
    )  # fmt: skip


def grade_notebook(
    given: nbformat.NotebookNode, lesson: Lesson, where: str = "notebook", *,
    cell_limit: float = CELL_LIMIT, total_limit: float = TOTAL_LIMIT, memory: int = MEMORY,
    halt: threading.Event | None = None,
) -> GradeReport:  # fmt: skip
    """Grade a notebook that is in memory; see `grade`."""
    start = time.monotonic()
    laid_out = plan(given, lesson)
    run = _Run(lesson, cell_limit, total_limit, memory, halt)
    if laid_out.touched:
        run.go(laid_out.steps)
    grades = []
    for exercise in lesson.exercises:
        late: tuple[Status, str] = ("timeout", "The notebook's time was used up before it.")
        if not laid_out.touched:
            late = ("not attempted", "Not attempted.")
        grades.append(run.grades.get(exercise.number) or _zero(exercise, *late))
    written = tuple(
        WrittenAnswer(q.number, q.name, q.points, laid_out.written[q.number], q.rubric)
        for q in lesson.questions
    )
    return GradeReport(
        lesson.name, where, tuple(grades), time.monotonic() - start, tuple(run.notes), written
    )


class _Run:
    """One notebook on its way through processes; one that dies is replaced."""

    def __init__(
        self, lesson: Lesson, cell_limit: float, total: float, memory: int,
        halt: threading.Event | None,
    ) -> None:  # fmt: skip
        self.lesson = lesson
        self.cell_limit = cell_limit
        self.left = total
        self.memory = memory
        self.halt = halt
        self.grades: dict[str, ExerciseGrade] = {}
        self.notes: list[str] = []
        self._done: list[Step] = []
        self._stopped: dict[str, tuple[Status, str]] = {}

    def go(self, steps: list[Step]) -> None:
        """Do all steps, in as many processes as it takes."""
        rest = list(steps)
        while any(step.kind == "judge" for step in rest) and self.left > 0:
            with worker(self.lesson, self.memory, halt=self.halt) as session:
                for step in self._done:  # what had worked, in a process that is gone
                    self._timed(session.run(step.source, self._limit()))
                while rest and session.alive and self.left > 0:
                    self._step(session, rest.pop(0))

    def _step(self, session: Worker, step: Step) -> None:
        if step.kind == "judge":
            exercise = self.lesson.exercise(step.exercise)
            self.grades[step.exercise] = self._judged(session, exercise)
            return
        ran = self._timed(session.run(step.source, self._limit()))
        if session.alive:
            # a cell that raised may have done half of its work: that half counts, as in a notebook
            self._done.append(step)
        if ran.ending == "done":
            self._stopped.pop(step.exercise, None)
            return
        status, message = _trouble(ran)
        if step.exercise:
            self._stopped[step.exercise] = (status, message)
        else:
            self.notes.append(f"{status} in a cell of the notebook's own: {message}")

    def _judged(self, session: Worker, exercise: Exercise) -> ExerciseGrade:
        ran = self._timed(session.judge(exercise.number, self._limit()))
        if ran.ending != "done":
            return _zero(exercise, *_trouble(ran), ran.seconds)
        reply = ran.reply
        status, message = reply["status"], reply["message"]
        if status == "not attempted" and exercise.number in self._stopped:
            stopped, why = self._stopped[exercise.number]
            status = stopped if stopped in ("timeout", "died") else status
            message = f"The cell of the answer stops: {why}"
        return ExerciseGrade(
            exercise.number, exercise.name, float(reply["points"]), exercise.points, status,
            message, ran.seconds, tuple(reply["parts"]),
        )  # fmt: skip

    def _limit(self) -> float:
        return max(1.0, min(self.cell_limit, self.left))

    def _timed(self, ran: Ran) -> Ran:
        self.left -= ran.used
        return ran


def _trouble(ran: Ran) -> tuple[Status, str]:
    if ran.ending == "timeout":
        return "timeout", f"It ran longer than it may ({ran.limit:.0f} s)."
    if ran.ending == "too much":
        return "died", f"It took {ran.excess}, and was ended."
    if ran.ending == "died":
        return "died", "The process died while this ran."
    return "crashed", ran.error


def _zero(exercise: Exercise, status: Status, message: str, seconds: float = 0.0) -> ExerciseGrade:
    return ExerciseGrade(
        exercise.number, exercise.name, 0.0, exercise.points, status, message, seconds
    )
