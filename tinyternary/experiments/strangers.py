"""How both networks answer images of none of their classes, and whether these can be told."""

from __future__ import annotations

from typing import Any

from tinyternary.data import MEDMNIST
from tinyternary.evaluate.outliers import measure_outliers, strange_images
from tinyternary.experiments.subject import Subject

IMAGES = 200
"""Strange images of each kind."""


def strangers(subject: Subject, seed: int, resamples: int) -> dict[str, Any] | None:
    """Ask the networks about noise, shuffled pixels, empty images and images of other sets.

    Returns
    -------
    dict
        For each network with a run what `measure_outliers` gives, and ``other_sets``: ``asked``,
        by set its ``modality`` and ``channels``, and ``left_out``, by set the reason. None if no
        network has a run: a packed file gives no features of its training images.
    """
    if not subject.runs:
        return None
    others = subject.others
    outside = {**strange_images(subject.data.test, IMAGES, seed), **others.images}
    found: dict[str, Any] = {
        who: measure_outliers(
            run.model, run.preprocessing, subject.data.train, subject.data.test, outside,
            seed=seed, resamples=resamples,
        )
        for who, run in subject.runs.items()
    }  # fmt: skip
    asked = {
        name: {"modality": MEDMNIST[name].modality, "channels": MEDMNIST[name].channels}
        for name in others.images
    }
    return {**found, "other_sets": {"asked": asked, "left_out": others.left_out}}
