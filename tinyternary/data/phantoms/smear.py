"""The embedded data set: invented blood cells, drawn from a seed (lessons 03 to 12).

No patient, no download: 28 x 28 RGB images of eight kinds of made-up cell among
red cells, the same bytes on every machine. A linear classifier does not solve
them, a small Vision Transformer does. They teach; they say nothing of medicine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task
from tinyternary.data.dataset import Dataset, Split, check_split
from tinyternary.data.phantoms._draws import PortableDraws
from tinyternary.data.phantoms.cell_drawing import draw_cell
from tinyternary.data.phantoms.cells import KINDS
from tinyternary.data.phantoms.field import SIZE, texture_fields
from tinyternary.data.phantoms.slide import (
    background,
    blur,
    draw_neighbor,
    draw_red_cells,
    illumination,
    stain,
)
from tinyternary.errors import ConfigError, unknown_name

PHANTOM_CLASSES: tuple[str, ...] = tuple(kind.name for kind in KINDS)
"""Class names of the phantoms."""

COUNTS: dict[str, int] = {"train": 6000, "val": 1000, "test": 1000}
_CHUNK = 40  # five images of each class; arrays of this many images stay in the cache


def phantoms(
    split: Split = "train",
    seed: int = 0,
    count: int | None = None,
    classes: int | Sequence[str] | None = None,
) -> Dataset:
    """Draw synthetic blood-smear images.

    Parameters
    ----------
    split : {"train", "val", "test"}
        6,000, 1,000 and 1,000 images; no two splits share an image.
    seed : int
        Not negative; each seed is a data set of its own.
    count : int, optional
        Only the first so many images (or more of them), classes in equal shares
        up to one chunk.
    classes : int or sequence of str, optional
        Only the first so many of `PHANTOM_CLASSES`, or those named, labelled in that
        order: images of the whole data set, without those of the other classes.

    Returns
    -------
    Dataset
        Images (N, 28, 28, 3) uint8, eight classes or those chosen, ``synthetic=True``.
        Drawn once: a second call copies what the first one made.

    Raises
    ------
    ConfigError
        If the split or a class is unknown, the seed negative, the count not positive, or
        there are not two classes at least, each once.

    Examples
    --------
    >>> few = tt.data.phantoms("train", count=4)
    >>> few.images.shape, few.num_classes
    ((4, 28, 28, 3), 8)
    >>> tt.data.phantoms("test", count=200, classes=2).class_names
    ('phantom round', 'phantom kidney')
    """
    check_split(split)
    if seed < 0:
        raise ConfigError(f"seed: expected a non-negative integer, got {seed}")
    chosen = _chosen(classes)
    total = COUNTS[split] * len(chosen) // len(KINDS) if count is None else count
    if total < 1:
        raise ConfigError(f"count: expected a positive integer, got {total}")
    # the usual sizes are kept; what is larger than a whole split is drawn anew each time
    draw = _kept if total <= COUNTS["train"] else _draw
    images, labels = draw(split, seed, total, chosen)
    names = tuple(PHANTOM_CLASSES[kind] for kind in chosen)
    return Dataset(images.copy(), labels.copy(), Task.MULTI_CLASS, names, "phantoms", split, True)


def _chosen(classes: int | Sequence[str] | None) -> tuple[int, ...]:
    """Return the places in `PHANTOM_CLASSES` of the classes that were asked for."""
    if classes is None:
        return tuple(range(len(KINDS)))
    if isinstance(classes, int):
        if not 2 <= classes <= len(KINDS):
            raise ConfigError(f"classes: expected 2 to {len(KINDS)}, got {classes}")
        return tuple(range(classes))
    names = [classes] if isinstance(classes, str) else list(classes)
    for name in names:
        if name not in PHANTOM_CLASSES:
            raise unknown_name("phantom class", name, PHANTOM_CLASSES)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ConfigError(f"classes: expected two names or more, each once, got {names}")
    return tuple(PHANTOM_CLASSES.index(name) for name in names)


def _draw(
    split: Split, seed: int, total: int, chosen: tuple[int, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw chunk by chunk until there are `total` images (N, 28, 28, 3) of the chosen kinds."""
    images = np.empty((total, SIZE, SIZE, 3), np.uint8)
    labels = np.empty(total, np.int64)
    new_label = np.full(len(KINDS), -1)
    new_label[list(chosen)] = np.arange(len(chosen))
    start = chunk = 0
    while start < total:
        # a chunk has a stream of its own: the first images do not depend on how many follow
        draws = PortableDraws(seed, get_args(Split).index(split), chunk)
        order = np.argsort(draws.uniform(_CHUNK), kind="stable") % len(KINDS)
        label = new_label[order]
        wanted = np.flatnonzero(label >= 0)[: total - start]
        part = slice(start, start + len(wanted))
        images[part] = _render(draws, order)[wanted]
        labels[part] = label[wanted]
        start, chunk = part.stop, chunk + 1
    return images, labels


_kept = lru_cache(maxsize=6)(_draw)  # three splits of two data sets; 14 MB the largest


def _render(draws: PortableDraws, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Draw one image per label.

    Parameters
    ----------
    draws : PortableDraws
        Source of all variation.
    labels : (B,) int

    Returns
    -------
    (B, 28, 28, 3) uint8
    """
    count = len(labels)
    texture = texture_fields(draws, count)
    canvas = background(draws, count)
    draw_red_cells(draws, canvas, texture[1])
    draw_neighbor(draws, canvas, texture[0])
    draw_cell(draws, canvas, labels, texture)
    canvas = blur(draws, canvas) * stain(draws, count) * illumination(draws, count)
    noise = draws.bell(count, 3, SIZE, SIZE) * draws.between(1.5, 6.0, count, 1, 1, 1)
    pixels = canvas * np.float32(255) + noise + np.float32(0.5)
    return np.clip(pixels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
