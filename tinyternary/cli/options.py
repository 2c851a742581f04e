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
        "breastmnist, pneumoniamnist, bloodmnist, ...",
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
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
