"""Options that several commands share, so that they read and behave alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[
    bool, typer.Option("--json", help="Print the numbers as JSON on standard output, nothing else.")
]
Seed = Annotated[int, typer.Option(help="Seed of weights, batches and augmentation.", min=0)]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        help="'phantoms' (embedded, synthetic) or a MedMNIST 2D set: "
        "breastmnist, pneumoniamnist, bloodmnist, ...; breastmnist_64 is one of 64 pixels.",
    ),
]
Size = Annotated[
    int | None,
    typer.Option(
        help="Pixels a side of MedMNIST images: 28, 64, 128 or 224; by default what --data says, "
        "else 28.",
        show_default=False,
    ),
]
Root = Annotated[
    Path | None,
    typer.Option(
        help="Folder of MedMNIST .npz files. Needed for anything but phantoms.", show_default=False
    ),
]
Download = Annotated[
    bool,
    typer.Option(
        "--download", help="Fetch a missing MedMNIST file into --root with the `medmnist` package."
    ),
]
Memory = Annotated[
    int,
    typer.Option(
        help="Most memory that one image may take, decoded or in the network, MiB.", min=1
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


def _use_threads(context: typer.Context, count: int | None) -> None:
    """Have everything that the command calls use so many threads, as long as it runs."""
    if count is not None:
        from tinyternary.compiled.threads import using_threads_everywhere

        context.with_resource(using_threads_everywhere(count))


Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, callback=_use_threads, expose_value=False, show_default=False,
        help="Threads to compute with; by default one per core that is free for it.",
    ),
]  # fmt: skip
Jobs = Annotated[
    int,
    typer.Option(
        help="Runs at a time, each in a process of its own with one thread; bits stay the same.",
        min=1,
    ),
]
