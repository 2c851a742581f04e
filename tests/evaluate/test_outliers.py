"""Scores of strangeness: scikit-learn's numbers, and what they must not depend on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from tinyternary.config import Task
from tinyternary.data import fit_preprocessing, phantoms
from tinyternary.errors import ConfigError, ShapeError
from tinyternary.evaluate import auroc, measure_outliers, strange_images
from tinyternary.evaluate.outliers import (
    energy,
    improbability,
    logits_and_features,
    mahalanobis,
    neighbor_distance,
)
from tinyternary.models import ViT, preset

seeds = st.integers(0, 2**32)


@given(seeds, st.integers(1, 30), st.integers(1, 30))
def test_auroc_is_sklearns_ties_too(seed, inside, outside):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 6, inside), rng.integers(2, 8, outside)
    wanted = roc_auc_score(np.r_[np.zeros(inside), np.ones(outside)], np.r_[a, b])
    found = auroc(a, b, resamples=20)
    assert found["auroc"] == pytest.approx(wanted, abs=1e-12)
    assert auroc(b, a, resamples=0)["auroc"] == pytest.approx(1 - wanted, abs=1e-12)
    low, high = found["interval"]
    assert 0 <= low <= high <= 1


def test_the_interval_of_auroc_is_a_bootstrap_of_both_groups():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 60), rng.normal(1, 1, 40)
    drawn = [
        roc_auc_score(np.r_[np.zeros(60), np.ones(40)], np.r_[rng.choice(a, 60), rng.choice(b, 40)])
        for _ in range(1000)
    ]
    np.testing.assert_allclose(
        auroc(a, b, resamples=2000)["interval"], np.quantile(drawn, (0.025, 0.975)), atol=0.02
    )


@given(seeds)
def test_distances_are_sklearns(seed):
    rng = np.random.default_rng(seed)
    known, features = rng.normal(size=(50, 4)) * [1, 3, 0.2, 1], rng.normal(size=(9, 4))
    labels = np.repeat([0, 2, 5], [20, 20, 10])
    means = {c: known[labels == c].mean(0) for c in np.unique(labels)}
    within = np.concatenate([known[labels == c] - means[c] for c in means])
    covariance = EmpiricalCovariance(assume_centered=True).fit(within)
    wanted = np.min([covariance.mahalanobis(features - mean) for mean in means.values()], 0)
    np.testing.assert_allclose(mahalanobis(features, known, labels), wanted, rtol=1e-8)

    def unit(x):
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    near = NearestNeighbors(n_neighbors=7).fit(unit(known)).kneighbors(unit(features))[0][:, -1]
    np.testing.assert_allclose(neighbor_distance(features, known, 7), near, atol=1e-12)


@given(seeds)
def test_mahalanobis_is_blind_to_units(seed):
    rng = np.random.default_rng(seed)
    known, features = rng.normal(size=(40, 3)), rng.normal(size=(5, 3))
    labels = np.arange(40) % 2
    turn = rng.normal(size=(3, 3)) + 4 * np.eye(3)
    found = mahalanobis(features @ turn + 7, known @ turn + 7, labels)
    np.testing.assert_allclose(found, mahalanobis(features, known, labels), rtol=1e-6)


@given(seeds, st.floats(-30, 30))
def test_scores_of_logits(seed, shift):
    x = np.random.default_rng(seed).normal(0, 3, (6, 4))
    np.testing.assert_allclose(energy(x, Task.MULTI_CLASS), -np.log(np.exp(x).sum(1)))
    np.testing.assert_allclose(energy(x + shift, Task.MULTI_CLASS),
                               energy(x, Task.MULTI_CLASS) - shift, atol=1e-9)  # fmt: skip
    np.testing.assert_allclose(energy(x, Task.MULTI_LABEL), -np.log1p(np.exp(x)).sum(1))
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(improbability(x, Task.MULTI_CLASS), 1 - p.max(1), atol=1e-12)
    np.testing.assert_allclose(improbability(x + shift, Task.MULTI_CLASS), 1 - p.max(1), atol=1e-9)
    q = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(improbability(x, Task.MULTI_LABEL), np.minimum(q, 1 - q).max(1))


def test_strange_images_are_none_of_the_set():
    data = phantoms("test", 0, 12)
    strange = strange_images(data, 10, seed=1)
    assert {name: len(x) for name, x in strange.items()} == {
        "noise": 10, "shuffled": 10, "black": 1, "white": 1
    }  # fmt: skip
    np.testing.assert_array_equal(  # the same colours, elsewhere
        np.sort(strange["shuffled"].reshape(10, -1), 1),
        np.sort(data.images[:10].reshape(10, -1), 1),
    )
    assert (strange["shuffled"] != data.images[:10]).any()
    assert strange["black"].max() == 0
    assert strange["white"].min() == 255
    assert abs(strange["noise"].mean() - 127.5) < 3


def test_a_measurement_is_made_of_these_parts():
    train, test = phantoms("train", 0, 64), phantoms("test", 0, 32)
    model = ViT(preset("tiny", num_classes=8), seed=0)
    preprocessing = fit_preprocessing(train)
    outside = strange_images(test, 16)
    found = measure_outliers(model, preprocessing, train, test, outside, resamples=50)
    assert json.loads(json.dumps(found)) == found
    _, known = logits_and_features(model, train.images, preprocessing, batch_size=10)
    inside = logits_and_features(model, test.images, preprocessing)
    noise = logits_and_features(model, outside["noise"], preprocessing)
    np.testing.assert_array_equal(inside[0], model.eval()(preprocessing(test.images)).numpy())
    assert found["inside"]["confidence"] == pytest.approx(
        1 - improbability(inside[0], test.task).mean()
    )
    wanted = auroc(
        mahalanobis(inside[1], known, train.labels), mahalanobis(noise[1], known, train.labels),
        resamples=50,
    )  # fmt: skip
    assert found["outside"]["noise"]["scores"]["mahalanobis"]["auroc"] == pytest.approx(
        wanted["auroc"], abs=0.01
    )
    # even an untrained network's features tell noise from cells
    assert found["outside"]["noise"]["scores"]["mahalanobis"]["auroc"] > 0.9
    # whoever keeps the same images finds nothing strange
    same = measure_outliers(model, preprocessing, train, test, {"same": test.images}, resamples=0)
    assert all(each["auroc"] == 0.5 for each in same["outside"]["same"]["scores"].values())


def test_wrong_calls_are_named():
    with pytest.raises(ShapeError, match="auroc"):
        auroc([], [1.0])
    with pytest.raises(ConfigError, match="k: expected 1 to 3"):
        neighbor_distance(np.ones((2, 2)), np.ones((3, 2)), 4)
    with pytest.raises(ShapeError, match="features"):
        mahalanobis(np.ones((2, 2)), np.ones((3, 3)), np.zeros(3, int))
    with pytest.raises(ShapeError, match="labels"):
        mahalanobis(np.ones((2, 3)), np.ones((3, 3)), np.zeros(2, int))
