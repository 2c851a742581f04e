"""Weight quantisers against their definitions, brute force and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from tinyternary.errors import ConfigError, NonFiniteError, ShapeError
from tinyternary.quant import Quantized, absmean, band, integer, seq, ttq, twn

TERNARY = {"absmean": absmean, "twn": twn, "band": band, "ttq": ttq, "seq": seq}
SIZES = ["tensor", "channel", 2]

matrices = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.sampled_from([2, 4, 6, 8])),
    # magnitudes well above the floor of the scales
    elements=st.floats(-100, 100).map(lambda v: 0.0 if abs(v) < 1e-2 else v),
)
rules = st.sampled_from(list(TERNARY.values()))
sizes = st.sampled_from(SIZES)


def blocks(w, size):
    """The groups of weights that share a scale, as flat lists: the slow, obvious way."""
    if size == "tensor":
        return [w.ravel()]
    if size == "channel":
        return list(w)
    return [row[i : i + size] for row in w for i in range(0, len(row), size)]


def per_block(q: Quantized, size):
    scales = np.atleast_1d(q.scale).ravel()
    return list(zip(blocks(q.trits, size), scales))


# ---- definitions, one weight at a time -----------------------------------------------


@given(matrices, sizes)
def test_absmean_is_its_definition(w, size):
    q = absmean(w, size)
    for block, (trits, scale) in zip(blocks(w, size), per_block(q, size)):
        alpha = max(sum(abs(v) for v in block) / len(block), 1e-5)
        assert scale == pytest.approx(alpha, rel=1e-6)
        for v, trit in zip(block, trits):
            if abs(abs(v) - alpha / 2) > 1e-9 * alpha:  # either side of a tie is right
                assert trit == (abs(v) > alpha / 2) * np.sign(v)


@given(matrices, sizes)
def test_twn_is_its_definition(w, size):
    q = twn(w, size)
    for block, (trits, scale) in zip(blocks(w, size), per_block(q, size)):
        delta = 0.7 * sum(abs(v) for v in block) / len(block)
        if any(abs(abs(v) - delta) < 1e-9 * (1 + delta) for v in block):
            continue
        kept = [abs(v) for v in block if abs(v) > delta]
        assert list(trits) == [int(np.sign(v)) * (abs(v) > delta) for v in block]
        if kept:
            assert scale == pytest.approx(sum(kept) / len(kept), rel=1e-6)


@given(matrices, sizes)
def test_ttq_is_its_definition(w, size):
    q = ttq(w, size)
    negatives = np.atleast_1d(q.scale_negative).ravel()
    for block, (trits, plus), minus in zip(blocks(w, size), per_block(q, size), negatives):
        delta = 0.05 * max(abs(v) for v in block)
        if any(abs(abs(v) - delta) < 1e-9 * (1 + delta) for v in block):
            continue
        assert list(trits) == [int(np.sign(v)) * (abs(v) > delta) for v in block]
        for sign, scale in ((1, plus), (-1, minus)):
            kept = [abs(v) for v in block if sign * v > delta]
            if kept:
                assert scale == pytest.approx(sum(kept) / len(kept), rel=1e-6)


@given(matrices, sizes, st.floats(0.1, 100))
def test_seq_is_its_definition(w, size, alpha):
    q = seq(w, size, alpha=alpha)
    expected = np.round(np.clip(w / alpha, -0.99, 0.99) * 1.5) / 1.5 * alpha
    ties = np.abs(np.abs(w / alpha) - 1 / 3) < 1e-6
    np.testing.assert_allclose(
        np.where(ties, 0, q.dequantize()), np.where(ties, 0, expected), rtol=1e-5
    )


@given(matrices, sizes)
def test_seq_starts_with_the_trits_of_absmean(w, size):
    a, s = absmean(w, size), seq(w, size)
    near = np.zeros(w.shape, bool)
    scale = np.repeat(np.atleast_2d(a.scale), w.shape[1] // np.atleast_2d(a.scale).shape[1], axis=1)
    near |= np.abs(np.abs(w) - scale / 2) < 1e-5 * scale
    np.testing.assert_array_equal(np.where(near, 0, a.trits), np.where(near, 0, s.trits))
    np.testing.assert_allclose(a.scale, s.scale, rtol=1e-5)


@given(matrices, sizes, st.floats(0, 50), st.floats(0.01, 50))
def test_band_uses_the_threshold_and_scale_it_is_given(w, size, delta, alpha):
    q = band(w, size, delta=delta, alpha=alpha)
    np.testing.assert_array_equal(q.trits, np.where(np.abs(w) > delta, np.sign(w), 0))
    np.testing.assert_allclose(q.dequantize(), np.float32(alpha) * q.trits, rtol=1e-6)


def test_band_takes_arrays_in_the_layout_of_a_scale():
    w = np.array([[1.0, -3, 5, -7], [2, -4, 6, -8]])
    q = band(w, "channel", delta=[[2.0], [5.0]], alpha=[[10.0], [20.0]])
    np.testing.assert_array_equal(q.dequantize(), [[0, -10, 10, -10], [0, 0, 20, -20]])
    q = band(w, 2, delta=[[2.0, 6.0], [5.0, 7.0]])
    np.testing.assert_array_equal(q.trits, [[0, -1, 0, -1], [0, 0, 0, -1]])
    np.testing.assert_allclose(q.scale, [[3, 7], [1e-5, 8]])


@given(matrices, sizes, st.sampled_from([8, 4]))
def test_integers_are_within_half_a_step(w, size, bits):
    q = integer(w, size, bits=bits)
    most = 2 ** (bits - 1) - 1
    assert np.abs(q.values.astype(int)).max() <= most
    step = np.atleast_2d(q.scale)
    step = np.repeat(step, w.shape[1] // step.shape[1], axis=1)
    assert (np.abs(q.dequantize() - w) <= step * (0.5 + 1e-4)).all()
    largest = [np.abs(b).max() for b in blocks(w, size)]
    np.testing.assert_allclose(np.ravel(q.scale), np.maximum(largest, 1e-5) / most, rtol=1e-6)


# ---- the best there is, by trying everything -----------------------------------------


def best_error(block):
    """Least squared error of any threshold with its best scale: every cut is tried."""
    magnitudes = np.sort(np.abs(block))[::-1]
    kept = np.arange(1, len(block) + 1)
    return float((block**2).sum() - max(0.0, (np.cumsum(magnitudes) ** 2 / kept).max()))


@given(matrices, sizes, rules)
def test_no_rule_beats_exhaustive_search_and_the_search_beats_each(w, size, rule):
    if rule is ttq:
        return  # two scales: another search
    q = rule(w, size)
    for block, (trits, scale) in zip(blocks(w, size), per_block(q, size)):
        error = float(((block - scale * trits) ** 2).sum())
        assert error >= best_error(block) - 1e-5 * (1 + (block**2).sum())


@pytest.mark.parametrize(
    ("draw", "gap_twn", "gap_absmean"),
    [("normal", 0.008, 0.39), ("uniform", 0.004, 0.41), ("laplace", 0.07, 0.49)],
)
def test_gap_to_the_best_threshold_is_as_stated(rng, draw, gap_twn, gap_absmean):
    """Squared error over the least possible, minus 1: the figures of the docstrings."""
    make = {"normal": rng.standard_normal, "uniform": lambda n: rng.uniform(-1, 1, n),
            "laplace": lambda n: rng.laplace(size=n)}[draw]  # fmt: skip
    w = make(65_536).reshape(256, 256)
    best = best_error(w.ravel())
    for rule, gap in ((twn, gap_twn), (absmean, gap_absmean)):
        error = float(((w - rule(w).dequantize()) ** 2).sum())
        assert error / best - 1 == pytest.approx(gap, rel=0.1, abs=0.002)


@given(matrices, sizes)
def test_survivors_mean_is_the_best_scale_for_its_trits(w, size):
    q = twn(w, size)
    for block, (trits, scale) in zip(blocks(w, size), per_block(q, size)):
        if not trits.any():
            continue
        error = ((block - scale * trits) ** 2).sum()
        for other in (0.99 * scale, 1.01 * scale):
            assert error <= ((block - other * trits) ** 2).sum() + 1e-9


def test_gaussian_weights_give_the_known_share_of_zeros(rng):
    w = rng.standard_normal((512, 512))
    # P(|z| < 0.5 sqrt(2 / pi)) and P(|z| < 0.7 sqrt(2 / pi))
    assert (absmean(w).trits == 0).mean() == pytest.approx(0.3101, abs=0.005)
    assert (twn(w).trits == 0).mean() == pytest.approx(0.4235, abs=0.005)


# ---- properties ----------------------------------------------------------------------


@given(matrices, sizes, rules)
def test_only_trits_of_the_sign_of_the_weight_and_positive_finite_scales(w, size, rule):
    q = rule(w, size)
    assert q.trits.dtype == np.int8
    assert q.trits.shape == w.shape
    assert set(np.unique(q.trits)) <= {-1, 0, 1}
    assert (q.trits * w >= 0).all()
    for scale in (q.scale, q.scale_negative):
        if scale is not None:
            assert scale.dtype == np.float32
            assert (np.isfinite(scale) & (scale > 0)).all()
    rows, inputs = w.shape
    expected = {"tensor": (), "channel": (rows, 1)}.get(size, (rows, inputs // 2))
    assert q.scale.shape == expected


@given(matrices, sizes, rules)
def test_odd_symmetry(w, size, rule):
    a, b = rule(w, size), rule(-w, size)
    np.testing.assert_array_equal(a.trits, -b.trits)
    np.testing.assert_array_equal(a.dequantize(), -b.dequantize())


@given(matrices, sizes, rules, st.integers(-3, 12))
def test_scale_equivariance(w, size, rule, power):
    # powers of two, so that scaling is exact and no tie falls to another side; weights of
    # zero have the floor for a scale, which does not scale
    factor = 2.0**power
    a, b = rule(w, size), rule(w * factor, size)
    np.testing.assert_array_equal(a.trits, b.trits)
    np.testing.assert_allclose(a.dequantize() * factor, b.dequantize(), rtol=1e-6)


@given(matrices, sizes, rules)
def test_trits_survive_requantising_their_own_output(w, size, rule):
    once = rule(w, size)
    again = rule(once.dequantize(), size)
    if rule is ttq:
        # a block whose one sign is beneath 5 % of the other loses it: see the definition
        for first, plus, minus, second in zip(
            blocks(once.trits, size),
            np.ravel(once.scale),
            np.ravel(once.scale_negative),
            blocks(again.trits, size),
        ):
            if 0.051 < plus / minus < 19.5:
                np.testing.assert_array_equal(first, second)
        return
    np.testing.assert_array_equal(once.trits, again.trits)


@given(matrices, rules, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(w, rule, random):
    order = random.sample(range(len(w)), len(w))
    a, b = rule(w, "channel"), rule(w[order], "channel")
    np.testing.assert_array_equal(a.trits[order], b.trits)
    np.testing.assert_array_equal(a.scale[order], b.scale)


@given(matrices, rules)
def test_a_group_of_a_whole_row_is_a_channel(w, rule):
    a, b = rule(w, "channel"), rule(w, w.shape[1])
    np.testing.assert_array_equal(a.dequantize(), b.dequantize())
    np.testing.assert_array_equal(a.scale, b.scale)


@given(matrices, sizes, rules)
def test_the_threshold_it_reports_is_the_one_that_cut(w, size, rule):
    q = rule(w, size)
    for block, trits, delta in zip(blocks(w, size), blocks(q.trits, size), np.ravel(q.threshold)):
        for v, trit in zip(block, trits):
            if abs(abs(v) - delta) > 1e-5 * (1e-5 + delta):
                assert (trit != 0) == (abs(v) > delta)


@pytest.mark.parametrize("rule", TERNARY.values(), ids=TERNARY.keys())
def test_the_threshold_separates_the_magnitudes_of_gaussian_weights(rng, rule):
    # many weights lie between any two candidates, so that a wrong one cannot hide
    w = rng.standard_normal((64, 64)).astype(np.float32)
    q = rule(w, "tensor")
    delta = float(np.ravel(q.threshold)[0])
    assert np.abs(w[q.trits == 0]).max() <= delta * 1.00001
    assert np.abs(w[q.trits != 0]).min() >= delta * 0.99999


@pytest.mark.parametrize(
    "make", [np.asfortranarray, lambda w: w[::-1, ::-1], lambda w: w.astype(np.float16)]
)
def test_layout_and_dtype_of_the_input_do_not_matter(rng, make):
    w = make(rng.standard_normal((6, 8)).astype(np.float32))
    w.flags.writeable = False
    for rule in TERNARY.values():
        for size in SIZES:
            a, b = rule(w, size), rule(np.ascontiguousarray(w), size)
            np.testing.assert_array_equal(a.dequantize(), b.dequantize())


@pytest.mark.parametrize("rule", [*TERNARY.values(), integer])
@pytest.mark.parametrize("size", SIZES)
def test_zeros_give_zeros_and_a_finite_scale(rule, size):
    q = rule(np.zeros((3, 4), np.float32), size)
    assert not q.dequantize().any()
    assert np.isfinite(q.scale).all()
    assert (q.scale > 0).all()


def test_one_number_and_vectors_are_tensors_too():
    assert absmean(3.0).trits == 1
    np.testing.assert_array_equal(absmean([1.0, -2, 0.1]).trits, [1, -1, 0])
    np.testing.assert_array_equal(twn([1, -2, 0]).trits, [1, -1, 0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rule", [*TERNARY.values(), integer])
def test_weights_that_are_not_finite_are_refused(rule, bad):
    w = np.ones((2, 4))
    w[1, 2] = bad
    with pytest.raises(NonFiniteError, match="weights: 1 of 8 entries"):
        rule(w)


def test_impossible_granularities_are_refused():
    with pytest.raises(ConfigError, match="groups of 3 do not divide 4"):
        absmean(np.ones((2, 4)), 3)
    for size in ("row", 0, -2, True, 2.0):
        with pytest.raises(ConfigError, match="granularity"):
            absmean(np.ones((2, 4)), size)
    with pytest.raises(ShapeError, match="matrix"):
        absmean(np.ones(4), "channel")
    with pytest.raises(ConfigError, match="bits"):
        integer(np.ones((2, 4)), bits=2)


def test_dequantise_of_two_scales():
    q = Quantized(
        np.array([[1, -1, 0, -1]], np.int8),
        np.array([[2.0, 3.0]], np.float32),
        np.array([[5.0, 7.0]], np.float32),
    )
    np.testing.assert_array_equal(q.dequantize(), [[2, -5, 0, -7]])
    assert q.granularity == 2
    assert q.dequantize().dtype == np.float32


def test_the_promised_name_of_a_result_is_there():
    import tinyternary as tt

    assert isinstance(tt.quant.absmean(np.eye(2)), tt.quant.Quantised)
