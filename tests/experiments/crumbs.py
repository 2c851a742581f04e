"""Files of a few images, and experiments that train on them in a blink; jobs for other processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np

from tinyternary.compiled.threads import get_threads
from tinyternary.errors import ConfigError

RECIPE = """
[model]
patch_size = 7
width = 16
depth = 1
heads = 2
mlp_width = 32
[teacher]
epochs = {epochs}
batch_size = 16
augment = "none"
warmup_epochs = 0
[student]
epochs = {epochs}
batch_size = 16
augment = "none"
warmup_epochs = 0
start_from_teacher = true
feature = "none"
"""


def write_data(root: Path, *names: str) -> Path:
    """Files of a few images that go by the names of sets of two classes."""
    root.mkdir(parents=True, exist_ok=True)
    for name in names or ("breastmnist", "pneumoniamnist"):
        rng = np.random.default_rng(len(name))
        arrays = {}
        for split, count in (("train", 48), ("val", 24), ("test", 24)):
            labels = np.arange(count) % 2
            images = rng.integers(0, 120, (count, 28, 28), np.uint8) + 100 * labels[:, None, None]
            arrays[f"{split}_images"] = images.astype(np.uint8)
            arrays[f"{split}_labels"] = labels[:, None].astype(np.uint8)
        np.savez(root / f"{name}.npz", **arrays)
    return root


def write_plan(folder: Path, epochs: int = 2, **lists: object) -> Path:
    """Write a sweep of one small recipe, and that recipe beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "crumbs.toml").write_text(RECIPE.format(epochs=epochs))
    fields = {
        "recipes": ["crumbs.toml"], "datasets": ["breastmnist", "pneumoniamnist"],
        "seeds": [0, 1], **lists,
    }  # fmt: skip
    path = folder / "sweep.toml"
    path.write_text("".join(f"{name} = {value!r}\n" for name, value in fields.items()))
    return path


def weights(out: Path) -> dict[str, bytes]:
    """Bits of all networks that a sweep left behind."""
    found = out.rglob("model.safetensors")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


# ---- jobs ------------------------------------------------------------------------------------


def facts(number: int) -> dict[str, object]:
    """Say in what kind of process a job runs."""
    return {
        "number": number, "process": os.getpid(), "threads": get_threads(),
        "method": multiprocessing.get_start_method(allow_none=True),
        "inherited": "tests.experiments.only_in_the_parent" in sys.modules,
        "main": threading.current_thread() is threading.main_thread(),
    }  # fmt: skip


def die(marks: str, times: int) -> str:
    """Kill the own process, so many times; then live."""
    before = len(list(Path(marks).iterdir()))
    if before < times:
        (Path(marks) / str(before)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return f"lived after {before}"


def leave(mark: str) -> None:
    """Leave a file as a sign of having run."""
    Path(mark).touch()


def fail(how: str) -> None:
    """End with an error of ours, or with a bug."""
    raise ConfigError("no such thing") if how == "ours" else ZeroDivisionError("a bug")


def wait_for_ever(mark: str) -> None:
    """Tell the own process's number, and go on until somebody ends it."""
    Path(mark).write_text(str(os.getpid()))
    while True:
        time.sleep(0.1)
