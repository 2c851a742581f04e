"""From a lesson's source to two notebooks: the learner's, and the solved one with figures."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyternary.course._notebooks import nbformat, new, untyped
from tinyternary.course.authoring.kernel import kernel
from tinyternary.course.learner._present import RECORD
from tinyternary.course.learner.mine import makers
from tinyternary.course.lesson.drawn import is_assignment, template_of
from tinyternary.course.lesson.model import UNSHOWN, Cell, Lesson
from tinyternary.course.lesson.pack import OTHER_PACKS, PACKS, pack_text
from tinyternary.course.lesson.percent import (
    find_lessons,
    list_assignments,
    list_lessons,
    read_lesson,
)
from tinyternary.errors import LessonError
from tinyternary.files import replace_content

CELL_LIMIT = 240.0
"""Seconds on the clock for one cell of a solved lesson, on a machine that does other things too.

It ends what would not end by itself; that lessons are quick is a test of processor time.
"""
_ASKED = re.compile(r"\bmy\.(\w+)")


@dataclass(frozen=True)
class Built:
    """What `build` made of one lesson."""

    lesson: str
    learner: Path | None
    """None for an assignment: its notebooks are made for a seed."""
    pack: Path
    changed: tuple[str, ...]
    """Names of the files that differ from what was there (the solved notebook is not compared)."""
    solved: Path | None
    seconds: float
    """That the solved notebook took to run; 0 where it was not run."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "lesson": self.lesson,
            "learner": str(self.learner) if self.learner else None,
            "pack": str(self.pack),
            "changed": list(self.changed),
            "solved": str(self.solved) if self.solved else None,
            "seconds": round(self.seconds, 2),
        }


def build(
    names: Iterable[str] | None = None,
    root: str | Path | None = None,
    *,
    solved: bool = True,
    check: bool = False,
    force: bool = False,
) -> list[Built]:
    """Build lessons from their sources.

    Parameters
    ----------
    names : iterable of str, optional
        Lessons, by name or number, and assignments, ``"assignment-01"``; by default all.
    root : path, optional
        A checkout or its `lessons` folder; see `find_lessons`.
    solved : bool
        Also run the solved notebook and write it to `notebooks/`.
    check : bool
        Write nothing: fail if a learner's notebook or a pack is not what the source makes.
    force : bool
        Also replace a notebook that somebody has worked in.

    Returns
    -------
    list of Built

    Raises
    ------
    LessonError
        If a source breaks a rule; if a learner's notebook holds somebody's work; if a solved
        lesson stops with an error or fails one of its own checks; with `check`, if a file
        differs.
    """
    folder = find_lessons(root)
    built = []
    for name in names or [*list_lessons(folder), *list_assignments(folder)]:
        lesson = read_lesson(template_of(name), folder)
        refuse_what_comes_later(lesson)
        pack = packs_of(folder) / f"{lesson.name}.json"
        target = None if is_assignment(name) else folder / f"{lesson.name}.ipynb"
        wanted = {target: to_text(learner_notebook(lesson))} if target is not None else {}
        wanted[pack] = pack_text(lesson)
        changed = [path for path, text in wanted.items() if _text(path) != text]
        out, seconds = None, 0.0
        if not check:
            at_stake = [path for path in changed if path == target and path.is_file()]
            if any(is_touched(_text(path)) for path in at_stake) and not force:
                raise LessonError(
                    f"{target}: somebody has worked in this notebook; move it away "
                    f"(`tinyternary lessons start {lesson.name[:2]}` makes copies to work in), "
                    "or give --force to replace it"
                )
            for path in changed:
                _write(path, wanted[path])
            if solved and target is not None:
                out = folder.parent / "notebooks" / f"{lesson.name}_solved.ipynb"
                notebook, seconds = run_solved(lesson, pack.parent)
                _write(out, to_text(notebook))
        names_changed = tuple(path.name for path in changed)
        built.append(Built(lesson.name, target, pack, names_changed, out, seconds))
    stale = [name for item in built for name in item.changed]
    if check and stale:
        raise LessonError(
            f"{folder}: {', '.join(stale)} differs from its source; "
            "run `tinyternary lessons build` and commit the result"
        )
    return built


def refuse_what_comes_later(lesson: Lesson) -> None:
    """Refuse a demonstration that asks `my` for what an exercise further down makes.

    Its check cannot have run yet: a learner who solves everything would be told that it is not
    checked, and a run that nobody watches would stop.

    Raises
    ------
    LessonError
        Names the demonstration and the exercise.
    """
    by = makers(lesson)
    waiting = {exercise.check.grade_id: exercise.number for exercise in lesson.exercises}
    for cell in lesson.cells:
        if cell.role == "check":
            del waiting[cell.grade_id]
        elif cell.role == "demo":
            for name in _ASKED.findall(cell.source):
                if by.get(name) in waiting.values():
                    raise LessonError(
                        f"{lesson.name}: the cell {_first_line(cell.source)!r} asks for my.{name} "
                        f"before exercise {by[name]} has been checked; move it below the check"
                    )


def packs_of(folder: Path) -> Path:
    """Return where the packs of a folder `lessons` go: the package's own into the package."""
    own = Path(__file__).resolve().parents[3] / "lessons"
    return PACKS if folder.resolve() == own else folder / "packs"


def is_touched(text: str) -> bool:
    """Whether somebody has changed or run a learner's notebook since it was built."""
    try:
        notebook = untyped.reads(text, as_version=4)
        stored = notebook.metadata.get("tinyternary", {}).get("digest")
    except (ValueError, AttributeError):
        return True
    return bool(stored != _digest(notebook))


def _digest(notebook: nbformat.NotebookNode) -> str:
    """Return a hash of what a person may have changed."""
    parts = [
        [c.cell_type, c.source, c.get("outputs", []), c.get("execution_count")]
        for c in notebook.cells
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def check_built(names: Iterable[str] | None = None, root: str | Path | None = None) -> list[Built]:
    """Fail if a learner's notebook or a pack is not what its source makes; write nothing.

    Raises
    ------
    LessonError
        Names the files that differ.
    """
    return build(names, root, solved=False, check=True)


def learner_notebook(lesson: Lesson) -> nbformat.NotebookNode:
    """Make the notebook a learner gets: stubs, no hidden tests, no outputs, no variants."""
    return _notebook(lesson, lambda cell: cell.for_learner())


def solved_notebook(lesson: Lesson, *, hidden: bool = False) -> nbformat.NotebookNode:
    """Make the notebook with solutions, not yet run."""
    return _notebook(lesson, lambda cell: cell.solved(hidden=hidden))


def instructor_notebook(lesson: Lesson) -> nbformat.NotebookNode:
    """Make the notebook with solutions, hidden tests and their marks: nbgrader's own source."""
    return _notebook(lesson, lambda cell: cell.for_instructor())


def write_instructor(
    folder: str | Path, names: Iterable[str] | None = None, root: str | Path | None = None
) -> list[Path]:
    """Write instructors' notebooks, as nbgrader's ``source/ASSIGNMENT`` folders want them.

    Parameters
    ----------
    folder : path
        Where to; made if absent.
    names, root
        As in `build`.

    Returns
    -------
    list of Path
        The notebooks. They hold the solutions: keep them from learners.
    """
    lessons = find_lessons(root)
    written = []
    for name in names or list_lessons(lessons):
        lesson = read_lesson(name, lessons)
        written.append(Path(folder) / f"{lesson.name}.ipynb")
        _write(written[-1], to_text(instructor_notebook(lesson)))
    return written


def run_solved(lesson: Lesson, packs: Path = PACKS) -> tuple[nbformat.NotebookNode, float]:
    """Run the solved notebook in a fresh kernel, with the lessons packed in `packs`.

    Returns
    -------
    (NotebookNode, float)
        With outputs, and the seconds it took.

    Raises
    ------
    LessonError
        If a cell ends in anything but success, or a check does not pass.
    """
    notebook = solved_notebook(lesson)
    took, count = 0.0, 0
    with (
        tempfile.TemporaryDirectory() as folder,
        kernel(Path(folder), {OTHER_PACKS: str(packs)}) as session,
    ):
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            ran = session.run(cell, CELL_LIMIT)
            took += ran.seconds
            count += 1
            cell.execution_count = count
            for output in cell.outputs:
                if "execution_count" in output:
                    output["execution_count"] = count
            if ran.ending != "done":
                raise LessonError(
                    f"{lesson.name}: the solved lesson stops ({ran.ending}) at the cell "
                    f"{_first_line(cell.source)!r}: {ran.error}"
                )
            for outcome in records(cell):
                if outcome["status"] != "passed":
                    raise LessonError(
                        f"{lesson.name}: the solution of exercise {outcome['exercise']} does not "
                        f"pass its check ({outcome['status']}): {outcome['message']}"
                    )
    return notebook, took


def records(cell: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """Outcomes that checks left among the outputs of a cell that ran."""
    found = [output.get("data", {}).get(RECORD) for output in cell.get("outputs", [])]
    return [record for record in found if record]


def validate_notebook(notebook: nbformat.NotebookNode) -> None:
    """Check a notebook against nbformat's schema, and nbgrader's where that is installed.

    Raises
    ------
    LessonError
        With what the validator said.
    """
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        raise LessonError(f"not a valid notebook: {error.message}") from None
    try:
        from nbgrader.nbgraderformat import MetadataValidator, ValidationError
    except ImportError:
        return
    try:
        MetadataValidator().validate_nb(copy.deepcopy(notebook))
    except ValidationError as error:
        raise LessonError(f"not valid for nbgrader: {error}") from None


def to_text(notebook: nbformat.NotebookNode) -> str:
    """Return the text of a notebook file; the same notebook gives the same bytes."""
    return str(untyped.writes(notebook, version=4)) + "\n"


def _notebook(lesson: Lesson, text_of: Any) -> nbformat.NotebookNode:
    cells = [_cell(cell, text_of(cell)) for cell in lesson.cells if cell.role not in UNSHOWN]
    notebook: nbformat.NotebookNode = new.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3",
            },
            "language_info": {"name": "python"},
            "tinyternary": {"lesson": lesson.name},
        },
    )  # fmt: skip
    notebook.nbformat_minor = 5
    notebook.metadata.tinyternary["digest"] = _digest(notebook)
    validate_notebook(notebook)
    return notebook


def _cell(cell: Cell, text: str) -> nbformat.NotebookNode:
    make = new.new_code_cell if cell.kind == "code" else new.new_markdown_cell
    metadata = copy.deepcopy(cell.metadata)
    if cell.role == "check":
        metadata |= {"deletable": False, "editable": False}
    made: nbformat.NotebookNode = make(text, id=cell.id, metadata=metadata)
    return made


def _write(path: Path, text: str) -> None:
    replace_content(path, text.encode(), LessonError, make_folder=True)


def _first_line(source: str) -> str:
    return next((line for line in source.splitlines() if line.strip()), "")
