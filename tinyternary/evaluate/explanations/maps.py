"""`explain`: maps of what a network used for its answers, by one of three methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config import Preprocessing
from tinyternary.errors import ConfigError, DataFileError, ShapeError, unknown_name
from tinyternary.evaluate.explanations.pixels import read_by_head, to_pixels
from tinyternary.evaluate.explanations.relevance import relevance
from tinyternary.evaluate.explanations.rollout import rollout
from tinyternary.evaluate.explanations.trace import Trace, trace
from tinyternary.models import ViT
from tinyternary.text import quoted

F32 = NDArray[np.float32]
_WEIGHTS = 1 << 23  # attention weights of a block that are held at a time


def _rollout(model: ViT, found: Trace) -> F32:
    return read_by_head(rollout(found.attention), model.config)


def _relevance(model: ViT, found: Trace) -> F32:
    return read_by_head(relevance(found.attention, found.attention_grads), model.config)


def _gradient_times_input(model: ViT, found: Trace) -> F32:
    # to first order, what the logit loses if a patch gets the mean colour, which is an input of 0
    patches = model.patch_embed.unfold(found.input_grads * found.inputs)
    return np.asarray(patches.sum(axis=2))


METHODS: dict[str, Callable[[ViT, Trace], F32]] = {
    "rollout": _rollout,
    "relevance": _relevance,
    "gradient x input": _gradient_times_input,
}
"""From a trace to a number per patch (B, grid^2), by name."""


def explain(
    model: ViT,
    images: NDArray[np.uint8],
    preprocessing: Preprocessing,
    method: str = "relevance",
    classes: ArrayLike | None = None,
) -> F32:
    """Draw maps of what a network used for one of its logits.

    Parameters
    ----------
    model : ViT
        Float or ternary, which is differentiated straight through its roundings. It is left
        as it was.
    images : (N, H, W, C) uint8
    preprocessing : Preprocessing
    method : {"relevance", "rollout", "gradient x input"}
        Gradient-weighted relevance (Chefer et al., ICCV 2021), attention rollout (Abnar and
        Zuidema, ACL 2020), which knows no class, or the cheap baseline of both.
    classes : (N,) of int, optional
        Classes to explain; by default the network's own answers.

    Returns
    -------
    (N, H, W) float32
        Larger where more was used. The scale is the method's own: compare ranks.

    Raises
    ------
    ConfigError
        If there is no such method, or the model is no ViT.
    DataFileError, ShapeError
        If there are no images, or they or the classes do not fit.

    Notes
    -----
    A map says what the network used, not what a lesion is, and that as far as `faithfulness`
    and `randomization_check` bear it out.

    Examples
    --------
    >>> model = tt.models.ViT(tt.models.preset("micro", num_classes=2, channels=1))
    >>> images = tt.data.phantoms("test").images[:3, :, :, :1]
    >>> prepare = tt.config.Preprocessing(28, (0.5,), (0.25,))
    >>> tt.evaluate.explain(tt.quant.ternarize(model), images, prepare).shape
    (3, 28, 28)
    """
    return explain_by([method], model, images, preprocessing, classes)[method]


def explain_by(
    methods: Sequence[str],
    model: ViT,
    images: NDArray[np.uint8],
    preprocessing: Preprocessing,
    classes: ArrayLike | None = None,
) -> dict[str, F32]:
    """Draw the maps of several methods, which share their passes; else as `explain`."""
    for method in methods:
        if method not in METHODS:
            raise unknown_name("method", method, METHODS)
    if not isinstance(model, ViT):
        raise ConfigError(f"model: expected a ViT, got {type(model).__name__}")
    if len(images) == 0:
        raise DataFileError("explain: no images")
    chosen = None if classes is None else _checked(classes, len(images), model.config.num_classes)
    size = max(1, min(64, _WEIGHTS // (model.config.heads * model.config.tokens**2)))
    parts: dict[str, list[F32]] = {method: [] for method in methods}
    for start in range(0, len(images), size):
        part = slice(start, start + size)
        mine = None if chosen is None else chosen[part]
        found = trace(model, preprocessing(images[part]), mine)
        for method, maps in parts.items():
            maps.append(to_pixels(METHODS[method](model, found), model.config))
    return {method: np.concatenate(maps) for method, maps in parts.items()}


def _checked(classes: ArrayLike, images: int, count: int) -> NDArray[np.int64]:
    """Return the classes as an array, one for each image."""
    chosen = np.asarray(classes)
    sound = chosen.shape == (images,) and chosen.dtype.kind in "iu"
    if not (sound and ((chosen >= 0) & (chosen < count)).all()):
        raise ShapeError(
            f"classes: expected {images} integers from 0 to {count - 1}, got {quoted(classes)}"
        )
    return chosen.astype(np.int64)
