"""Count the lines that docs/READING.md promises; run it after a change to a file of the heart.

    python docs/count.py

Rows of its tables are ``| [file](../path) | lines | what it says |``; the sum stands in bold.
"""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).with_name("READING.md")
ROW = re.compile(r"^(\| \[[^\]]+\]\()([^)]+)(\) \| )(\d+)( \|)", re.MULTILINE)
SUM = re.compile(r"\*\*[\d,]+ lines\*\*")


def recount(page: str) -> tuple[str, int]:
    """Return the page with the lines as they are, and their sum."""
    total = 0

    def count(row: re.Match[str]) -> str:
        nonlocal total
        lines = len((PAGE.parent / row[2]).read_text("utf-8").splitlines())
        total += lines
        return f"{row[1]}{row[2]}{row[3]}{lines}{row[5]}"

    return SUM.sub(lambda _: f"**{total:,} lines**", ROW.sub(count, page)), total


if __name__ == "__main__":
    page, lines = recount(PAGE.read_text("utf-8"))
    PAGE.write_text(page, "utf-8")
    print(f"{lines:,} lines")
