"""A lesson's page shows what its learner sees; what gives an answer away is folded."""

from __future__ import annotations

from typing import Any

import pytest
from pages import lessons

from tinyternary.course import LESSONS

WRITTEN = lessons.written()


@pytest.fixture(params=WRITTEN, ids=lambda outline: outline.name)
def outline(request: pytest.FixtureRequest) -> Any:
    return request.param


def folded(cell: dict[str, Any]) -> bool:
    return "hide-input" in cell["metadata"].get("tags", ())


def is_solution(cell: dict[str, Any]) -> bool:
    marks = cell["metadata"].get("nbgrader", {})
    return cell["cell_type"] == "code" and bool(marks.get("solution"))


def test_there_is_a_page_for_each_written_lesson() -> None:
    made = lessons.pages()
    assert {f"lessons/{outline.name}.ipynb" for outline in WRITTEN} < set(made)
    planned = [outline for outline in LESSONS if not outline.written]
    assert not any(outline.name in page for outline in planned for page in made)
    for outline in WRITTEN:
        assert f"\n{outline.name}\n" in made["lessons/index.md"]


def test_code_that_is_open_is_code_that_the_learner_has(outline: Any) -> None:
    learner = lessons._read(f"lessons/{outline.name}.ipynb")
    given = {"".join(cell["source"]) for cell in learner["cells"]}
    page = lessons.lesson_page(outline)
    code = [cell for cell in page["cells"] if cell["cell_type"] == "code"]
    assert all(cell["source"] in given for cell in code if not folded(cell))
    solutions = [cell for cell in code if cell["source"] not in given]
    assert solutions
    assert all(folded(cell) and "cell-solution" in cell["metadata"]["tags"] for cell in solutions)
    marked = [cell for cell in learner["cells"] if is_solution(cell)]
    assert len(solutions) == len(marked)


def test_checks_are_those_of_the_learner_and_folded(outline: Any) -> None:
    page = lessons.lesson_page(outline)
    checks = [cell for cell in page["cells"] if "@check.exercise(" in cell["source"]]
    assert checks
    assert all(folded(cell) and not cell["outputs"] for cell in checks)
    text = "".join(cell["source"] for cell in page["cells"])
    assert "HIDDEN TESTS" not in text


def test_an_answer_in_words_is_folded(outline: Any) -> None:
    learner, solved = (
        [
            cell
            for cell in lessons._read(path)["cells"]
            if cell["cell_type"] == "markdown" and cell["metadata"].get("nbgrader")
        ]
        for path in (f"lessons/{outline.name}.ipynb", f"notebooks/{outline.name}_solved.ipynb")
    )
    assert learner
    for one, other in zip(learner, solved):
        (cell,) = lessons.lesson_cells(one, other)
        before, _, inside = cell["source"].partition("::::{dropdown} An answer\n")
        assert lessons.PLACEHOLDER not in before
        answer = inside.removesuffix("\n::::\n")
        assert answer.strip()
        assert answer.split("\n")[0] not in before


def test_figures_stay(outline: Any) -> None:
    def figures(cells: list[dict[str, Any]]) -> int:
        return sum(
            "image/png" in output.get("data", {})
            for cell in cells
            for output in cell.get("outputs", ())
        )

    solved = lessons._read(f"notebooks/{outline.name}_solved.ipynb")["cells"]
    assert figures(lessons.lesson_page(outline)["cells"]) == figures(solved) > 0


def test_two_notebooks_of_different_sources_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = lessons._read

    def one_short(path: str) -> dict[str, Any]:
        found = real(path)
        return {**found, "cells": found["cells"][:-1]} if "_solved" in path else found

    monkeypatch.setattr(lessons, "_read", one_short)
    with pytest.raises(ValueError, match="tinyternary lessons build"):
        lessons.lesson_page(WRITTEN[0])


@pytest.mark.parametrize("path", ["notebooks/cost_model.ipynb", "notebooks/results.ipynb"])
def test_a_notebook_keeps_its_outputs_and_folds_its_code(path: str) -> None:
    page = lessons.plain_page(path)
    code = [cell for cell in page["cells"] if cell["cell_type"] == "code"]
    assert all(map(folded, code))
    assert [cell["outputs"] for cell in code] == [
        cell["outputs"] for cell in lessons._read(path)["cells"] if cell["cell_type"] == "code"
    ]
