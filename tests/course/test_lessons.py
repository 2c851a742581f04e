"""What every lesson must have and do, whatever it teaches."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import nbformat
import pytest

from tinyternary import course
from tinyternary.course.authoring.build import learner_notebook, records
from tinyternary.course.authoring.kernel import kernel
from tinyternary.course.lesson.model import Lesson

CHECKOUT = Path(__file__).parents[2]
LESSONS = course.list_lessons(CHECKOUT)
CPU_BUDGET = 90 * 4 / 3
"""Seconds of processor time that a lesson may take, compile time included: 90 on two quiet cores,
and a third more beside the other tests, which share its caches and its clock."""


def read(name: str) -> Lesson:
    return course.read_lesson(name, CHECKOUT)


def prose(lesson: Lesson) -> str:
    return "\n".join(cell.source for cell in lesson.cells if cell.kind == "markdown")


@pytest.mark.parametrize("name", LESSONS)
def test_it_has_what_a_lesson_must_have(name: str) -> None:
    lesson = read(name)
    text = prose(lesson)
    assert 5 <= len(lesson.exercises) <= 12
    for exercise in lesson.exercises:
        assert len(exercise.hints) >= 2, f"exercise {exercise.number} has too few hints"
        assert f"Exercise {exercise.number}" in text
    assert lesson.questions, "no question in words"
    for question in lesson.questions:
        assert question.rubric, f"question {question.number} has no rubric"
    assert re.search(r"museum", text, re.IGNORECASE), "no piece of the bug museum"
    for heading in ("Recap", "Further reading"):
        assert f"\n## {heading}" in text
    assert "**Predict, then run.**" in text
    assert "You will be able to" in text or "you will be able to" in text
    assert re.search(r"\*\*Time:\*\*", text), "does not say how long it takes"


@pytest.mark.parametrize("name", LESSONS)
def test_predictions_are_asked_and_answered(name: str) -> None:
    lesson = read(name)
    code = "\n".join(cell.source for cell in lesson.cells if cell.role == "demo")
    asked = prose(lesson).count("**Predict, then run.**")
    assert asked == code.count("check.predicted(") == code.count("my_guess = None") >= 1


@pytest.mark.parametrize("name", LESSONS)
def test_demonstrations_ask_for_my_names(name: str) -> None:
    """A bare name would be the learner's, and fail in a notebook that is not solved."""
    lesson = read(name)
    made = {exercise.name for exercise in lesson.exercises}
    for cell in lesson.cells:
        if cell.role == "demo":
            bare = {n for n in made if re.search(rf"(?<![\w.'\"`]){n}\(", cell.source)}
            assert not bare, f"{sorted(bare)} in {cell.source[:60]!r}"


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_an_untouched_notebook_runs_from_top_to_bottom(name: str) -> None:
    lesson = read(name)
    notebook = learner_notebook(lesson)
    judged: list[str] = []
    figures: list[str] = []
    section = ""
    sections = []
    with tempfile.TemporaryDirectory() as folder, kernel(Path(folder)) as session:
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                found = re.findall(r"^## (.+)$", cell.source, re.MULTILINE)
                sections += found
                section = found[-1] if found else section
                continue
            ran = session.run(cell, 120)
            assert ran.ending == "done", (cell.source, ran.error)
            for outcome in records(cell):
                assert (outcome["status"], outcome["points"]) == ("not attempted", 0)
                judged.append(outcome["exercise"])
            if any("image/png" in output.get("data", {}) for output in cell.outputs):
                figures.append(section)
            errors = [o.text for o in cell.outputs if o.get("name") == "stderr"]
            assert not errors, (cell.source, errors)
        clock = nbformat.v4.new_code_cell("import time; print(time.process_time())")
        session.run(clock, 20)
        spent = float(clock.outputs[0].text)
    assert judged == [exercise.number for exercise in lesson.exercises]
    closing = ("Recap", "Further reading")
    bare = [s for s in sections if s not in figures and not s.startswith(closing)]
    assert len(bare) <= 1, f"sections without a figure: {bare}"
    assert spent < CPU_BUDGET, f"{spent:.0f} s of processor time"
