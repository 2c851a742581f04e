"""`tinyternary reproduce`, `crossvalidate`, `ablate` and `collect`: results run again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson, Jobs, Quiet, Root, Seed, Threads
from tinyternary.text import USE

if TYPE_CHECKING:
    from tinyternary.experiments import AblationResults, Effects

_LEVEL_NAMES: dict[Any, str] = {True: "teacher and labels", False: "labels alone"}


@app.command(
    epilog="Example: tinyternary reproduce breastmnist --root ~/medmnist --out runs/breast"
)
def reproduce(
    experiment: Annotated[
        str, typer.Argument(help="Data set with a recipe in the package, or a TOML file.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the run folders of all seeds.")],
    root: Root = None,
    seeds: Annotated[
        str | None, typer.Option(help="Seeds, comma-separated; by default the experiment's.")
    ] = None,
    jobs: Jobs = 1,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run a published experiment again: teacher and ternary student, seed after seed."""
    from tinyternary import experiments as running

    chosen = _numbers(seeds, "--seeds")
    console.writable_folder(out)
    result = running.reproduce(
        experiment, root=root, seeds=chosen, out=out, progress=not quiet, jobs=jobs
    )
    if as_json:
        console.print_json(result.to_dict())
        return
    header, *rows = result.table()
    console.print_table(
        header, rows, title=f"{result.experiment} on {result.dataset}: test",
        caption=f"{result.difference()}.\n{USE}",
    )  # fmt: skip


@app.command(
    epilog="Example: tinyternary crossvalidate breastmnist --root ~/medmnist --out runs/folds"
)
def crossvalidate(
    experiment: Annotated[
        str, typer.Argument(help="Data set with a recipe in the package, or a TOML file.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the run folders of all folds.")],
    folds: Annotated[int, typer.Option(help="Parts that the images are dealt into.")] = 4,
    root: Root = None,
    only: Annotated[
        str | None, typer.Option(help="Only these folds, from 0, for several processes: '0,1'.")
    ] = None,
    seed: Seed = 0,
    jobs: Jobs = 1,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Judge a recipe by cross-validation on training and validation images; test stays unread."""
    from tinyternary import experiments as running
    from tinyternary.experiments.seeds import shown

    chosen = _numbers(only, "--only")
    console.writable_folder(out)
    result = running.cross_validate(
        experiment, root, folds, out=out, seed=seed, chosen=chosen, progress=not quiet, jobs=jobs
    )
    if as_json:
        console.print_json(result)
        return
    columns = [(who, name) for who in ("teacher", "student")
               for name in ("acc", "auc", "balanced_accuracy")]  # fmt: skip
    rows = [
        [title, *(shown(found[who][name]) for who, name in columns)]
        for title, found in [*result["folds"].items(), ("mean", result["mean"])]
    ]  # fmt: skip
    console.print_table(
        ["fold", *(f"{who} {name.replace('balanced_accuracy', 'bacc').upper()}"
                   for who, name in columns)],
        rows, title=f"{result['experiment']} on {result['dataset']}: {folds}-fold",
        caption=f"Training and validation images only. {USE}",
    )  # fmt: skip


@app.command(
    epilog="Example: tinyternary ablate pneumoniamnist --teacher runs/teacher --root ~/medmnist "
    "--out runs/ablation"
)
def ablate(
    ablation: Annotated[
        str, typer.Argument(help="Ablation in the package ('pneumoniamnist'), or a TOML file.")
    ],
    teacher: Annotated[Path, typer.Option(help="Run folder of the float teacher.")],
    out: Annotated[Path, typer.Option(help="Folder of the cells; those that are there are read.")],
    root: Root = None,
    cells: Annotated[
        str | None,
        typer.Option(help="Only these cells, for several processes: '0:40', '40:'."),
    ] = None,
    jobs: Jobs = 1,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a short student for every combination of quantiser, granularity, teacher and policy."""
    from tinyternary import experiments as running
    from tinyternary.errors import ConfigError

    chosen = _slice(cells)
    console.writable_folder(out)
    result = running.ablate(
        ablation, teacher, root, out=out, cells=chosen, progress=not quiet, jobs=jobs
    )
    try:
        found = {name: result.effects(f"test_{name}") for name in ("acc", "auc")}
    except ConfigError as error:  # some of the cells are another process's
        console.note(f"no effects yet: {error}")
        found = {}
    if as_json:
        effects = {effect.response: effect.to_dict() for effect in found.values()}
        console.print_json({**result.to_dict(), "effects": effects})
        return
    _show(result, found)


@app.command(
    epilog="Example: tinyternary collect runs/breastmnist --root ~/medmnist --out breastmnist.json"
)
def collect(
    runs: Annotated[
        Path, typer.Argument(help="Folder that `reproduce`, `ablate` or `sweep` wrote.")
    ],
    out: Annotated[Path, typer.Option(help="JSON file to write.")],
    root: Root = None,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Condense run folders into one small file, which the results notebook can be drawn from."""
    from tinyternary import experiments as running

    console.writable_folder(out.parent)
    record = running.collect(runs, root, progress=not quiet)
    running.write_collected(out, record)
    if as_json:
        console.print_json(record)
        return
    console.note(f"wrote {out} ({console.human_bytes(out.stat().st_size)})")


def _numbers(text: str | None, option: str) -> list[int] | None:
    from tinyternary.errors import ConfigError

    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"{option}: expected numbers like 0,1,2, got {text!r}") from None


def _slice(text: str | None) -> tuple[int | None, int | None]:
    from tinyternary.errors import ConfigError

    if text is None:
        return None, None
    first, colon, last = text.partition(":")
    try:
        ends = tuple(int(end) if end.strip() else None for end in (first, last))
    except ValueError:
        ends = ()
    if not colon or len(ends) != 2 or any(end is not None and end < 0 for end in ends):
        raise ConfigError(f"--cells: expected first:last like 0:40, got {text!r}")
    return ends[0], ends[1]


def _show(result: AblationResults, found: dict[str, Effects]) -> None:
    from tinyternary.experiments.seeds import shown

    teacher = result.teacher["test"]
    title = (
        f"{result.name}: {len(result.cells)} of {result.planned} cells, test; float teacher "
        f"ACC {shown(teacher['acc'])}, AUC {shown(teacher['auc'])}"
    )
    left_out = "".join(f"\nNot run: {name}, {why}." for name, why in result.skipped.items())
    if not found:
        rows = [[_name(cell), shown(cell["test"]["acc"]), shown(cell["test"]["auc"]),
                 console.human_bytes(cell["bytes"])] for cell in result.cells]  # fmt: skip
        console.print_table(
            ["cell", "ACC", "AUC", "packed"], rows, title=title, caption=left_out.strip()
        )
        return
    acc, auc = found["acc"], found["auc"]
    rows = [
        [f"{a.factor}: {_LEVEL_NAMES.get(a.level, a.level)}", str(a.cells),
         f"{a.mean:.4f} ± {a.half:.4f}", f"{b.mean:.4f} ± {b.half:.4f}"]
        for a, b in zip(acc.levels, auc.levels)
    ]  # fmt: skip
    console.print_table(
        ["mean over all else", "cells", "ACC, 95 %", "AUC, 95 %"], rows, title=title,
        caption=f"Intervals from the residual: ACC {acc.residual:.4f}, AUC {auc.residual:.4f}, "
        f"{acc.freedom} degrees of freedom.{left_out}",
    )  # fmt: skip
    rows = [
        [" x ".join(term.factors), found[metric].response, f"{100 * term.share:.1f} %",
         f"{term.f:.2f}", f"{term.p:.2g}"]
        for metric in found for term in (*found[metric].main(), *found[metric].pairs()[:3])
    ]  # fmt: skip
    console.print_table(
        ["effect", "on", "share of the spread", "F", "p"], rows,
        caption="Main effects, and the three strongest interactions.",
    )  # fmt: skip


def _name(cell: dict[str, Any]) -> str:
    how = _LEVEL_NAMES[cell["distillation"]]
    return f"{cell['quantizer']}, {cell['granularity']}, {how}, {cell['policy']}"
