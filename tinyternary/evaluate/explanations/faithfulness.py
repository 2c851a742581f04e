"""Deletion and insertion: whether an answer hangs on the pixels that a map puts first.

Pixels are taken from an image in the order of its map, most used first, and the probability of
the explained class is watched: a faithful map makes it fall faster than a random order does. Or
they are put, in the same order, into a blurred image, and it should rise faster. The area under
a curve is one number per image; random orders of the same image are what it is held against, and
the map of another image: where objects lie in the middle, any map of the middle beats chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from tinyternary.config import Preprocessing, Task, scores
from tinyternary.errors import ConfigError, DataFileError, ShapeError
from tinyternary.evaluate.evaluation import predict_logits
from tinyternary.evaluate.explanations.agreement import strangers
from tinyternary.evaluate.explanations.pixels import to_pixels
from tinyternary.evaluate.intervals import mean_interval
from tinyternary.models import ViT

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]


def faithfulness(
    model: ViT,
    images: U8,
    preprocessing: Preprocessing,
    maps: Mapping[str, F32],
    *,
    task: Task = Task.MULTI_CLASS,
    steps: int = 14,
    orders: int = 10,
    blur: float | None = None,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Draw deletion and insertion curves of maps, with random orders to compare with.

    Parameters
    ----------
    model : ViT
    images : (N, H, W, C) uint8
    preprocessing : Preprocessing
    maps : mapping of str to (N, H, W)
        Maps of the model's own answers to these images, as `explain` draws them, by name.
    task : Task
        Says how logits become probabilities.
    steps : int
        Equal lots in which pixels are taken or put.
    orders : int
        Random orders of each image: of patches, spread over pixels as a map is.
    blur : float, optional
        Standard deviation of the Gaussian that blurs the image which insertion starts from,
        in pixels; by default an eighth of the image's side.
    seed, resamples : int
        Of the random orders, and of the bootstrap over images.

    Returns
    -------
    dict
        ``images``, ``orders``, ``blur``, ``fractions`` of pixels taken or put (steps + 1), and
        ``deletion`` and ``insertion``, each with

        - ``random``: mean ``curve``, ``low`` and ``high`` (lowest and highest mean curve of the
          orders), mean ``area`` with ``interval``;
        - ``maps``: for each name mean ``curve``, mean ``area`` with ``interval``, ``gain`` (how
          much better than random, paired by image; positive is better in both tests) with
          ``gain_interval``, and ``beats_random``: whether that lies above 0; ``own_gain``, how
          much better than the order of another image's map, with ``own_interval``.

    Raises
    ------
    ConfigError
        If `steps`, `orders` or `blur` is impossible.
    DataFileError, ShapeError
        If there are no images, or a map does not fit them.

    Notes
    -----
    Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box
    Models", BMVC 2018, arXiv 1806.07421, section 4.3. A deleted pixel gets the mean colour of
    the training images. Both kinds of images are unlike any in training, so a curve says
    something beside another curve only.
    """
    if steps < 1 or orders < 1:
        raise ConfigError(f"faithfulness: expected steps and orders >= 1, got {steps}, {orders}")
    sigma = model.config.image_size / 8 if blur is None else blur
    if not sigma > 0:
        raise ConfigError(f"blur: expected a positive number of pixels, got {blur!r}")
    if len(images) == 0:
        raise DataFileError("faithfulness: no images")
    for name, each in maps.items():
        if each.shape != images.shape[:3]:
            raise ShapeError(f"map {name!r}: expected {images.shape[:3]}, got {each.shape}")
    mean = np.round(255 * np.asarray(preprocessing.mean)).astype(np.uint8)
    ends = {
        "deletion": (images, np.broadcast_to(mean, images.shape)),
        "insertion": (gaussian_filter(images, (0, sigma, sigma, 0)), images),
    }
    fractions = np.linspace(0, 1, steps + 1)
    counts = np.round(fractions * images[0, ..., 0].size).astype(np.int64)

    def probabilities(of: U8) -> F64:
        return scores(predict_logits(model, of, preprocessing), task)

    classes = probabilities(images).argmax(1)

    def curves(kind: str, order: NDArray[np.int64]) -> F64:
        """Probabilities (N, steps + 1) of the classes while one end takes the other's place."""
        first, last = ends[kind]
        place = order.reshape(*images.shape[:3], 1)
        mixed = (np.where(place < count, last, first) for count in counts)
        return np.stack([probabilities(of)[np.arange(len(of)), classes] for of in mixed], axis=1)

    rng = np.random.default_rng(seed)
    drawn = [random_order(model, len(images), rng) for _ in range(orders)]
    partner = strangers(len(images), rng)
    found: dict[str, Any] = {
        "images": len(images), "orders": orders, "blur": float(sigma),
        "fractions": fractions.tolist(),
    }  # fmt: skip
    for kind, better in (("deletion", -1), ("insertion", 1)):
        by_order = np.stack([curves(kind, each) for each in drawn])  # (orders, N, steps + 1)
        chance = area(by_order.mean(0), fractions)
        found[kind] = {
            "random": {
                **_summary(by_order.mean(0), chance, seed, resamples),
                "low": by_order.mean(1).min(0).tolist(),
                "high": by_order.mean(1).max(0).tolist(),
            },
            "maps": {},
        }
        for name, each in maps.items():
            curve = curves(kind, order_of(each))
            mine = area(curve, fractions)
            theirs = area(curves(kind, order_of(each[partner])), fractions)
            gain, own = better * (mine - chance), better * (mine - theirs)
            interval = mean_interval(gain, seed, resamples)
            found[kind]["maps"][name] = {
                **_summary(curve, mine, seed, resamples),
                "gain": float(gain.mean()), "gain_interval": interval,
                "beats_random": interval[0] > 0,
                "own_gain": float(own.mean()),
                "own_interval": mean_interval(own, seed, resamples),
            }  # fmt: skip
    return found


def order_of(maps: F32) -> NDArray[np.int64]:
    """Give each pixel its place (N, H W) in the order of the map: 0 where most was used.

    Pixels of equal value follow each other row by row, in a map as in a random order.
    """
    flat = maps.reshape(len(maps), -1)
    return np.asarray(np.argsort(np.argsort(-flat, axis=1, kind="stable"), axis=1))


def random_order(model: ViT, images: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Order the pixels of each image by a random number per patch, spread as maps are.

    As coarse as a map: single pixels at random would test noise, which hurts a network more.
    """
    patches = rng.random((images, model.config.grid**2), np.float32)
    return order_of(to_pixels(patches, model.config))


def area(curves: F64, fractions: F64) -> F64:
    """Area (N,) under curves (N, steps + 1), by trapezoids: a mean probability."""
    return np.asarray(np.trapezoid(curves, fractions, axis=1))


def _summary(curves: F64, areas: F64, seed: int, resamples: int) -> dict[str, Any]:
    return {
        "curve": curves.mean(0).tolist(),
        "area": float(areas.mean()),
        "interval": mean_interval(areas, seed, resamples),
    }
