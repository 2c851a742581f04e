"""`tinyternary demo`, step by step: each step calls one part of the library."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tinyternary
from tinyternary import cost, data as datasets, deploy, experiments, kernels, models, quant, train
from tinyternary.bench.machine import describe_machine
from tinyternary.data.classes import label_words
from tinyternary.demo.numbers import (
    ENERGY_TABLE,
    footprint,
    latencies,
    majority_share,
    quality,
    ternary_storage,
)
from tinyternary.demo.table import comparison_rows
from tinyternary.errors import CheckpointError
from tinyternary.evaluate import judge
from tinyternary.evaluate.confusion import confusion
from tinyternary.files import made_folder
from tinyternary.report.demo_page import DemoPictures, demo_page
from tinyternary.train.checkpoints import write_json

QUICK_SHARE = 4
"""`--quick` divides training images and steps by this."""


def run_demo(
    data: str = "phantoms",
    *,
    root: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "demo",
    seed: int = 0,
    quick: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """Train a float teacher, distil a ternary student, pack both, run both, write the report.

    Parameters
    ----------
    data : str
        ``"phantoms"`` or the name of a MedMNIST 2D set.
    root : path, optional
        Folder of the MedMNIST files.
    out : path
        Folder for `student.safetensors`, `teacher.safetensors`, `metrics.json`
        and `report.html`; made if it does not exist.
    seed : int
        Of phantoms, weights, batches and augmentation.
    quick : bool
        A quarter of the images and of the training.
    progress : bool
        Show progress bars on standard error.

    Returns
    -------
    dict
        The content of `metrics.json`: plain JSON types.

    Raises
    ------
    ConfigError, DataFileError
        If the data set is unknown, missing or damaged.
    CheckpointError, PackedFileError
        If a file cannot be written.
    """
    folder = made_folder(out, CheckpointError)
    clock = _Clock()
    with clock("data"):
        splits = datasets.load(data, root=root, seed=seed)
        if quick:
            share = slice(0, max(1, len(splits.train) // QUICK_SHARE))
            splits = datasets.Splits(splits.train.subset(share), splits.val, splits.test)
    plan = experiments.read_experiment("demo")
    if quick and plan.images is not None:
        plan = plan.model_copy(update={"images": plan.images // QUICK_SHARE})
    config = plan.vit(splits.image_size, splits.channels, splits.num_classes)
    teacher_recipe, student_recipe = plan.recipes(len(splits.train))

    with clock("teacher"):
        teacher = models.ViT(config, seed=seed)
        teacher_run = train.fit(
            teacher,
            splits,
            teacher_recipe,
            seed=seed,
            progress=progress,
            test=False,
            label="teacher",
        )
    with clock("student"):
        student = quant.ternarize(models.ViT(config, seed=seed), policy=plan.policy)
        student_run = train.distill(
            student,
            teacher_run,
            splits,
            student_recipe,
            seed=seed,
            progress=progress,
            test=False,
            label="student",
        )

    engines: dict[str, Any] = {}
    with clock("pack"):
        for name, run in (("teacher", teacher_run), ("student", student_run)):
            packed = deploy.pack(
                run.model,
                preprocessing=run.preprocessing,
                task=splits.task,
                class_names=splits.class_names,
            )
            packed.save(folder / f"{name}.safetensors")
            engines[name] = deploy.load(folder / f"{name}.safetensors")
    test = splits.test
    with clock("measure"):
        agreement = deploy.agreement(student_run.model, engines["student"], test.images)
        times = latencies(engines, test)
        networks = {
            name: {
                **quality(engines[name], test, seed=seed),
                **footprint(run.model, folder / f"{name}.safetensors"),
                "latency_ms": times[name],
            }
            for name, run in (("teacher", teacher_run), ("student", student_run))
        }
        networks["student"] |= ternary_storage(student_run.model, folder / "student.safetensors")
    metrics: dict[str, Any] = {
        "tinyternary": tinyternary.__version__,
        "data": {
            "name": splits.name,
            "title": "synthetic phantoms" if test.synthetic else data,
            "synthetic": test.synthetic,
            "task": test.task.value,
            "class_names": list(test.class_names),
            "train": len(splits.train),
            "val": len(splits.val),
            "test": len(test),
            "majority_share": majority_share(test),
        },
        "seed": seed,
        "quick": quick,
        "machine": describe_machine(),
        **networks,
        "agreement": agreement.to_dict(),
        "energy_model": cost.energy_table(ENERGY_TABLE).title,
    }
    with clock("report"):
        pictures = _pictures(engines["student"], student_run, teacher_run, test)
        metrics["seconds"] = clock.total()
        page = demo_page(metrics, comparison_rows(metrics), pictures)
        page.write(folder / "report.html")
    write_json(folder / "metrics.json", metrics)
    return metrics


class _Clock:
    """Seconds of each step, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[step] = round(time.perf_counter() - begin, 3)

    def total(self) -> dict[str, float]:
        return {**self.seconds, "total": round(sum(self.seconds.values()), 3)}


def _pictures(engine: Any, student_run: Any, teacher_run: Any, test: Any) -> Any:
    """Gather what the report's figures are drawn from."""
    answers = engine.predict(test.images)
    shown = _spread_over_classes(test, seed=0)
    single = test.labels.ndim == 1
    judged = judge(test.labels, answers.probabilities, test.task, engine.header.threshold)
    layers = {
        name: module
        for name, module in student_run.model.named_modules()
        if isinstance(module, quant.BitLinear)
    }
    quantized = {
        name: q
        for name, layer in layers.items()
        if isinstance(q := layer.quantized(), quant.Quantized)
    }
    return DemoPictures(
        images=test.images[shown],
        labels=[label_words(test.class_names, test.labels[i]) for i in shown],
        predictions=[label_words(test.class_names, answers.labels[i]) for i in shown],
        confidences=[float(answers.probabilities[i].max()) for i in shown],
        confusion=confusion(judged) if single else None,
        histories={"teacher": teacher_run.history, "student": student_run.history},
        latent={name: layer.weight.data for name, layer in layers.items()},
        trits={name: q.trits for name, q in quantized.items()},
        codes={name: kernels.pack(q.trits).data for name, q in quantized.items()},
        scales={name: float(np.mean(q.scale)) for name, q in quantized.items()},
    )


def _spread_over_classes(test: Any, seed: int, count: int = 16) -> NDArray[np.int64]:
    """Pick test images for display, class after class in turn; nobody chose them by hand."""
    order = np.random.default_rng(seed).permutation(len(test))
    if test.labels.ndim > 1:
        return order[:count]
    turn = np.empty(len(test), np.int64)
    for label in range(test.num_classes):
        same = test.labels[order] == label
        turn[same] = np.arange(np.count_nonzero(same))
    by_turn = np.lexsort((test.labels[order], turn))
    return np.asarray(order[by_turn][:count])
