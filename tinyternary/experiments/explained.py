"""What trained networks used for their answers, teacher beside student, and what maps are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from tinyternary.brief import Brief
from tinyternary.data import Dataset
from tinyternary.errors import ConfigError
from tinyternary.evaluate import (
    decide,
    faithfulness,
    map_agreement,
    predict_logits,
    randomization_check,
    scores,
)
from tinyternary.evaluate.explanations.maps import METHODS, explain_by
from tinyternary.train.run import Run

F32 = NDArray[np.float32]
_TESTED, _SHOWN = 1, 2  # streams of random numbers


def explained(
    networks: Mapping[str, Run],
    test: Dataset,
    *,
    images: int = 100,
    orders: int = 10,
    draws: int = 3,
    seed: int = 0,
    resamples: int = 1000,
    progress: bool = False,
) -> dict[str, Any]:
    """Test the maps of networks on the same images, drawn at random from a split.

    Parameters
    ----------
    networks : mapping of str to Run
        ``{"teacher": ..., "student": ...}``, or one of them.
    test : Dataset
        Images of one label each.
    images : int
        How many are drawn; all, where there are fewer.
    orders, draws, seed, resamples
        See `tinyternary.evaluate.faithfulness` and `tinyternary.evaluate.randomization_check`.
    progress : bool
        Show a bar.

    Returns
    -------
    dict of JSON types
        ``images``; ``seed``; ``networks``: for each ``faithfulness`` (of its own answers) and
        ``sanity``, as the functions give them; with two networks also ``agreement``: for each
        method `tinyternary.evaluate.map_agreement` of their maps, of the classes that the first
        one answers.

    Raises
    ------
    ConfigError
        If the images may have several labels: no one class is then what was answered.
    DataFileError
        If images and networks do not fit each other.
    """
    _check(networks, test)
    rng = np.random.default_rng([seed, _TESTED])
    part = test.subset(np.sort(rng.permutation(len(test))[:images]))
    found: dict[str, Any] = {"images": len(part), "seed": seed, "networks": {}}
    methods = list(METHODS)
    bar = tqdm(total=2 * len(networks), leave=False, disable=not progress, unit="test",
               dynamic_ncols=True)  # fmt: skip
    with bar:
        for who, run in networks.items():
            bar.set_description(f"maps of the {who}")
            ask = (run.model, part.images, run.preprocessing)
            own = explain_by(methods, *ask)
            curves = faithfulness(
                *ask, own, task=part.task, orders=orders, seed=seed, resamples=resamples
            )
            bar.update()
            sanity = randomization_check(*ask, methods, draws=draws, seed=seed, resamples=resamples)
            bar.update()
            found["networks"][who] = {"faithfulness": curves, "sanity": sanity}
    if len(networks) == 2:
        first, second = networks.values()
        logits = predict_logits(first.model, part.images, first.preprocessing)
        pair = [
            explain_by(methods, run.model, part.images, run.preprocessing, logits.argmax(1))
            for run in (first, second)
        ]
        found["agreement"] = {
            method: map_agreement(pair[0][method], pair[1][method], seed=seed, resamples=resamples)
            for method in methods
        }
    return found


@dataclass(frozen=True, eq=False, repr=False)
class MapExamples(Brief):
    """Images with maps of what networks used for their answers, for a figure.

    Attributes
    ----------
    images : (N, H, W, C) uint8
    labels : list of str
        Their classes.
    answers : dict of str to list of str
        What each network says.
    maps : dict of str to dict of str to (N, H, W) float32
        Network, then method.
    synthetic : bool
        Whether a program drew the images.
    """

    images: NDArray[np.uint8]
    labels: list[str]
    answers: dict[str, list[str]]
    maps: dict[str, dict[str, F32]]
    synthetic: bool


def map_examples(
    networks: Mapping[str, Run], test: Dataset, count: int = 8, seed: int = 0
) -> MapExamples:
    """Explain a few images, drawn at random and not for their looks; arguments as `explained`."""
    _check(networks, test)
    rng = np.random.default_rng([seed, _SHOWN])
    part = test.subset(np.sort(rng.permutation(len(test))[:count]))
    names = test.class_names
    answers, maps = {}, {}
    for who, run in networks.items():
        logits = predict_logits(run.model, part.images, run.preprocessing)
        answers[who] = [names[i] for i in decide(scores(logits, part.task), part.task)]
        maps[who] = explain_by(list(METHODS), run.model, part.images, run.preprocessing)
    labels = [names[i] for i in part.labels]
    return MapExamples(part.images, labels, answers, maps, test.synthetic)


def _check(networks: Mapping[str, Run], test: Dataset) -> None:
    if test.labels.ndim != 1:
        raise ConfigError("explained: images may have several labels, and maps explain one answer")
    for who, run in networks.items():
        test.check_fits(run.model.config, who=who)
