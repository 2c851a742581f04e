import numpy as np

from tinyternary.report.curves import schedule_curve, training_curves
from tinyternary.train import History, Schedule


def _history(epochs, gain):
    history = History(best_epoch=1)
    for epoch in range(1, epochs + 1):
        history.append(
            {"epoch": epoch, "step": 10 * epoch, "lr": 0.1, "train_loss": 1 / epoch,
             "val_loss": 1.1 / epoch, "val_acc": min(1.0, gain * epoch), "val_auc": None,
             "seconds": 1.0}
        )  # fmt: skip
    return history


def test_both_runs_are_drawn_with_losses_and_metric():
    figure = training_curves({"teacher": _history(5, 0.1), "student": _history(3, 0.2)})
    left, right = figure.axes
    lines = [line for line in left.lines if len(line.get_xdata()) > 1]
    assert sorted(len(line.get_xdata()) for line in lines) == [3, 3, 5, 5]
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["teacher", "student"]
    assert {text.get_text() for text in right.texts} == {"0.500", "0.600"}


def test_best_is_the_lowest_where_low_is_good():
    figure = training_curves({"run": _history(4, 0.1)}, metric="val_loss")
    assert [text.get_text() for text in figure.axes[1].texts] == ["0.275"]


def test_missing_values_and_no_epochs_are_drawn_all_the_same():
    figure = training_curves({"run": _history(3, 0.1)}, metric="val_auc")
    assert not figure.axes[1].lines
    empty = training_curves({"run": []})
    assert any("no epochs" in text.get_text() for text in empty.axes[0].texts)


def test_schedule_has_one_point_a_step():
    schedule = Schedule(50, 0.1, 5)
    (line,) = schedule_curve(map(schedule, range(50))).axes[0].lines
    assert len(line.get_ydata()) == 50
    assert max(line.get_ydata()) == 0.1


def test_a_history_draws_itself():
    from tinyternary.train import History

    rows = [
        {"epoch": e, "train_loss": 1 / e, "val_loss": 1.1 / e, "val_acc": 1 - 1 / e}
        for e in (1, 2, 3)
    ]
    left, right = History(rows).plot().axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), [1, 1 / 2, 1 / 3])
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0, 1 / 2, 2 / 3])
