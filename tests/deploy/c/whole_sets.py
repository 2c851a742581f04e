"""Trained networks as C on all test images of their set, beside the engine.

``python -m tests.deploy.c.whole_sets RUNS [DATA]``, where RUNS is what ``tinyternary reproduce NAME
--out RUNS`` left behind. For each seed: accuracy and AUC of one pass of the packed file, how many
logits of the C differ and by how much, and what the integer variant answers.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import tinyternary as tt
from tests.deploy.c.building import COMPILERS, answers, build
from tinyternary.deploy import Engine, pack, to_c
from tinyternary.evaluate import auc
from tinyternary.train import load_run

FLAGS = "-O3 -march=native"


def beside_the_engine(folder: Path, root: str | None) -> str:
    """Pack the student in a run folder, make C of it in both ways, and compare all answers."""
    run = load_run(folder)
    splits = tt.data.load(run.dataset, root=root)
    images, labels = splits.test.images, splits.test.labels.reshape(-1)
    packed = pack(
        run.model, bits=1.6, preprocessing=run.preprocessing, task=run.task,
        class_names=run.class_names,
    )  # fmt: skip
    engine = Engine(packed.read())
    expected = engine(images)
    with tempfile.TemporaryDirectory() as place:
        size = packed.save(Path(place) / "student.safetensors").stat().st_size
        to_c(packed, place)
        build(Path(place), COMPILERS[0], FLAGS)
        found = answers(Path(place), images)
    with tempfile.TemporaryDirectory() as place:
        to_c(packed, place, integer=True)
        build(Path(place), COMPILERS[0], FLAGS)
        whole = answers(Path(place), images).view(np.int32) / np.float32(2**16)
    decided = {"engine": expected, "C": found, "integers": whole}
    decided = {name: engine.decide(logits) for name, logits in decided.items()}
    right = {name: np.mean(each.labels == labels) for name, each in decided.items()}
    area = auc(labels, decided["engine"].probabilities, run.task)
    other = int(np.sum(decided["integers"].labels != decided["engine"].labels))
    return (
        f"{folder.parent.name}: {size:,} bytes; one pass accuracy {right['engine']:.4f}, AUC "
        f"{area:.4f}; C: {int(np.sum(found != expected))} of {expected.size} logits "
        f"unequal, by at most {np.max(np.abs(found - expected)):.3g}, accuracy {right['C']:.4f}; "
        f"integers: {other} of {len(images)} classes differ, logits by at most "
        f"{np.max(np.abs(whole - expected)):.4f} of a spread of {np.ptp(expected):.2f}, "
        f"accuracy {right['integers']:.4f}"
    )


if __name__ == "__main__":
    for student in sorted(Path(sys.argv[1]).glob("seed-*/student")):
        if (student / "metrics.json").exists():
            print(
                beside_the_engine(student, sys.argv[2] if len(sys.argv) > 2 else None), flush=True
            )
