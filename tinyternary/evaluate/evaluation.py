"""A model's answers on a data set, and what they are worth (lesson 03)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tinyternary.autograd import no_grad
from tinyternary.config import Preprocessing, Standardization, scores
from tinyternary.data import Dataset, Splits, targets
from tinyternary.data.augment.views import MIRRORS, views
from tinyternary.data.classes import check_classes
from tinyternary.deploy.engine import Engine
from tinyternary.errors import ConfigError, DataFileError, ShapeError, unknown_name
from tinyternary.evaluate.judged import judge
from tinyternary.evaluate.metrics import defined, evaluate_scores, mean_auc
from tinyternary.evaluate.proper_scores import log_losses
from tinyternary.evaluate.temperature import fit_temperature
from tinyternary.models import ViT
from tinyternary.nn import Module

Images = NDArray[Any]
Logits = NDArray[np.float32]


def predict_logits(
    model: Module | Callable[[Images], Logits],
    images: Images,
    preprocessing: Preprocessing | Standardization | None = None,
    *,
    flips: str = "none",
    shifts: int = 0,
    batch_size: int = 256,
    progress: str | None = None,
) -> Logits:
    """Ask a model about images, batch by batch.

    Parameters
    ----------
    model : Module, or callable from uint8 images to logits
        A network (with `preprocessing`), or something that takes bytes, such as
        the inference engine.
    images : (N, H, W, C) uint8, or rows (N, D) of floats
    preprocessing : Preprocessing, or Standardization of rows, optional
        Needed for a network that reads images; rows are given to it as they are without one.
    flips : {"none", "horizontal", "both"}
        Average the logits over mirrored copies: 1, 2 or 4 passes.
    shifts : int
        Average them over copies moved by up to so many pixels along each axis, edges
        repeated: (2 shifts + 1)^2 passes, times those of `flips`. A patch grid is
        not blind to shifts as convolutions are; the average is.
    batch_size : int
    progress : str, optional
        Shows a bar with this label.

    Returns
    -------
    (N, C) float32

    Raises
    ------
    ConfigError
        If a network comes without preprocessing to images, or `flips` or `shifts` cannot be
        used.
    DataFileError
        If there are no images.
    """
    if len(images) == 0:
        raise DataFileError("prediction: no images")
    if flips not in MIRRORS:
        raise unknown_name("flips", flips, MIRRORS)
    if shifts < 0:
        raise ConfigError(f"shifts: expected 0 or more pixels, got {shifts}")
    if images.ndim == 2 and (flips != "none" or shifts):
        raise ConfigError("flips and shifts are for images: leave them out for rows of numbers")
    if isinstance(model, Module):
        if preprocessing is None and images.ndim != 2:
            raise ConfigError("preprocessing: a network needs it to read images")
        network, prepare = model, preprocessing or np.float32
        training = network.training
        network.eval()
        try:
            with no_grad():
                return _batches(
                    lambda part: network(prepare(part)).numpy(),
                    images, flips, shifts, batch_size, progress,
                )  # fmt: skip
        finally:
            if training:
                network.train()
    return _batches(model, images, flips, shifts, batch_size, progress)


def _batches(
    ask: Callable[[Images], Logits],
    images: Images,
    flips: str,
    shifts: int,
    batch_size: int,
    progress: str | None,
) -> Logits:
    parts = []
    starts = tqdm(
        range(0, len(images), batch_size), progress, unit="batch", leave=False,
        disable=progress is None, dynamic_ncols=True,
    )  # fmt: skip
    for start in starts:
        answers = [ask(view) for view in views(images[start : start + batch_size], flips, shifts)]
        # a single view stays as it is, whatever type the answer has
        parts.append(np.mean(answers, axis=0, dtype=np.float32) if answers[1:] else answers[0])
    return np.concatenate(parts)


def evaluate(
    model: Module | Callable[[Images], Logits],
    data: Dataset,
    preprocessing: Preprocessing | Standardization | None = None,
    *,
    flips: str = "none",
    shifts: int = 0,
    batch_size: int = 256,
    progress: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Judge a model on a data set.

    Parameters
    ----------
    model, preprocessing, flips, shifts, batch_size, progress
        As in `predict_logits`.
    data : Dataset
    **options
        ``temperature``: what logits are divided by. All else is passed on to
        `tinyternary.evaluate.metrics.evaluate_scores` (bootstrap, ...). The temperature and the
        `threshold` of an `Engine` are by default those of its file.

    Returns
    -------
    dict
        ``"acc"`` and ``"auc"`` as MedMNIST's Evaluator defines them, ``"loss"``
        (mean cross-entropy, nats), what `evaluate_scores` adds, and ``"temperature"`` if there
        is one.

    Raises
    ------
    ConfigError, DataFileError
        If model and data do not fit each other, or there are no images; a packed model also
        has to know the classes of the data by the same names in the same order.
    """
    if isinstance(model, ViT):
        data.check_fits(model.config)
    if isinstance(model, Engine):
        check_classes(data, model.class_names, model.header.task, "packed model")
        options.setdefault("threshold", model.header.threshold)
        options.setdefault("temperature", model.header.temperature)
    return measure(
        model, data, preprocessing,
        flips=flips, shifts=shifts, batch_size=batch_size, progress=progress, **options,
    )  # fmt: skip


def measure(
    model: Module | Callable[[Images], Logits],
    data: Dataset,
    preprocessing: Preprocessing | Standardization | None = None,
    *,
    flips: str = "none",
    shifts: int = 0,
    batch_size: int = 256,
    progress: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Do what `evaluate` does for a model and data that have been seen to fit each other."""
    logits = predict_logits(
        model, data.images, preprocessing,
        flips=flips, shifts=shifts, batch_size=batch_size, progress=progress,
    )  # fmt: skip
    return {"images": len(data), "flips": flips, "shifts": shifts,
            **_worth(logits, data, **options)}  # fmt: skip


def _worth(
    logits: Logits, data: Dataset, temperature: float | None = None, **options: Any
) -> dict[str, Any]:
    """Judge logits: the loss and what `evaluate_scores` finds, at a temperature."""
    if logits.shape != (len(data), data.num_classes):
        raise ShapeError(
            f"logits: expected shape ({len(data)}, {data.num_classes}), got {logits.shape}"
        )
    given = {} if temperature is None else {"temperature": temperature}
    probabilities = scores(logits, data.task, **given)
    means = {"loss": _losses(np.asarray(logits, np.float64) / (temperature or 1.0), data)}
    return {**given, **evaluate_scores(data.labels, probabilities, data.task, means=means,
                                       **options)}  # fmt: skip


_CALIBRATED = ("loss", "brier", "ece", "ece_equal_mass")


def calibrate(
    model: Module | Callable[[Images], Logits],
    data: Splits,
    preprocessing: Preprocessing | Standardization | None,
    metrics: dict[str, dict[str, Any]],
) -> None:
    """Choose a temperature on validation images; add what it does to the metrics of each split.

    A single answer to each image counts, as a packed file gives it, also where the metrics
    average copies.

    Parameters
    ----------
    model, preprocessing
        As in `predict_logits`.
    data : Splits
    metrics : dict
        Split to metrics; each gets an entry ``calibrated``: ``temperature``, and ``loss``,
        ``brier``, ``ece`` and ``ece_equal_mass`` at it, with ``intervals`` where the temperature
        was not chosen. Left as it is without validation images.
    """
    if "val" not in metrics:
        return
    logits = {split: predict_logits(model, data[split].images, preprocessing) for split in metrics}
    temperature = fit_temperature(data.val.labels, logits["val"], data.task)
    for split, found in metrics.items():
        resamples = 0 if split == "val" else 1000
        worth = _worth(logits[split], data[split], temperature, resamples=resamples)
        found["calibrated"] = {name: worth[name] for name in ("temperature", *_CALIBRATED)}
        if resamples:
            ends = worth["intervals"]
            found["calibrated"]["intervals"] = {name: ends[name] for name in _CALIBRATED}


def mean_loss(logits: Logits, data: Dataset) -> float:
    """Mean cross-entropy (per label if multi-label) of logits against plain labels, in nats."""
    return float(_losses(logits, data).mean())


def _losses(logits: NDArray[np.floating], data: Dataset) -> NDArray[np.float64]:
    goal = targets(data.labels, data.task, data.num_classes, ordinal_width=0.0)
    return log_losses(logits, goal, data.task)


def quick_metrics(
    model: Module, data: Dataset, preprocessing: Preprocessing | Standardization
) -> dict[str, float | None]:
    """Loss, ACC and AUC after an epoch; None without images, or where undefined."""
    if len(data) == 0:
        return {"val_loss": None, "val_acc": None, "val_auc": None}
    logits = predict_logits(model, data.images, preprocessing)
    judged = judge(data.labels, scores(logits, data.task), data.task)
    return {
        "val_loss": mean_loss(logits, data),
        "val_acc": float(judged.right.mean()),
        "val_auc": defined(mean_auc(judged)),
    }
