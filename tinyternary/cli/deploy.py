"""`tinyternary pack`, `inspect` and `predict`: from a run folder to a file that runs."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson, Quiet, Root

Packed = Annotated[Path, typer.Argument(help="Packed .safetensors file.", show_default=False)]


@app.command(epilog="Example: tinyternary pack runs/student --out student.safetensors --bits 1.6")
def pack(
    run: Annotated[Path, typer.Argument(help="Run folder of `train` or `distill`.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("model.safetensors"),
    bits: Annotated[float, typer.Option(help="Bits per trit: 2 or 1.6.")] = 2.0,
    rest: Annotated[
        Literal["float32", "float16", "int8"],
        typer.Option(help="Storage of what is not ternary."),
    ] = "float32",
    decide_for: Annotated[
        Literal["half", "accuracy", "balanced_accuracy", "f1"],
        typer.Option(
            help="Decide at a probability of one half, or where it serves this best on the "
            "run's validation images. Binary and multi-label tasks."
        ),
    ] = "half",
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Pack a trained model into one file, with a model card beside it."""
    from tinyternary import deploy
    from tinyternary.train import load_run

    loaded = load_run(run)
    threshold = None if decide_for == "half" else _threshold(loaded, decide_for, root)
    packed = deploy.pack(
        loaded.model,
        bits=bits,
        rest=rest,
        preprocessing=loaded.preprocessing,
        task=loaded.task,
        class_names=loaded.class_names,
        metrics=loaded.metrics,
        dataset=loaded.dataset,
        threshold=threshold,
    )
    packed.save(out, card=True)
    result = {
        "file": str(out),
        "card": str(out.with_suffix(".md")),
        "bytes": packed.nbytes,
        "threshold": threshold,
    }
    if as_json:
        console.print_json(result)
    else:
        layers = packed.header.layers.values()
        console.out.print(
            f"{out}: {packed.nbytes:,} bytes; {sum(not layer.is_float for layer in layers)} of "
            f"{len(layers)} matrices quantised, {bits:g} bits per trit; card: {result['card']}",
            highlight=False,
            soft_wrap=True,
        )
        if threshold is not None:
            values = ", ".join(f"{value:.3g}" for value in threshold)
            console.out.print(
                f"decides at {values}: {decide_for.replace('_', ' ')} on validation images",
                highlight=False,
            )


def _threshold(run: Any, goal: Any, root: Path | None) -> list[float]:
    """Choose the threshold(s) for a packed file, which asks once about each image."""
    import numpy as np

    from tinyternary import data as datasets, evaluate as judging

    images = datasets.load(run.dataset, root=root)["val"]
    logits = judging.predict_logits(run.model, images.images, run.preprocessing)
    probabilities = judging.scores(logits, run.task)
    found = judging.choose_threshold(images.labels, probabilities, run.task, goal)
    return [float(value) for value in np.atleast_1d(found)]


@app.command(epilog="Example: tinyternary inspect student.safetensors")
def inspect(file: Packed, as_json: AsJson = False) -> None:
    """Show layers, bits and bytes of a packed file, and what float32 would take."""
    from tinyternary import deploy

    found = deploy.inspect(file)
    if as_json:
        console.print_json(found)
        return
    rows = [
        [
            layer["name"],
            layer["storage"],
            " x ".join(map(str, layer["shape"])),
            f"{layer['bits']:.2f}",
            f"{layer['bytes']:,}",
            f"{layer['float32_bytes']:,}",
        ]
        for layer in found["layers"]
    ]
    console.print_table(
        ["layer", "stored as", "shape", "bits each", "bytes", "in float32"],
        rows,
        title=str(file),
        caption=f"{found['file_bytes']:,} bytes in all ({found['header_bytes']:,} of them header), "
        f"{found['ratio']:.1f}x less than float32.",
    )
    console.note(f"runs on this machine: {found['runs_on']}")


@app.command(epilog="Example: tinyternary predict student.safetensors images/ --format csv")
def predict(
    file: Packed,
    images: Annotated[
        list[Path], typer.Argument(help="PNG, JPEG, NPY or NPZ files, or folders of them.")
    ],
    style: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="How to print answers.")
    ] = "table",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Name the class of each image; a bad file is reported and the rest goes on."""
    from tqdm import tqdm

    from tinyternary import deploy
    from tinyternary.deploy.image_files import SUFFIXES

    engine = deploy.load(file)
    answers = []
    # None: a bar on a terminal and none in a log
    bar = tqdm(
        deploy.predict_files(engine, images),
        unit=" images", bar_format="{n_fmt}{unit} {rate_fmt}", disable=quiet or None, leave=False,
    )  # fmt: skip
    for answer in bar:
        answers.append(answer)
        said = answer.error or (answer.note and f"{answer.path}: {answer.note}")
        if said:
            bar.clear()
            color = "[bold red]error:[/] " if answer.error else ""
            console.err.print(f"{color}{escape(said)}", highlight=False, soft_wrap=True)
    _print_answers(answers, "json" if as_json else style)
    failures = sum(not answer.ok for answer in answers)
    if failures:
        console.note(f"{failures} of {len(answers)} images could not be read")
    if not answers:
        folders = ", ".join(map(str, images))
        console.note(f"no images in {folders}; looked for {', '.join(SUFFIXES)}")
    if failures or not answers:
        raise typer.Exit(1)


def _print_answers(answers: list[Any], style: str) -> None:
    """Print answers; tables leave out what could not be read, it has been reported."""
    if style == "json":
        console.print_json([answer.to_dict() for answer in answers])
        return
    if style == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(["image", "label", "probability", "error"])
        writer.writerows(
            [a.path, a.label, _share(a, ".6f"), ""] if a.ok else [a.path, "", "", a.error]
            for a in answers
        )
        return
    rows = [[escape(a.path), escape(a.label), _share(a, ".1%")] for a in answers if a.ok]
    if rows:
        console.print_table(
            ["image", "class", "probability"],
            rows,
            caption="For teaching and research, not for clinical use.",
        )


def _share(answer: Any, style: str) -> str:
    """Probability of the named class; the largest where several labels can be true."""
    several = isinstance(answer.index, list)
    share = max(answer.probabilities.values()) if several else answer.probabilities[answer.label]
    return format(share, style)
