import numpy as np
import pytest

from tinyternary.report.effects import interaction_lines, main_effects, size_against
from tinyternary.report.result_figures import against_published, seed_pairs, stage_curves
from tinyternary.report.style import save
from tinyternary.report.uncertainty import (
    by_similarity,
    half_widths,
    missed_by,
    reliability_diagram,
)

VALUES = {
    "teacher": {"acc": [0.8, 0.84], "auc": [0.9, 0.92]},
    "student": {"acc": [0.81, 0.83], "auc": [0.91, 0.9]},
}
SUMMARIES = {
    who: {m: {"mean": float(np.mean(v)), "interval": [0.7, 1.2]} for m, v in each.items()}
    for who, each in VALUES.items()
}


def drawn(figure, tmp_path):
    assert save(figure, tmp_path / "x.png").stat().st_size > 5_000
    return figure.axes


def points(axes):
    return [tuple(np.ravel(line.get_xdata())) for line in axes.lines]


def test_published_numbers_and_intervals_are_where_they_belong(tmp_path):
    published = {"A": {"acc": 0.79, "auc": 0.88}, "B": {"acc": 0.9}}
    left, right = drawn(against_published("x", VALUES, SUMMARIES, published), tmp_path)
    assert (0.79,) in points(left)
    assert (0.9,) in points(left)
    assert (0.88,) in points(right)
    assert not any(line == (0.9,) for line in points(right))  # B reports no AUC
    assert (0.7, 1.0) in points(left)  # an accuracy is at most 1
    assert [t.get_text() for t in left.get_yticklabels()][-2:] == [
        "float teacher",
        "ternary student",
    ]
    assert {t.get_text() for t in left.texts} == {"0.820"}


def test_pairs_are_student_minus_teacher_in_points(tmp_path):
    differences = {"x": {m: {"mean": 0.0, "interval": None} for m in ("acc", "auc")}}
    left, _ = drawn(seed_pairs({"x": VALUES}, differences), tmp_path)
    assert any(np.allclose(line, (1.0, -1.0)) for line in points(left) if len(line) == 2)


def test_one_seed_draws_no_interval(tmp_path):
    one = {who: {m: v[:1] for m, v in each.items()} for who, each in VALUES.items()}
    alone = {who: {m: {"mean": v[0], "interval": None} for m, v in each.items()}
             for who, each in one.items()}  # fmt: skip
    left, _ = drawn(against_published("x", one, alone, {}), tmp_path)
    assert not any(len(line) == 2 for line in points(left))


def test_curves_have_a_line_per_stage_and_seed(tmp_path):
    rows = [{"epoch": e, "train_loss": 1.0, "val_acc": 0.5, "val_auc": None} for e in (1, 2)]
    curves = {s: {"pretraining": rows, "teacher": rows, "student": rows} for s in "01"}
    loss, acc, auc = drawn(stage_curves(curves), tmp_path)
    assert len(loss.lines) == len(acc.lines) == 4
    assert all(len(line) == 0 for line in points(auc))


def test_reliability_pools_seeds_by_their_images(tmp_path):
    one = {"images": [0, 10], "confidence": [None, 0.9], "accuracy": [None, 1.0]}
    two = {"images": [0, 30], "confidence": [None, 0.7], "accuracy": [None, 0.6]}
    top, _ = drawn(reliability_diagram({"teacher": [one], "student": [one, two]}), tmp_path)
    _, teacher, student = top.lines
    assert teacher.get_xydata() == pytest.approx(np.array([[0.9, 1.0]]))
    assert student.get_xydata() == pytest.approx(np.array([[0.75, 0.7]]))


def test_missed_images_are_shares_of_all(tmp_path):
    axes = drawn(missed_by({"x": {"teacher": [90, 6, 4], "student": [80, 0, 20]}}, {"x": 100}),
                 tmp_path)  # fmt: skip
    heights = [patch.get_height() for patch in axes[0].patches]
    assert heights == pytest.approx([6, 4, 0, 20])


def test_half_widths_are_points(tmp_path):
    (ax,) = drawn(half_widths([("x", 0.01, 0.06), ("one seed", None, 0.02)]), tmp_path)
    assert [patch.get_width() for patch in ax.patches] == pytest.approx([1, 6, 2])


CELLS = [
    {"policy": p, "granularity": g, "distillation": d, "bytes": 1024 * b}
    for p, b in (("one", 10), ("two", 5)) for g in ("tensor", "channel") for d in (True, False)
]  # fmt: skip


def test_effects_are_drawn_by_factor(tmp_path):
    rows = [{"factor": f, "level": v, "mean": m, "half": 0.01}
            for f, v, m in (("policy", "one", 0.8), ("policy", "two", 0.7), ("distillation", True, 0.75))]  # fmt: skip
    left, _ = drawn(
        main_effects({"test_acc": rows, "test_auc": rows}, {"test_acc": 0.82}), tmp_path
    )
    labels = [text.get_text() for text in left.get_yticklabels()]
    assert labels == ["policy: one", "policy: two", "distillation: teacher and labels"]
    at = left.get_yticks()
    assert at[2] - at[1] > at[1] - at[0]


def test_interactions_are_cell_means(tmp_path):
    values = [float(i) for i in range(8)]
    figure = interaction_lines(CELLS, values, ("policy", "distillation"), response="test_acc")
    (ax,) = drawn(figure, tmp_path)
    told, alone = ax.lines
    assert list(told.get_ydata()) == [1.0, 5.0]
    assert list(alone.get_ydata()) == [2.0, 6.0]


def test_sizes_are_kibibytes(tmp_path):
    (ax,) = drawn(
        size_against(CELLS, [0.5] * 8, response="test_acc", teacher=(4096, 0.6)), tmp_path
    )
    found = sorted({x for line in points(ax)[:-1] for x in line})
    assert found == [5.0, 10.0]


def test_bands_of_similarity_have_a_bar_each(tmp_path):
    record = {
        "above": [0.8, 0.95], "images": [7, 0, 1200], "nearest": [0.5, None, 0.99],
        "teacher": [0.7, None, 0.96], "student": [0.6, None, 0.98],
    }  # fmt: skip
    (ax,) = drawn(by_similarity({"x": record}), tmp_path)
    heights = sorted(bar.get_height() for bar in ax.patches)
    assert np.allclose(heights, [0, 0, 0, 50, 60, 70, 96, 98, 99])
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks == ["below 0.8\n7", "to 0.95\n0", "above 0.95\n1,200"]
