from __future__ import annotations

from pathlib import Path

import pytest

from tinyternary import course

CHECKOUT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", course.list_lessons(CHECKOUT))
def test_every_check_of_a_lesson_tells_right_from_wrong(name: str) -> None:
    # what is found is kept: `tinyternary lessons check` after the tests has the mutants left to try
    report = course.check_lessons([name], CHECKOUT, jobs=1, mutants=False)[0].variants
    assert report.ok, report.table()
    kinds = [result.kind for result in report.results]
    exercises = len(course.read_lesson(name, CHECKOUT).exercises)
    assert kinds.count("solution") == kinds.count("stub") == exercises >= 5
    assert kinds.count("wrong") >= 3 * exercises
    assert kinds.count("right") >= 2 * exercises


def change(root: Path, old: str, new: str) -> course.VariantReport:
    path = root / "source" / "91_small.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return course.run_variants(root=root)[0]


def test_the_small_lesson_is_sound(root: Path) -> None:
    report = course.run_variants(root=root)[0]
    assert report.ok, report.table()
    assert report.to_dict()["ok"]
    assert len(report.results) == 14


def test_a_check_that_lets_a_wrong_answer_pass_is_reported(root: Path) -> None:
    report = change(root, 'check.equal(threshold(secret_of_hidden, 1.0), [0, 1], "mind the edge")',
                    "pass")  # fmt: skip
    assert not report.ok
    assert "the edge" in report.problems[0]
    assert "✗" in report.table()


def test_an_answer_that_only_crashes_is_not_found_wrong(root: Path) -> None:
    report = change(root, "    return np.abs(weights) > delta\n", "    return undefined_name\n")
    assert any("says crashed" in problem for problem in report.problems)


def test_a_hint_that_misses_the_cause_is_reported(root: Path) -> None:
    report = change(root, '"mind the signs"', '"mind the gap"')
    assert any("does not say 'signs'" in problem for problem in report.problems)


def test_a_check_that_refuses_a_right_answer_is_reported(root: Path) -> None:
    report = change(root, "    return sum(kept) / len(kept)\n", "    return sum(kept)\n")
    assert any("right answer (a loop): expected passed" in p for p in report.problems)


def test_too_few_variants_are_reported(root: Path) -> None:
    report = change(root, '"wrong": "sum"', '"right": "sum"')
    assert any("lists 2 wrong answers, expected at least 3" in p for p in report.problems)
