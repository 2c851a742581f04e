"""What docstrings and documents point to is there: lessons, commands, options, modules, files."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import typer

from tinyternary import course
from tinyternary.cli import commands

ROOT = Path(__file__).parents[1]
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for pattern in (
        "tinyternary/**/*.py",
        "tinyternary/**/*.toml",
        "lessons/source/*.py",
        "notebooks/source/*.py",
        "lessons/*.md",
        "docs/*.md",
        "docs/howto/*.md",
        "*.md",
    )
    for path in sorted(ROOT.glob(pattern))
    if path.name != "CHANGELOG.md"  # it names what is gone
}
LESSON = re.compile(r"\b[Ll]essons?\s+(\d\d\w*(?:(?:,\s+|\s+and\s+|\s+to\s+)\d\d\w*)*)")
COMMAND = re.compile(r"(?:`|Example: |bin/)tinyternary +([a-z][^`\"\n]*)")
MODULE = re.compile(r"\btinyternary(?:\.[A-Za-z_]\w*)+")
FILE = re.compile(
    r"(?<![\w/.~-])(?:tinyternary|tests|docs|lessons|notebooks|\.ci)/(?>[\w./-]*\w)(?![{*<-])"
)
LINK = re.compile(r"\]\((?!https?://|#)([^)\s#]+)")
A_PATTERN = re.compile(r"\bNN_name|\bNAME\b")
"""In the name of a file: a placeholder for many."""
METADATA = {"tinyternary.check"}
"""Dotted words that are keys of files."""


def lesson_errors(text: str) -> list[str]:
    known = {outline.number: outline.name for outline in course.LESSONS}
    wrong = []
    for found in LESSON.finditer(text):
        for word in re.findall(r"\d\d\w*", found[1]):
            if word not in known and word not in known.values():
                wrong.append(f"lesson {word} is in no table")
    return wrong


def command_errors(text: str) -> list[str]:
    wrong = []
    for found in COMMAND.finditer(text):
        words = found[1].split("{")[0].rstrip(".,;: \\").split()
        command = typer.main.get_command(commands())
        while words and hasattr(command, "commands"):
            word = words.pop(0)
            if word not in command.commands:
                wrong.append(f"there is no `tinyternary {found[1]}` ({word})")
                break
            command = command.commands[word]
        else:
            options = {
                name for each in command.params for name in (*each.opts, *each.secondary_opts)
            }
            for word in words:
                option = word.strip("[],.;").partition("=")[0]
                if option.startswith("--") and option not in options | {"--help"}:
                    wrong.append(f"`tinyternary {found[1]}` has no {option}")
    return wrong


def module_errors(text: str) -> list[str]:
    return [
        f"{name} does not resolve"
        for name in {found[0] for found in MODULE.finditer(text)} - METADATA
        if not resolves(name)
    ]


def resolves(name: str) -> bool:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[end:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


def file_errors(text: str, folder: Path, *, links: bool = True) -> list[str]:
    named = [ROOT / found[0] for found in FILE.finditer(text) if not A_PATTERN.search(found[0])]
    linked = [folder / found[1] for found in LINK.finditer(text) if links]
    return [f"{path} does not exist" for path in named + linked if not path.exists()]


@pytest.mark.parametrize("path", TEXTS)
def test_references_hold(path: str) -> None:
    text = TEXTS[path]
    wrong = lesson_errors(text) + command_errors(text) + module_errors(text)
    if path.endswith(".md") or path.startswith("tinyternary"):
        wrong += file_errors(text, (ROOT / path).parent, links=path.endswith(".md"))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("as in lesson 13", lesson_errors),
        ("(lessons 02 and 08_packing)", lesson_errors),
        ("run `tinyternary evalute RUN`", command_errors),
        ("run `tinyternary bench kernel`", command_errors),
        ("Example: tinyternary demo --fast", command_errors),
        ("see `tinyternary.kernels.no_such_file`", module_errors),
        ("see `tinyternary.nn.NoLayer`", module_errors),
    ],
)
def test_a_reference_that_leads_nowhere_is_found(text: str, check: object) -> None:
    assert check(text)  # type: ignore[operator]


def test_a_file_that_is_not_there_is_found() -> None:
    assert file_errors("in lessons/13_more.ipynb", ROOT)
    assert file_errors("see [this](docs/NOWHERE.md)", ROOT)


def test_the_table_says_which_lessons_are_written() -> None:
    written = [outline.name for outline in course.LESSONS if outline.written]
    assert written == course.list_lessons(ROOT)
    for name in written:
        assert (ROOT / "lessons" / f"{name}.ipynb").is_file()
        assert (ROOT / "notebooks" / f"{name}_solved.ipynb").is_file()
    numbers = [outline.number for outline in course.LESSONS]
    assert numbers == [f"{n:02d}" for n in range(1, len(numbers) + 1)]
