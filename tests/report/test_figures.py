"""Figures show the numbers that they were given: read back from what was drawn."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import cbook

from tinyternary.report.bars import Pair, pair_bars
from tinyternary.report.predictions import confusion_matrix, prediction_grid
from tinyternary.report.style import data_uri, new_figure, styled
from tinyternary.report.weights import latent_histogram, latent_to_bytes, trit_shares


def _texts(figure) -> str:
    import matplotlib.text

    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


@pytest.fixture
def layer(rng):
    latent = rng.normal(size=(32, 48)).astype(np.float32)
    scale = float(np.abs(latent).mean())
    trits = np.clip(np.round(latent / scale), -1, 1).astype(np.int8)
    return latent, trits, scale


def test_histogram_counts_every_weight_once_and_names_the_shares(layer) -> None:
    latent, trits, scale = layer
    figure = latent_histogram(latent, trits, scale, name="fc1")
    counted = sum(patch.get_height() for patch in figure.axes[0].patches)
    inside = np.count_nonzero(np.abs(latent) <= figure.axes[0].get_xlim()[1])
    assert counted == inside
    for trit in (-1, 0, 1):
        assert f"{np.mean(trits == trit):.1%}" in _texts(figure)


def test_histogram_puts_the_threshold_where_trits_change(layer) -> None:
    latent, trits, scale = layer
    figure = latent_histogram(latent, trits, scale, name="fc1")
    dashed = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert sorted(dashed) == pytest.approx([-scale / 2, scale / 2], rel=0.02)


def test_trit_shares_fill_each_bar(layer) -> None:
    _, trits, _ = layer
    figure = trit_shares({"a": trits, "b": np.zeros_like(trits)})
    widths = np.array([patch.get_width() for patch in figure.axes[0].patches]).reshape(3, 2)
    assert widths.sum(axis=0) == pytest.approx([1, 1])
    assert widths[:, 1].tolist() == [0, 1, 0]


def test_confusion_matrix_writes_its_counts() -> None:
    counts = np.array([[7, 2], [0, 11]])
    texts = _texts(confusion_matrix(counts, ["benign", "malignant"], title="t")).splitlines()
    assert {"7", "2", "11"} <= set(texts)
    assert "0" not in texts  # an empty cell stays empty


def test_samples_mark_mistakes_and_say_what_they_are(rng) -> None:
    images = rng.integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    figure = prediction_grid(
        images, ["a", "b", "a"], ["a", "a", "a"], [0.9, 0.6, 0.7], synthetic=True
    )
    text = _texts(figure)
    assert text.count("is: b") == 1
    assert "synthetic phantoms" in text
    assert "not for clinical use" in text


def test_real_images_are_not_called_synthetic(rng) -> None:
    images = rng.integers(0, 256, (1, 28, 28, 3), dtype=np.uint8)
    text = _texts(prediction_grid(images, ["a"], ["a"], [1.0], synthetic=False))
    assert "synthetic" not in text
    assert "not for clinical use" in text


def test_bytes_of_the_packing_figure_are_those_of_the_trits(layer) -> None:
    latent, trits, _ = layer
    codes = (trits.reshape(32, 12, 4) + 1).astype(np.uint8)
    packed = (codes << np.array([0, 2, 4, 6], np.uint8)).sum(axis=2, dtype=np.uint8)
    text = _texts(latent_to_bytes(latent, trits, packed, name="fc1"))
    assert f"{packed[0, 0]:02x}" in text.splitlines()
    assert "16x less" in text


def test_bars_carry_values_and_ratio() -> None:
    figure = pair_bars([Pair("bytes", 1000.0, 250.0)], note="note")
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    assert heights == [1000.0, 250.0]
    assert "4.0x less" in _texts(figure)


def test_bars_do_not_call_more_less() -> None:
    text = _texts(pair_bars([Pair("ms", 1.0, 1.5, style=".1f")]))
    assert "1.5x more" in text
    assert "less" not in text


ODD_NAMES = (
    "$\\frac$",
    "$x",
    "a $5$ b",
    "\x1b[31mred",
    "line\nbreak",
    "_hidden",
    "\udcff",
    "100 %",
)
"""Classes whose names mean something to a figure, or to the terminal that shows its messages."""


@pytest.mark.filterwarnings("error")
def test_names_of_classes_are_drawn_as_they_are(rng):
    counts = np.eye(len(ODD_NAMES), dtype=np.int64)
    figure = confusion_matrix(counts, ODD_NAMES, title="$\\alpha$")
    assert data_uri(figure)
    shown = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert [text.replace("\\$", "$") for text in shown[:3]] == list(ODD_NAMES[:3])
    assert not any(cbook.is_math_text(text) for text in shown)
    assert shown[3:5] == ["\\x1b[31mred", "line\\nbreak"]
    images = rng.integers(0, 256, (len(ODD_NAMES), 8, 8, 1), dtype=np.uint8)
    half = [0.5] * len(ODD_NAMES)
    assert data_uri(prediction_grid(images, ODD_NAMES, ODD_NAMES[::-1], half, synthetic=False))


def test_the_ticks_of_a_logarithmic_axis_are_powers():
    """matplotlib writes them as formulas, which have to stay formulas."""
    with styled():
        figure, axes = new_figure(3, 2)
        axes.set_xscale("log")
        axes.set_xlim(1, 1000)
        figure.canvas.draw()
        labels = axes.get_xticklabels()
    assert labels
    assert all(label.get_parse_math() for label in labels)
