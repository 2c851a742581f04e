"""A benchmark on the command line: a bar, a file that grows with it, and no number lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import typer
from tqdm import tqdm

from tinyternary.bench.points import Watch
from tinyternary.cli import console
from tinyternary.cli.main import INTERRUPTED
from tinyternary.errors import ConfigError
from tinyternary.files import replace_content
from tinyternary.strict_json import to_json


def follow(
    name: str,
    measure: Callable[[Watch], Any],
    show: Callable[[dict[str, Any]], None],
    *,
    out: Path | None,
    quiet: bool,
) -> dict[str, Any]:
    """Run a benchmark, and show what it measured, also if it is ended before its end.

    Parameters
    ----------
    name : str
        What its file is called: ``<name>.json``.
    measure : callable
        Runs it, followed by the `Watch` that it is given.
    show : callable
        Prints a result, complete or not.
    out : Path, optional
        Folder for the file, which is written anew after each point.
    quiet : bool
        No bar.

    Returns
    -------
    dict
        The whole result.

    Raises
    ------
    typer.Exit
        With status 130 if it was ended by Ctrl-C or SIGTERM; what there was has been shown.
    """
    folder = None if out is None else console.writable_folder(out)
    latest: dict[str, Any] = {}
    # None: a bar on a terminal and none in a log
    bar: Any = tqdm(
        desc=name, unit="point", leave=False, disable=quiet or None, dynamic_ncols=True,
        bar_format="{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} "
        "[{elapsed}<{remaining}]{postfix}",
    )  # fmt: skip

    def watch(done: int, total: int, label: str, result: dict[str, Any]) -> None:
        nonlocal latest
        latest = result
        bar.total, bar.n = total, done
        bar.set_postfix_str(label)
        if folder is not None and done:
            text = to_json(result, indent=2)
            replace_content(folder / f"{name}.json", f"{text}\n".encode(), ConfigError)

    try:
        with _ended_like_ctrl_c(), bar:
            measure(watch)
    except KeyboardInterrupt:
        if latest:
            show(latest)
        console.note(f"ended early: {bar.n} of {bar.total} points were measured")
        raise typer.Exit(INTERRUPTED) from None
    show(latest)
    if folder is not None:
        console.note(str(folder / f"{name}.json"))
    return latest


@contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM, which `timeout` sends, do what Ctrl-C does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
