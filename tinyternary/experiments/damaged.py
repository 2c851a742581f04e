"""What damage to the images does to both networks: MedMNIST-C's corruptions of their set."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary.data import MEDMNIST_C
from tinyternary.evaluate import answers_under_corruption, compare_robustness, robustness
from tinyternary.experiments.subject import Subject

IMAGES = 600
"""Test images that are damaged, drawn at random where there are more: each is asked 5 K times."""


def damaged(
    subject: Subject, seed: int, resamples: int, images: int = IMAGES
) -> dict[str, Any] | None:
    """Ask both networks about test images under each corruption of their set.

    Returns
    -------
    dict
        For each network what `robustness` gives; with two networks ``difference``: what
        `compare_robustness` gives. None for a set without corruptions of its own.
    """
    test = subject.data.test
    if test.name not in MEDMNIST_C:
        return None
    order = np.random.default_rng(seed).permutation(len(test))[:images]
    part = test.subset(np.sort(order))
    thresholds = {
        who: each.engine.header.threshold
        for who, each in subject.networks.items()
        if each.engine.header.threshold is not None
    }
    answers = answers_under_corruption(
        {who: each.engine for who, each in subject.networks.items()}, part,
        thresholds=thresholds, seed=seed,
    )  # fmt: skip
    found: dict[str, Any] = {
        who: robustness(each, seed=seed, resamples=resamples) for who, each in answers.items()
    }
    if len(answers) == 2:
        teacher, student = answers.values()
        found["difference"] = compare_robustness(teacher, student, seed=seed, resamples=resamples)
    return found
