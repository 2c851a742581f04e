"""The baseline of robustness: a small convolutional network's errors, measured once and kept.

MedMNIST-C divides by the errors of an AlexNet on images of 224 pixels a side. Here images have 28,
where an AlexNet has no room, so the baseline is `SmallConvNet`, trained without augmentation:

    python -m tinyternary.experiments.robust_baseline FOLDER [NAME ...]

trains it on MedMNIST files in FOLDER (on one core, minutes a set) and writes its errors to
``tinyternary/evaluate/baseline_errors.json``, where `tinyternary.evaluate.baseline_errors` reads
them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

from tinyternary import evaluate
from tinyternary.data import Dataset, Split, Splits, medmnist
from tinyternary.errors import CheckpointError
from tinyternary.evaluate import answers_under_corruption, predict_logits, robustness
from tinyternary.files import replace_content
from tinyternary.models import SmallConvNet
from tinyternary.train import Run, fit

SHOWN = 100_000
"""Training images that a baseline sees, of a small set again and again."""
LEAST = 20
"""Epochs at least: a weak baseline would make every network look robust."""


def train_baseline(data: Splits, seed: int = 0, run_dir: Path | None = None) -> Run:
    """Train the baseline on a set; the same seed gives the same network."""
    model = SmallConvNet(data.channels, data.num_classes, seed=seed)
    return fit(
        model, data, run_dir=run_dir, seed=seed, test=False, progress=False,
        epochs=max(LEAST, round(SHOWN / len(data.train))), lr=3e-3, batch_size=64,
        augment="none", flips="none",
    )  # fmt: skip


def measure_baseline(run: Run, data: Dataset) -> dict[str, Any]:
    """Measure a trained baseline's balanced errors on the test images of its set.

    Returns
    -------
    dict of plain JSON types
        What `tinyternary.evaluate.baseline_errors` gives: ``clean``, and ``errors`` by corruption
        and severity; beside these ``seed``, ``epochs`` and ``parameters`` of the network.
    """
    found = answers_under_corruption(
        {"it": lambda images: predict_logits(run.model, images, run.preprocessing)}, data
    )
    result = robustness(found["it"], resamples=0)
    return {
        "seed": run.seed,
        "epochs": run.recipe.epochs,
        "parameters": sum(int(p.data.size) for p in run.model.parameters()),
        "clean": result["clean"],
        "errors": {kind: each["errors"] for kind, each in result["by_corruption"].items()},
    }


def record(name: str, measured: dict[str, Any], path: Path) -> None:
    """Put a set's baseline into the file of all, a line for each corruption."""
    recorded = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    recorded[name] = {
        **measured,
        "errors": {kind: [round(e, 6) for e in each] for kind, each in measured["errors"].items()},
    }
    text = json.dumps(dict(sorted(recorded.items())), indent=1)
    # five numbers of one corruption belong on one line
    text = re.sub(r"\[[^\]]*\]", lambda found: " ".join(found[0].split()), text)
    replace_content(path, (text + "\n").encode(), CheckpointError)


def main(arguments: list[str]) -> None:
    """Train and record; see the module's text."""
    root, *names = arguments
    path = Path(evaluate.__file__).parent / "baseline_errors.json"
    for name in names or ("breastmnist", "pneumoniamnist", "bloodmnist"):
        splits = Splits(*(medmnist(name, part, root=root) for part in get_args(Split)))
        measured = measure_baseline(train_baseline(splits), splits.test)
        record(name, measured, path)
        mean = sum(map(sum, measured["errors"].values())) / (5 * len(measured["errors"]))
        print(f"{name}: {measured['clean']:.3f} as they are, {mean:.3f} under corruption")


if __name__ == "__main__":
    main(sys.argv[1:])
