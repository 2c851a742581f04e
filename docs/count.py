"""Count the lines that docs/READING.md promises; run it after a change to a file of the heart.

    python docs/count.py

Rows of its tables are ``| [file](../path) | lines | what it says |``; their sum stands in bold, and
so does that of the other Python files that the page links to.
"""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).with_name("READING.md")
ROW = re.compile(r"^(\| \[[^\]]+\]\()([^)]+)(\) \| )(\d+)( \|)", re.MULTILINE)
LINK = re.compile(r"\]\((\.\./tinyternary/[^)]+\.py)\)")
SUM = re.compile(r"\*\*[\d,]+ lines\*\*")
MORE = re.compile(r"\*\*[\d,]+ more lines\*\*")


def lines_of(link: str) -> int:
    """Lines of the file that a link of the page leads to."""
    return len((PAGE.parent / link).read_text("utf-8").splitlines())


def recount(page: str) -> tuple[str, int]:
    """Return the page with the lines as they are, and the sum of its tables."""
    counted = [row[2] for row in ROW.finditer(page)]
    total = sum(map(lines_of, counted))
    more = sum(map(lines_of, set(LINK.findall(page)) - set(counted)))
    page = ROW.sub(lambda row: f"{row[1]}{row[2]}{row[3]}{lines_of(row[2])}{row[5]}", page)
    page = SUM.sub(lambda _: f"**{total:,} lines**", page)
    return MORE.sub(lambda _: f"**{more:,} more lines**", page), total


if __name__ == "__main__":
    page, lines = recount(PAGE.read_text("utf-8"))
    PAGE.write_text(page, "utf-8")
    print(f"{lines:,} lines")
