"""`tinyternary sweep`: many runs from one TOML file, here, in processes or on a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson, Jobs, Quiet, Root, Threads
from tinyternary.text import USE

if TYPE_CHECKING:
    from tinyternary.experiments import SweepResults


@app.command(
    epilog="Example: tinyternary sweep sweep.toml --root ~/medmnist --out runs/sweep --jobs 2"
)
def sweep(
    plan: Annotated[
        Path,
        typer.Argument(
            help="A sweep of the package (sizes), or a TOML file: recipes, variants, datasets, "
            "policies, seeds; see docs/howto."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for all runs; the same command goes on from what is there.")
    ],
    root: Root = None,
    jobs: Jobs = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Dask: tcp://HOST:PORT of a scheduler, or local:N for N workers on this machine.",
            show_default=False,
        ),
    ] = None,
    search: Annotated[
        bool,
        typer.Option("--search", help=r"Search the fields in the file's \[search] with Optuna."),
    ] = False,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train each recipe and variant on each data set with each policy and seed: many runs."""
    from tinyternary import experiments as running

    where = _where(jobs, scheduler)
    given = running.read_sweep(plan)
    console.writable_folder(out)
    if search:
        result = running.search(given, root, out=out, where=where, progress=not quiet)
        console.print_json(result) if as_json else _show_search(result)
        return
    found = running.sweep(given, root, out=out, where=where, progress=not quiet)
    console.print_json(found.to_dict()) if as_json else _show(found)
    for name, message in found.failed.items():
        console.error(f"{name}: {message}")
    if found.failed:
        raise typer.Exit(1)


def _where(jobs: int, scheduler: str | None) -> str:
    from tinyternary.errors import ConfigError
    from tinyternary.experiments.jobs import HERE

    if scheduler is None:
        return f"processes:{jobs}" if jobs > 1 else HERE
    if jobs > 1:
        raise ConfigError("--jobs and --scheduler: give one of them")
    return scheduler


def _show(found: SweepResults) -> None:
    from tinyternary.experiments.seeds import shown

    columns = [(who, metric) for who in ("teacher", "student") for metric in ("acc", "auc")]
    rows = []
    for name, results in found.arms.items():
        summary = results.summary()
        means = [shown(summary[who][metric]["mean"]) for who, metric in columns]
        rows.append([name, str(len(results.seeds)), *means])
    console.print_table(
        ["recipe, variant, set, policy", "seeds",
         *(f"{who} {metric.upper()}" for who, metric in columns)],
        rows, title=f"{found.name}: {found.finished} of {found.planned} runs; test, mean of seeds",
        caption=USE,
    )  # fmt: skip


def _show_search(result: dict[str, Any]) -> None:
    from tinyternary.experiments.seeds import shown

    trials = sorted(result["trials"], key=lambda trial: -(trial["score"] or 0))
    names = list(trials[0]["values"])
    rows = [
        [trial["folder"], *(_value(trial["values"][name]) for name in names), shown(trial["score"])]
        for trial in trials
    ]
    console.print_table(
        ["trial", *names, "score"], rows,
        title=f"{result['sweep']}: {len(trials)} of {result['planned']} trials",
        caption=f"Score: {result['score']}; test images were not read.",
    )  # fmt: skip


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
