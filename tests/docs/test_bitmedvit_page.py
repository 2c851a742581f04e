"""The page about BitMedViT computes what it says of its networks."""

from __future__ import annotations

from pathlib import Path

from tests.docs.test_howto import BLOCK, run_page

PAGE = Path(__file__).parents[2] / "docs" / "bitmedvit.md"


def test_the_page_prints_what_it_shows() -> None:
    parts = BLOCK.findall(PAGE.read_text("utf-8"))
    run_page([(language, text) for language, text in parts if language in ("python", "text")])
