"""Deletion and insertion against a loop over pixels, and where the right map is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.evaluate.explanations.networks import network, photographs
from tinyternary.config import Task, ViTConfig, preset, scores
from tinyternary.errors import ConfigError, DataFileError, ShapeError
from tinyternary.evaluate import faithfulness, predict_logits
from tinyternary.evaluate.explanations.faithfulness import order_of, random_order

SMALL = ViTConfig(
    image_size=8, patch_size=4, stride=2, channels=1, width=8, depth=1, heads=2, mlp_width=8,
    num_classes=3,
)  # fmt: skip


@pytest.mark.parametrize("task", [Task.MULTI_CLASS, Task.MULTI_LABEL])
def test_curves_are_those_of_a_loop_over_pixels(task):
    model = network(SMALL)
    images, prepare = photographs(SMALL, 4)
    maps = np.random.default_rng(1).random(images.shape[:3], np.float32)
    found = faithfulness(
        model, images, prepare, {"mine": maps}, task=task, steps=4, orders=3, blur=2.0, seed=5
    )
    assert found["fractions"] == [0, 0.25, 0.5, 0.75, 1]

    def ask(image, number):
        return scores(predict_logits(model, image[None], prepare), task)[0, number]

    wanted = {"deletion": [], "insertion": []}
    for image, each in zip(images, maps):
        number = int(predict_logits(model, image[None], prepare).argmax())
        starts = {"deletion": image, "insertion": gaussian_filter(image, (2, 2, 0))}
        fills = {"deletion": np.full_like(image, 128), "insertion": image}
        for kind, start in starts.items():
            now, curve = start.copy(), [ask(start, number)]
            ranked = sorted(np.ndindex(8, 8), key=lambda at, each=each: -each[at])
            for lot in range(4):
                for at in ranked[16 * lot : 16 * lot + 16]:
                    now[at] = fills[kind][at]
                curve.append(ask(now, number))
            wanted[kind].append(curve)
    for kind, curves in wanted.items():
        mine = found[kind]["maps"]["mine"]
        np.testing.assert_allclose(mine["curve"], np.mean(curves, 0), atol=1e-6)
        middle = np.mean(curves, 0)
        assert mine["area"] == pytest.approx((middle[0] + middle[4]) / 8 + middle[1:4].sum() / 4)
        assert mine["interval"][0] <= mine["area"] <= mine["interval"][1]
        sign = -1 if kind == "deletion" else 1
        chance = found[kind]["random"]
        assert mine["gain"] == pytest.approx(sign * (mine["area"] - chance["area"]))
        assert mine["beats_random"] is (mine["gain_interval"][0] > 0)
        low, middle, high = (np.array(chance[part]) for part in ("low", "curve", "high"))
        assert (low <= middle + 1e-6).all()  # a mean of equal numbers may be rounded
        assert (middle <= high + 1e-6).all()
        assert (low < high)[1:-1].all()
        for end in (0, -1):  # the ends are the same in any order
            assert low[end] == pytest.approx(high[end])
            assert low[end] == pytest.approx(mine["curve"][end])


@pytest.fixture(scope="module")
def one_patch():
    """Images of the mean colour but for one patch, which the answer then hangs on."""
    model = network(preset("lesson", channels=1, num_classes=2), seed=3)
    images, prepare = photographs(model.config, 100)
    images[...] = 128
    place = np.random.default_rng(0).integers(0, 7, (100, 2)) * 4
    maps = np.zeros(images.shape[:3], np.float32)
    for image, each, (y, x) in zip(images, maps, place):
        image[y : y + 4, x : x + 4] = 255
        each[y : y + 4, x : x + 4] = 1
    probabilities = scores(predict_logits(model, images, prepare), Task.MULTI_CLASS)
    empty = scores(predict_logits(model, np.full_like(images, 128), prepare), Task.MULTI_CLASS)
    number = probabilities.argmax(1)
    fell = (probabilities - empty)[range(100), number] > 0.01
    assert fell.sum() > 10
    return model, images[fell], prepare, maps[fell]


def test_the_right_map_beats_random_and_its_opposite_does_not(one_patch):
    model, images, prepare, right = one_patch
    found = faithfulness(model, images, prepare, {"right": right, "opposite": -right}, blur=50)
    for kind in ("deletion", "insertion"):
        assert found[kind]["maps"]["right"]["beats_random"]
        assert found[kind]["maps"]["right"]["gain"] > 0
        assert found[kind]["maps"]["opposite"]["gain_interval"][1] < 0
        assert not found[kind]["maps"]["opposite"]["beats_random"]


def test_a_map_of_no_image_gains_nothing_over_another_images(one_patch):
    """The right map is the image's own; one that is the same everywhere belongs to nobody."""
    model, images, prepare, right = one_patch
    same = np.broadcast_to(np.linspace(1, 0, 784).reshape(28, 28), right.shape)
    found = faithfulness(model, images, prepare, {"right": right, "same": same}, orders=1)
    for kind in ("deletion", "insertion"):
        assert found[kind]["maps"]["same"]["own_gain"] == 0
    own = found["deletion"]["maps"]["right"]
    assert own["own_interval"][0] > 0
    moved = faithfulness(model, images, prepare, {"not mine": np.roll(right, 1, axis=0)}, orders=1)[
        "deletion"
    ]["maps"]["not mine"]
    assert own["area"] < moved["area"]


def test_a_random_map_is_as_good_as_random(one_patch):
    model, images, prepare, _ = one_patch
    order = random_order(model, len(images), np.random.default_rng(77))
    found = faithfulness(model, images, prepare, {"chance": -order.reshape(images.shape[:3])})
    assert not found["deletion"]["maps"]["chance"]["beats_random"]


def test_numbers_are_plain_and_hang_on_the_seed_alone(one_patch):
    model, images, prepare, maps = one_patch
    ask = {"steps": 3, "orders": 2, "resamples": 20}
    first, again, other = (
        faithfulness(model, images[:4], prepare, {"a": maps[:4]}, **ask, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first["deletion"]["random"] != other["deletion"]["random"]
    assert first["deletion"]["maps"]["a"]["curve"] == other["deletion"]["maps"]["a"]["curve"]
    flat = str(first)
    assert "array" not in flat
    assert "np." not in flat


def test_random_orders_are_as_coarse_as_maps():
    model = network(preset("lesson"))
    order = random_order(model, 2, np.random.default_rng(0)).reshape(2, 7, 4, 7, 4)
    assert sorted(order[0].ravel()) == list(range(784))
    spread = np.ptp(order, axis=(2, 4))
    assert (spread == 15).all()  # a patch's sixteen pixels follow each other
    np.testing.assert_array_equal(order_of(np.array([[[1.0, 5.0], [5.0, 0.0]]])), [[2, 0, 1, 3]])


def test_what_cannot_be_tested_is_said():
    model = network(SMALL)
    images, prepare = photographs(SMALL, 2)
    maps = {"mine": np.zeros((2, 8, 8), np.float32)}
    with pytest.raises(ShapeError, match="'mine'"):
        faithfulness(model, images[:1], prepare, maps)
    with pytest.raises(DataFileError, match="no images"):
        faithfulness(model, images[:0], prepare, maps)
    for wrong in ({"steps": 0}, {"orders": 0}, {"blur": 0.0}, {"blur": float("nan")}):
        with pytest.raises(ConfigError):
            faithfulness(model, images, prepare, maps, **wrong)
