"""`tinyternary demo`: the whole story in three minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson, Data, Download, Quiet, Root, Seed, Threads


@app.command(epilog="Example: tinyternary demo --data breastmnist --root ~/medmnist --out breast")
def demo(
    data: Data = "phantoms",
    root: Root = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("demo"),
    seed: Seed = 0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer images and epochs: under a minute.")
    ] = False,
    download: Download = False,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a float teacher, distil a ternary student, pack it, run it, measure it.

    Writes student.safetensors, teacher.safetensors, metrics.json and report.html.
    """
    from tinyternary import data as datasets
    from tinyternary.demo import comparison_rows, run_demo, summary

    console.writable_folder(out)
    if download:
        datasets.download(data, root)
    metrics = run_demo(data, root=root, out=out, seed=seed, quick=quick, progress=not quiet)
    if as_json:
        console.print_json(metrics)
        return
    header, *rows = comparison_rows(metrics)
    console.print_table(
        header,
        rows,
        title=f"{metrics['data']['name']}: teacher and student",
        caption=summary(metrics),
    )
    console.say(f"Look at {out / 'report.html'}")
