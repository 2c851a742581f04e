from __future__ import annotations

import numpy as np
import pytest

from tinyternary.course.checking import CheckFailed, Checks, StandIn

LESSON = "01_ternary_basics"
RIGHT = "def threshold(w, delta):\n    return np.sign(w) * (np.abs(w) > delta)\n"
CHECK = """
@check.exercise("1.1")
def _(threshold):
    check.equal(threshold(np.array([-2.0, 0.1, 3.0]), 1.0), [-1, 0, 1], "mind the signs")
"""


class Learner:
    """The names of a notebook, and what its checks displayed."""

    def __init__(self, **options) -> None:
        self.check = Checks(LESSON, **options)
        self.shown: list[str] = []
        self.check._display = lambda *a: self.shown.append(f"{a[1]} {a[2]}")  # type: ignore[method-assign]
        self.names = {"__name__": "__main__", "np": np, "check": self.check}

    def run(self, source: str) -> dict:
        exec(source, self.names)
        return self.check.outcomes.get("1.1", {})


@pytest.fixture
def learner() -> Learner:
    return Learner(grading=False)


def test_a_right_answer_passes(learner: Learner) -> None:
    assert learner.run(RIGHT + CHECK)["status"] == "passed"
    assert not isinstance(learner.names["threshold"], StandIn)


def test_untouched_goes_on_with_the_librarys_and_says_so(learner: Learner) -> None:
    stub = 'def threshold(w, delta):\n    raise NotImplementedError("Exercise 1.1: threshold")\n'
    assert learner.run(stub + CHECK)["status"] == "not attempted"
    assert "Not attempted yet" in learner.shown[0]
    assert "go on with the library's `threshold`" in learner.shown[0]
    np.testing.assert_array_equal(learner.names["threshold"](np.array([5.0]), 1.0), [1])
    # a check that runs again still sees the stub, not the stand-in
    assert learner.run(CHECK)["status"] == "not attempted"


def test_a_cell_that_never_ran_is_not_attempted(learner: Learner) -> None:
    assert learner.run(CHECK)["status"] == "not attempted"
    assert "run the cell above" in learner.shown[0]


def test_wrong_then_right(learner: Learner) -> None:
    outcome = learner.run("def threshold(w, delta):\n    return np.sign(w)\n" + CHECK)
    assert outcome["status"] == "failed"
    assert "Expected [-1  0  1]" in outcome["message"].replace(",", " ").replace("   ", "  ")
    assert "mind the signs" in outcome["message"]
    assert isinstance(learner.names["threshold"], StandIn)
    assert learner.run(CHECK)["status"] == "failed"
    assert learner.run(RIGHT + CHECK)["status"] == "passed"


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ("def threshold(w, delta):\n    pass\n", "failed", "None"),
        ("def threshold(w, delta):\n    return w.nothing\n", "crashed", "AttributeError"),
        ("def threshold(w, delta):\n    return here_not\n", "crashed", "A function may use"),
        ("def threshold(w, delta):\n    return w[:1]\n", "failed", "shape (3,), got (1,)"),
        ("def threshold(w, delta):\n    return ['a', 'b', 'c']\n", "failed", "got ['a'"),
        ("threshold = 3\n", "failed", "should be a function of your own"),
        (
            "def threshold(w, delta):\n    raise NotImplementedError('Exercise 1.9: later')\n",
            "not attempted", "Exercise 1.9: later",
        ),
    ],
)  # fmt: skip
def test_messages_teach(learner: Learner, answer: str, status: str, says: str) -> None:
    outcome = learner.run(answer + CHECK)
    assert outcome["status"] == status
    assert says in outcome["message"]


@pytest.mark.parametrize(
    "answer",
    [
        "from tinyternary.course.fallback.ternary_basics import threshold\n",
        "import tinyternary as tt\n"
        "def threshold(w, d):\n    return tt.course.fallback.ternary_basics.threshold(w, d)\n",
        "def threshold(w, d):\n"
        "    import importlib\n"
        "    m = importlib.import_module('tinyternary.course.fallback.ternary_basics')\n"
        "    return m.threshold(w, d)\n",
        "from tinyternary.quant.rules._weights import cut as hidden\n"
        "def threshold(w, d):\n    return (lambda: hidden(w, d))()\n",
        "from tinyternary.quant.rules._weights import cut as hidden\n"
        "held = [hidden]\n"
        "def threshold(w, d):\n    return held[0](w, d)\n",
    ],
)
def test_the_librarys_own_function_is_no_answer(learner: Learner, answer: str) -> None:
    outcome = learner.run(answer + CHECK)
    assert outcome["status"] == "failed"
    assert "own" in outcome["message"] or "yourself" in outcome["message"]


def test_an_exercise_may_allow_parts_of_the_library(learner: Learner) -> None:
    answer = (
        "import tinyternary as tt\n"
        "def threshold(w, delta):\n"
        "    tt.quant.absmean(w)\n"
        "    return np.sign(w) * (np.abs(w) > delta)\n"
    )
    assert learner.run(answer + CHECK)["status"] == "failed"
    allowing = CHECK.replace('"1.1"', '"1.1", allow=("tinyternary.quant",)')
    assert learner.run(answer + allowing)["status"] == "passed"


def test_the_stand_in_of_another_exercise_may_be_used(learner: Learner) -> None:
    learner.names["best_scale"] = StandIn(lambda w, t: 1.0, None)
    answer = (
        "def threshold(w, delta):\n"
        "    best_scale(w, w)\n"
        "    return np.sign(w) * (np.abs(w) > delta)\n"
    )
    assert learner.run(answer + CHECK)["status"] == "passed"


def test_a_check_that_calls_nothing_does_not_pass(learner: Learner) -> None:
    empty = '@check.exercise("1.1")\ndef _(threshold):\n    pass\n'
    outcome = learner.run(RIGHT + empty)
    assert outcome["status"] == "failed"
    assert "without calling" in outcome["message"]


def test_classes_are_proved_by_their_methods(learner: Learner) -> None:
    thing = "class threshold:\n    def go(self):\n        return 1\n"
    used = '@check.exercise("1.1")\ndef _(threshold):\n    check.equal(threshold().go(), 1, "")\n'
    unused = '@check.exercise("1.1")\ndef _(threshold):\n    threshold()\n'
    assert learner.run(thing + used)["status"] == "passed"
    assert learner.run(thing + unused)["status"] == "failed"


def test_multiplications_are_found(learner: Learner) -> None:
    strict = CHECK + '    check.never_multiplies(threshold, "add")\n'
    assert "contains `*`" in learner.run(RIGHT + strict)["message"]
    for product in ("w @ w", "np.dot(w, w)", "np.einsum('i,i', w, w)", "(lambda v: v * v)(w)"):
        answer = (
            "def threshold(w, delta):\n"
            f"    {product}\n"
            "    return np.where(np.abs(w) > delta, np.sign(w), 0)\n"
        )
        assert learner.run(answer + strict)["status"] == "failed", product
        assert learner.run(answer.replace(product, "w + w") + strict)["status"] == "passed"


def test_grading_raises_and_has_no_stand_in() -> None:
    strict = Learner(grading=True)
    with pytest.raises(CheckFailed, match=r"exercise 1\.1"):
        strict.run("def threshold(w, delta):\n    return w\n" + CHECK)
    assert not isinstance(strict.names["threshold"], StandIn)
    with pytest.raises(CheckFailed, match="not attempted"):
        Learner(grading=True).run(CHECK)
    assert strict.run(RIGHT + CHECK)["status"] == "passed"


@pytest.mark.parametrize("variable", ["TINYTERNARY_GRADING", "NBGRADER_EXECUTION"])
def test_the_environment_says_that_somebody_grades(monkeypatch, variable: str) -> None:
    assert not Checks(LESSON).grading
    monkeypatch.setenv(variable, "autograde")
    assert Checks(LESSON).grading


@pytest.mark.parametrize(
    ("guess", "actual", "says"),
    [
        (None, 31.0, "You made no prediction"),
        (30, 31.0, "Well predicted"),
        (60, 31.0, "Further off"),
        ("TWN", "twn", "Well predicted"),
        ("absmean", "twn", "Further off"),
    ],
)
def test_predictions_are_laid_beside_what_came(capsys, guess, actual, says: str) -> None:
    Checks(LESSON).predicted(guess, actual, within=3, unit=" %")
    assert says in capsys.readouterr().out


def test_outside_a_notebook_checks_print(capsys) -> None:
    check = Checks(LESSON, grading=False)
    exec(RIGHT + CHECK, {"__name__": "__main__", "np": np, "check": check})
    check.summary()
    out = capsys.readouterr().out
    assert "✓ Exercise 1.1, `threshold`: passed" in out
    assert "1 of 1 exercises solved" in out
