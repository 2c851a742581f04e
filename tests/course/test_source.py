from __future__ import annotations

from pathlib import Path

import pytest

from tests.course.small_lesson import SMALL
from tinyternary.course.lesson.model import exercise_of
from tinyternary.course.lesson.percent import (
    find_lessons,
    list_lessons,
    parse_lesson,
    read_lesson,
)
from tinyternary.errors import ConfigError, LessonError


def parse(text: str):
    return parse_lesson(text, "91_small", Path("x.py"))


def test_roles_exercises_and_points() -> None:
    lesson = parse(SMALL)
    assert [c.role for c in lesson.cells if c.role != "variant"] == [
        "prose", "setup", "solution", "check", "demo", "solution", "check",
    ]  # fmt: skip
    assert [(e.number, e.name, e.points) for e in lesson.exercises] == [
        ("1.1", "threshold", 1.0), ("1.2", "best_scale", 3.0),
    ]  # fmt: skip
    assert lesson.points == 4
    assert lesson.title == "01 · A small lesson"
    assert [v.kind for v in lesson.exercises[0].variants] == ["wrong"] * 3 + ["right"] * 2


def test_stub_stands_where_the_solution_stood() -> None:
    text = parse(SMALL).exercises[0].solution.for_learner()
    assert text.splitlines()[-1] == '    raise NotImplementedError("Exercise 1.1: threshold")'
    compile(text, "stub", "exec")


def test_ids_are_stable_unique_and_independent_of_order() -> None:
    first = parse(SMALL)
    again = parse(SMALL + "\n# %% [markdown]\n# new\n\n# %%\nprint()\n\n# %%\nprint()\n")
    ids = [c.id for c in again.cells]
    assert len(set(ids)) == len(ids)
    assert ids[: len(first.cells)] == [c.id for c in first.cells]
    assert first.exercises[0].solution.id == "1_1_threshold"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    ### END SOLUTION", "", "BEGIN SOLUTION without"),
        ("    ### BEGIN SOLUTION", "", "END SOLUTION without"),
        ('"1_1_threshold_check"', '"1_1_other_check"', "no check cell"),
        ('check.exercise("1.1")', 'check.exercise("1.7")', "does not say"),
        ('{"of": "1_1_threshold"', '{"of": "1_9_nothing"', "belongs to no exercise"),
        ('"grade_id": "1_1_threshold"', '"grade_id": "first"', "grade_id 'first'"),
    ],
)
def test_broken_rules_are_named(old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(LessonError, match=message):
        parse(SMALL.replace(old, new))


def test_lessons_are_found_from_inside_and_by_number(root: Path) -> None:
    assert find_lessons(root / "source") == root
    assert find_lessons(root.parent) == root
    assert list_lessons(root) == ["91_small"]
    assert read_lesson("91", root).name == "91_small"
    with pytest.raises(ConfigError, match="unknown lesson '99'"):
        read_lesson("99", root)


def test_no_lessons_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(LessonError, match="checkout"):
        find_lessons(tmp_path)


def test_exercise_of() -> None:
    assert exercise_of("12_3_some_name_check") == ("12.3", "some_name")
