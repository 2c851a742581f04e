"""Networks against what they take: nothing that is beaten is on the line, nothing else is missing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st

from tinyternary.report import accuracy_against_cost, frontier

FEW = st.integers(0, 4)


@given(st.lists(st.tuples(FEW, FEW), max_size=8))
def test_the_frontier_is_what_nothing_beats(pairs):
    costs, values = [cost for cost, _ in pairs], [value for _, value in pairs]
    kept = frontier(costs, values)
    on_line = {pairs[i] for i in kept}
    assert len(on_line) == len(kept)  # of twins one
    for cost, value in pairs:
        beaten = any(
            c <= cost and v >= value and (c, v) != (cost, value) for c, v in pairs
        )  # fmt: skip
        assert ((cost, value) in on_line) != beaten
    assert list(np.take(costs, kept)) == sorted(np.take(costs, kept))


def point(**fields):
    energy = {"low": 1.0, "middle": 2.0, "high": 3.0}
    return {
        "dataset": "breastmnist", "variant": "", "policy": "everything", "bytes": 50_000,
        "energy_uj": energy, "acc": 0.8, "auc": 0.9, **fields,
    }  # fmt: skip


def test_seeds_are_dots_and_their_mean_is_on_the_line():
    points = [
        point(acc=0.7), point(acc=0.9), point(policy="float32", bytes=400_000, acc=0.6),
        point(dataset="bloodmnist", auc=None),
    ]  # fmt: skip
    figure = accuracy_against_cost(points, names={"bloodmnist": "Blood"})
    axes = figure.axes
    assert len(axes) == 4
    assert [ax.get_title(loc="left") for ax in axes[:2]] == ["breastmnist", "Blood"]
    drawn = [line.get_xydata().tolist() for line in axes[0].lines]
    assert [[50.0, 0.7], [50.0, 0.9]] in drawn  # seeds
    assert [[50.0, 0.8]] in drawn  # their mean, alone on the frontier: the float one is beaten
    assert [[50.0, 0.8], [400.0, 0.6]] not in drawn
    undefined = accuracy_against_cost(points, response="auc").axes[1]
    assert not any(len(line.get_xdata()) for line in undefined.lines)
