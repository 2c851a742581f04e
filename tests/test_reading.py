"""The reading order of the heart: its counts are true, and it stays short enough to be read."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGE = (DOCS / "READING.md").read_text("utf-8")
MOST_LINES = 4000
PARTS = (
    "autograd",
    "nn",
    "quant",
    "kernels/ladder",
    "kernels/packing.py",
    "deploy/plain.py",
    "train/loop.py",
)


def counter():
    spec = importlib.util.spec_from_file_location("count", DOCS / "count.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_counts_are_those_of_the_files() -> None:
    recounted, _ = counter().recount(PAGE)
    assert recounted == PAGE, "run `python docs/count.py`"


def test_the_heart_fits_an_afternoon() -> None:
    _, lines = counter().recount(PAGE)
    assert lines <= MOST_LINES


def test_it_covers_the_heart() -> None:
    rows = [row[2] for row in counter().ROW.finditer(PAGE)]
    assert len(rows) == len(set(rows))
    for part in PARTS:
        assert any(f"tinyternary/{part}" in row for row in rows), part
    ladder = sorted(path.name for path in (DOCS / "../tinyternary/kernels/ladder").glob("*.py"))
    assert [
        name for name in ladder if not any(row.endswith(f"ladder/{name}") for row in rows)
    ] == []


def imported(path: Path) -> set[Path]:
    """Files of the package in which the names stand that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tinyternary"):
            for alias in node.names:
                value = getattr(importlib.import_module(node.module), alias.name, None)
                module = getattr(value, "__module__", None) or getattr(value, "__name__", None)
                place = ROOT.joinpath(*node.module.split("."))
                if isinstance(module, str) and module.startswith("tinyternary."):
                    place = ROOT.joinpath(*module.split("."))
                if place.with_suffix(".py").is_file():
                    found.add(place.with_suffix(".py"))
    return found


def test_no_import_leads_to_a_file_that_the_page_does_not_name() -> None:
    named = {(DOCS / link).resolve() for link in counter().LINK.findall(PAGE)}
    for row in counter().ROW.finditer(PAGE):
        unknown = imported((DOCS / row[2]).resolve()) - named
        assert sorted(str(path.relative_to(ROOT)) for path in unknown) == [], row[2]


def test_a_wrong_count_is_seen() -> None:
    row = "| [x](../tinyternary/nn/layers.py) | 1 | y |\n**1 lines** **1 more lines**"
    recounted, lines = counter().recount(row + " [z](../tinyternary/errors.py)")
    assert f"**{counter().lines_of('../tinyternary/errors.py'):,} more lines**" in recounted
    assert recounted != row
    assert f"| {lines} |" in recounted
