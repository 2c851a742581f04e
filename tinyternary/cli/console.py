"""How results reach a terminal: tables for people, JSON for programs, one line for an error."""

from __future__ import annotations

import csv
import sys
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinyternary.strict_json import to_json
from tinyternary.text import plain, spreadsheet_cell, visible

_MOST = 300
"""Characters of one word of an error that are shown."""


class _Console(Console):
    """A console on which text is text: no markup, no codes for pictures, nothing that acts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(plain(text), **options)


out = _Console()
err = _Console(stderr=True)


def print_json(value: Any) -> None:
    """Write a value to standard output as JSON and nothing else."""
    sys.stdout.write(to_json(value, indent=2) + "\n")


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    caption: str = "",
    text: int = 1,
) -> None:
    """Draw a table; the first `text` columns are words, the others are numbers.

    Numbers are never broken over lines. Where it does not fit, the words are.
    """
    table = Table(
        title=visible(title) or None,
        caption=caption or None,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
    )
    for index, name in enumerate(header):
        if index < text:
            longest = max((len(word) for row in rows for word in row[index].split()), default=0)
            table.add_column(name, overflow="fold", min_width=min(longest, 24))
        else:  # a column is as wide as its longest number, or as a word of its heading
            longest = max([1, *map(len, name.split()), *(len(row[index]) for row in rows)])
            table.add_column(textwrap.fill(name, longest), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*map(visible, row))
    out.print(table)


def say(text: str) -> None:
    """Say a result, on standard output: lines stay whole, so that a path can be copied."""
    out.print(text, soft_wrap=True)


def note(text: str) -> None:
    """Say something beside the results, on standard error."""
    err.print(visible(text), style="dim", soft_wrap=True)


def error(text: str) -> None:
    """Say in one line, on standard error, what went wrong."""
    _line("error:", "bold red", text)


def warn(text: str) -> None:
    """Say in one line, on standard error, what to know before results are used."""
    _line("warning:", "bold yellow", text)


def _line(kind: str, style: str, text: str) -> None:
    # a name of thousands of characters says no more than where it begins and ends
    words = (w if len(w) <= _MOST else f"{w[: _MOST // 2]}...{w[-20:]}" for w in text.split())
    err.print(Text.assemble((kind, style), " ", visible(" ".join(words))), soft_wrap=True)


def write_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write rows to standard output as CSV that no spreadsheet computes."""
    writer = csv.writer(sys.stdout)
    writer.writerow(header)
    for row in rows:
        writer.writerow([spreadsheet_cell(visible(cell)) for cell in row])


def human_bytes(count: float) -> str:
    """Bytes with the binary unit that keeps them short: ``1.4 KiB``."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def writable_folder(path: Path) -> Path:
    """Make a folder for results.

    Raises
    ------
    ConfigError
        If it cannot be made or written.
    """
    import tempfile

    from tinyternary.errors import ConfigError

    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot write to this folder ({error.strerror}); choose another with --out"
        ) from None
    return path
