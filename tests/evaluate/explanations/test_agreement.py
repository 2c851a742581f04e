"""Agreement of maps: against SciPy, against counting by hand, and against chance."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy.stats import spearmanr

from tinyternary.errors import ConfigError, ShapeError
from tinyternary.evaluate import map_agreement
from tinyternary.evaluate.explanations.agreement import spearman, top_overlap, with_unrelated

seeds = st.integers(0, 2**32)


@given(seeds, st.integers(2, 9))
def test_spearman_is_scipys(seed, values):
    """Drawn from few values: most ranks are shared."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, values, (2, 5, 4, 4)).astype(np.float32)
    a[0], b[0, 0, 0] = 3, -1  # one map that orders nothing
    wanted = [spearmanr(x.ravel(), y.ravel()).statistic for x, y in zip(a[1:], b[1:])]
    np.testing.assert_allclose(spearman(a, b)[1:], np.nan_to_num(wanted), atol=1e-12)
    assert spearman(a, b)[0] == 0


@given(seeds)
def test_overlap_counts_the_pixels_that_both_put_first(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.permuted(np.arange(2 * 3 * 40.0).reshape(2, 3, 40), axis=2)
    tops = [[set(np.argsort(-row)[:8]) for row in each] for each in (a, b)]
    wanted = [len(x & y) / 8 for x, y in zip(*tops)]
    shape = (3, 5, 8)
    np.testing.assert_allclose(top_overlap(a.reshape(shape), b.reshape(shape), 0.2), wanted)


@given(seeds)
def test_equal_values_are_drawn_among_themselves(seed):
    """The expected overlap when ties are broken at random, by breaking them very often."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 3, (2, 1, 4, 5)).astype(float)
    noise = rng.random((2, 4000, 4, 5)) / 2
    broken = top_overlap(a + noise[0], b + noise[1], 0.25)
    assert top_overlap(a, b, 0.25)[0] == pytest.approx(broken.mean(), abs=0.03)
    same = np.zeros((1, 4, 5))
    assert top_overlap(same, same, 0.25)[0] == pytest.approx(0.25)


@given(seeds, st.integers(2, 9))
def test_no_image_is_its_own_stranger(seed, images):
    maps = np.arange(images * 4.0).reshape(images, 2, 2)
    equal = with_unrelated(maps, maps, lambda a, b: (a == b).all(axis=(1, 2)), seed)
    np.testing.assert_array_equal(equal, 0)


def test_maps_that_share_a_place_agree_no_more_than_strangers():
    """Bright middles are no agreement; the same random detail is."""
    rng = np.random.default_rng(0)
    middle = 4 * np.outer(np.hanning(9), np.hanning(9))
    first, second, detail = rng.standard_normal((3, 120, 9, 9)) * 0.5 + middle
    detail = 3 * (detail - middle)
    chance = map_agreement(first, second)
    assert chance["spearman"]["same"] > 0.4
    for measure in ("spearman", "overlap"):
        low, high = chance[measure]["gain_interval"]
        assert low < 0 < high
        alike = map_agreement(first + detail, second + detail)[measure]
        assert alike["gain_interval"][0] > 0.05
        assert alike["gain"] == pytest.approx(alike["same"] - alike["unrelated"])
        assert alike["same_interval"][0] < alike["same"] < alike["same_interval"][1]
    assert map_agreement(first, second) == chance
    assert map_agreement(first, second, seed=1) != chance


def test_maps_that_order_nothing_are_counted():
    maps = np.random.default_rng(0).random((5, 3, 3))
    flat = maps.copy()
    flat[1:3] = 0.5
    assert map_agreement(maps, flat)["constant"] == 2
    assert map_agreement(maps, maps)["constant"] == 0


def test_what_cannot_be_compared_is_said():
    maps = np.zeros((3, 4, 4))
    with pytest.raises(ShapeError, match="expected twice"):
        map_agreement(maps, maps[:2])
    with pytest.raises(ConfigError, match="two images"):
        map_agreement(maps[:1], maps[:1])
    with pytest.raises(ConfigError, match="share"):
        map_agreement(maps, maps, share=1.0)
    with pytest.raises(ConfigError, match="bootstrap"):
        map_agreement(maps, maps, resamples=0)
