"""One run of a sweep, on the machine where it is trained.

On a worker that sees the sweep's folder a run is trained there; any other keeps it in a folder of
its own and sends the files of the finished run. What a policy has no say in is trained once: the
teacher of another policy's run is taken over, as `fit` takes over one of its own.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinyternary.data import load
from tinyternary.errors import CheckpointError
from tinyternary.experiments.cluster import folder_with
from tinyternary.experiments.reproduction import images_besides, run_experiment
from tinyternary.files import DRAFT, LOCK, opened_lock, replace_content, try_lock
from tinyternary.places import cache_folder
from tinyternary.train.checkpoints import read_json

if TYPE_CHECKING:
    from tinyternary.experiments.sweep_plan import Arm

SHARED = ("pretraining", "teacher")
"""Stages of a run that are the same whatever the student's policy."""


def token_of(folder: Path) -> str:
    """Return the token by which workers know a sweep's folder; empty if it is none."""
    path = folder / "sweep.json"
    return str(read_json(path).get("token", "")) if path.is_file() else ""


def train_run(
    arm: Arm,
    seed: int,
    folder: str,
    out: Path,
    token: str,
    test: bool,
    progress: bool,
    files: dict[str, str],
    root: Path,
    alike: Sequence[str],
) -> dict[str, bytes]:
    """Train one run where its folder can be seen, else in a folder of the worker's own.

    `alike` are folders of the same recipe, data and seed under other policies.

    Returns
    -------
    dict
        Files of the run folders by name, to be written by who asked; none if they are
        in `out` already.
    """
    seen = token_of(out) == token
    base = out if seen else kept_folder(token)
    target = base / folder
    with held(target):
        if not is_finished(target, test):
            take_shared(target, [base / other for other in alike])
            where = folder_with(files, root) if files else None
            data = load(arm.dataset, root=where)
            experiment = arm.for_images(len(data.train))
            run_experiment(
                experiment, data, seed=seed, out=target, progress=progress, test=test,
                more=images_besides(experiment, arm.dataset, where), label=folder,
            )  # fmt: skip
    return {} if seen else _content(target)


def take_shared(folder: Path, alike: Sequence[Path]) -> None:
    """Copy stages that a run still needs and one of `alike` has finished."""
    for stage in SHARED:
        if is_over(folder / stage):
            continue
        for other in filter(is_over, (each / stage for each in alike)):
            place(folder, {f"{stage}/{name}": file for name, file in _content(other).items()})
            break


def is_over(stage: Path) -> bool:
    """Whether a run folder's training is done; its last file says so."""
    return (stage / "metrics.json").is_file()


def is_finished(folder: Path, test: bool = True) -> bool:
    """Whether a run's student is judged; the last thing that is written says so."""
    path = folder / "student" / "metrics.json"
    return path.is_file() and ("test" if test else "val") in read_json(path)


def is_kept(folder: str, token: str, test: bool, **others: Any) -> bool:
    """Whether this worker has a finished run in its own folder."""
    return is_finished(kept_folder(token) / folder, test)


def kept_folder(token: str) -> Path:
    """Where a worker that does not see a sweep's folder keeps its runs."""
    return cache_folder() / "sweeps" / token


def forget(token: str) -> None:
    """Remove a worker's own folder of a sweep."""
    shutil.rmtree(kept_folder(token), ignore_errors=True)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Wait for a run's folder and keep it: who was taken for dead may be at it still."""
    folder.mkdir(parents=True, exist_ok=True)
    with opened_lock(folder / LOCK) as lock:
        while lock is not None and not try_lock(lock):
            time.sleep(0.5)
        yield


def _content(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != LOCK]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in paths if path.suffix != DRAFT
    }  # fmt: skip


def _says_finished(name: str) -> tuple[bool, bool, str]:
    return name.endswith("metrics.json"), name.startswith("student"), name


def place(folder: Path, content: Mapping[str, bytes]) -> None:
    """Write a run's files, those last that say it is finished; refuse names that lead elsewhere."""
    for name in sorted(content, key=_says_finished):
        if not re.fullmatch(r"\w+/\w+\.(json|safetensors)", name, re.ASCII):
            raise CheckpointError(f"{folder}: a worker sent a file that no run has: {name!r}")
        replace_content(folder / name, content[name], CheckpointError, make_folder=True)
