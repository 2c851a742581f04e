"""Every figure of the demo's table, measured on the packed file that users would run."""

from __future__ import annotations

from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from tinyternary import cost, deploy
from tinyternary.bench.timing import interleave
from tinyternary.config import Task
from tinyternary.data import Dataset
from tinyternary.evaluate import evaluate

ENERGY_TABLE = "45nm"
"""Whose constants the modelled energy rests on; see `tinyternary.cost`."""

BATCHES = (1, 64)
"""Batch sizes of the latency figures."""


def majority_share(dataset: Dataset) -> float:
    """Accuracy of always naming the most frequent class (or label pattern)."""
    if dataset.task is Task.MULTI_LABEL:
        positive = dataset.labels.mean(axis=0)
        return float(np.mean(np.maximum(positive, 1 - positive)))
    return float(np.bincount(dataset.labels).max() / len(dataset))


def latencies(engines: dict[str, Any], dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Milliseconds per image of each engine at batch 1 and 64, timed in turns.

    Returns
    -------
    dict
        Engine name to batch size (as text, a JSON key) to median, low, high, p95, calls.
    """
    times: dict[str, dict[str, Any]] = {name: {} for name in engines}
    for batch in BATCHES:
        images = np.resize(dataset.images, (batch, *dataset.images.shape[1:]))
        contenders = {name: partial(engine, images) for name, engine in engines.items()}
        for name, timing in interleave(contenders, seconds=1.0).items():
            times[name][str(batch)] = timing.to_dict(unit=1e-3 * batch)
    return times


def quality(engine: Any, dataset: Dataset, *, seed: int) -> dict[str, Any]:
    """Accuracy and AUC of the packed file on the test images, with 95 % intervals."""
    scores = evaluate(engine, dataset, seed=seed)
    return {
        "accuracy": scores["acc"],
        "accuracy_interval": scores["intervals"]["acc"],
        "auc": scores["auc"],
        "auc_interval": scores["intervals"]["auc"],
    }


def footprint(model: Any, path: Path) -> dict[str, Any]:
    """Parameters, bytes on disk, MACs and modelled energy of one network.

    Returns
    -------
    dict
        ``parameters``, ``bytes_on_disk`` (of the whole file), ``macs`` per image
        (MACs) and ``energy_uj`` per image (microjoules, modelled).
    """
    report = cost.analyze(model, table=ENERGY_TABLE)
    energy = report.energy_uj
    return {
        "parameters": report.parameters,
        "bytes_on_disk": path.stat().st_size,
        "macs": report.macs,
        "energy_uj": {"low": energy.low, "middle": energy.middle, "high": energy.high},
    }


def ternary_storage(model: Any, path: Path) -> dict[str, Any]:
    """Bytes of the ternary layers in a packed file, and what the cost model predicts.

    Returns
    -------
    dict
        ``ternary_weights``, ``ternary_bytes`` (codes and scales), ``bits_per_weight``;
        ``tensor_bytes`` of the whole file without its header, and
        ``predicted_tensor_bytes``: the two must be equal.
    """
    found = deploy.inspect(path)
    layers = [layer for layer in found["layers"] if layer["storage"] == "ternary"]
    weights = sum(prod(layer["shape"]) for layer in layers)
    stored = sum(layer["bits"] * prod(layer["shape"]) for layer in layers) / 8
    return {
        "ternary_weights": weights,
        "ternary_bytes": round(stored),
        "bits_per_weight": 8 * stored / weights,
        "tensor_bytes": found["tensor_bytes"],
        "predicted_tensor_bytes": cost.analyze(model).bytes_stored,
    }
