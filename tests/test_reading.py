"""The reading order of the heart: its counts are true, and it stays short enough to be read."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
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


def test_a_wrong_count_is_seen() -> None:
    row = "| [x](../tinyternary/nn/layers.py) | 1 | y |\n**1 lines**"
    recounted, lines = counter().recount(row)
    assert recounted != row
    assert f"| {lines} |" in recounted
