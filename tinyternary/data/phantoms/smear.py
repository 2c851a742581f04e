"""The embedded data set: invented blood cells, drawn from a seed (lessons 03 to 12).

No patient, no download: 28 x 28 RGB images of eight kinds of made-up cell among
red cells, the same bytes on every machine. A linear classifier does not solve
them, a small Vision Transformer does. They teach; they say nothing of medicine.
"""

from __future__ import annotations

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Task
from tinyternary.data.dataset import Dataset, Split
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
from tinyternary.errors import ConfigError

PHANTOM_CLASSES: tuple[str, ...] = tuple(kind.name for kind in KINDS)
"""Class names of the phantoms."""

COUNTS: dict[str, int] = {"train": 6000, "val": 1000, "test": 1000}
_CHUNK = 40  # five images of each class; arrays of this many images stay in the cache


def phantoms(split: Split = "train", seed: int = 0, count: int | None = None) -> Dataset:
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

    Returns
    -------
    Dataset
        Images (N, 28, 28, 3) uint8, eight classes, ``synthetic=True``.

    Raises
    ------
    ConfigError
        If the split is unknown, the seed negative or the count not positive.

    Examples
    --------
    >>> few = tt.data.phantoms("train", count=4)
    >>> few.images.shape, few.num_classes
    ((4, 28, 28, 3), 8)
    """
    if split not in COUNTS:
        raise ConfigError(f"split: expected 'train', 'val' or 'test', got {split!r}")
    if seed < 0:
        raise ConfigError(f"seed: expected a non-negative integer, got {seed}")
    total = COUNTS[split] if count is None else count
    if total < 1:
        raise ConfigError(f"count: expected a positive integer, got {total}")
    images = np.empty((total, SIZE, SIZE, 3), np.uint8)
    labels = np.empty(total, np.int64)
    for start in range(0, total, _CHUNK):
        # a chunk has a stream of its own: the first images do not depend on how many follow
        draws = PortableDraws(seed, get_args(Split).index(split), start // _CHUNK)
        order = np.argsort(draws.uniform(_CHUNK), kind="stable") % len(KINDS)
        part = slice(start, min(start + _CHUNK, total))
        images[part] = _render(draws, order)[: part.stop - start]
        labels[part] = order[: part.stop - start]
    return Dataset(images, labels, Task.MULTI_CLASS, PHANTOM_CLASSES, "phantoms", split, True)


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
