"""Command lines drawn from what the commands themselves declare, and what may come of them.

`tests/cli/test_drawn_arguments.py` tries some hundreds; more of them, in an empty folder of its own:

    python -m tests.cli.drawn --cases 3000 --seed 1
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import typer.main

from tinyternary.cli import main
from tinyternary.cli.main import commands

LONG = "a" * 5000
TEXTS = (
    "", " ", ",", "a,b", "0", "-1", "1", "x", "nan", "[/]", "[bold]", "\x1b[31m", "=1+1", "\udcff", "a=",
    "=1", "a.b=1", "0:4", ":", "tiny", "tiny,", "all-linear", "phantom", "breastmnist", "Dermamnist",
    "this-machine", "01", "-", "--", LONG, "\N{SNOWMAN}", "45nm", "float32",
)  # fmt: skip
NUMBERS = (
    "-1",
    "0",
    "1",
    "2",
    "7",
    "1.6",
    "1e3",
    "1e400",
    "-0.0",
    "nan",
    "inf",
    "1" + "0" * 400,
    "x",
    "",
)
PATHS = (
    "", ".", "..", "missing", "file", "file/below", "folder", "folder/[/x]", LONG, f"{LONG}/b", "a/" * 3000,
    "/dev/null", "/proc/self/mem", "\udcff", "model.safetensors", "image.png", "empty.json", "-",
    "notebook.ipynb", "recipe.toml",
)  # fmt: skip
WORK = {
    "data": ("phantom", "breastmnist", "", LONG, "[/x]"),
    "experiment": ("breastmist", "breastmnist", "", LONG, "recipe.toml", "file"),
    "ablation": ("pneumoniamnist", "x", "", LONG, "recipe.toml"),
    "shapes": ("", ",", "x", "tinny,"),
    "presets": ("", ",", "x", "smal"),
    "axes": ("", ",", "x", "dept", LONG),
    "rows": ("", ",", "0", "x", "-1", "1e3", "9" * 400),
    "names": ("99", "x", "", LONG, "[/x]"),
    "name": ("99", "x", "", LONG, "[/x]", "assignment-99"),
}
"""Parameters that decide how much there is to do: always given, and never so that it is much."""
NEVER = {"warmup"}
"""Commands whose whole work does not depend on what they are given."""


def leaves(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    inside = getattr(command, "commands", {})
    found = [] if inside else [(path, command)]
    for name, child in inside.items():
        found += leaves(child, (*path, name))
    return found


COMMANDS = [(path, one) for path, one in leaves(typer.main.get_command(commands()))
            if path[0] not in NEVER]  # fmt: skip


def kinds(command: Any) -> dict[str, Any]:
    """Types of a command's parameters, as its function declares them."""
    found = get_type_hints(command.callback)
    for name, kind in found.items():
        for part in (kind, *get_args(kind)):  # what is inside an optional one, or a list
            if part in (int, float, Path) or get_origin(part) is Literal:
                found[name] = part
    return found


def value(rng: random.Random, name: str, kind: Any) -> str:
    """One argument for a parameter: of its type, or not."""
    if name in WORK:
        return rng.choice(WORK[name])
    if get_origin(kind) is Literal:
        return rng.choice([*get_args(kind), "x", ""])
    return rng.choice({int: NUMBERS, float: NUMBERS, Path: PATHS}.get(kind, TEXTS))


def line(rng: random.Random) -> list[str]:
    """One command line."""
    path, command = rng.choice(COMMANDS)
    types = kinds(command)
    words: list[str] = []
    for parameter in command.params:
        name = parameter.name
        needed = name in WORK or (parameter.required and rng.random() < 0.95)
        if name not in types or not (needed or rng.random() < 0.25):
            continue
        if types[name] is bool:
            words += [rng.choice([*parameter.opts, *parameter.secondary_opts])]
            continue
        if parameter.param_type_name == "option":
            words += [rng.choice(parameter.opts)]
        words += [value(rng, name, types[name])]
    if rng.random() < 0.05:
        words.insert(
            rng.randrange(len(words) + 1), rng.choice(["--help", "--nonsense", *TEXTS[:8]])
        )
    return [*path, *words]


def furnish(folder: Path) -> None:
    """Lay out what some of `PATHS` name: sound files, and others."""
    from PIL import Image

    from tests.deploy.small_models import make_model
    from tinyternary.deploy import pack

    (folder / "file").write_bytes(b"\x00\xff")
    (folder / "folder").mkdir()
    (folder / "empty.json").write_text("{}")
    (folder / "notebook.ipynb").write_text('{"cells": [], "nbformat": 4}')
    (folder / "recipe.toml").write_text("epochs = 'many'\n")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "image.png")
    model = make_model(image_size=8, width=16, depth=1, heads=1, mlp_width=16)
    pack(model, class_names=["[/]", "=1", "\x1b[0m"]).save(folder / "model.safetensors")


def outcome(words: list[str]) -> tuple[int, str, str]:
    """Run a command line in this process: its status, and what it wrote.

    Raises
    ------
    AssertionError
        If anything but an exit comes out, with a status that is promised, and errors of one line.
    """
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    status: Any = None
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        try:
            main(words)
        except SystemExit as ended:
            status = ended.code
        except BaseException as error:
            raise AssertionError(f"{shown(words)}: {traceback.format_exc()[-3000:]}") from error
    out, err = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
    assert status in (0, 1, 2), (shown(words), status)
    assert "Traceback" not in err, (shown(words), err[-3000:])
    assert all(len(text) < 2000 for text in err.splitlines()), (shown(words), err[:3000])
    assert "\x1b" not in out + err, shown(words)
    if status:
        assert err.strip(), shown(words)
    return status, out, err


def shown(words: list[str]) -> str:
    """A command line, cut."""
    return " ".join(
        word if len(word) < 80 else f"{word[:20]}...{len(word)}" for word in map(repr, words)
    )


def run(cases: int, seed: int) -> Counter[str]:
    """Try so many command lines in the current folder; count statuses by command."""
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    for _ in range(cases):
        words = line(rng)
        status, _out, _err = outcome(words)
        counts[f"{words[0]}: {status}"] += 1
    return counts


def alone() -> None:
    """Try as the command line says, in a folder that is removed afterwards."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        furnish(Path(folder))
        for what, count in sorted(run(options.cases, options.seed).items()):
            print(f"{count:6}  {what}", file=sys.stderr)
        os.chdir("/")


if __name__ == "__main__":
    alone()
