"""Nothing that a learner sees holds an answer: found by comparing syntax, names apart."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.course.small_lesson import SMALL
from tinyternary import course
from tinyternary.course.lesson.model import UNSHOWN, Cell, Exercise, Lesson
from tinyternary.course.lesson.percent import parse_lesson

CHECKOUT = Path(__file__).parents[2]
LARGE = 11
"""Nodes from which an expression is somebody's idea: `np.abs(w)[np.abs(w) > delta]` has 11."""
_MODULES = frozenset(["np", "math", "tt", "plt", "style", "check", "course"])
_FIXED = (ast.UnaryOp, ast.unaryop, ast.expr_context)
_MARKS = (ast.expr_context, ast.operator, ast.cmpop, ast.unaryop, ast.boolop)


class Nameless(ast.NodeTransformer):
    """Number the variables in the order they come, so that names do not matter.

    An entry at a fixed place, `codes[:, 0]`, counts as a variable: prose says `c0` for it.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, str] = {}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if node.id in _MODULES:
            return node
        return ast.Name(self.numbers.setdefault(node.id, f"v{len(self.numbers)}"), ast.Load())

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        fixed = all(
            isinstance(n, (ast.Constant, ast.Slice, ast.Tuple, *_FIXED))
            for n in ast.walk(node.slice)
        )
        if isinstance(node.value, ast.Name) and fixed:
            return self.visit_Name(ast.Name(ast.unparse(node), ast.Load()))
        return self.generic_visit(node)


def form(nodes: Iterable[ast.AST]) -> str:
    """Return the syntax of some nodes, without the names of their variables."""
    nameless = Nameless()
    return "\n".join(ast.dump(nameless.visit(copy.deepcopy(node))) for node in nodes)


def size(node: ast.AST) -> int:
    return sum(not isinstance(n, _MARKS) for n in ast.walk(node))


def is_made(node: ast.AST) -> bool:
    """Whether an expression does something to a variable: no list of numbers, no call of a name."""
    kinds = [type(n) for n in ast.walk(node)]
    variables = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - _MODULES
    does = sum(k in (ast.BinOp, ast.Compare, ast.UnaryOp, ast.Subscript) for k in kinds)
    return bool(variables) and does > 0


def ideas(tree: ast.AST) -> dict[str, str]:
    """Large expressions and pairs of lines, by form; the text is kept to be shown."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and size(node) >= LARGE and is_made(node):
            found[form([node])] = ast.unparse(node)
        for body in (getattr(node, name, None) for name in ("body", "orelse")):
            for pair in pairwise(body) if isinstance(body, list) else ():
                plain = all(isinstance(s, ast.Assign | ast.AugAssign | ast.Return) for s in pair)
                if plain and sum(map(size, pair)) >= LARGE and any(map(is_made, pair)):
                    found[form(pair)] = "; ".join(map(ast.unparse, pair))
    return found


def code_in_prose(text: str) -> Iterator[ast.AST]:
    """Yield what stands between backquotes and can be read as Python."""
    for _, block, inline in re.findall(r"(```\w*\n(.*?)```)|`([^`\n]+)`", text, re.DOTALL):
        try:
            yield ast.parse(block or inline)
        except SyntaxError:
            continue


def seen(cell: Cell) -> dict[str, str]:
    """Ideas in what a learner sees of a cell."""
    text = cell.for_learner()
    trees = [ast.parse(text)] if cell.kind == "code" else code_in_prose(text)
    return {key: idea for tree in trees for key, idea in ideas(tree).items()}


def answers(exercise: Exercise) -> dict[str, str]:
    texts = [exercise.solution.solved(hidden=True)]
    texts += [v.source for v in exercise.variants if v.kind == "right"]
    return {key: idea for text in texts for key, idea in ideas(ast.parse(text)).items()}


def leaks(lesson: Lesson) -> list[str]:
    """Name what a learner sees of each answer, and where.

    An exhibit of the bug museum, tagged "exhibit", is given to be repaired: what stands in it
    is no secret of the exercise that follows.
    """
    found = []
    given: dict[str, str] = {}
    secrets: dict[str, dict[str, str]] = {}
    for cell in lesson.cells:
        if "exhibit" in cell.metadata.get("tags", ()):
            given |= seen(cell)
        elif cell.role == "solution":
            exercise = next(e for e in lesson.exercises if e.solution is cell)
            own = answers(exercise)
            secrets[exercise.number] = {k: v for k, v in own.items() if k not in given}
            given = {}
    for cell in lesson.cells:
        if cell.role not in UNSHOWN:
            visible = seen(cell)
            found += [
                f"{number}: `{idea}` is seen in {cell.id} as `{visible[key]}`"
                for number, secret in secrets.items()
                for key, idea in secret.items()
                if key in visible
            ]
    return found


ASSIGNMENTS = [f"{template}-2027" for template in course.list_assignments(CHECKOUT)]


@pytest.mark.parametrize("name", [*course.list_lessons(CHECKOUT), *ASSIGNMENTS])
def test_nothing_a_learner_sees_holds_an_answer(name: str) -> None:
    lesson = course.read_lesson(name, CHECKOUT)
    assert not leaks(lesson), "\n".join(leaks(lesson))
    known = [bool(answers(exercise)) for exercise in lesson.exercises]
    assert 2 * sum(known) > len(known)  # a search for nothing finds nothing


SHOWN = {
    "a helper in a later check": """
# %% nbgrader={"grade": true, "grade_id": "1_2_best_scale_check", "locked": true, "points": 3, "solution": false, "schema_version": 3, "task": false}
@check.exercise("1.2")
def _(best_scale):
    def lost(w, delta):
        m = np.abs(w[w > delta])
        return 1 - (m.sum() ** 2 / m.size if m.size else 0.0) / np.sum(w**2)
""",
    "two lines in a figure": """
# %%
sides = np.sign(few)
beyond = np.abs(few) > line
""",
    "an expression in the text": """
# %% [markdown]
# Write `x.sum() ** 2 / x.size if x.size else 0.0` and be done.
""",
}


@pytest.mark.parametrize("shown", SHOWN)
def test_a_leak_is_found(shown: str) -> None:
    secret = """
    signs = np.sign(weights)
    large = np.abs(weights) > delta
    survivors = np.abs(weights)[large]
    kept = survivors.sum() ** 2 / survivors.size if survivors.size else 0.0
    return float(1 - kept / np.sum(np.square(weights * signs)))
"""
    own = "    secret_of_solution = np.abs(weights) > delta\n    return np.sign(weights).astype(np.int8) * secret_of_solution\n"
    assert own in SMALL
    text = SMALL.replace(own, secret.lstrip("\n"))
    assert not leaks(parse_lesson(text, "91_small", Path("x.py")))
    if "check" in shown:
        text = text[: text.index('# %% nbgrader={"grade": true, "grade_id": "1_2_best')]
    found = leaks(parse_lesson(text + SHOWN[shown], "91_small", Path("x.py")))
    assert found
    assert all(line.startswith("1.1: ") for line in found)


def test_code_to_be_repaired_is_no_secret() -> None:
    place = SMALL.index('# %% nbgrader={"grade": false, "grade_id": "1_2_best')
    shown = "# %%\nscale = float(np.abs(many)[trits != 0].mean())\n\n"
    text = SMALL[:place] + shown + SMALL[place:]
    assert leaks(parse_lesson(text, "91_small", Path("x.py")))
    text = text.replace(shown, shown.replace("# %%", '# %% tags=["exhibit"]'))
    assert not leaks(parse_lesson(text, "91_small", Path("x.py")))
