"""Figures of the cost model: they draw what the report says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinyternary import cost
from tinyternary.report import cost_figures as figures
from tinyternary.report.roofline import predicted_against_measured, roofline


@pytest.fixture(scope="module")
def comparison() -> cost.Comparison:
    return cost.compare("tiny", ["float32", "all-linear"], device="esp32-s3")


def test_all_figures_are_written(comparison: cost.Comparison, tmp_path: Path) -> None:
    paths = figures.write_cost_figures(comparison, tmp_path / "out")
    names = {path.name for path in paths}
    assert {"energy.png", "roofline-float32.png", "zeros-all-linear.png"} <= names
    assert "zeros-float32.png" not in names
    assert all(path.stat().st_size > 5000 for path in paths)


def test_energy_bars_add_up_to_the_total(comparison: cost.Comparison) -> None:
    ax = figures.energy_bars(comparison.reports).axes[0]
    widths = np.array([[bar.get_width() for bar in group] for group in ax.containers[:3]])
    totals = [report.energy_uj.middle / 1e3 for report in comparison.reports]
    assert widths.sum(0) == pytest.approx(totals)
    assert "modelled" in ax.get_xlabel()


def test_byte_bars_add_up_to_the_bytes_stored(comparison: cost.Comparison) -> None:
    report = comparison.reports[1]
    ax = figures.bytes_by_layer(report).axes[0]
    total = sum(patch.get_width() for patch in ax.patches) * 1024
    assert total == pytest.approx(report.bytes_stored)


def test_figures_without_their_data_say_so() -> None:
    report = cost.analyze("tiny")
    with pytest.raises(ValueError, match="no device"):
        roofline(report)
    with pytest.raises(ValueError, match="skips no zeros"):
        figures.energy_against_zero_share(report)


def test_measured_times_lie_beside_their_bound() -> None:
    figure = predicted_against_measured(
        ["1 x 2 x 3", "4 x 5 x 6"], [1e-6, 2e-6], [2e-6, 8e-6], title="k"
    )
    assert [bar.get_width() for bar in figure.axes[1].patches] == pytest.approx([0.5, 0.25])
    assert list(figure.axes[0].lines[1].get_xdata()) == pytest.approx([2, 8])
