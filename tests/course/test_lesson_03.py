"""Lesson 03: the numbers its prose states, and its claims over many seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from tests.course.demos import demonstrated
from tinyternary import course

CHECKOUT = Path(__file__).parents[2]
LESSON = course.read_lesson("03_training", CHECKOUT)
PROSE = "\n".join(cell.source for cell in LESSON.cells if cell.role in ("prose", "written"))
DATA, PARTS, LEAK = "load_digits(return_X_y", "class Scheduled", "PATIENTS, SHOTS"


def wilson(share: float, count: int) -> np.ndarray:
    """Ends of Wilson's 95 % interval as roots of its defining equation, without its formula."""

    def beyond(p: float) -> float:
        return (share - p) ** 2 - 1.959964**2 * p * (1 - p) / count

    return np.array(
        [optimize.brentq(beyond, 1e-9, share), optimize.brentq(beyond, share, 1 - 1e-12)]
    )


def interval(values: np.ndarray) -> tuple[float, float]:
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    return float(low), float(high)


def test_what_float32_cannot_hold() -> None:
    assert "$e^{89}$ is infinite" in PROSE
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(np.float32(89)))
    assert np.isfinite(np.exp(np.float32(88)))
    assert "$10^{-50}$ becomes 0" in PROSE
    assert np.float32(1e-50) == 0


def test_the_intervals_that_it_states() -> None:
    assert "134 of 156 test images right: 85.9 %" in PROSE
    assert f"{100 * 134 / 156:.1f}" == "85.9"
    assert f"{100 * 130 / 156:.1f}" == "83.3"
    width = 100 * np.ptp(wilson(134 / 156, 156))
    assert "almost 11 points wide for 156 images" in PROSE
    assert 10.75 < width < 11
    # all right: the lower end alone, since the upper one is 1
    missed = 1 - optimize.brentq(lambda p: (1 - p) - 1.959964**2 * p / 156, 0.5, 1)
    assert "one image in forty" in PROSE
    assert round(1 / missed) in range(39, 43)
    assert "almost three points wide" in PROSE
    assert 2.75 < 100 * np.ptp(wilson(0.974, 500)) < 3
    assert "about 36 points wide" in PROSE
    assert round(100 * np.ptp(wilson(0.5, 25))) == 36
    assert "0.4 points of 500 images are two images" in PROSE
    assert round(0.004 * 500) == 2


def test_the_cosines_last_fifth() -> None:
    assert "the last fifth of the training runs at less than a tenth of the peak" in PROSE
    crossing = optimize.brentq(lambda p: (1 + np.cos(np.pi * p)) / 2 - 0.1, 0, 1)
    assert 1 - crossing == pytest.approx(0.2, abs=0.01)


def test_the_valley_is_descended_as_the_text_says() -> None:
    names = demonstrated(LESSON, "def descend(")
    assert "thirty times steeper across than along" in PROSE
    assert names["STEEP"][1] / names["STEEP"][0] == 30
    ends = names["height"](names["plain_path"])[-1], names["height"](names["ball_path"])[-1]
    assert ends[1] < ends[0] / 10
    # nearly the largest learning rate: a little more flies off
    wild = names["descend"](lambda p: names["my"].Momentum(p, lr=0.068, momentum=0.0))
    assert names["height"](wild)[-1] > names["height"](wild)[0] > 10 * ends[0]


def test_symptoms_of_a_forgotten_zero_grad() -> None:
    names = demonstrated(LESSON, DATA, PARTS)
    rows = names["fit"]
    assert "a learning rate a hundred times smaller it gets most digits right" in PROSE
    for lr in (0.05, 0.0005):
        network = names["Network"]((64, 32, 10), 0)
        optimizer = names["my"].Momentum(network.parameters, lr=lr)
        epochs = []
        for epoch in range(12):
            order = names["my"].batches(len(rows), 32, 0, epoch)
            losses = names["sick_epoch"](
                network, optimizer, names["inputs"][rows], names["digits"][rows], order
            )
            epochs.append(losses)
        if lr == 0.05:  # "goes down for a moment, then it climbs"
            assert min(epochs[0][:15]) < epochs[0][0] / 1.5
            assert np.mean(epochs[2]) > 10 * np.log(10)
        else:
            assert names["score"](network, names["test"]) > 70
            means = np.mean(epochs, axis=1)
            assert means[-1] > 3 * means.min()  # "creeps up all the same"


def test_one_at_a_time_every_image_is_a_blank_page() -> None:
    names = demonstrated(LESSON, DATA)
    network = names["Network"]((64, 32, 10), 5)
    tests = names["test"]
    alone = [
        names["sick_evaluate"](network, names["pixels"][[i]], names["digits"][[i]]) for i in tests
    ]
    blank = network.forward(np.zeros((1, 64), np.float32)).argmax()
    assert np.array_equal(np.array(alone) == 1, names["digits"][tests] == blank)


@pytest.mark.slow
def test_the_seed_moves_more_than_the_optimiser() -> None:
    names = demonstrated(LESSON, DATA, PARTS)
    rows = {}
    for name, make in names["RECIPES"].items():
        lr = names["chosen"][name]
        found = [names["score"](names["run"](make, lr, seed), names["test"]) for seed in range(40)]
        rows[name] = np.array(found)
    low, high = interval(rows["AdamW"] - rows["momentum"])
    # spread: best minus worst of ten runs, over four disjoint tens of each
    spreads = np.array([np.ptp(tens) for row in rows.values() for tens in row.reshape(4, 10)])
    assert max(-low, high) < interval(spreads)[0], (low, high, spreads)
    assert "the gap is less than a quarter of a point" in PROSE
    assert abs(low + high) / 2 < 0.25
    assert "still lie a point or so apart" in PROSE
    assert 0.7 < np.median(spreads) < 2
    # either can be made to win by choosing one seed each, out of the ten that are shown
    ten = [row[:10] for row in rows.values()]
    assert min(ten[0].max() - ten[1].min(), ten[1].max() - ten[0].min()) > 0.7
    # "a learning rate from the wrong end of the grid costs more than any seed"
    for name, make in names["RECIPES"].items():
        slow = [names["score"](names["run"](make, names["GRID"][name][0], s), names["test"])
                for s in range(6)]  # fmt: skip
        assert rows[name].mean() - np.mean(slow) > np.median(spreads)
    # "about a dozen seeds of each are needed to tell 0.4 points from 0"
    deviation = np.sqrt(np.mean([row.var(ddof=1) for row in rows.values()]))
    assert 7 <= 2 * (1.96 * deviation / 0.4) ** 2 <= 17


@pytest.mark.slow
def test_shuffled_labels_are_memorised() -> None:
    names = demonstrated(LESSON, DATA, PARTS)
    few, digits = names["fit"][:500], names["digits"]
    trained, tested = [], []
    way: dict[str, list[float]] = {"true": [], "noise": []}
    nonsense = digits.copy()
    nonsense[few] = np.random.default_rng(99).permutation(digits[few])
    for name, labels in (("true", digits), ("noise", nonsense)):
        names["run"](
            names["my"].AdamW, 0.01, 0, few, labels, epochs=40, hidden=256,
            watch=lambda net, y=labels, t=way[name]: t.append(names["score"](net, few, y)),
        )  # fmt: skip
    # "look how much longer the noise takes"
    until = {name: int(np.argmax(np.array(track) > 95)) for name, track in way.items()}
    assert until["noise"] > 3 * (until["true"] + 1)
    for seed in range(8):
        nonsense = digits.copy()
        nonsense[few] = np.random.default_rng(seed).permutation(digits[few])
        network = names["run"](names["my"].AdamW, 0.01, seed, few, nonsense, epochs=40, hidden=256)
        trained.append(names["score"](network, few, nonsense))
        tested.append(names["score"](network, names["test"]))
    assert min(trained) > 98
    low, high = interval(np.array(tested))
    assert low < 12
    assert high > 8
    assert high < 15


@pytest.mark.slow
def test_coin_flips_are_predicted_where_the_split_leaks() -> None:
    names = demonstrated(LESSON, DATA, LEAK)
    trials = 16
    names["coins"] = np.random.default_rng(0).integers(0, 2, (trials, names["PATIENTS"]))
    split, patient = names["my"].split_by_patient, names["patient"]
    by_image, by_patient = [], []
    for seed in range(trials):
        mixed = np.random.default_rng(seed).permutation(len(patient))
        by_image.append(names["trial"](mixed[:450], mixed[450:], seed))
        by_patient.append(names["trial"](*split(patient, 0.25, seed), seed))
        # "nearly every one of them had images in the training set"
        assert np.isin(patient[mixed[450:]], patient[mixed[:450]]).mean() > 0.97
    assert interval(np.array(by_image))[0] > 80
    low, high = interval(np.array(by_patient))
    assert low < 50 < high


def test_every_fact_has_its_source() -> None:
    for source in ("1412.6980", "1711.05101", "1611.03530", "2401.14497", "2103.03098"):
        assert source in PROSE
