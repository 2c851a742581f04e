"""The sanity check of randomised weights: a map of a network has to change with the network.

From the head down, one layer after the other has its weights scrambled. A method whose maps stay
as they were shows the image, or the wiring, and not what was learned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Preprocessing
from tinyternary.errors import ConfigError
from tinyternary.evaluate.evaluation import predict_logits
from tinyternary.evaluate.explanations.agreement import compared, spearman, with_unrelated
from tinyternary.evaluate.explanations.maps import METHODS, explain_by
from tinyternary.evaluate.intervals import mean_interval
from tinyternary.models import ViT


def randomization_check(
    model: ViT,
    images: NDArray[np.uint8],
    preprocessing: Preprocessing,
    methods: Sequence[str] = tuple(METHODS),
    *,
    draws: int = 3,
    seed: int = 0,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Correlate maps with those after weights were scrambled, layer by layer from the head down.

    Parameters
    ----------
    model : ViT
        It is left as it was.
    images : (N, H, W, C) uint8
        Two or more.
    preprocessing : Preprocessing
    methods : sequence of str
        See `explain`. The classes explained are the answers of the network as it is.
    draws : int
        How often the cascade is drawn; an image's correlation is the mean over draws.
    seed, resamples : int
        Of the scrambling, and of the bootstrap over images.

    Returns
    -------
    dict
        ``images``; ``draws``; ``layers``, in the order of scrambling, each with all before it;
        and ``methods``, for each name

        - ``correlation`` (Spearman, mean over images) and ``intervals`` after each layer;
        - ``unrelated`` with ``unrelated_interval``: what maps of different images correlate in
          the network as it is;
        - ``excess`` with ``excess_interval``: how much more than that a map correlates with the
          same image's when all layers are scrambled, paired by image;
        - ``sees_head``: whether a map with the head scrambled is nearer to another image's than
          to the true one: its correlation, at the upper end of the interval, lies below the
          middle of 1 and ``unrelated``. The head is what makes an answer of the tokens;
        - ``passes``: whether it sees the head, and nothing is left in the end: the interval of
          the excess reaches 0 or below. Few images make wide intervals, which reach it easily.

    Raises
    ------
    ConfigError
        If there are fewer than two images, or no draws.

    Notes
    -----
    Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, arXiv 1810.03292, section 4
    (cascading randomisation); methods that do not change with the upper layers fail there. A
    layer's weights are permuted, array by array: random, but of the sizes, and with the shares
    of trits, that they had.
    """
    if len(images) < 2 or draws < 1:
        raise ConfigError(
            f"randomization_check: needs two images and one draw or more, got {len(images)} and "
            f"{draws}"
        )
    true = explain_by(methods, model, images, preprocessing)
    classes = predict_logits(model, images, preprocessing).argmax(1)
    layers = layers_from_the_head(model)
    by_draw = {method: np.empty((draws, len(layers), len(images))) for method in methods}
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        with _restored(model):
            for number, names in enumerate(layers.values()):
                _scramble(model, names, rng)
                maps = explain_by(methods, model, images, preprocessing, classes)
                for method, found in by_draw.items():
                    found[draw, number] = spearman(true[method], maps[method])
    found_by = {}
    for method, correlation in by_draw.items():
        by_layer = correlation.mean(axis=0)  # (layers, N)
        other = with_unrelated(true[method], true[method], spearman, seed)
        end = compared(by_layer[-1], other, seed, resamples)
        intervals = [mean_interval(each, seed, resamples) for each in by_layer]
        sees_head = intervals[0][1] < (1 + end["unrelated"]) / 2
        found_by[method] = {
            "correlation": by_layer.mean(axis=1).tolist(),
            "intervals": intervals,
            "unrelated": end["unrelated"],
            "unrelated_interval": end["unrelated_interval"],
            "excess": end["gain"],
            "excess_interval": end["gain_interval"],
            "sees_head": sees_head,
            "passes": sees_head and end["gain_interval"][0] <= 0,
        }
    return {
        "images": len(images), "draws": draws, "layers": list(layers), "methods": found_by,
    }  # fmt: skip


def layers_from_the_head(model: ViT) -> dict[str, list[str]]:
    """Names of a network's parameters by layer, head first.

    Blocks are layers of their own; the last layer is what makes the tokens: patch projection,
    positions, and tokens in front.

    Examples
    --------
    >>> model = tt.models.ViT(tt.models.preset("lesson"))
    >>> list(layers_from_the_head(model))
    ['head', 'norm', 'blocks.1', 'blocks.0', 'embedding']
    """
    order = ["head", "norm", *(f"blocks.{i}" for i in reversed(range(model.config.depth)))]
    layers: dict[str, list[str]] = {layer: [] for layer in [*order, "embedding"]}
    for name, _ in model.named_parameters():
        own = [layer for layer in order if name.startswith(f"{layer}.")]
        layers[own[0] if own else "embedding"].append(name)
    return layers


def _scramble(model: ViT, names: list[str], rng: np.random.Generator) -> None:
    values = model.state_dict()
    for name in names:
        values[name][...] = rng.permutation(values[name].ravel()).reshape(values[name].shape)


@contextmanager
def _restored(model: ViT) -> Iterator[None]:
    """Give the model its weights back in the end."""
    kept = {name: array.copy() for name, array in model.state_dict().items()}
    try:
        yield
    finally:
        model.load_state_dict(kept)
