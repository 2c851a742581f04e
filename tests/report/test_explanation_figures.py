"""Figures of maps and their tests show the numbers that they were given, and say what they are."""

import matplotlib.text
import numpy as np
import pytest

from tests.evaluate.explanations.networks import QUICK, run
from tests.report.test_figures import ODD_NAMES
from tinyternary import report
from tinyternary.data import phantoms
from tinyternary.experiments import MapExamples, explained, map_examples


def texts(figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


@pytest.fixture(scope="module")
def networks():
    return {"teacher": run(0, ternary=False), "student": run(0, ternary=True)}


@pytest.fixture(scope="module")
def record(networks):
    return explained(networks, phantoms("test"), **QUICK)


def test_curves_and_the_band_of_random_orders(record):
    figure = report.deletion_insertion_curves(record)
    panels = [(who, kind) for who in ("teacher", "student") for kind in ("deletion", "insertion")]
    for ax, (who, kind) in zip(figure.axes, panels, strict=True):
        found = record["networks"][who]["faithfulness"][kind]
        drawn = {line.get_label(): line.get_ydata() for line in ax.lines}
        np.testing.assert_array_equal(drawn.pop("2 random orders"), found["random"]["curve"])
        assert set(drawn) == set(found["maps"])
        for method, curve in drawn.items():
            np.testing.assert_array_equal(curve, found["maps"][method]["curve"])
        heights = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert heights.min() == min(found["random"]["low"])
        assert heights.max() == max(found["random"]["high"])
        assert ax.get_title(loc="left").startswith(f"{who}: {kind}")
    assert report.explanations.MAP_NOTE in texts(figure)


def test_gains_with_their_intervals(record):
    figure = report.gain_over_random(record)
    for ax, kind in zip(figure.axes, ("deletion", "insertion"), strict=True):
        drawn = iter(zip(ax.collections, ax.lines[1:], strict=True))
        for who in ("teacher", "student"):
            maps = record["networks"][who]["faithfulness"][kind]["maps"].values()
            for gain, interval in (("gain", "gain_interval"), ("own_gain", "own_interval")):
                lines, points = next(drawn)
                np.testing.assert_array_equal(points.get_xdata(), [each[gain] for each in maps])
                ends = [segment[:, 0].tolist() for segment in lines.get_segments()]
                assert ends == [each[interval] for each in maps]


def test_bars_of_the_sanity_check(record):
    figure = report.randomization_bars(record)
    for ax, (_, found) in zip(figure.axes, record["networks"].items(), strict=True):
        heights = [patch.get_height() for patch in ax.patches]
        methods = found["sanity"]["methods"].values()
        assert heights == [h for each in methods for h in each["correlation"]]
        dashes = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"]
        assert dashes == [each["unrelated"] for each in methods]
    ticks = [tick.get_text() for tick in figure.axes[-1].get_xticklabels()]
    assert ticks == ["head", "+ norm", "+ blocks.1", "+ blocks.0", "+ embedding"]


def test_bars_of_agreement(record):
    figure = report.agreement_bars(record)
    for ax, measure in zip(figure.axes, ("spearman", "overlap"), strict=True):
        each = [found[measure] for found in record["agreement"].values()]
        heights = [patch.get_height() for patch in ax.patches]
        assert heights == [e[part] for part in ("same", "unrelated") for e in each]
    assert "overlap of the top 10%" in texts(figure)


def test_one_network_is_drawn_alone(networks, record):
    alone = {"networks": {"student": record["networks"]["student"]}}
    assert len(report.deletion_insertion_curves(alone).axes) == 2
    assert len(report.randomization_bars(alone).axes) == 1
    assert "teacher" not in texts(report.gain_over_random(alone))


def test_maps_lie_over_their_images_and_say_what_they_are(networks):
    examples = map_examples(networks, phantoms("test"), count=3)
    figure = report.map_grid(examples)
    said = texts(figure)
    for words in (report.explanations.MAP_NOTE, "synthetic phantoms", "not for clinical use",
                  "drawn at random"):  # fmt: skip
        assert words in said
    axes = np.reshape(figure.axes, (7, 3))
    for row, who in ((3, "teacher"), (4, "student")):
        assert axes[row, 0].get_ylabel() == f"relevance\n{who}"
        for column in range(3):
            image, overlay = axes[row, column].images
            np.testing.assert_array_equal(image.get_array(), examples.images[column])
            np.testing.assert_array_equal(
                overlay.get_array(), examples.maps[who]["relevance"][column]
            )
            wrong = examples.answers[who][column] != examples.labels[column]
            color = axes[row, column].xaxis.label.get_color()
            assert (color == report.style.ACCENT) == wrong


@pytest.mark.filterwarnings("error")
def test_names_of_classes_are_drawn_as_they_are(rng):
    names, count = list(ODD_NAMES), len(ODD_NAMES)
    images = rng.integers(0, 256, (count, 8, 8, 1), np.uint8)
    maps = {"student": {"rollout": rng.random((count, 8, 8), np.float32)}}
    figure = report.map_grid(MapExamples(images, names, {"student": names}, maps, False))
    assert report.data_uri(figure)
    assert "synthetic" not in texts(figure)
    assert "\\x1b[31mred" in texts(figure)
