"""`tinyternary train`, `distill` and `evaluate`: run folders in, run folders out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson, Data, Download, Memory, Quiet, Root, Seed, Size, Threads
from tinyternary.text import USE

Config = Annotated[
    Path | None,
    typer.Option(
        help=r"TOML file of a recipe: epochs, batch_size, tables such as \[optimizer].",
        show_default=False,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Change one recipe field: --set lr=3e-4, or --set optimizer.lr=3e-4. May be repeated.",
    ),
]
Out = Annotated[Path, typer.Option(help="Run folder; an unfinished run in it is continued.")]
Preset = Annotated[
    str,
    typer.Option(help="Network: 'lesson', 'tiny', 'micro', 'small', 'deit-tiny' or 'bitmedvit'."),
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the training images.")]


@app.command(epilog="Example: tinyternary train --data phantoms --epochs 8 --out runs/teacher")
def train(
    out: Out,
    data: Data = "phantoms",
    size: Size = None,
    root: Root = None,
    preset: Preset = "tiny",
    policy: Annotated[
        str | None,
        typer.Option(help="Train with ternary layers from scratch: 'bitmedvit', 'all-linear', ..."),
    ] = None,
    epochs: Epochs = None,
    config: Config = None,
    changes: Set = None,
    seed: Seed = 0,
    download: Download = False,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a network, float or (with --policy) ternary, on labelled images."""
    from tinyternary import models, quant, train as training

    splits = _splits(data, size, root, seed, download)
    console.writable_folder(out)
    network = models.ViT(_network(preset, splits), seed=seed)
    if policy is not None:
        quant.ternarize(network, policy)
    run = training.fit(
        network,
        splits,
        _recipe(config, changes, epochs),
        run_dir=out,
        seed=seed,
        progress=not quiet,
    )
    _finish(run, out, as_json)


@app.command(
    epilog="Example: tinyternary distill runs/teacher --policy all-linear --out runs/student"
)
def distill(
    teacher: Annotated[Path, typer.Argument(help="Run folder of the float teacher.")],
    out: Out,
    data: Data = "phantoms",
    size: Size = None,
    root: Root = None,
    preset: Annotated[
        str | None, typer.Option(help="Network of the student; by default the teacher's.")
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            help="Ternary layers: 'bitmedvit', 'all-linear', 'integer-attention', 'everything'."
        ),
    ] = "all-linear",
    epochs: Epochs = None,
    config: Config = None,
    changes: Set = None,
    seed: Seed = 0,
    download: Download = False,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a ternary student on labels and on a teacher's answers."""
    from tinyternary import models, quant, train as training

    splits = _splits(data, size, root, seed, download)
    run = training.load_run(teacher)
    console.writable_folder(out)
    shape = run.model.config if preset is None else _network(preset, splits)
    student = quant.ternarize(models.ViT(shape, seed=seed), policy)
    result = training.distill(
        student,
        run,
        splits,
        _recipe(config, changes, epochs),
        run_dir=out,
        seed=seed,
        progress=not quiet,
    )
    _finish(result, out, as_json)


@app.command(epilog="Example: tinyternary evaluate runs/student --data phantoms --split test")
def evaluate(
    source: Annotated[Path, typer.Argument(help="Run folder, or a packed .safetensors file.")],
    data: Annotated[
        str | None, typer.Option("--data", help="Data set; by default the run's own.")
    ] = None,
    size: Size = None,
    root: Root = None,
    split: Annotated[str, typer.Option(help="'train', 'val' or 'test'.")] = "test",
    flips: Annotated[
        str | None,
        typer.Option(
            help="Average over mirrored copies: 'none', 'horizontal' or 'both'; by "
            "default as the run was evaluated, and none for a packed file."
        ),
    ] = None,
    shifts: Annotated[
        int | None,
        typer.Option(help="Average over copies moved by up to so many pixels; likewise."),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="What divides logits before they are probabilities; by default that of a packed "
            "file, and 1 for a run."
        ),
    ] = None,
    activation_bits: Annotated[
        int | None,
        typer.Option(help="8, or 7 as the kernel of table lookups takes: what a bit costs."),
    ] = None,
    memory: Memory = 512,
    seed: Seed = 0,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Judge a trained or packed model: ACC, AUC and more, with 95 % intervals."""
    from tinyternary import data as datasets, deploy, evaluate as judging, quant, train as training
    from tinyternary.data.classes import check_classes
    from tinyternary.errors import ConfigError, unknown_name

    given: dict[str, Any] = {} if temperature is None else {"temperature": temperature}
    if split not in ("train", "val", "test"):
        raise unknown_name("split", split, ("train", "val", "test"))
    if source.is_dir():
        run = training.load_run(source)
        if activation_bits is not None:
            quant.set_activation_bits(run.model, activation_bits)
        name = data or run.dataset
        images = datasets.load(name, root=root, seed=seed, size=size)[split]
        check_classes(images, run.class_names, run.task, "run")
        metrics = judging.evaluate(
            run.model, images, run.preprocessing,
            flips=run.recipe.evaluation.flips if flips is None else flips,
            shifts=run.recipe.evaluation.shifts if shifts is None else shifts,
            progress=None if quiet else f"{split} images", **given,
        )  # fmt: skip
    else:
        if activation_bits is not None:
            raise ConfigError("--activation-bits: expected a run folder, a packed file runs with 8")
        engine = deploy.load(source, limit_bytes=memory << 20)
        name = data or engine.header.dataset or "phantoms"
        images = datasets.load(name, root=root, seed=seed, size=size)[split]
        metrics = judging.evaluate(
            engine, images, flips=flips or "none", shifts=shifts or 0,
            progress=None if quiet else f"{split} images", **given,
        )  # fmt: skip
    _show_metrics({split: metrics}, as_json, title=f"{source} on {name}")


def _splits(name: str, size: int | None, root: Path | None, seed: int, download: bool) -> Any:
    from tinyternary import data as datasets

    if download:
        datasets.download(name, root, size)
    return datasets.load(name, root=root, seed=seed, size=size)


def _network(preset: str, splits: Any) -> Any:
    from tinyternary import models

    return models.preset(
        preset,
        image_size=splits.image_size,
        channels=splits.channels,
        num_classes=splits.num_classes,
    )


def _recipe(config: Path | None, changes: list[str] | None, epochs: int | None) -> Any:
    """Join file, --set and --epochs into a recipe; values are read as TOML."""
    from tinyternary.train import make_recipe
    from tinyternary.train.recipe import grouped

    fields: dict[str, Any] = {}
    for change in changes or []:
        fields = grouped(_field(change), base=fields)
    if epochs is not None:
        fields["epochs"] = epochs
    return make_recipe(config, **fields)


def _field(change: str) -> dict[str, Any]:
    import json
    import tomllib

    from tinyternary.errors import ConfigError

    name, equals, value = change.partition("=")
    # a bare word too: --set augment=light
    for line in (change, f"{name} = {json.dumps(value)}") if equals else ():
        try:
            return tomllib.loads(line)
        except tomllib.TOMLDecodeError:
            continue
    raise ConfigError(f"--set: expected name=value, got {change!r}")


def _finish(run: Any, out: Path, as_json: bool) -> None:
    from tinyternary.report.curves import training_curves
    from tinyternary.report.style import save

    save(training_curves({run.dataset: run.history}), out / "history.png")
    _show_metrics(run.metrics, as_json, title=str(out))


def _show_metrics(metrics: dict[str, Any], as_json: bool, title: str) -> None:
    if as_json:
        console.print_json(metrics)
        return
    from tinyternary.experiments.seeds import shown

    for split, values in metrics.items():
        console.print_table(
            ["metric", "value", "95 % interval"],
            [
                [name, shown(value), _interval(values.get("intervals", {}).get(name))]
                for name, value in values.items()
                if isinstance(value, float) or value is None
            ],
            title=f"{title}: {split}",
            caption=USE,
        )


def _interval(ends: list[float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.4f} to {ends[1]:.4f}"
