"""`tinyternary lessons course`: a folder that nbgrader takes as it is."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tinyternary.course._notebooks import new
from tinyternary.course.authoring.build import instructor_notebook, to_text
from tinyternary.course.grading._fill import fill
from tinyternary.course.grading.grade import CELL_LIMIT, TOTAL_LIMIT
from tinyternary.course.grading.worker import MEMORY
from tinyternary.course.lesson.drawn import assignment_name
from tinyternary.course.lesson.model import Lesson
from tinyternary.course.lesson.pack import packed_assignments, packed_lesson, packed_lessons
from tinyternary.course.lesson.percent import list_assignments, read_lesson
from tinyternary.errors import ConfigError, LessonError
from tinyternary.files import replace_content

_ID = re.compile(r"^\w[\w.@-]*$")
_NAMES = {
    "id": ("id", "student_id", "student", "username", "login"),
    "first_name": ("first_name", "first name", "given name"),
    "last_name": ("last_name", "last name", "surname", "family name"),
    "email": ("email", "e-mail", "mail"),
}


@dataclass(frozen=True)
class Student:
    """Somebody in the class; `id` names their folder."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""


def lay_out_course(
    folder: str | Path,
    names: Iterable[str] | None = None,
    *,
    course_id: str = "tinyternary",
    students: Sequence[Student] = (),
    seed: int | None = None,
    root: str | Path | None = None,
    force: bool = False,
) -> list[Path]:
    """Lay out an nbgrader course.

    Parameters
    ----------
    folder : path
        Where to; made if absent.
    names : iterable of str, optional
        Lessons, by name or number; by default all that the library carries.
    course_id : str
    students : sequence of Student
        Written into ``students.csv``, for ``nbgrader db student import``.
    seed : int, optional
        Also the assignments that go with these lessons, with numbers and rules that this seed
        draws: another year, another seed, and old answers do not serve.
    root : path, optional
        A checkout whose ``lessons/source`` is taken instead of the library's lessons.
    force : bool
        Also write over a course that is there; submissions and gradebook stay.

    Returns
    -------
    list of Path
        What was written. ``source/`` holds the solutions: keep it from learners.

    Raises
    ------
    ConfigError
        If there is a course already, or a name or an id is no good.
    """
    folder = Path(folder)
    if not _ID.match(course_id):
        raise ConfigError(f"course id {course_id!r}: expected letters, digits and any of _.@-")
    _distinct(students, "the class")
    read = packed_lesson if root is None else functools.partial(read_lesson, start=root)
    lessons = [read(name) for name in names or packed_lessons()]
    if seed is not None:
        known = packed_assignments() if root is None else list_assignments(root)
        numbers = [lesson.name[:2] for lesson in lessons]
        drawn = [assignment_name(n, seed) for n in numbers if f"assignment-{n}" in known]
        lessons += map(read, drawn)
    present = [name for name in ("nbgrader_config.py", "source") if (folder / name).exists()]
    if present and not force:
        raise ConfigError(
            f"{folder}: there is a course already ({', '.join(present)}); choose another folder, "
            "or give --force to write over its settings and its source notebooks, edits and all"
        )
    wanted = _content(lessons, course_id, students)
    for name, text in wanted.items():
        replace_content(folder / name, text.encode(), LessonError, make_folder=True)
    (folder / "exchange").mkdir(exist_ok=True)
    return [folder / name for name in wanted]


def _content(
    lessons: list[Lesson], course_id: str, students: Sequence[Student]
) -> dict[str, str]:  # fmt: skip
    about = {
        "lessons": lessons, "course_id": course_id, "students": students,
        "cell_limit": CELL_LIMIT, "total_limit": TOTAL_LIMIT, "memory": MEMORY,
    }  # fmt: skip
    header = new.new_notebook(
        cells=[new.new_markdown_cell(fill("header.md", about).strip(), id="header")]
    )
    header.nbformat_minor = 5
    wanted = {
        "nbgrader_config.py": fill("nbgrader_config.py.j2", about),
        "README.md": fill("course.md.j2", about),
        "source/header.ipynb": to_text(header),
    }
    for lesson in lessons:
        notebook = to_text(instructor_notebook(lesson))
        wanted[f"source/{lesson.name}/{lesson.name}.ipynb"] = notebook
    if students:
        out = io.StringIO()
        writer = csv.DictWriter(out, list(_NAMES), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(student) for student in students)
        wanted["students.csv"] = out.getvalue()
    return wanted


def read_class_list(path: str | Path) -> list[Student]:
    """Read a class list.

    Parameters
    ----------
    path : path
        A CSV file with a line of names: ``id`` (or student_id, username, login), and if you
        have them first_name, last_name, email. Other columns are left alone.

    Raises
    ------
    ConfigError
        If it cannot be read, has no such column, or an id is no good; names the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # as spreadsheets write it
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a class list ({error})") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    columns = {
        field: column
        for field, known in _NAMES.items()
        for column in rows.fieldnames or ()
        if column.strip().lower() in known
    }
    if "id" not in columns:
        raise ConfigError(
            f"{path}: no column `id` in its first line {first.strip()!r}; expected "
            "id,first_name,last_name,email (the last three if you have them)"
        )
    students = [
        Student(**{field: (row[column] or "").strip() for field, column in columns.items()})
        for row in rows
        if any((value or "").strip() for value in row.values() if not isinstance(value, list))
    ]
    _distinct(students, str(path))
    return students


def _distinct(students: Sequence[Student], where: str) -> None:
    seen: set[str] = set()
    for place, student in enumerate(students, 1):
        if not _ID.match(student.id):
            raise ConfigError(
                f"{where}: student {place} has the id {student.id!r}; expected letters, digits "
                "and any of _.@-, because it names a folder"
            )
        if student.id in seen:
            raise ConfigError(f"{where}: the id {student.id!r} stands there twice")
        seen.add(student.id)
