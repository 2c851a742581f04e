"""How results reach a terminal: tables for people, JSON for programs, one line for an error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

out = Console()
err = Console(stderr=True)


def print_json(value: Any) -> None:
    """Write a value to standard output as JSON and nothing else."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    caption: str = "",
    text: int = 1,
) -> None:
    """Draw a table; the first `text` columns are words, the others are numbers."""
    table = Table(
        title=title or None,
        caption=caption or None,
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        title_style="bold",
    )
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index < text else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def note(text: str) -> None:
    """Say something beside the results, on standard error."""
    err.print(text, style="dim", highlight=False, soft_wrap=True)


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
