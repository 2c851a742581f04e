"""Text from outside does nothing where it is shown."""

from __future__ import annotations

import ast
import doctest
import unicodedata
from pathlib import Path

from hypothesis import given, strategies as st

from tinyternary import text


@given(st.text(alphabet=st.characters()), st.none() | st.integers(0, 20))
def test_plain_text_does_nothing_and_can_be_encoded(said: str, most: int | None) -> None:
    shown = text.plain(said, most)
    shown.encode("utf-8")
    acting = {c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert acting <= set("\n\t\u200c\u200d")
    if said.isprintable():
        assert shown == (said if most is None or len(said) <= most else f"{said[:most]} …")


@given(st.text())
def test_a_cell_is_no_formula(said: str) -> None:
    cell = text.spreadsheet_cell(said)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell in (said, f"'{said}")


def test_examples() -> None:
    assert doctest.testmod(text).failed == 0


def test_the_sentence_on_use_is_written_once() -> None:
    found = []
    for path in sorted(Path(text.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        shown = {
            id(node.body[0].value) for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and node.body and isinstance(node.body[0], ast.Expr)
        }  # fmt: skip
        for node in ast.walk(tree):
            said = isinstance(node, ast.Constant) and "not for clinical use" in str(node.value)
            if said and id(node) not in shown:
                found.append(path.name)
    assert found == ["text.py"]
