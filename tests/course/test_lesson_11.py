"""Lesson 11: its functions against the library's, the numbers of its prose, its claims over seeds."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import softmax

import tinyternary as tt
from tests.course.demos import demonstrated
from tests.course.solved import solutions
from tinyternary import course
from tinyternary.data.similarity import most_similar
from tinyternary.evaluate.calibration import (
    expected_calibration_error,
    reliability as library_reliability,
)

CHECKOUT = Path(__file__).parents[2]
LESSON = course.read_lesson("11_trust", CHECKOUT)
PROSE = "\n".join(cell.source for cell in LESSON.cells if cell.role == "prose")
CODE = "\n".join(cell.source for cell in LESSON.cells if cell.role == "demo")
MADE = solutions(LESSON)


def interval(values: Any) -> tuple[float, float]:
    """95 % interval of the mean, by Student's t."""
    values = np.asarray(values, float)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def record(name: str) -> Any:
    return json.loads((CHECKOUT / "notebooks" / "results" / f"{name}.json").read_text())


# ---- what is built, against the library's ----------------------------------------------------


def test_the_calibration_is_the_librarys() -> None:
    rng = np.random.default_rng(0)
    scores, labels = rng.dirichlet(np.ones(4), 300), rng.integers(0, 4, 300)
    judged = tt.evaluate.judge(labels, scores, tt.config.Task.MULTI_CLASS)
    confidence = scores.max(axis=1)
    assert MADE["ece"](confidence, judged.right, 15) == pytest.approx(
        expected_calibration_error(judged, 15)
    )
    count, mean, share = MADE["reliability"](confidence, judged.right, 15)
    theirs = library_reliability(judged, 15)
    assert count.tolist() == theirs["images"]
    for ours, name in ((mean, "confidence"), (share, "accuracy")):
        np.testing.assert_allclose(ours, np.array(theirs[name], float), equal_nan=True)


def test_look_alikes_are_the_librarys_without_moves_and_mirrors() -> None:
    images, others = (tt.data.phantoms(s, count=40).images for s in ("test", "train"))
    value, which = MADE["nearest"](images, others)
    theirs, index = most_similar(images, others, moves=0, mirror=False)
    np.testing.assert_allclose(value, theirs, atol=1e-5)
    np.testing.assert_array_equal(which, index)


def test_an_interval_by_patients_of_one_image_is_the_librarys() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(150) < 0.4
    scores = np.clip(0.3 * truth + rng.random(150) * 0.7, 0, 1)
    judged = tt.evaluate.evaluate_scores(truth.astype(int), scores, tt.config.Task.BINARY)

    def auc(rows: Any) -> float:
        return tt.evaluate.auc(truth[rows].astype(int), scores[rows], tt.config.Task.BINARY)

    found = MADE["cluster_interval"](auc, np.arange(150), resamples=600)
    np.testing.assert_allclose(found, judged["intervals"]["auc"], atol=0.02)


def test_balanced_accuracy_is_the_librarys() -> None:
    rng = np.random.default_rng(2)
    truth, scores = rng.random(90) < 0.3, rng.random(90)
    judged = tt.evaluate.evaluate_scores(
        truth.astype(int), scores, tt.config.Task.BINARY, resamples=0
    )
    found = MADE["balanced_accuracy"](truth, scores > 0.5)
    assert found == pytest.approx(judged["balanced_accuracy"])


# ---- numbers of the prose --------------------------------------------------------------------


def test_what_a_promise_of_95_percent_is_worth() -> None:
    # by simulation of uniform scores, apart from the Beta distribution that the prose names
    rng = np.random.default_rng(3)
    reached = []
    for _ in range(4000):
        threshold = MADE["threshold_for"](rng.random(20), np.ones(20, bool), 0.95)
        reached.append(1 - threshold)  # of uniform scores, the share above it
    assert f"19/21 = {100 * 19 / 21:.1f} %" in PROSE
    assert np.mean(reached) == pytest.approx(19 / 21, abs=0.004)
    assert "with 20 positives three times in four it does not" in PROSE
    assert np.mean(np.array(reached) >= 0.95) == pytest.approx(0.26, abs=0.025)
    assert stats.kstest(reached, stats.beta(19, 2).cdf).pvalue > 1e-3
    kept = [stats.beta.sf(0.95, math.ceil(0.95 * n - 1e-9), n + 1 - math.ceil(0.95 * n - 1e-9))
            for n in (20, 200, 2000, 20000)]  # fmt: skip
    assert np.all(np.diff(kept) > 0)
    assert abs(kept[-1] - 0.5) < 0.02
    fewest = next(n for n in range(1, 200) if 1 - 0.95**n >= 0.95)
    assert fewest == 59
    assert f"it takes {fewest} positives" in PROSE
    assert (
        record("breastmnist")["seeds"][0]["validation"]["teacher"]["per_class"]["images"][0] == 21
    )
    assert "a validation set with 21 malignant images" in PROSE


def test_bayes_among_a_hundred_thousand_people() -> None:
    sick = 1000
    yes = 0.95 * sick, 0.10 * (100_000 - sick)
    ppv = yes[0] / sum(yes)
    found, _ = MADE["predictive_values"](0.95, 0.90, 0.01)
    assert found == pytest.approx(ppv)
    assert round(ppv / 0.01) == 9
    assert "nine times likelier" in PROSE
    assert ppv < 0.5


def test_the_recorded_thresholds_of_pneumoniamnist() -> None:
    known = record("pneumoniamnist")
    chosen = [known["thresholds"][str(s)]["student"] for s in range(5)]
    for name, rule in (("AT_HALF", "half"), ("AT_CHOSEN", "accuracy")):
        typed = re.search(rf"{name} = \(([^)]*)\)", CODE)
        assert typed is not None
        values = [float(v) for v in typed[1].split(",")]
        np.testing.assert_allclose(values, [row[rule]["acc"] for row in chosen], atol=5e-5)
    lost = [100 * (row["half"]["acc"] - row["accuracy"]["acc"]) for row in chosen]
    assert 6 < min(lost) < max(lost) < 12
    assert "every seed loses between six and twelve points" in PROSE
    first = known["seeds"][0]
    shares = [
        first["validation"]["student"]["per_class"]["images"],
        first["student"]["per_class"]["images"],
    ]
    assert shares == [[135, 389], [234, 390]]
    assert '"validation": (389, 524), "test": (390, 624)' in CODE
    assert "62.5 % on PneumoniaMNIST" in PROSE
    assert 100 * 390 / 624 == 62.5


def test_the_recorded_copier_of_breastmnist() -> None:
    known = record("breastmnist")
    alike = known["similarity"]
    assert alike["above"] == [0.8, 0.9, 0.95, 0.98]
    typed = {name: np.array(eval(re.search(rf"{name} = np.array\((\[[^\]]*\])\)", CODE)[1]))  # type: ignore[index]
             for name in ("IMAGES", "COPIER", "STUDENT")}  # fmt: skip
    assert typed["IMAGES"].tolist() == alike["images"]
    np.testing.assert_allclose(typed["COPIER"] / typed["IMAGES"], alike["nearest"])
    np.testing.assert_allclose(typed["STUDENT"], alike["student"], atol=5e-4)
    right, images = typed["COPIER"], typed["IMAGES"]
    assert images.sum() == 156
    assert "51 of 156" in PROSE
    assert round(100 * right.sum() / 156) == 82
    assert "on BreastMNIST that is 82 %" in PROSE
    assert round(100 * right[-1] / 51) == 94
    assert "right 94 times in a hundred" in PROSE
    assert images[:-1].sum() == 105
    assert round(100 * right[:-1].sum() / 105) == 76
    assert "it is right on 76 %" in PROSE
    assert known["seeds"][0]["student"]["per_class"]["images"] == [42, 114]
    assert f"{100 * 114 / 156:.1f} % of the test images" in PROSE
    # better than the copier where there is nothing to copy, and worse where there is
    assert typed["STUDENT"][:-1] @ images[:-1] > right[:-1].sum() + 4
    assert typed["STUDENT"][-1] < right[-1] / 51


def test_the_published_landmarks_are_those_of_the_facts() -> None:
    assert "ResNet-50 reaches 81.2 %, BitMedViT 82.1 %" in PROSE
    assert '"ResNet-50, published": (81.2' in CODE
    assert '"BitMedViT, published": (82.1' in CODE


def test_the_rule_of_three_and_the_exact_interval_of_twenty() -> None:
    low = stats.binomtest(20, 20).proportion_ci(method="exact").low
    assert f"The exact one starts at {100 * low:.0f}." in PROSE
    for n in (50, 500):
        upper = stats.binomtest(0, n).proportion_ci(0.90, method="exact").high
        assert upper == pytest.approx(3 / n, rel=0.05)
    low, high = stats.binomtest(204, 240).proportion_ci(method="exact")
    assert f"exact interval {100 * low:.0f} to {100 * high:.0f} %" in PROSE


def test_every_figure_with_a_prediction_is_signed() -> None:
    for cell in LESSON.cells:
        if cell.role != "demo" or "plt.show()" not in cell.source:
            continue
        predicts = re.search(
            r"NAMES\[|_scores\[|share_right|curves|mended|leaks|at_home|STUDENT|AT_HALF",
            cell.source,
        )
        if predicts:
            assert "sign(figure" in cell.source, cell.source[:80]


# ---- claims against intuition, over seeds ----------------------------------------------------


@pytest.mark.slow
def test_an_interval_that_counts_images_covers_too_seldom() -> None:
    names = demonstrated(LESSON, "from scipy.stats import binomtest", "def draw_study")
    by_image = np.array([low <= 0.85 <= high for low, high in names["by_image"]])
    low, high = stats.binomtest(int(by_image.sum()), len(by_image)).proportion_ci()
    assert low > 0.64
    assert high < 0.78
    assert "Counting images, 95 % can mean 70" in PROSE
    held = [np.subtract(*found) for found in (
        MADE["cluster_interval"](lambda rows, good=good: good[rows].mean(), whose, seed=s, resamples=200)
        for s, (good, whose) in enumerate(names["studies"][:200])
    )]  # fmt: skip
    assert np.mean(np.abs(held)) > 1.5 * np.mean([b - a for a, b in names["by_image"]])
    inside = [low <= 0.85 <= high for low, high in (
        MADE["cluster_interval"](lambda rows, good=good: good[rows].mean(), whose, seed=s, resamples=200)
        for s, (good, whose) in enumerate(names["studies"][:200])
    )]  # fmt: skip
    assert np.mean(inside) > 0.86


@pytest.mark.slow
def test_a_random_split_of_frames_flatters_copier_and_network() -> None:
    names = demonstrated(LESSON, "def hospital")
    split = course.mine("03").split_by_patient
    leaks = []
    for seed in range(20, 28):  # none of the lesson's own
        images, labels, whose = names["hospital"](seed)
        group = MADE["groups"](images, 0.85)
        joined = set(zip(group.tolist(), whose.tolist()))
        # groups may join two patients, but no patient is torn apart
        assert len(joined) == 120
        mixed = np.random.default_rng(seed).permutation(480)
        pairs = ((mixed[120:], mixed[:120]), split(group, 0.25, seed))
        leaks.append([names["copy_and_learn"](images, labels, a, images[b], labels[b], seed)
                      for a, b in pairs])  # fmt: skip
    found = np.array(leaks)
    for who in (0, 1):  # copier, network
        assert interval(found[:, 0, who] - found[:, 1, who])[0] > 35
        assert np.mean(found[:, 0, who]) > 93
        assert np.mean(found[:, 1, who]) < 60


@pytest.mark.slow
def test_coins_are_worth_more_where_test_images_choose() -> None:
    names = demonstrated(LESSON, "def best_model", "def report(", "def coin_study")
    assert np.all(np.diff(names["exhibited"]) < 0)
    assert min(names["exhibited"]) > 51
    repaired = [names["reported"](MADE["repaired_report"], n, 400) for n in (20, 160)]
    np.testing.assert_allclose(repaired, 50, atol=2.5)


@pytest.mark.slow
def test_attention_beats_chance_and_loses_to_the_middle_of_the_picture() -> None:
    names = demonstrated(LESSON, "def logits_of")
    cells, policy = names["cells"], "all-linear"
    images = cells.test.images[:200]
    y, x = np.divmod(np.arange(49), 7)
    fill = np.rint(cells.train.images.mean(axis=(0, 1, 2))).astype(np.uint8)
    gaps: dict[str, list[float]] = {"random": [], "somebody else's": [], "middle": []}
    for seed in range(1, 6):
        model = tt.quant.ternarize(tt.models.ViT(tt.models.preset("lesson"), seed=seed), policy)
        run = tt.train.fit(
            model, cells, seed=seed, epochs=30, lr=4e-3, augment="none", progress=False
        )
        seen: dict[str, Any] = {}
        with tt.no_grad():
            run.model.eval()
            run.model(run.preprocessing(images), seen)
        map_ = seen["blocks.1.attn"].mean(axis=(1, 2))
        rng = np.random.default_rng(seed)
        orders = {
            "own": -map_,
            "somebody else's": -np.roll(map_, 1, axis=0),
            "middle": (y - 3) ** 2 + (x - 3) ** 2 + 0.01 * rng.random((200, 49)),
            "random": rng.random((200, 49)),
        }

        def scores(shown: Any, run: Any = run) -> Any:
            return softmax(names["logits_of"](run, shown), axis=1)

        whole = scores(images)
        said = whole.argmax(axis=1)
        areas = {}
        for name, importance in orders.items():
            rank = np.argsort(np.argsort(importance, axis=1), axis=1)
            mask = rank.reshape(-1, 7, 7).repeat(4, 1).repeat(4, 2)[..., None]
            left = [scores(np.where(mask < n, fill, images))[np.arange(200), said].mean()
                    for n in range(0, 50, 7)]  # fmt: skip
            areas[name] = float(np.mean(np.add(left[1:], left[:-1])) / 2)
        for name, values in gaps.items():
            values.append(areas["own"] - areas[name])
    print(gaps)
    assert "in at least four of the five networks that we trained from other seeds" in PROSE
    assert np.sum(np.array(gaps["middle"]) > 0) >= 4, gaps
    assert np.mean(gaps["middle"]) > 0.02
    assert np.mean(gaps["random"]) < -0.03
    assert max(map(abs, gaps["somebody else's"])) < 0.08
    assert abs(np.mean(gaps["somebody else's"])) < 0.04


@pytest.mark.slow
def test_which_weather_is_worst() -> None:
    names = demonstrated(
        LESSON, "def logits_of", "float_run = train()", "KINDS = (", "def share_right", "wrong = {"
    )
    for errors in names["wrong"].values():
        total = {kind: sum(shares) for kind, shares in errors.items()}
        ranked = sorted(total, key=total.__getitem__)
        assert ranked[0] == "defocus"
        assert {"contrast", "uneven_light"} <= set(ranked[2:])
    # section 2 of the same two networks: floats boast more, and a temperature tells them so
    val, test = names["val_labels"], names["test_labels"]
    pairs = ((names["val_logits"], names["test_logits"]), (names["float_val"], names["float_test"]))
    chosen = [MADE["fit_temperature"](z, val) for z, _ in pairs]
    wanted = [MADE["fit_temperature"](z, test) for _, z in pairs]
    assert "The floats need more of it than the trits, and gain more" in PROSE
    assert chosen[1] > max(chosen[0], 1.15)
    assert np.all(np.abs(np.log(np.divide(chosen, wanted))) < np.log(1.4)), (chosen, wanted)
    gained = [
        MADE["log_loss"](z, test, 1.0) - MADE["log_loss"](z, test, t)
        for (_, z), t in zip(pairs, chosen)
    ]
    assert gained[1] > max(gained[0], 0)
    error = MADE["corruption_error"](names["wrong"]["ternary"], names["wrong"]["float"])
    assert 1.0 < error < 1.4
    assert "Being ternary costs a little on top" in PROSE
    assert names["in_bad_light"] < 0.5
