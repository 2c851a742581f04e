"""What docs/teaching.md and the READMEs say of the course is what the course is."""

from __future__ import annotations

import re
from pathlib import Path

from tinyternary import course

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
LESSONS = [course.read_lesson(name, ROOT) for name in course.list_lessons(ROOT)]


def part(begin: str) -> str:
    return PAGE.partition(f"<!-- {begin} -->")[2].partition("<!-- end -->")[0]


def points(lesson: course.Lesson) -> str:
    return f"{lesson.points:g} + {sum(q.points for q in lesson.questions):g}"


def test_the_weeks_are_the_lessons_with_their_points() -> None:
    rows = re.findall(
        r"^\| (\d+) \| (\d\d) [^|]+ \| (\d+) \| ([^|]+) \|", part("table: lessons"), re.M
    )
    assert rows == [
        (str(week), lesson.name[:2], str(len(lesson.exercises)), points(lesson))
        for week, lesson in enumerate(LESSONS, 1)
    ]


def test_the_table_of_lessons_beside_them_agrees() -> None:
    text = (ROOT / "lessons" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (\d\d) \| \[[^\]]+\]\(([^)]+)\.ipynb\):[^|]+ \| (\d+) \| ([^|]+) \|", text, re.M
    )
    assert rows == [
        (lesson.name[:2], lesson.name, str(len(lesson.exercises)), points(lesson))
        for lesson in LESSONS
    ]


def test_the_first_page_names_every_lesson() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\(lessons/(\d\d_\w+)\.ipynb\) \|", text) == [x.name for x in LESSONS]


def test_every_exercise_that_the_page_names_exists() -> None:
    known = {e.number for lesson in LESSONS for e in (*lesson.exercises, *lesson.questions)}
    named = re.findall(r"(?<![\d.])(\d{1,2}\.\d{1,2})(?![\d.])", part("misconceptions"))
    named += re.findall(
        r"\b(\d{1,2}\.\d{1,2})\b(?=[, |])", PAGE.partition("## Five days")[2].partition("##")[0]
    )
    assert len(named) > 15
    assert set(named) <= known
    met = {number.partition(".")[0] for number in named}
    assert met >= {str(int(lesson.name[:2])) for lesson in LESSONS[:11]}


def test_every_lesson_up_to_the_capstone_has_an_assignment() -> None:
    assert course.list_assignments(ROOT) == [f"assignment-{x.name[:2]}" for x in LESSONS[:11]]
