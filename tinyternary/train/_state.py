"""What a training run needs to go on, written to and read from its run folder (lesson 03)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tinyternary.config import ViTConfig
from tinyternary.errors import CheckpointError
from tinyternary.nn import Module
from tinyternary.train._migrations import numbers
from tinyternary.train.checkpoints import load_checkpoint, save_checkpoint, write_json
from tinyternary.train.history import History
from tinyternary.train.recipe import make_recipe

if TYPE_CHECKING:
    from tinyternary.train.loop import Loop


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
    save_checkpoint(loop.run_dir / "last.safetensors", "state", arrays, header)
    write_json(loop.run_dir / "history.json", loop.history.to_dict())


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
        If the state is damaged or of another run: the message names the first
        setting that differs.
    """
    path = loop.run_dir / "last.safetensors" if loop.run_dir is not None else None
    if path is None or loop.run_dir is None or not path.exists():
        return False
    saved = load_checkpoint(path, "state")
    check_settings(saved.field("settings"), loop.settings, path)
    load_weights(loop.model, saved.part("model"), path)
    for name, array in saved.part("extra").items():
        if name not in loop.extra or loop.extra[name].shape != array.shape:
            raise CheckpointError(f"{path}: array 'extra/{name}' does not fit this run")
        loop.extra[name].data[...] = array
    optimizer = numbers(saved.part("optimizer"), loop.optimizer.state_dict())
    loop.optimizer.load_state_dict(optimizer, saved.field("optimizer_steps"))
    if loop.average is not None:
        average = numbers(saved.part("average"), loop.average.arrays)
        loop.average.load_state_dict(average, saved.field("average_steps"))
    loop.step = int(saved.field("step"))
    loop.loss_sum = float.fromhex(saved.field("loss_sum"))
    loop.best_score = float.fromhex(saved.field("best_score"))
    loop.seconds = float(saved.field("seconds"))
    loop.history = History.from_dict(saved.field("history"))
    if loop.history.best_epoch:
        # written before the state: it may be an epoch ahead, which then runs again alike
        best = load_checkpoint(loop.run_dir / "best.safetensors", "weights")
        loop.best = numbers(best.part("model"), loop.model.state_dict())
    return True


def check_settings(saved: dict[str, Any], mine: dict[str, Any], path: Path) -> None:
    """Refuse a state of another run, naming the first setting that differs.

    Raises
    ------
    CheckpointError
        If any setting differs.
    """
    other = differing_setting(current_settings(saved), current_settings(mine))
    if other is not None:
        name, theirs, ours = other
        raise CheckpointError(
            f"{path} belongs to another run: {name} was {theirs!r}, "
            f"now {ours!r}; choose another run folder, or resume=False to start over"
        )


def current_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings in today's form; fields that came later have their defaults: what they were."""
    found = dict(settings)
    if "recipe" in found:
        found["recipe"] = make_recipe(found["recipe"]).to_dict()
        del found["recipe"]["save_seconds"]  # how often state is saved changes no result
    if "model" in found and "kind" not in found["model"]:  # a ViT, see `describe_model`
        found["model"] = ViTConfig.from_dict(dict(found["model"])).to_dict()
    if isinstance(found.get("teacher"), Mapping):
        found["teacher"] = current_settings(found["teacher"])
    return found


def differing_setting(
    saved: Mapping[str, Any], mine: Mapping[str, Any]
) -> tuple[str, Any, Any] | None:
    """Find the first entry, by name, in which two nested settings differ: (name, theirs, ours)."""
    theirs, ours = dict(_flat(saved)), dict(_flat(mine))
    for name in sorted(theirs.keys() | ours.keys()):
        if theirs.get(name) != ours.get(name):
            return name, theirs.get(name), ours.get(name)
    return None


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, list(value) if isinstance(value, tuple) else value


def load_weights(model: Module, arrays: dict[str, NDArray[Any]], path: Path) -> None:
    """Put weights into a model.

    Raises
    ------
    CheckpointError
        If names or shapes are those of another model; the message names the first.
    """
    mine = model.state_dict()
    arrays = numbers(arrays, mine)
    for name in sorted(mine.keys() | arrays.keys()):
        if name not in arrays:
            raise CheckpointError(f"{path}: of another model (no array {name!r})")
        if name not in mine:
            raise CheckpointError(f"{path}: of another model (the model has no {name!r})")
        if arrays[name].shape != mine[name].shape:
            raise CheckpointError(
                f"{path}: of another model ({name!r} has shape {arrays[name].shape}, "
                f"expected {mine[name].shape})"
            )
    model.load_state_dict(arrays)
