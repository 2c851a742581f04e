"""Whether a mean hides something: accuracy in parts of the test images (lesson 11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.evaluate.intervals import wilson_interval
from tinyternary.evaluate.judged import Judged
from tinyternary.evaluate.paired import share_difference


def all_right(judged: Judged) -> NDArray[np.bool_]:
    """Say which images are answered right: (N,); of several labels all have to be."""
    right = judged.right
    return np.asarray(right.all(1) if right.ndim == 2 else right)


def by_group(
    judged: Mapping[str, Judged], group: NDArray[np.integer], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Judge one or two networks in each group of images.

    Parameters
    ----------
    judged : mapping of str to Judged
        Answers about the same images, such as those of "teacher" and "student".
    group : (N,) int
        Which group each image is in; -1 for none.
    names : sequence of str
        What the groups are called.

    Returns
    -------
    list of dict
        For each group ``name``, ``images`` and, by the name of each network, ``acc``, the
        share of images that are answered right (all labels, if there are several), with its
        ``interval`` (Wilson). With two networks ``difference``, second less first, and
        ``difference_interval`` (Newcombe, paired). A group without images has None.
    """
    right = {who: all_right(each) for who, each in judged.items()}
    rows: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        inside = np.asarray(group) == number
        images = int(inside.sum())
        row: dict[str, Any] = {"name": name, "images": images}
        for who, hits in right.items():
            count = int(hits[inside].sum())
            row[who] = {
                "acc": count / images if images else None,
                "interval": wilson_interval(count, images),
            }
        if len(right) == 2:
            first, second = (hits[inside] for hits in right.values())
            row["difference"] = float(second.mean() - first.mean()) if images else None
            row["difference_interval"] = share_difference(first, second) if images else None
        rows.append(row)
    return rows
