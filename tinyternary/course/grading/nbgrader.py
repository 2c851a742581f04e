"""nbgrader with our judge: what `configure` puts into a course's ``nbgrader_config.py``.

nbgrader lays out, releases, collects, keeps the gradebook and writes feedback. Three of its
preprocessors are replaced:

- `Stubs`: what is released is the notebook that a learner gets from `tinyternary lessons`;
- `Restore`: cells of a submission get back the marks they were handed out with, however the
  notebook has come here, and graded cells that are gone stand at its end again;
- `Grade`: the notebook is not run as it stands, where it could replace its own checks, but
  graded as `tinyternary grade` does, and the points are written where nbgrader looks for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyternary.course._notebooks import nbformat, new, untyped
from tinyternary.course.grading.grade import CELL_LIMIT, TOTAL_LIMIT, grade_notebook
from tinyternary.course.grading.grades import ExerciseGrade
from tinyternary.course.grading.source import read_source
from tinyternary.course.grading.submission import apart, home_of, notebook_of
from tinyternary.course.grading.worker import MEMORY
from tinyternary.course.lesson.model import Cell, Lesson
from tinyternary.errors import LessonError

try:
    from nbconvert.exporters import NotebookExporter
    from nbgrader.converters import Autograde, GenerateAssignment
    from nbgrader.preprocessors import (
        ClearSolutions,
        DeduplicateIds,
        Execute,
        NbGraderPreprocessor,
    )
    from traitlets import Float, Integer
except ModuleNotFoundError as missing:
    raise LessonError(
        f'a course needs the package {missing.name}: pip install "tinyternary[classroom]"'
    ) from None


def configure(config: Any) -> None:
    """Let nbgrader release, mend and grade notebooks as tinyternary does.

    Parameters
    ----------
    config : traitlets.config.Config
        What ``get_config()`` gives in ``nbgrader_config.py``.
    """
    config.GenerateAssignment.preprocessors = _with(
        GenerateAssignment.preprocessors, {ClearSolutions: Stubs}
    )
    config.Autograde.sanitize_preprocessors = _with(
        Autograde.sanitize_preprocessors, {DeduplicateIds: Restore}
    )
    config.Autograde.autograde_preprocessors = _with(
        Autograde.autograde_preprocessors, {Execute: Grade}
    )
    config.Autograde.exporter_class = Submissions


def _with(trait: Any, ours: dict[type, type]) -> list[type]:
    theirs = trait.default()
    for old in ours:
        if old not in theirs:
            raise LessonError(f"this nbgrader has no step {old.__name__} where 0.9.5 has one")
    return [ours.get(step, step) for step in theirs]


class Stubs(ClearSolutions):  # type: ignore[misc]
    """Put our stubs in place of solutions."""

    def _replace_solution_region(self, cell: nbformat.NotebookNode, language: str) -> bool:
        if "### BEGIN SOLUTION" not in cell.source:
            return False
        cell.source = Cell(cell.cell_type, cell.source, cell.metadata, "").for_learner()
        return True


class Submissions(NotebookExporter):
    """Reads a submission; in place of a file that is no notebook, one that says so."""

    def from_file(self, file_stream: Any, resources: Any = None, **options: Any) -> Any:
        """Read a file and convert it."""
        try:
            notebook = notebook_of(file_stream.read(), Path(file_stream.name))
        except (LessonError, UnicodeDecodeError) as error:
            notebook = new.new_notebook(cells=[new.new_markdown_cell(f"**Not graded:** {error}")])
        convert: Any = self.from_notebook_node  # carries no types
        return convert(notebook, resources=resources, **options)


class _OfLesson(NbGraderPreprocessor):  # type: ignore[misc]
    """A preprocessor that knows the lesson as the course's source has it."""

    def _lesson(self, resources: Any) -> Lesson:
        about = resources["nbgrader"]
        course = self.parent.parent.coursedir
        folder = course.format_path(course.source_directory, ".", about["assignment"])
        return read_source(Path(folder) / f"{about['notebook']}.ipynb")


class Restore(_OfLesson):
    """Give cells the marks they were handed out with; put graded ones that are gone at the end."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> Any:
        """Mend the cells of a submission."""
        lesson = self._lesson(resources)
        nb.cells = apart(nb.cells, lesson)
        places: dict[str, nbformat.NotebookNode] = {}
        for cell in nb.cells:
            cell.metadata.pop("nbgrader", None)
            home = home_of(cell, lesson)
            if home is not None and home.grade_id:
                places[home.grade_id] = cell  # of copies, the last is the one that counts
        for home in lesson.cells:
            if home.role in ("check", "written") and home.grade_id not in places:
                make = new.new_code_cell if home.kind == "code" else new.new_markdown_cell
                places[home.grade_id] = make(home.for_learner())
                nb.cells.append(places[home.grade_id])
            if home.grade_id in places:
                marks = untyped.from_dict(home.metadata["nbgrader"])
                places[home.grade_id].metadata["nbgrader"] = marks
        return nb, resources


class Grade(_OfLesson):
    """Grade a submission, and write points and messages as outputs of its checks."""

    cell_limit = Float(CELL_LIMIT, help="Seconds of processor time for one cell.").tag(config=True)
    total_limit = Float(
        TOTAL_LIMIT, help="Seconds of processor time for a notebook."
    ).tag(config=True)  # fmt: skip
    memory = Integer(MEMORY, help="Bytes that a notebook may ask for.").tag(config=True)

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> Any:
        """Grade a notebook that `Restore` has mended."""
        lesson = self._lesson(resources)
        about = resources["nbgrader"]
        report = grade_notebook(
            nb, lesson, f"{about['student']}/{about['notebook']}",
            cell_limit=self.cell_limit, total_limit=self.total_limit, memory=self.memory,
        )  # fmt: skip
        grades = {grade.exercise: grade for grade in report.exercises}
        answers = {answer.exercise: answer for answer in report.written}
        checks = {e.check.grade_id: e for e in lesson.exercises}
        questions = {q.cell.grade_id: q for q in lesson.questions}
        for cell in nb.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if cell.cell_type == "code":
                cell.outputs = []
            if grade_id in checks:
                exercise = checks[grade_id]
                points = float(cell.metadata["nbgrader"]["points"])
                cell.outputs = _outputs(grades[exercise.number], points)
                cell.source = exercise.check.for_learner()  # feedback gives no hidden test away
            elif grade_id in questions and not answers[questions[grade_id].number].text:
                # nbgrader gives nothing for a cell that is as it was handed out
                cell.source = questions[grade_id].cell.for_learner()
        for note in report.notes:
            nb.cells.append(new.new_markdown_cell(f"Grader's note: {note}"))
        self.log.info(
            "%s: %g of %g points in %.1f s",
            report.notebook, report.points, report.max_points, report.seconds,
        )  # fmt: skip
        return nb, resources


def _outputs(grade: ExerciseGrade, worth: float) -> list[nbformat.NotebookNode]:
    """Say a grade as nbgrader's `determine_grade` reads it.

    An error is nothing, a number as the cell's result is part of the points, anything else is
    all of them. `worth` is what the gradebook has for the cell.
    """
    said = f"{grade.name}: {grade.status}"
    if grade.points >= grade.max_points:
        return [new.new_output("stream", name="stdout", text=f"{said}\n")]
    if grade.points <= 0:
        lines = [said, *grade.message.splitlines()]
        return [
            new.new_output("error", ename=grade.status, evalue=grade.message, traceback=lines)
        ]  # fmt: skip
    share = grade.points / grade.max_points * worth
    return [
        new.new_output("stream", name="stdout", text=f"{said}\n{grade.message}\n"),
        new.new_output("execute_result", data={"text/plain": f"{share:g}"}),
    ]
