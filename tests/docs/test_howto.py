"""The how-to pages are programs: their blocks run in order, and print what the pages show."""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tinyternary.cli import main

FOLDER = Path(__file__).parents[2] / "docs" / "howto"
PAGES = sorted(path.stem for path in FOLDER.glob("*.md") if path.stem != "index")
BLOCK = re.compile(r"^```(python|sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((FOLDER / f"{page}.md").read_text("utf-8"))


def run_lines(text: str) -> None:
    for line in text.splitlines():
        command, *arguments = shlex.split(line)
        assert command == "tinyternary", line
        if arguments[:2] == ["lessons", "course"] and not importlib.util.find_spec("nbgrader"):
            continue  # an extra that the tests do without
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code == 0, line


def run_page(parts: list[tuple[str, str]]) -> None:
    """Run a page's blocks; a block of text must be what the one before printed."""
    space: dict[str, Any] = {}
    printed = ""
    for language, text in parts:
        if language == "text":
            shown = doctest.OutputChecker().check_output(text, printed, SAME)
            assert shown, f"the page shows\n{text}\nand prints\n{printed}"
            continue
        with contextlib.redirect_stdout(io.StringIO()) as output:
            if language == "python":
                exec(compile(text, "page", "exec"), space)
            else:
                run_lines(text)
        printed = output.getvalue()


def test_each_page_has_something_to_run() -> None:
    assert PAGES
    assert all(any(language != "text" for language, _ in blocks(page)) for page in PAGES)
    entries = re.findall(r"^[/*\w]+$", (FOLDER / "index.md").read_text("utf-8"), re.MULTILINE)
    assert all(any(fnmatch(page, each.lstrip("/*")) for each in entries) for page in PAGES)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(blocks(page))


def test_a_page_that_shows_something_else_is_found() -> None:
    with pytest.raises(AssertionError, match="the page shows"):
        run_page([("python", "print(1 + 1)\n"), ("text", "3\n")])
