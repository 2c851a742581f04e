"""`tinyternary pack`, `inspect` and `predict`: from a run folder to a file that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson, Memory, Quiet, Root, Threads

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
        str,
        typer.Option(
            metavar="GOAL",
            help="Decide at a probability of one half (half), or where it serves a goal best on "
            "the run's validation images: accuracy, balanced_accuracy (Youden), f1, "
            "sensitivity=0.95, specificity=0.9, or cost=5 (false alarms that one miss is worth). "
            "Binary and multi-label tasks.",
        ),
    ] = "half",
    temperature: Annotated[
        Literal["run", "fit", "none"],
        typer.Option(
            help="What divides logits before they are probabilities: what the run chose on its "
            "validation images, what is chosen on them now, or nothing."
        ),
    ] = "run",
    sets: Annotated[
        bool,
        typer.Option(
            help="Keep limits of prediction sets, found on the run's validation images, so that "
            "`predict --coverage` can say when it is not sure. Tasks with one label an image."
        ),
    ] = False,
    root: Root = None,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Pack a trained model into one file, with a model card beside it."""
    from tinyternary import deploy
    from tinyternary.evaluate.thresholds import read_goal
    from tinyternary.train import load_run

    goal = None if decide_for == "half" else read_goal(decide_for)
    loaded = load_run(run)
    chosen = loaded.temperature if temperature == "run" else None
    threshold = None
    if goal is not None or temperature == "fit":
        chosen, threshold = _chosen(loaded, chosen, temperature == "fit", goal, root)
    options: dict[str, Any] = {
        "bits": bits, "rest": rest, "preprocessing": loaded.preprocessing, "task": loaded.task,
        "class_names": loaded.class_names, "metrics": loaded.metrics, "dataset": loaded.dataset,
        "threshold": threshold, "temperature": chosen,
    }  # fmt: skip
    packed = deploy.pack(loaded.model, **options)
    if sets:
        limits = _set_limits(packed, loaded, root)
        packed = deploy.pack(loaded.model, prediction_sets=limits, **options)
    packed.save(out, card=True)
    result = {
        "file": str(out),
        "card": str(out.with_suffix(".md")),
        "bytes": packed.nbytes,
        "threshold": threshold,
        "temperature": chosen,
        "prediction_sets": packed.header.to_dict().get("prediction_sets"),
    }
    if as_json:
        console.print_json(result)
    else:
        layers = packed.header.layers.values()
        console.say(
            f"{out}: {packed.nbytes:,} bytes; {sum(not layer.is_float for layer in layers)} of "
            f"{len(layers)} matrices quantised, {bits:g} bits per trit; card: {result['card']}"
        )
        if threshold is not None:
            values = ", ".join(f"{value:.3g}" for value in threshold)
            console.say(f"decides at {values}: {decide_for.replace('_', ' ')} on validation images")
        if chosen is not None:
            console.say(f"probabilities: of logits divided by {chosen:.3g}, chosen on validation "
                        "images")  # fmt: skip
        elif temperature == "run":
            console.note(f"{run} recorded no temperature: --temperature fit chooses one")


def _set_limits(packed: Any, run: Any, root: Path | None) -> Any:
    """Find limits of prediction sets with the answers that the packed file itself gives."""
    from tinyternary import data as datasets, deploy, evaluate as judging
    from tinyternary.data.classes import check_classes

    images = datasets.load(run.dataset, root=root)["val"]
    check_classes(images, run.class_names, run.task, "run")
    engine = deploy.Engine(packed.read())
    answers = engine.decide(judging.predict_logits(engine, images.images))
    return judging.set_limits(images.labels, answers.probabilities, run.task)


def _say_sets(kept: Any, class_names: tuple[str, ...], coverage: float) -> None:
    """Say what a prediction set promises, and how far few validation images reach."""
    from tinyternary.evaluate import coverage_interval

    level, _ = kept.at(coverage)
    by_class = len(kept.images) > 1
    fewest = min(kept.images)
    low, high = coverage_interval(fewest, level)
    of = f" of {class_names[kept.images.index(fewest)]!r} (the fewest)" if by_class else ""
    if low == 1:
        console.note(f"sets at {level:g}: {fewest} validation images{of} are too few for this "
                     "coverage: every set holds what they stand for")  # fmt: skip
    else:
        console.note(
            f"sets at {level:g}: made to hold the true class of {level:.0%} of images"
            f"{' of each class' if by_class else ''}, if these are like the validation images; "
            f"with only {fewest}{of}, it is {low:.0%} to {high:.0%} in 95 of 100 such samples"
        )


def _chosen(
    run: Any, temperature: float | None, fit: bool, goal: Any, root: Path | None
) -> tuple[float | None, list[float] | None]:
    """Choose temperature and threshold(s) for a packed file, which asks once about each image."""
    import numpy as np

    from tinyternary import data as datasets, evaluate as judging
    from tinyternary.data.classes import check_classes

    images = datasets.load(run.dataset, root=root)["val"]
    check_classes(images, run.class_names, run.task, "run")
    logits = judging.predict_logits(run.model, images.images, run.preprocessing)
    if fit:
        temperature = judging.fit_temperature(images.labels, logits, run.task)
    if goal is None:
        return temperature, None
    # of probabilities as the file will state them
    probabilities = judging.scores(logits, run.task, temperature or 1.0)
    found = judging.choose_threshold(images.labels, probabilities, run.task, *goal)
    return temperature, [float(value) for value in np.atleast_1d(found)]


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
    if found["temperature"] is not None:
        console.note(f"probabilities: of logits divided by {found['temperature']:.3g}, chosen on "
                     "validation images")  # fmt: skip
    if found["prediction_sets"] is not None:
        kept = found["prediction_sets"]
        coverages, counts = (", ".join(map(str, kept[name])) for name in ("coverages", "images"))
        console.note(f"prediction sets: for coverages {coverages}, from {counts} validation images")
    console.note(f"runs on this machine: {found['runs_on']}")


@app.command(epilog="Example: tinyternary predict student.safetensors images/ --format csv")
def predict(
    file: Packed,
    images: Annotated[
        list[Path],
        typer.Argument(help="PNG, JPEG, TIFF, WebP, DICOM, NPY or NPZ files, or folders of them."),
    ],
    style: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="How to print answers.")
    ] = "table",
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Also give the set of classes that holds the true one so often (0.9: in nine of "
            "ten images), and 'not sure' where that is not exactly the named class.",
            show_default=False,
        ),
    ] = None,
    memory: Memory = 512,
    as_json: AsJson = False,
    threads: Threads = None,
    quiet: Quiet = False,
) -> None:
    """Name the class of each image; a bad file is reported and the rest goes on.

    For teaching and research, not for clinical use.
    """
    from tqdm import tqdm

    from tinyternary import deploy
    from tinyternary.deploy.image_files import SUFFIXES, find_files
    from tinyternary.text import USE

    engine = deploy.load(file, limit_bytes=memory << 20)
    if coverage is not None:
        _say_sets(engine.set_limits(), engine.class_names, coverage)
    found = find_files(images)
    answers = []
    # None: a bar on a terminal and none in a log
    bar = tqdm(
        deploy.predict_files(engine, found.files, coverage=coverage, limit_bytes=memory << 20),
        unit=" images", bar_format="{n_fmt}{unit} {rate_fmt}", disable=quiet or None, leave=False,
    )  # fmt: skip
    for answer in bar:
        answers.append(answer)
        if answer.error or answer.note:
            bar.clear()
        if answer.error:
            console.error(answer.error)
        elif answer.note:
            console.note(f"{answer.path}: {answer.note}")
    style = "json" if as_json else style
    _print_answers(answers, style, coverage)
    if answers and style != "table":  # a table says so itself
        console.note(USE)
    failures = sum(not answer.ok for answer in answers)
    passed_over = found.passed_over()
    if not answers:
        folders = ", ".join(map(str, images))
        console.note(f"no images in {folders}; looked for {', '.join(SUFFIXES)}")
    if failures or passed_over:
        account = f"{len(answers) - failures} images answered, {failures} refused"
        console.note("; ".join(filter(None, (account, passed_over))))
    if failures or not answers:
        raise typer.Exit(1)


def _print_answers(answers: list[Any], style: str, coverage: float | None) -> None:
    """Print answers; tables leave out what could not be read, it has been reported."""
    asked = coverage is not None
    if style == "json":
        console.print_json([answer.to_dict() for answer in answers])
        return
    if style == "csv":
        console.write_csv(
            ["image", "label", "probability", "error", *(["answer", "set"] if asked else [])],
            (
                ([a.path, a.label, _share(a, ".6f"), ""] if a.ok else [a.path, "", "", a.error])
                + ([a.answer or "", ", ".join(a.set or [])] if asked else [])
                for a in answers
            ),
        )
        return
    from tinyternary.text import USE

    rows = [
        [
            a.path,
            a.answer,
            *([_set(a)] if asked else []),
            "" if a.sure is False else _share(a, ".1%"),
        ]
        for a in answers
        if a.ok
    ]
    if rows:
        console.print_table(
            ["image", "class", *([f"set at {coverage:g}"] if asked else []), "probability"],
            rows,
            caption=USE,
            text=3 if asked else 1,
        )


def _set(answer: Any) -> str:
    """Classes of a prediction set, the likeliest first, with their probabilities."""
    shares = answer.probabilities
    inside = sorted(answer.set, key=lambda name: -shares[name])
    return ", ".join(f"{name} {shares[name]:.1%}" for name in inside) or "no class"


def _share(answer: Any, style: str) -> str:
    """Probability of the named class; the largest where several labels can be true."""
    several = isinstance(answer.index, list)
    share = max(answer.probabilities.values()) if several else answer.probabilities[answer.label]
    return format(share, style)
