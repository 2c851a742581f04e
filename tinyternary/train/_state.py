"""What a training run needs to go on, written to and read from its run folder (lesson 03)."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tinyternary.errors import CheckpointError
from tinyternary.files import DRAFT
from tinyternary.nn import Module
from tinyternary.train._identity import START, check_settings, weights_checksum
from tinyternary.train._migrations import numbers
from tinyternary.train.checkpoints import (
    Checkpoint,
    CheckpointWarning,
    OtherFormatError,
    load_checkpoint,
    save_checkpoint,
    write_json,
)
from tinyternary.train.history import History

if TYPE_CHECKING:
    from tinyternary.train.loop import Loop

Arrays = dict[str, NDArray[Any]]

STATES = ("last.safetensors", "previous.safetensors")
"""The last two states of a run: should the first be damaged, the second takes its place."""


def save_state(loop: Loop) -> None:
    """Write `last.safetensors` and `history.json`, if the run has a folder."""
    if loop.run_dir is None:
        return
    arrays = {f"model/{n}": a for n, a in loop.model.state_dict().items()}
    arrays |= {f"extra/{n}": p.data for n, p in loop.extra.items()}
    arrays |= {f"optimizer/{n}": a for n, a in loop.optimizer.state_dict().items()}
    if loop.average is not None:
        arrays |= {f"average/{n}": a for n, a in loop.average.arrays.items()}
    header = {
        "step": loop.step,
        # all random numbers, order of the data included, follow from these two
        "rng": {"seed": loop.batches.seed, "step": loop.step},
        "optimizer_steps": loop.optimizer.steps,
        "average_steps": loop.average.steps if loop.average else 0,
        # as hexadecimal: the very bits
        "loss_sum": loop.loss_sum.hex(),
        "best_score": float(loop.best_score).hex(),
        "seconds": loop.seconds,
        "history": loop.history.to_dict(),
        "settings": loop.settings,
    }
    _keep_previous(loop.run_dir)
    save_checkpoint(loop.run_dir / STATES[0], "state", arrays, header)
    write_json(loop.run_dir / "history.json", loop.history.to_dict())


def _keep_previous(folder: Path) -> None:
    """Give the last state's file a second name, under which it outlives the next one."""
    last, previous = (folder / name for name in STATES)
    if not last.exists():
        return
    draft = folder / f".{previous.name}{DRAFT}"
    try:
        draft.unlink(missing_ok=True)
        os.link(last, draft)
        os.replace(draft, previous)
        draft.unlink(missing_ok=True)  # nothing is renamed where both are one file already
    except OSError:  # no links there: for a moment the state has the second name only
        with contextlib.suppress(OSError):  # a disk that takes nothing will be told by the writer
            os.replace(last, previous)


def has_state(folder: Path | None) -> bool:
    """Whether there is a state to go on from."""
    return folder is not None and any((folder / name).exists() for name in STATES)


def last_state(folder: Path) -> Checkpoint | None:
    """Read the last state of a run, or, if its file is damaged, the one before; None without any.

    Raises
    ------
    CheckpointError
        If neither can be read, or they are of a format that this version does not know.
    """
    damage: CheckpointError | None = None
    for name in STATES:
        if not (folder / name).exists():
            continue
        try:
            saved = load_checkpoint(folder / name, "state")
        except OtherFormatError:
            raise
        except CheckpointError as error:
            damage = damage or error
            continue
        if damage is not None:
            step = saved.header.get("step")
            warnings.warn(
                f"{damage}; going on from the state before it, of step {step}",
                CheckpointWarning, stacklevel=2,
            )  # fmt: skip
        return saved
    if damage is not None:
        raise damage
    return None


def save_best(loop: Loop, epoch: int) -> None:
    """Write `best.safetensors`, if the run has a folder."""
    if loop.run_dir is not None:
        arrays = {f"model/{n}": a for n, a in loop.best.items()}
        header = {"epoch": epoch, "settings": loop.settings}
        save_checkpoint(loop.run_dir / "best.safetensors", "weights", arrays, header)


def resume_state(loop: Loop) -> bool:
    """Go on from the run folder's last state; False if there is none.

    Raises
    ------
    CheckpointError
        If the states are damaged or of another run: the message names the first
        setting that differs.
    """
    saved = last_state(loop.run_dir) if loop.run_dir is not None else None
    if saved is None or loop.run_dir is None:
        return False
    try:
        _go_on_from(loop, saved, loop.run_dir)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{saved.path}: header: not a training state ({error})") from None
    if saved.path.name != STATES[0]:  # a damaged last state must not become the second to last
        os.replace(saved.path, loop.run_dir / STATES[0])
    return True


def _go_on_from(loop: Loop, saved: Checkpoint, folder: Path) -> None:
    path, history = saved.path, History.from_dict(saved.field("history"))
    best, best_path = {}, folder / "best.safetensors"
    if history.best_epoch:
        # written before the state: it may be an epoch ahead, which then runs again alike
        best = load_checkpoint(best_path, "weights").part("model")
    began = saved.field("settings").get(START)
    if began is not None and loop.settings.get(START) in _left(saved, best):
        # a model that this run has trained already, asked to go on: it need not be made anew
        loop.settings = {**loop.settings, START: began}
    check_settings(saved.field("settings"), loop.settings, path)
    load_weights(loop.model, saved.part("model"), path)
    extra = {name: parameter.data for name, parameter in loop.extra.items()}
    for name, array in fitting(saved.part("extra"), extra, path, "state").items():
        extra[name][...] = array
    optimizer = fitting(saved.part("optimizer"), loop.optimizer.state_dict(), path, "state")
    loop.optimizer.load_state_dict(optimizer, saved.field("optimizer_steps"))
    if loop.average is not None:
        average = fitting(saved.part("average"), loop.average.arrays, path, "state")
        loop.average.load_state_dict(average, saved.field("average_steps"))
    loop.step = int(saved.field("step"))
    loop.loss_sum = float.fromhex(saved.field("loss_sum"))
    loop.best_score = float.fromhex(saved.field("best_score"))
    loop.seconds = float(saved.field("seconds"))
    loop.history = history
    loop.best = fitting(best, loop.model.state_dict(), best_path) if best else {}


def _left(saved: Checkpoint, best: Arrays) -> set[str]:
    """Checksums of the weights that a run may have left its model with."""
    last = saved.part("model")
    averaged = {name: a for name, a in saved.part("average").items() if name in last}
    return {weights_checksum(arrays) for arrays in (last, {**last, **averaged}, best)}


def load_weights(model: Module, arrays: dict[str, NDArray[Any]], path: Path) -> None:
    """Put weights into a model.

    Raises
    ------
    CheckpointError
        If names, shapes or types are those of another model; the message names the first.
    """
    model.load_state_dict(fitting(arrays, model.state_dict(), path))


def fitting(
    arrays: Mapping[str, NDArray[Any]],
    mine: Mapping[str, NDArray[Any]],
    path: Path,
    of: str = "model",
) -> dict[str, NDArray[Any]]:
    """Give a file's arrays, seen to take the place of those in `mine`.

    Raises
    ------
    CheckpointError
        If names, shapes or types differ: arrays "of another model", or what `of` says.
    """
    arrays = numbers(arrays, mine)
    for name in sorted(mine.keys() | arrays.keys()):
        whole = f"{path}: of another {of}"
        if name not in arrays:
            raise CheckpointError(f"{whole} (no array {name!r})")
        if name not in mine:
            raise CheckpointError(f"{whole} (the {of} has no {name!r})")
        for what in ("shape", "dtype"):
            theirs, ours = getattr(arrays[name], what), getattr(mine[name], what)
            if theirs != ours:  # NumPy would fill the one with the other without a word
                raise CheckpointError(f"{whole} ({name!r} has {what} {theirs}, expected {ours})")
    return arrays
