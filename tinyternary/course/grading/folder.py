"""A class's notebooks: all of a folder graded, a table, a row each in a CSV file, a page each."""

from __future__ import annotations

import csv
import io
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyternary.course.grading._fill import fill
from tinyternary.course.grading.grade import CELL_LIMIT, TOTAL_LIMIT, grade
from tinyternary.course.grading.grades import ExerciseGrade, GradeReport
from tinyternary.errors import ConfigError, TinyTernaryError
from tinyternary.files import replace_content
from tinyternary.text import spreadsheet_cell

JOBS = 2
"""Notebooks that are graded at a time."""


@dataclass(frozen=True)
class Submission:
    """A notebook, and whose it is: the first folder below the one that was given, or its stem."""

    student: str
    path: Path


@dataclass(frozen=True)
class Graded:
    """What came of a submission: a report, or the reason why there is none."""

    student: str
    notebook: str
    report: GradeReport | None
    error: str = ""

    @property
    def remarks(self) -> str:
        """Exercises that are not passed, with their status, on one line."""
        if self.report is None:
            return self.error
        if all(grade.status == "not attempted" for grade in self.report.exercises):
            return "not attempted"
        open_ones = [g for g in self.report.exercises if g.status != "passed"]
        return "; ".join(f"{g.exercise} {g.status}" for g in open_ones)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        report = self.report.to_dict() if self.report else None
        return {
            "student": self.student, "notebook": self.notebook, "error": self.error,
            "report": report,
        }  # fmt: skip


def find_submissions(paths: Iterable[str | Path]) -> list[Submission]:
    """Find notebooks: files that are named, and all below folders that are named.

    Parameters
    ----------
    paths : iterable of path
        ``submitted/``, laid out as nbgrader does or one file a student, or notebooks.

    Raises
    ------
    ConfigError
        If there is none, or a path does not exist.
    """
    found: dict[Path, str] = {}
    named = [Path(path) for path in paths]
    plain = [path for path in named if not path.is_dir()]
    above = Path(os.path.commonpath([p.parent.absolute() for p in plain])) if plain else Path()
    for path in named:
        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder; expected learners' notebooks")
        below = sorted(path.rglob("*.ipynb")) if path.is_dir() else [path]
        for file in below:
            place = file.relative_to(path) if path.is_dir() else file.absolute().relative_to(above)
            hidden = any(part.startswith(".") for part in place.parts)  # .ipynb_checkpoints
            if file.is_file() and not hidden:
                found.setdefault(file, place.parts[0].removesuffix(".ipynb"))
    if not found:
        raise ConfigError(f"{', '.join(map(str, named))}: no notebook (*.ipynb) in there")
    return [Submission(student, file) for file, student in found.items()]


def grade_all(
    submissions: Sequence[Submission],
    source: str | Path | None = None,
    *,
    jobs: int = JOBS,
    time_scale: float = 1.0,
    strict: bool = False,
    done: Callable[[Graded], None] | None = None,
) -> list[Graded]:
    """Grade notebooks, some at a time; one that cannot be graded does not stop the rest.

    Parameters
    ----------
    submissions : sequence of Submission
    source : path, optional
        As in `grade`.
    jobs : int
        How many at a time. Limits are of processor time, so that a full machine costs no points.
    time_scale : float
        Multiplies the limits of time.
    strict : bool
        Whether one that cannot be graded does stop the rest: its error is raised.
    done : function, optional
        Called with each result as it comes.

    Returns
    -------
    list of Graded
        In the order of `submissions`.
    """
    halt = threading.Event()
    results: dict[Submission, Graded] = {}

    def one(submission: Submission) -> Graded:
        student, path = submission.student, str(submission.path)
        try:
            report = grade(
                path, source, cell_limit=CELL_LIMIT * time_scale,
                total_limit=TOTAL_LIMIT * time_scale, halt=halt,
            )  # fmt: skip
        except TinyTernaryError as error:
            if strict or halt.is_set():
                raise
            said = " ".join(str(error).split())
            return Graded(student, path, None, said.removeprefix(f"{path}: "))
        return Graded(student, path, report)

    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(one, submission): submission for submission in submissions}
        try:
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                if done is not None:
                    done(future.result())
        except BaseException:  # Ctrl-C: let nothing run on that nobody waits for
            halt.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [results[submission] for submission in submissions]


def class_csv(graded: Sequence[Graded]) -> str:
    """Return a CSV text: a row a notebook, a column an exercise.

    Parameters
    ----------
    graded : sequence of Graded
        Of one lesson or of several: a cell is empty where a lesson has no such exercise.
    """
    columns: dict[str, None] = {}
    for item in sorted((g for g in graded if g.report), key=lambda g: g.report.lesson):  # type: ignore[union-attr]
        for exercise in item.report.exercises:  # type: ignore[union-attr]
            columns[_column(exercise)] = None
    out = io.StringIO()
    head = ["student", "notebook", "lesson", *columns, "points", "max_points", "in_words",
            "remarks"]  # fmt: skip
    writer = csv.DictWriter(out, head, restval="", lineterminator="\n")
    writer.writeheader()
    for item in graded:
        row: dict[str, Any] = {
            "student": spreadsheet_cell(item.student),
            "notebook": spreadsheet_cell(item.notebook),
            "remarks": spreadsheet_cell(item.remarks),
        }
        report = item.report
        if report is not None:
            row |= {_column(grade): f"{grade.points:g}" for grade in report.exercises}
            unread = sum(answer.max_points for answer in report.written if answer.text)
            row |= {
                "lesson": report.lesson, "points": f"{report.points:g}",
                "max_points": f"{report.max_points:g}",
                "in_words": f"up to {unread:g}" if unread else "",
            }  # fmt: skip
        writer.writerow(row)
    return out.getvalue()


def write_feedback(graded: Sequence[Graded], folder: str | Path) -> list[Path]:
    """Write a page for each notebook: points, what its checks said, what is left for a person.

    Parameters
    ----------
    graded : sequence of Graded
    folder : path
        Made if absent; the files are named after student and lesson.

    Returns
    -------
    list of Path
    """
    written: list[Path] = []
    for item in graded:
        lesson = item.report.lesson if item.report else Path(item.notebook).stem
        name = item.student if item.student == lesson else f"{item.student}_{lesson}"
        path = Path(folder) / f"{name}.html"
        count = 1
        while path in written:
            count += 1
            path = path.with_name(f"{name}_{count}.html")
        page = fill("feedback.html.j2", {"item": item, "report": item.report}, escape=True)
        replace_content(path, page.encode(), ConfigError, make_folder=True)
        written.append(path)
    return written


def _column(grade: ExerciseGrade) -> str:
    return f"{grade.exercise} {grade.name}"
