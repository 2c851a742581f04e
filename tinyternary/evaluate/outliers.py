"""Images of another kind than a network knows: whether it can be told, how sure it is (lesson 11).

Four scores, each larger for what is stranger:

    probability   1 - max_c p(c)                         (Hendrycks and Gimpel, ICLR 2017)
    energy        -log sum_c exp(logit_c)                (Liu et al., NeurIPS 2020)
    mahalanobis   min_c (f - m_c)^T S^-1 (f - m_c)       (Lee et al., NeurIPS 2018)
    neighbor      |f / |f| - k-th nearest training image's|   (Sun et al., ICML 2022)

f are the features that the head reads, m_c their mean over training images of class c, S their
covariance within classes. The AUROC is the share of pairs, one image of each kind, in which the
stranger has the larger score: 0.5 says nothing, 1 tells all apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.autograd import no_grad
from tinyternary.config import Preprocessing, Task, scores
from tinyternary.data import Dataset
from tinyternary.errors import ConfigError, ShapeError
from tinyternary.evaluate.intervals import percentile_interval
from tinyternary.models import ViT

F64 = NDArray[np.float64]
NEIGHBORS = 10
SURE = 0.9
"""Above this probability a network counts as sure."""


def improbability(logits: ArrayLike, task: Task) -> F64:
    """Return 1 - the probability of what the network would say (N,); of its least sure label."""
    p = scores(logits, task)
    if task is Task.MULTI_LABEL:
        return np.asarray(1 - np.maximum(p, 1 - p).min(1))
    return np.asarray(1 - p.max(1))


def energy(logits: ArrayLike, task: Task) -> F64:
    """Return -log sum exp of the logits (N,); if multi-label -sum log(1 + exp) of them."""
    x = np.asarray(logits, np.float64)
    if task is Task.MULTI_LABEL:  # Wang et al., NeurIPS 2021
        return np.asarray(-np.logaddexp(0, x).sum(1))
    return -np.asarray(np.logaddexp.reduce(x, axis=1))


def mahalanobis(features: F64, known: F64, labels: NDArray[np.int64]) -> F64:
    """Squared distance (N,) of features (N, D) from the nearest class of known ones (M, D).

    Parameters
    ----------
    features, known : float64
    labels : (M,) int64, or (M, L) if multi-label: then all are one class.

    Raises
    ------
    ShapeError
        If these do not fit each other.
    """
    _check(features, known)
    if len(labels) != len(known):
        raise ShapeError(f"labels: expected {len(known)}, got {len(labels)}")
    kinds = labels if labels.ndim == 1 else np.zeros(len(labels), np.int64)
    means = {kind: known[kinds == kind].mean(0) for kind in np.unique(kinds)}
    within = known - np.stack([means[kind] for kind in kinds])
    # features of few directions have no inverse: outside them distance does not count
    precision = np.linalg.pinv(within.T @ within / len(within), hermitian=True)
    away = [features - mean for mean in means.values()]
    return np.asarray(np.min([np.einsum("nd,de,ne->n", x, precision, x) for x in away], axis=0))


def neighbor_distance(features: F64, known: F64, k: int = NEIGHBORS) -> F64:
    """Distance (N,) to the k-th nearest of known features (M, D), all brought to length 1.

    Raises
    ------
    ConfigError
        If there are fewer than k.
    """
    _check(features, known)
    if not 1 <= k <= len(known):
        raise ConfigError(f"k: expected 1 to {len(known)} (the known features), got {k}")
    from scipy.spatial import cKDTree

    one, others = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (features, known))
    return np.asarray(cKDTree(others).query(one, [k])[0][:, 0])


def _check(features: F64, known: F64) -> None:
    if features.ndim != 2 or known.ndim != 2 or features.shape[1] != known.shape[1]:
        raise ShapeError(
            f"features: expected (N, D) and (M, D), got {features.shape} and {known.shape}"
        )


def auroc(
    inside: ArrayLike,
    outside: ArrayLike,
    *,
    seed: int = 0,
    resamples: int = 1000,
    level: float = 0.95,
) -> dict[str, Any]:
    """Share of pairs in which the outside score is larger, ties counting half.

    Parameters
    ----------
    inside, outside : (N,), (M,) float
    seed, resamples, level
        Of a bootstrap that draws from both groups; 0 resamples leave the interval out.

    Returns
    -------
    dict
        ``auroc``, and ``interval``: [low, high].

    Raises
    ------
    ShapeError
        If a group is empty.

    Examples
    --------
    >>> auroc([0.1, 0.2, 0.3], [0.2, 0.9], resamples=0)
    {'auroc': 0.75}
    """
    a, b = np.sort(np.asarray(inside, np.float64)), np.asarray(outside, np.float64)
    if a.ndim != 1 or b.ndim != 1 or not len(a) or not len(b):
        raise ShapeError(f"auroc: expected scores (N,) and (M,), got {a.shape} and {b.shape}")
    less, at_most = (np.searchsorted(a, b, side) for side in ("left", "right"))
    result: dict[str, Any] = {"auroc": float((less + at_most).mean() / (2 * len(a)))}
    if resamples:
        rng = np.random.default_rng(seed)
        drawn = np.empty(resamples)
        for i in range(resamples):
            below = np.append(0, np.cumsum(np.bincount(rng.integers(0, len(a), len(a)),
                                                       minlength=len(a))))  # fmt: skip
            picks = rng.integers(0, len(b), len(b))
            drawn[i] = (below[less[picks]] + below[at_most[picks]]).mean() / (2 * len(a))
        result["interval"] = percentile_interval(drawn, level)
    return result


def logits_and_features(
    model: ViT, images: NDArray[np.uint8], preprocessing: Preprocessing, batch_size: int = 256
) -> tuple[F64, F64]:
    """Ask a network about images: logits (N, C), and the features (N, D) that its head reads."""
    parts = []
    training = model.training
    model.eval()
    try:
        with no_grad():
            for start in range(0, len(images), batch_size):
                record: dict[str, Any] = {}
                logits = model(preprocessing(images[start : start + batch_size]), record)
                parts.append((logits.numpy(), record["features"].numpy()))
    finally:
        if training:
            model.train()
    logits, features = (np.concatenate(each).astype(np.float64) for each in zip(*parts))
    return logits, features


def strange_images(like: Dataset, count: int = 200, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    """Draw images of nothing, of the size and channels of a data set.

    Returns
    -------
    dict
        ``noise``: every value 0 to 255 as likely; ``shuffled``: the set's first images with their
        pixels in another order; ``black`` and ``white``: one empty image each.
    """
    rng = np.random.default_rng(seed)
    some = like.images[:count]
    pixels = some.reshape(len(some), -1, like.shape[-1])
    return {
        "noise": rng.integers(0, 256, (count, *like.shape), np.uint8),
        "shuffled": np.stack([rng.permutation(x) for x in pixels]).reshape(some.shape),
        "black": np.zeros((1, *like.shape), np.uint8),
        "white": np.full((1, *like.shape), 255, np.uint8),
    }


def measure_outliers(
    model: ViT,
    preprocessing: Preprocessing,
    train: Dataset,
    test: Dataset,
    outside: Mapping[str, NDArray[np.uint8]],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Measure how well each score tells strange images from test images, and how sure it is there.

    Parameters
    ----------
    model, preprocessing
    train : Dataset
        Its features are the known ones.
    test : Dataset
        Images of the kind that the network knows.
    outside : mapping of str to (M, H, W, C) uint8
        Of other kinds: another set's images, and `strange_images`.
    seed, resamples
        Of the bootstrap.

    Returns
    -------
    dict of plain JSON types
        ``inside`` and, by name, ``outside``: ``images``, ``confidence`` (mean probability of what
        it says), ``sure`` (share above 0.9); outside also ``scores``: name of the score to its
        ``auroc`` and ``interval``.

    Raises
    ------
    ShapeError
        If images are not of the network's size and channels.
    """
    _, known = logits_and_features(model, train.images, preprocessing)

    def judged(images: NDArray[np.uint8]) -> dict[str, F64]:
        logits, features = logits_and_features(model, images, preprocessing)
        return {
            "probability": improbability(logits, train.task),
            "energy": energy(logits, train.task),
            "mahalanobis": mahalanobis(features, known, train.labels),
            "neighbor": neighbor_distance(features, known, min(NEIGHBORS, len(known))),
        }

    def sureness(found: dict[str, F64]) -> dict[str, Any]:
        confidence = 1 - found["probability"]
        return {
            "images": len(confidence),
            "confidence": float(confidence.mean()),
            "sure": float((confidence > SURE).mean()),
        }

    inside = judged(test.images)
    result: dict[str, Any] = {"set": test.name, "inside": sureness(inside), "outside": {}}
    for name, images in outside.items():
        other = judged(images)
        result["outside"][name] = {
            **sureness(other),
            "scores": {
                score: auroc(inside[score], other[score], seed=seed, resamples=resamples)
                for score in inside
            },
        }
    return result
