"""Search an experiment's fields with Optuna: each trial is a small sweep (lesson 12).

Trials are judged by validation images alone; test images are not read. Each trial's sampler is
seeded by the search's seed and the number of trials before it, so that a search that was stopped
tries what it would have tried.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.experiments.jobs import HERE, check_place
from tinyternary.experiments.search_space import Range, with_values
from tinyternary.experiments.sweep_plan import Arm, Sweep, arms_of, read_sweep
from tinyternary.experiments.sweeping import alone, run_arms
from tinyternary.strict_json import to_json
from tinyternary.train.checkpoints import read_json

JOURNAL = "search.journal"
"""Optuna's storage in the folder of a search."""


def search(
    plan: Sweep | str | Path,
    root: str | Path | None = None,
    *,
    out: str | Path,
    where: str = HERE,
    progress: bool = True,
) -> dict[str, Any]:
    """Try values for the fields in a sweep's ``[search]``, as many times as it says.

    Parameters
    ----------
    plan, root, out, where, progress
        As in `sweep`; `out` also gets Optuna's journal, ``search.journal``.

    Returns
    -------
    dict
        ``trials``: of each its ``values`` by field, its ``score`` (None if a run failed) and the
        folder of its runs; ``best``: the one with the highest score, or None; ``score``: what
        it is; ``planned``: trials in all.

    Raises
    ------
    ConfigError
        If the plan has nothing to search or a value cannot be used, or Optuna is missing.
    CheckpointError
        If `out` holds another search.
    """
    plan = plan if isinstance(plan, Sweep) else read_sweep(plan)
    check_place(where)
    if plan.search is None:
        raise ConfigError(f"sweep {plan.name!r}: no [search] that says what to try")
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            "search: needs Optuna; install it with `pip install tinyternary[search]`"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    out, states = Path(out), optuna.trial.TrialState
    over = (states.COMPLETE, states.PRUNED)
    for end in (0, -1):  # values that cannot be used are said before hours are spent
        arms_of(
            plan, with_values(plan.change, {n: _ends(v)[end] for n, v in plan.search.space.items()})
        )
    with alone(out) as token:
        journal = optuna.storages.journal.JournalFileBackend(str(out / JOURNAL))
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(journal), study_name="search",
            direction="maximize", load_if_exists=True,
        )  # fmt: skip
        _keep_or_refuse(study, plan, out)
        for trial in study.get_trials(states=(states.RUNNING,)):  # its process is gone
            study.tell(trial.number, state=states.FAIL)
        while (before := len(study.get_trials(states=over))) < plan.search.trials:
            seed = np.random.SeedSequence([plan.search.seed, before]).generate_state(1)[0]
            study.sampler = optuna.samplers.TPESampler(seed=int(seed))
            trial = study.ask()
            values = {name: _suggested(trial, name, v) for name, v in plan.search.space.items()}
            inside = _folder(values)
            arms = arms_of(plan, with_values(plan.change, values))
            failed = run_arms(
                arms, root, out, token, where, inside=inside, test=False, progress=progress
            )
            score = None if failed else _score(out / inside, arms, plan.search.score)
            study.tell(trial, score, state=states.PRUNED if score is None else states.COMPLETE)
        trials = [
            {"values": trial.params, "score": trial.value, "folder": _folder(trial.params)}
            for trial in study.get_trials(states=over)
        ]
    scored = [trial for trial in trials if trial["score"] is not None]
    return {
        "sweep": plan.name, "score": f"student's {plan.search.score} on validation images",
        "planned": plan.search.trials, "trials": trials,
        "best": max(scored, key=lambda trial: trial["score"], default=None),
    }  # fmt: skip


def _ends(values: Range | list[Any]) -> list[Any]:
    return [values.low, values.high] if isinstance(values, Range) else values


def _suggested(trial: Any, name: str, values: Range | list[Any]) -> Any:
    if not isinstance(values, Range):
        return trial.suggest_categorical(name, values)
    whole = isinstance(values.low, int) and isinstance(values.high, int)
    suggest = trial.suggest_int if whole else trial.suggest_float
    return suggest(name, values.low, values.high, log=values.log)


def _folder(values: dict[str, Any]) -> str:
    """Name a trial's folder by what it tries: the same again is not run again."""
    return f"trials/{zlib.crc32(to_json(dict(sorted(values.items()))).encode()):08x}/"


def _score(folder: Path, arms: list[Arm], name: str) -> float | None:
    """Mean of the students' validation numbers; None if one is undefined."""
    found = [
        read_json(folder / arm.name / f"seed-{seed}" / "student" / "metrics.json")["val"][name]
        for arm in arms
        for seed in arm.seeds
    ]
    return None if None in found else float(np.mean(found))


def _keep_or_refuse(study: Any, plan: Sweep, out: Path) -> None:
    """Write down what is searched, or see that the search that is there is the same."""
    mine = plan.model_dump(mode="json", exclude={"name": True, "search": {"trials"}})
    there = study.user_attrs.get("plan")
    if there is None:
        study.set_user_attr("plan", mine)
    elif there != mine:
        differing = next(name for name in mine if there.get(name) != mine[name])
        raise CheckpointError(
            f"{out}: holds another search ({differing} was {there.get(differing)!r}, now "
            f"{mine[differing]!r}); choose another folder"
        )
