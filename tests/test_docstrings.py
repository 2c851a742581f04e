"""A docstring says something: no echo of the name in three words or fewer."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tinyternary

FEWEST_WORDS = 4
ROOT = Path(tinyternary.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def short_docstrings(text: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED):
            said = ast.get_docstring(node)
            if said is not None and len(said.split()) < FEWEST_WORDS:
                found.append(f"line {getattr(node, 'lineno', 1)}: {said!r}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_docstrings_say_something(path: Path) -> None:
    assert not short_docstrings(path.read_text("utf-8"))


def test_a_docstring_that_says_nothing_is_found() -> None:
    assert short_docstrings('def energy():\n    """The energy."""\n')
    assert not short_docstrings('def energy():\n    """Return picojoules per image."""\n')
