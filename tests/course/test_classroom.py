"""A teacher's course: laid out, edited, released, collected, graded, fed back, exported."""

from __future__ import annotations

import csv
from pathlib import Path

import nbformat
import pytest

from tests.course.nbgrader_course import Course
from tests.course.room_lesson import (
    ANSWERS,
    CELLS,
    NAME,
    POINTS,
    SECRETS,
    WORDS,
    Answered,
    lessons_folder,
)
from tinyternary import course
from tinyternary.cli import main
from tinyternary.course.authoring.build import learner_notebook, solved_notebook, to_text
from tinyternary.course.grading.classroom import Student, lay_out_course, read_class_list
from tinyternary.course.grading.source import read_source
from tinyternary.errors import ConfigError, LessonError


@pytest.fixture
def lessons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = lessons_folder(tmp_path)
    monkeypatch.setenv("TINYTERNARY_PACKS", str(root / "packs"))
    return root


def edit(path: Path, cell: str, old: str, new: str, **marks: float) -> None:
    """Do what a teacher does in a source notebook."""
    notebook = nbformat.read(path, as_version=4)
    found = next(
        c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == cell
    )
    assert old in found.source
    found.source = found.source.replace(old, new)
    found.metadata["nbgrader"] |= marks
    nbformat.write(notebook, path)


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return int(ended.value.code or 0)


def test_a_course_is_ready_and_is_not_written_over(lessons: Path, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "room"
    laid_out = ("lessons", "course", str(folder), "92", "--course-id", "x1", "--students", "ada,bo")
    assert command(*laid_out) == 0
    assert (folder / "students.csv").read_text().splitlines()[1:] == ["ada,,,", "bo,,,"]
    readme = (folder / "README.md").read_text()
    assert f"nbgrader autograde {NAME}" in readme
    assert "6 and 1 in words | 10 and 2" in readme
    source = folder / "source" / NAME / f"{NAME}.ipynb"
    edit(source, "1_1_threshold_check", "mind the signs", "look at the signs")
    capsys.readouterr()
    assert command(*laid_out) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert "--force" in said.err
    assert "look at the signs" in source.read_text()
    assert command(*laid_out, "--force") == 0
    assert "look at the signs" not in source.read_text()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("id,first_name\nada,Ada\nbo,Bo\n", ["ada", "bo"]),
        ("\ufeffStudent_ID;Surname\r\nada;L\r\n;\r\nmüller;M\r\n", ["ada", "müller"]),
        ("email\tusername\na@b.c\tada\n", ["ada"]),
    ],
)
def test_class_lists_as_spreadsheets_write_them(tmp_path: Path, text: str, ids: list[str]) -> None:
    path = tmp_path / "class.csv"
    path.write_text(text, encoding="utf-8")
    assert [student.id for student in read_class_list(path)] == ids


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name\nada\n", "no column `id`"),
        ("", "no column `id`"),
        ("id\nada\nada\n", "'ada' stands there twice"),
        ("id\n../ada\n", "names a folder"),
        ("id\na+b\n", "'a+b'"),
    ],
)
def test_class_lists_that_are_no_good(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "class.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"class\.csv") as caught:
        read_class_list(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_class_list(tmp_path / "none.csv")


@pytest.fixture
def source(lessons: Path, tmp_path: Path) -> Path:
    lay_out_course(tmp_path / "room", [NAME])
    return tmp_path / "room" / "source" / NAME / f"{NAME}.ipynb"


def wrong_answers(path: Path, number: str) -> int:
    return len(read_source(path).exercise(number).variants)


def test_a_source_as_it_was_written_is_the_lesson(source: Path) -> None:
    packed, read = course.packed_lesson(NAME), read_source(source)
    assert read.points == packed.points == sum(POINTS.values())
    for ours, theirs in zip(packed.exercises, read.exercises):
        assert theirs.solution.source == ours.solution.source
        assert theirs.check.source.rstrip() == ours.check.source.rstrip()
    assert [question.points for question in read.questions] == [2.0]
    assert wrong_answers(source, "1.1") == 3


def test_a_teachers_edits_are_the_lesson(source: Path) -> None:
    edit(source, "1_2_best_scale_check", "survivors", "those that survive", points=5)
    # "the edge" is no longer wrong where nothing asks for it: it is no probe of this check
    edit(source, "1_1_threshold_check",
         'check.equal(threshold(secret_of_hidden, 1.0), [0, 1], "mind the edge")', "pass")  # fmt: skip
    lesson = read_source(source)
    assert lesson.exercise("1.2").points == 5
    assert wrong_answers(source, "1.2") == 3
    assert wrong_answers(source, "1.1") == 2
    assert course.packed_lesson(NAME).exercise("1.2").points == 3  # the library's stays as it is


def test_a_source_that_breaks_a_rule_is_one_line(source: Path) -> None:
    edit(source, "1_1_threshold", "### BEGIN SOLUTION", "")
    with pytest.raises(LessonError, match=r"92_room\.ipynb") as caught:
        read_source(source)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_edited_points_and_exercises_count_for_grade_too(source: Path, lessons: Path) -> None:
    edit(source, "1_2_best_scale_check", "survivors", "survivors", points=5)
    path = source.parent.parent.parent / "answered.ipynb"
    path.write_text(to_text(Answered(lessons).nb))
    assert course.grade(path, source).points == 12
    assert course.grade(source, source).points == 12  # the source answers itself
    assert course.grade(path).points == 10


@pytest.mark.slow
def test_the_whole_cycle(lessons: Path, tmp_path: Path) -> None:
    folder = tmp_path / "room"
    students = [Student("ada", "Ada", "L"), Student("bo"), Student("cy"), Student("di")]
    lay_out_course(folder, [NAME], course_id="x1", students=students)
    room = Course(folder, lessons / "packs")
    source = folder / "source" / NAME / f"{NAME}.ipynb"
    edit(source, "1_2_best_scale_check", "survivors", "survivors", points=5)

    room.run("db", "student", "import", "students.csv")
    room.run("generate_assignment", NAME)
    released = (folder / "release" / NAME / f"{NAME}.ipynb").read_text()
    assert not [secret for secret in SECRETS if secret in released]
    assert "No points" not in released
    handed_out = {c.id: c.source for c in json_cells(released)}
    ours = learner_notebook(course.packed_lesson(NAME))
    for cell in ours.cells:  # what nbgrader hands out is what `lessons start` gives
        assert handed_out[cell.id].strip() == cell.source.strip()

    room.run("release_assignment", NAME)
    home = tmp_path / "home"
    home.mkdir()
    (home / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.Exchange.root = {str(folder / 'exchange')!r}\n"
    )
    room.run("fetch_assignment", NAME, "--course", "x1", folder=home)
    mine = home / NAME / f"{NAME}.ipynb"
    fetched = mine.read_text()
    for student, answers in (
        ("ada", ANSWERS),
        ("bo", {**ANSWERS, "1.2": "def best_scale(w, t):\n    while True: pass"}),
    ):
        notebook = nbformat.reads(fetched, as_version=4)
        for cell in notebook.cells:
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            for number, text in answers.items():
                if grade_id == CELLS[number]:
                    cell.source = text.strip()
            if grade_id == "1_7_words" and student == "ada":
                cell.source = WORDS
        nbformat.write(notebook, mine)
        room.run("submit", NAME, "--course", "x1", f"--student={student}", folder=home)
    room.run("collect", NAME)
    room.submit("cy", NAME, '{"cells": 3')  # no notebook, and by another way than the exchange
    config = folder / "nbgrader_config.py"
    config.write_text(config.read_text() + "c.Grade.cell_limit = 2.0\n")
    room.run("autograde", NAME)

    ada, bo, cy = (room.grades(student, NAME) for student in ("ada", "bo", "cy"))
    assert sum(points or 0 for points, _ in ada.values()) == 12
    assert ada["1_7_words"] == (None, True)
    assert bo["1_2_best_scale_check"] == (0.0, False)
    assert sum(points or 0 for points, _ in bo.values()) == 7
    assert bo["1_7_words"] == (0.0, False)
    assert {points for points, _ in cy.values()} == {0.0}

    room.run("generate_feedback", NAME)
    page = (folder / "feedback" / "bo" / NAME / f"{NAME}.html").read_text()
    assert "longer than it may" in page
    assert "secret_of_hidden" not in page
    page = (folder / "feedback" / "cy" / NAME / f"{NAME}.html").read_text()
    assert "not a notebook" in page
    for student in ("ada", "bo"):  # by the exchange; cy's file did not come that way
        room.run("release_feedback", NAME, f"--student={student}")
    assert len(list((folder / "exchange" / "x1" / "feedback").rglob("*.html"))) == 2
    room.run("export", "--to", "grades.csv")
    with (folder / "grades.csv").open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    assert {name: float(row["score"]) for name, row in rows.items()} == {
        "ada": 12, "bo": 7, "cy": 0, "di": 0,
    }  # fmt: skip
    assert float(rows["ada"]["max_score"]) == 14


def json_cells(text: str) -> list[nbformat.NotebookNode]:
    return list(nbformat.reads(text, as_version=4).cells)


@pytest.mark.slow
def test_plain_nbgrader_gives_nothing_and_says_why(lessons: Path, tmp_path: Path) -> None:
    lay_out_course(tmp_path / "room", [NAME])
    room = Course(tmp_path / "room", lessons / "packs")
    (room.folder / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'c'\n"
    )
    room.run("generate_assignment", NAME)
    lesson = course.packed_lesson(NAME)
    fake = Answered(lessons, {})
    fake.setup().source = (
        "import os\nos.environ.pop('NBGRADER_EXECUTION', None)\n"
        "class _F:\n    def __getattr__(self, name): return self\n"
        "    def __call__(self, *a, **k): return self\ncheck = my = _F()\n"
    )
    room.submit("fake", NAME, to_text(fake.nb))
    room.submit("keen", NAME, to_text(solved_notebook(lesson)))
    room.run("autograde", NAME)
    for student in ("fake", "keen"):
        points = room.grades(student, NAME)
        assert {points[f"{cell}_check"][0] for cell in CELLS.values()} == {0.0}
        marked = room.folder / "autograded" / student / NAME / f"{NAME}.ipynb"
        assert "tinyternary lessons course" in marked.read_text()


def test_course_errors_are_one_line(lessons: Path, tmp_path: Path, capsys) -> None:
    for arguments, says in (
        (["77"], "77"),
        (["92", "--course-id", "a/b"], "a/b"),
        (["92", "--students", "ada,,bo"], "student 2"),
        (["92", "--students", "ada", "--class-list", "x.csv"], "not from both"),
        (["92", "--class-list", str(tmp_path / "x.csv")], "x.csv"),
    ):
        assert command("lessons", "course", str(tmp_path / "new"), *arguments) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert says in line
    assert not (tmp_path / "new").exists()
