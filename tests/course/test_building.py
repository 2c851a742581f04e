from __future__ import annotations

import copy
import json
from pathlib import Path

import nbformat
import pytest

from tests.course.small_lesson import SMALL
from tinyternary import course
from tinyternary.course.authoring.build import (
    instructor_notebook,
    learner_notebook,
    run_solved,
    solved_notebook,
    to_text,
)
from tinyternary.course.lesson.percent import parse_lesson
from tinyternary.errors import LessonError

CHECKOUT = Path(__file__).parents[2]
REAL = course.list_lessons(CHECKOUT)


def test_learners_get_no_solution_hidden_test_or_variant(root: Path) -> None:
    course.build(root=root, solved=False)
    text = (root / "91_small.ipynb").read_text()
    for secret in ("secret_of_solution", "secret_of_hidden", "secret_of_variant", "### BEGIN"):
        assert secret not in text
    assert 'NotImplementedError(\\"Exercise 1.1: threshold\\")' in text
    assert all(not cell.get("outputs") for cell in json.loads(text)["cells"])


def test_solved_has_solutions_but_neither_hidden_tests_nor_variants(root: Path) -> None:
    text = to_text(solved_notebook(course.read_lesson("91", root)))
    assert "secret_of_solution" in text
    for secret in ("secret_of_hidden", "secret_of_variant", "###"):
        assert secret not in text


def test_instructors_notebook_keeps_the_marks(root: Path) -> None:
    text = to_text(instructor_notebook(course.read_lesson("91", root)))
    assert "### BEGIN SOLUTION" in text
    assert "secret_of_hidden" in text
    assert "secret_of_variant" not in text


def test_a_rebuild_gives_the_same_bytes(root: Path) -> None:
    first = course.build(root=root, solved=False)[0]
    before = first.learner.read_bytes()
    stamp = first.learner.stat().st_mtime_ns
    second = course.build(root=root, solved=False)[0]
    assert first.changed
    assert not second.changed
    assert second.learner.read_bytes() == before
    assert second.learner.stat().st_mtime_ns == stamp


def test_check_fails_on_a_difference_and_writes_nothing(root: Path) -> None:
    path = course.build(root=root, solved=False)[0].learner
    course.check_built(root=root)
    source = root / "source" / "91_small.py"
    source.write_text(source.read_text().replace("A small lesson", "A changed lesson"))
    before = path.read_bytes()
    with pytest.raises(LessonError, match=r"91_small\.ipynb, 91_small\.json differs"):
        course.check_built(root=root)
    assert path.read_bytes() == before
    path.unlink()
    with pytest.raises(LessonError, match="differs"):
        course.build(root=root, check=True)
    assert not path.exists()


def test_notebooks_are_valid_for_nbgrader(root: Path) -> None:
    validator = pytest.importorskip("nbgrader.nbgraderformat").MetadataValidator()
    lesson = course.read_lesson("91", root)
    for notebook in (learner_notebook(lesson), instructor_notebook(lesson)):
        validator.validate_nb(notebook)
        ids = [c.metadata.nbgrader.grade_id for c in notebook.cells if "nbgrader" in c.metadata]
        assert len(ids) == 4
    twice = learner_notebook(lesson)
    twice.cells.append(copy.deepcopy(next(c for c in twice.cells if "nbgrader" in c.metadata)))
    twice.cells[-1]["id"] = "other"
    with pytest.raises(LessonError, match="nbgrader"):
        course.validate_notebook(twice)


@pytest.mark.parametrize("name", REAL)
def test_the_committed_notebooks_are_those_of_their_sources(name: str) -> None:
    course.check_built([name], Path(__file__).parents[2])


@pytest.mark.parametrize("name", REAL)
def test_no_line_of_a_solution_reaches_a_learner(name: str) -> None:
    root = Path(__file__).parents[2]
    lesson = course.read_lesson(name, root)
    notebook = nbformat.read(root / "lessons" / f"{name}.ipynb", 4)
    code = {
        line.strip()
        for cell in notebook.cells
        if cell.cell_type == "code"
        and not cell.id.endswith("_check")
        and "exhibit" not in cell.metadata.get("tags", ())  # given to be repaired: no secret
        for line in cell.source.splitlines()
    }
    secret = set()
    for exercise in lesson.exercises:
        stub = {line.strip() for line in exercise.solution.for_learner().splitlines()}
        right = (v.source for v in exercise.variants if v.kind == "right")
        texts = [exercise.solution.solved(hidden=False), *right]
        secret |= {line.strip() for text in texts for line in text.splitlines()} - stub
    secret = {
        line for line in secret if len(line) > 12 and not line.startswith(("def ", '"""', "@"))
    }
    assert len(secret) > 2 * len(lesson.exercises)
    assert not secret & code
    text = (root / "lessons" / f"{name}.ipynb").read_text()
    assert "### " not in text.replace("# ### ", "").replace('"### ', "")
    assert "variant" not in {key for cell in notebook.cells for key in cell.metadata}


@pytest.mark.slow
def test_a_solved_lesson_runs_and_must_pass_its_own_checks(root: Path) -> None:
    built = course.build(root=root)[0]
    assert built.solved is not None
    notebook = nbformat.read(built.solved, 4)
    assert any("a demonstration [1]" in str(c.get("outputs")) for c in notebook.cells)
    source = root / "source" / "91_small.py"
    source.write_text(SMALL.replace(
        "return np.sign(weights).astype(np.int8) * secret_of_solution", "return np.sign(weights)"
    ))  # fmt: skip
    with pytest.raises(LessonError, match=r"exercise 1\.1 does not pass its check"):
        course.build(root=root)
    broken = SMALL.replace('print("a demonstration"', 'print(nothing_of_that_name, "a"')
    with pytest.raises(LessonError, match="nothing_of_that_name"):
        run_solved(parse_lesson(broken, "91_small", Path("x.py")), root / "packs")


def test_a_demonstration_asks_for_nothing_that_comes_later(root: Path) -> None:
    source = root / "source" / "91_small.py"
    source.write_text(SMALL.replace("my.threshold(np.array([3.0]), 1.0)", "my.best_scale"))
    with pytest.raises(LessonError, match=r"asks for my\.best_scale before exercise 1\.2"):
        course.build(root=root, solved=False)


@pytest.mark.parametrize("name", REAL)
def test_a_solved_notebook_says_of_nothing_that_the_lessons_own_stands_in(name: str) -> None:
    notebook = nbformat.read(CHECKOUT / "notebooks" / f"{name}_solved.ipynb", 4)
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("✓" in str(output) for output in shown)
    assert not [output for output in shown if "Going on with the lesson's" in str(output)]
