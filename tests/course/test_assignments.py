"""Assignments: what a seed draws, that old answers do not serve, and that they are graded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings, strategies as st

from tinyternary import course
from tinyternary.cli.main import main
from tinyternary.course.authoring.build import instructor_notebook, learner_notebook, to_text
from tinyternary.course.authoring.variants import try_answer
from tinyternary.course.grading.classroom import lay_out_course
from tinyternary.course.judge.judging import Judge
from tinyternary.course.lesson.drawn import assignment_name, draw
from tinyternary.course.lesson.model import Cell
from tinyternary.errors import ConfigError, LessonError

CHECKOUT = Path(__file__).parents[2]
TEMPLATES = course.list_assignments(CHECKOUT)
YEARS = (2026, 2027, 2028)


def cells(options: str, code: str = "x = FACTOR", text: str = "FACTOR it is") -> Iterator[Cell]:
    yield Cell("code", options, {"tags": ["drawn"]}, "drawn")
    yield Cell("code", code, {}, "code")
    yield Cell("markdown", text, {}, "text")


def drawn(seed: int, options: str, **texts: str) -> list[str]:
    return [c.source for c in draw(f"assignment-01-{seed}", cells(options, **texts)).cells]


def test_a_word_becomes_what_was_drawn_in_code_strings_and_prose() -> None:
    code = 'x = FACTOR  # FACTOR\ny = "FACTOR, FACTORY", f"{FACTOR + 1}", SEED\nFACTORY = 1'
    options = 'FACTOR, WORD = [(0.5, "half"), (0.5, "half")]'
    made = drawn(7, options, code=code, text="WORD of FACTOR, seed SEED; FACTORS")
    assert made == [
        'x = 0.5  # 0.5\ny = "0.5, FACTORY", f"{0.5 + 1}", 7\nFACTORY = 1',
        "half of 0.5, seed 7; FACTORS",
    ]
    assert drawn(7, 'WORD = ["half", "half"]', code='x = WORD, "WORD", """\nWORD\n"""') == [
        "x = 'half', \"half\", \"\"\"\nhalf\n\"\"\"", "FACTOR it is",
    ]  # fmt: skip


@given(st.integers(2, 9), st.integers(0, 10**8), st.data())
@settings(deadline=None)
def test_seeds_that_are_close_draw_different_options(
    count: int, seed: int, data: st.DataObject
) -> None:
    options = f"FACTOR = {list(range(count))}"
    other = seed + data.draw(st.integers(1, count - 1))
    assert drawn(seed, options) == drawn(seed, options) != drawn(other, options)
    assert len({drawn(s, options)[0] for s in range(seed, seed + count)}) == count


@pytest.mark.parametrize(
    ("options", "says"),
    [("FACTOR = 3", "a list of two"), ("FACTOR = [3]", "a list of two"), ("f = [1, 2]", "capital"),
     ("FACTOR = [rng()]", "malformed"), ("import os", "WORD ="),
     ("FACTOR, OTHER = [(1, 2), (3,)]", "zip")],
)  # fmt: skip
def test_options_that_are_none_are_refused(options: str, says: str) -> None:
    with pytest.raises(LessonError, match=says):
        [drawn(seed, options) for seed in (0, 1)]


def test_a_name_that_is_none_says_what_there_is() -> None:
    with pytest.raises(ConfigError, match="assignment-99-1"):
        course.packed_lesson("assignment-99-1")
    with pytest.raises(ConfigError, match="9 digits"):
        assignment_name("01", 10**9)


def test_a_course_of_somebodys_own_lessons_takes_a_seed(root: Path, tmp_path: Path) -> None:
    lay_out_course(tmp_path / "course", ["91"], root=root, seed=2027)
    made = {path.name for path in (tmp_path / "course" / "source").iterdir()}
    assert made == {"91_small", "header.ipynb"}  # that lesson has no assignment


@pytest.mark.parametrize("template", TEMPLATES)
def test_it_has_what_an_assignment_must_have(template: str) -> None:
    lesson = course.read_lesson(f"{template}-2027", CHECKOUT)
    raw = course.read_lesson(template, CHECKOUT)
    words = {w for c in raw.cells if c.role == "drawn" for w in re.findall(r"\b[A-Z][A-Z_0-9]+\b(?=[,\s\w]* = \[)", c.source)}  # fmt: skip
    assert words
    number = int(template[-2:])
    text = "\n".join(cell.source for cell in lesson.cells if cell.role != "drawn")
    assert not [word for word in {*words, "SEED"} if re.search(rf"\b{word}\b", text)]
    assert lesson.points == 8, "eight points for exercises"
    assert sum(question.points for question in lesson.questions) == 2
    assert all(question.rubric for question in lesson.questions)
    assert len(lesson.exercises) >= 3
    for exercise in lesson.exercises:
        assert exercise.number.startswith(f"{number}.")
        assert len(exercise.hints) >= 2
        assert [v.kind for v in exercise.variants].count("wrong") >= 3
        assert [v.kind for v in exercise.variants].count("right") >= 2
    assert any("plt.show()" in cell.source for cell in lesson.cells)


@pytest.mark.parametrize("template", TEMPLATES)
def test_answers_of_other_years_do_not_serve(template: str) -> None:
    for year in YEARS:
        lesson = course.packed_lesson(f"{template}-{year}")
        judge = Judge(lesson)
        for exercise in lesson.exercises:
            own = try_answer(judge, exercise.number, exercise.solution.solved(hidden=False))
            assert own.status == "passed", (year, own.message)
            for other in {year - 1, year + 1, year + 2}:
                theirs = course.packed_lesson(f"{template}-{other}").exercise(exercise.number)
                old = try_answer(judge, exercise.number, theirs.solution.solved(hidden=False))
                assert old.status != "passed", f"{exercise.number} of {other} passes in {year}"


@pytest.mark.parametrize("template", TEMPLATES)
def test_checks_tell_right_from_wrong_whatever_was_drawn(template: str) -> None:
    for year in YEARS:
        lesson = course.packed_lesson(f"{template}-{year}")
        judge = Judge(lesson)
        for exercise in lesson.exercises:
            stub = try_answer(judge, exercise.number, exercise.solution.for_learner())
            assert stub.status == "not attempted", (year, stub.message)
            for variant in exercise.variants:
                verdict = try_answer(judge, exercise.number, variant.source)
                wanted = ("passed",) if variant.kind == "right" else ("failed", "partly")
                assert verdict.status in wanted, (year, exercise.number, variant.why, verdict)
                assert variant.says in verdict.message, (year, exercise.number, variant.why)


@pytest.mark.slow
@pytest.mark.parametrize("template", TEMPLATES)
def test_untouched_zero_solved_full_and_last_years_work_nothing(
    template: str, tmp_path: Path
) -> None:
    name = f"{template}-2027"
    lesson = course.packed_lesson(name)
    path = tmp_path / f"{name}.ipynb"
    path.write_text(to_text(learner_notebook(lesson)))
    assert course.grade(path).points == 0
    path.write_text(to_text(instructor_notebook(lesson)))
    assert course.grade(path).points == lesson.points == 8
    old = nbformat.reads(to_text(instructor_notebook(course.packed_lesson(f"{template}-2026"))), 4)
    old.metadata.tinyternary.lesson = name  # handed in again under this year's name
    nbformat.write(old, path)
    report = course.grade(path)
    assert "passed" not in [grade.status for grade in report.exercises], report.table()
    assert report.points <= 4


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    assert ended.value.code == 0


def test_start_and_course_take_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run("lessons", "start", "assignment-01-2027")
    made = json.loads((tmp_path / "mine" / "assignment-01-2027.ipynb").read_text())
    assert made["metadata"]["tinyternary"]["lesson"] == "assignment-01-2027"
    run("lessons", "course", "class", "01", "--seed", "2027")
    names = {path.name for path in (tmp_path / "class" / "source").iterdir()}
    assert names == {"01_ternary_basics", "assignment-01-2027", "header.ipynb"}
    source = tmp_path / "class" / "source" / "assignment-01-2027" / "assignment-01-2027.ipynb"
    run("grade", str(source), "--source", str(source), "--json")
    out = capsys.readouterr().out
    assert json.loads(out[out.index("{\n") :])["points"] == 8
