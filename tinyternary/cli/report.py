"""`tinyternary report`: one page of what can be measured about trust in a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson, Memory, Quiet, Root, Seed, Size, Threads


@app.command(
    epilog="Example: tinyternary report runs/breast/seed-0 --root ~/medmnist --out breast.html"
)
def report(
    run: Annotated[
        Path,
        typer.Argument(
            help="Run folder, a folder with run folders `teacher` and `student`, or a packed file."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Page to write; its numbers go beside it as .json.")
    ] = Path("report.html"),
    teacher: Annotated[
        Path | None,
        typer.Option(help="Run folder or packed file to compare with.", show_default=False),
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Data set; by default the run's own.")
    ] = None,
    size: Size = None,
    root: Root = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer resamples and searches, for a first look.")
    ] = False,
    memory: Memory = 512,
    seed: Seed = 0,
    threads: Threads = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a page about a trained network: accuracy, its limits, and two reporting checklists."""
    from tinyternary import experiments as running
    from tinyternary.bench.machine import describe_machine
    from tinyternary.demo.numbers import latencies
    from tinyternary.experiments.trust import mistakes
    from tinyternary.report.trust.accuracy import Examples
    from tinyternary.report.trust.page import Pictures, trust_page
    from tinyternary.train.checkpoints import write_json

    console.writable_folder(out.parent)
    subject = running.read_subject(
        run, teacher, data=data, root=root, size=size, seed=seed, limit_bytes=memory << 20
    )
    record = running.measure_trust(subject, seed=seed, quick=quick, progress=not quiet)
    engines = {who: network.engine for who, network in subject.networks.items()}
    record["speed"] = {
        "machine": describe_machine(),
        "latency_ms": latencies(engines, subject.data.test),
    }
    wrong = Examples(**mistakes(subject))
    maps = (
        running.map_examples(subject.runs, subject.data.test, seed=seed)
        if "maps" in record
        else None
    )
    trust_page(record, Pictures(wrong, maps)).write(out)
    write_json(out.with_suffix(".json"), record)
    if as_json:
        console.print_json(record)
        return
    console.say(f"Look at {out}; its numbers are in {out.with_suffix('.json')}")
