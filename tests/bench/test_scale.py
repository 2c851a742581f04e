"""Growth: the sizes that are meant, the slopes that the numbers have, and a figure of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.marks import needs_compiled
from tinyternary.bench import bench_scale, scale
from tinyternary.cost import analyze
from tinyternary.errors import ConfigError
from tinyternary.report.scaling import scaling


@given(
    slope=st.floats(-2, 3),
    factor=st.floats(1e-6, 1e3),
    sizes=st.lists(st.integers(1, 10_000), min_size=2, max_size=6, unique=True),
)
def test_a_power_law_gets_its_own_slope(slope, factor, sizes):
    times = [factor * size**slope for size in sizes]
    found = scale.fit(sizes, times, [float(size) ** 2 for size in sizes])
    assert found["slope"] == pytest.approx(slope, abs=1e-6)
    assert found["counted"] == pytest.approx(2, abs=1e-6)
    assert (found["low"] is None) == (len(sizes) == 2)
    if found["low"] is not None:
        assert found["low"] <= found["slope"] <= found["high"]


def test_the_interval_is_that_of_a_straight_line():
    """Against the normal equations, written out."""
    sizes, times = [1, 2, 4, 8], [1.0, 2.2, 3.7, 8.4]
    x = np.column_stack([np.ones(4), np.log(sizes)])
    y = np.log(times)
    b = np.linalg.solve(x.T @ x, x.T @ y)
    variance = np.sum((y - x @ b) ** 2) / 2 * np.linalg.inv(x.T @ x)[1, 1]
    found = scale.fit(sizes, times, times)
    assert found["slope"] == pytest.approx(b[1])
    assert found["high"] - b[1] == pytest.approx(4.302652729911275 * variance**0.5)


@pytest.mark.parametrize("axis", scale.AXES)
def test_one_size_is_varied_and_nothing_else(axis):
    seen = [scale.varied(axis, size) for size in scale.AXES[axis]]
    differ = {
        field
        for config, _, _ in seen
        for field, value in config.to_dict().items()
        if value != scale.BASE.to_dict()[field]
    }
    allowed = {"tokens": {"image_size"}, "width": {"width", "heads", "mlp_width"},
               "depth": {"depth"}, "batch": set(), "threads": set()}  # fmt: skip
    assert differ == allowed[axis]
    for size, (config, batch, threads) in zip(scale.AXES[axis], seen, strict=True):
        tokens = (config.image_size // config.patch_size) ** 2
        assert size == {"tokens": tokens, "width": config.width, "depth": config.depth,
                        "batch": batch, "threads": threads}[axis]  # fmt: skip


def test_counts_approach_their_limits():
    """Attention's square comes with many tokens; the patches' share goes away with depth."""
    for axis, sizes in (("tokens", (4096, 16384)), ("width", (4096, 8192)), ("depth", (64, 128))):
        macs = [analyze(scale.varied(axis, size)[0], scale.POLICY).macs for size in sizes]
        slope = scale.fit(sizes, [1.0, 1.0], macs)["counted"]
        assert slope == pytest.approx(scale.LIMITS[axis], abs=0.15)


def test_unknown_names_are_said_in_one_line():
    with pytest.raises(ConfigError, match="depth"):
        bench_scale(["dept"])
    with pytest.raises(ConfigError, match="answer"):
        bench_scale(["depth"], ["answers"])


@needs_compiled
def test_it_measures_and_draws_what_it_measured(monkeypatch):
    monkeypatch.setitem(scale.AXES, "depth", (1, 2, 3))
    monkeypatch.setattr(scale, "BATCH", 1)
    result = bench_scale(["depth"], seconds=0.01)
    assert result["complete"]
    assert [row["size"] for row in result["rows"]] == [1, 2, 3] * 2
    assert [fit["work"] for fit in result["fits"]] == list(scale.WORKS)
    figure = scaling(result)
    for axes, fit in zip(figure.axes, result["fits"], strict=True):
        assert f"{fit['counted']:.2f} counted" in axes.get_title("left")
        drawn = axes.containers[0].lines[0].get_ydata()
        rows = [row for row in result["rows"] if row["work"] == fit["work"]]
        assert drawn.tolist() == [row["ms"]["median"] for row in rows]
