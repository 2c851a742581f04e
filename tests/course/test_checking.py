"""What a learner's notebook calls: verdicts, stand-ins, hints, predictions, progress."""

from __future__ import annotations

import linecache
from pathlib import Path

import numpy as np
import pytest

from tests.course.small_lesson import SMALL
from tinyternary.course.judge.tools import CheckFailed
from tinyternary.course.learner import checks as module
from tinyternary.course.learner.checks import Checks
from tinyternary.course.learner.progress import MARK, Progress
from tinyternary.course.lesson.percent import parse_lesson
from tinyternary.errors import LessonError

RIGHT = "def threshold(w, delta):\n    return np.sign(w) * (np.abs(w) > delta)\n"
STUB = 'def threshold(w, delta):\n    raise NotImplementedError("Exercise 1.1: threshold")\n'
CHECK = '@check.exercise("1.1")\ndef _(threshold): ...\n'
CHECK_2 = '@check.exercise("1.2")\ndef _(best_scale): ...\n'
HINTS = """
# %% [markdown] hints={"of": "1_1_threshold"}
# 1. Which of the two sides keeps its sign?
# 2. `np.abs` and `np.sign` make
#    a good pair.
"""


class Learner:
    """The names of a notebook, and what its checks displayed."""

    def __init__(self, text: str = SMALL, strict: bool = False) -> None:
        self.lesson = parse_lesson(text, "91_small", Path("x.py"))
        self.check = Checks(self.lesson, strict=strict)
        self.names = {"__name__": "__main__", "np": np, "check": self.check,
                      "my": self.check.mine}  # fmt: skip
        self.cells = 0

    def run(self, source: str) -> object:
        self.cells += 1
        file = f"<cell {id(self)} {self.cells}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec"), self.names)
        return self.check.verdicts.get("1.1")


@pytest.fixture
def learner() -> Learner:
    return Learner()


def test_a_right_answer_passes_and_an_untouched_one_was_not_attempted(learner: Learner) -> None:
    assert learner.run(CHECK).status == "not attempted"
    assert "run the cell above" in learner.check.verdicts["1.1"].message
    assert learner.run(STUB + CHECK).status == "not attempted"
    assert learner.run(RIGHT + CHECK).status == "passed"
    assert learner.check.verdicts["1.1"].points == 1


def test_the_learners_names_stay_theirs(learner: Learner) -> None:
    learner.run("def threshold(w, delta):\n    return [1, 1]\n" + CHECK)
    theirs = learner.names["threshold"]
    assert theirs(None, None) == [1, 1]
    before = dict(learner.names)
    assert learner.run(CHECK).status == "failed"
    assert {k: v for k, v in learner.names.items() if k != "_"} == {
        k: v for k, v in before.items() if k != "_"
    }


@pytest.mark.parametrize(
    "answer",
    [
        "def threshold(w, delta):\n    return threshold(w, delta)\n",  # once met its stand-in
        "class threshold:\n    def __init__(self, w, d):\n        self.w = w\n",
        "count = [0]\ndef threshold(w, delta):\n    count[0] += 1\n"
        "    return np.sign(w) * (np.abs(w) > delta) if count[0] > 9 else w\n",
    ],
)
def test_the_nth_click_gives_what_the_first_gave(learner: Learner, answer: str) -> None:
    learner.run(answer)
    verdicts = [learner.run(CHECK) for _ in range(12)]
    assert {v.status for v in verdicts} <= {"crashed", "failed"}
    assert len({(v.status, v.message) for v in verdicts}) == 1


def test_hidden_tests_count_in_the_notebook_too(learner: Learner) -> None:
    edge = "def threshold(w, d):\n    return np.sign(w) * (np.abs(w) >= d)\n"
    verdict = learner.run(edge + CHECK)
    assert verdict.status == "failed"
    assert "mind the edge" in verdict.message


def test_an_edited_check_changes_nothing(learner: Learner) -> None:
    kind = '@check.exercise("1.1")\ndef _(threshold):\n    return\n'
    assert learner.run("def threshold(w, d):\n    return w\n" + kind).status == "failed"


def test_a_later_exercise_is_judged_with_the_lessons_earlier_ones(learner: Learner) -> None:
    learner.run(STUB)
    learner.run(
        "def best_scale(w, t):\n    threshold(w, 0.5)\n    return np.abs(w)[t != 0].mean()\n"
        + CHECK_2
    )
    assert learner.check.verdicts["1.2"].status == "passed"


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        ("def threshold(w, delta):\n    pass\n", "failed", "A missing `return`?"),
        ("def threshold(w, delta):\n    return w.nothing\n", "crashed", "AttributeError"),
        ("def threshold(w, delta):\n    return here_not\n", "crashed", "A function may use"),
        ("def threshold(w, delta):\n    if w > delta: return 1\n", "crashed", "np.where"),
        ("def threshold(w, delta):\n    return w[:1]\n", "failed", "shape (3,), got (1,)"),
        ("def threshold(w, delta):\n    return ['a', 'b', 'c']\n", "failed", "got ['a'"),
        ("def threshold(w, delta):\n    return np.sign(w)\n", "failed",
         "threshold(w=[-2. , 0.1, 3. ], delta=1.0)"),
        ("def threshold(w):\n    return w\n", "crashed", "compare its first line"),
        ("def threshold(w, delta):\n    w[:] = 0\n    return w\n", "failed", "work on a copy"),
        ("def threshold(w, delta):\n    exit()\n", "crashed", "use `return`"),
        ("def threshold(w, delta):\n    return np.sign(w) / 0 * (w > delta) ** w\n", "failed", ""),
        ("threshold = 3\n", "failed", "should be a function of your own"),
        (
            "def threshold(w, delta):\n    raise NotImplementedError('Exercise 1.9: later')\n",
            "not attempted", "Exercise 1.9: later",
        ),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_messages_teach(learner: Learner, answer: str, status: str, says: str) -> None:
    verdict = learner.run(answer + CHECK)
    assert verdict.status == status
    assert says in verdict.message


@pytest.mark.parametrize(
    "answer",
    [
        "from tinyternary.quant.rules._weights import cut as threshold\n",
        "import tinyternary.quant.rules._weights as tt\n"
        "def threshold(w, d):\n    return tt.cut(w, d)\n",
        "from tinyternary.quant.rules._weights import cut as hidden\n"
        "def threshold(w, d):\n    return (lambda: hidden(w, d))()\n",
        "from tinyternary.quant.rules._weights import cut as hidden\n"
        "held = [hidden]\n"
        "def threshold(w, d):\n    return held[0](w, d)\n",
        "from tinyternary.quant.rules._weights import cut as hidden\n"
        "class Threshold:\n    def __call__(self, w, d):\n        return hidden(w, d)\n"
        "def threshold(w, d):\n    return Threshold()(w, d)\n",
    ],
)
def test_the_librarys_own_function_is_no_answer(learner: Learner, answer: str) -> None:
    verdict = learner.run(answer + CHECK)
    assert verdict.status == "failed"
    assert "own" in verdict.message or "yourself" in verdict.message


def test_an_exercise_may_allow_parts_of_the_library() -> None:
    answer = (
        "import tinyternary as tt\n"
        "def threshold(w, delta):\n"
        "    tt.quant.absmean(w)\n"
        "    return np.sign(w) * (np.abs(w) > delta)\n"
    )
    assert Learner().run(answer + CHECK).status == "failed"
    allowing = SMALL.replace('exercise("1.1")', 'exercise("1.1", allow=("tinyternary.quant",))')
    assert Learner(allowing).run(answer + CHECK).status == "passed"


def test_a_check_that_calls_nothing_does_not_pass() -> None:
    empty = SMALL.replace("    check.equal(threshold(", "    check.true(True, '') or (lambda: ")
    start = empty.index("    check.true(True")
    body = empty[:start] + "    check.true(True, '')\n" + empty[empty.index("\n\n", start) :]
    verdict = Learner(body).run(RIGHT + CHECK)
    assert verdict.status == "failed"
    assert "without calling" in verdict.message


def test_my_is_the_lessons_until_the_learners_passes(learner: Learner, capsys) -> None:
    learner.run(STUB)
    with pytest.raises(NotImplementedError):
        learner.names["threshold"](np.array([5.0]), 1.0)
    np.testing.assert_array_equal(learner.check.mine.threshold(np.array([5.0]), 1.0), [1])
    assert "Going on with the lesson's `threshold`" in capsys.readouterr().out
    learner.check.mine.threshold  # noqa: B018 - a second use says nothing more
    assert capsys.readouterr().out == ""
    learner.run(
        "def threshold(w, d):\n    '''mine'''\n    return np.sign(w) * (abs(w) > d)\n" + CHECK
    )
    capsys.readouterr()
    assert learner.check.mine.threshold.__doc__ == "mine"
    assert capsys.readouterr().out == ""
    learner.run("def threshold(w, d):\n    return w\n")  # changed since
    assert learner.check.mine.threshold.__doc__ == "Trits."
    assert "was changed since its check" in capsys.readouterr().out


def test_strict_raises_and_lends_nothing() -> None:
    strict = Learner(strict=True)
    with pytest.raises(CheckFailed, match=r"exercise 1\.1"):
        strict.run("def threshold(w, delta):\n    return w\n" + CHECK)
    with pytest.raises(LessonError, match=r"exercise 1\.1 is not solved"):
        strict.check.mine.threshold  # noqa: B018
    assert strict.run(RIGHT + CHECK).status == "passed"
    assert strict.check.mine.threshold(np.array([5.0]), 1.0) == 1


def test_strict_unless_it_is_known_to_be_a_persons_own_run(monkeypatch) -> None:
    for name in (*module._BY_A_PERSON, *module._BY_A_GRADER):
        monkeypatch.delenv(name, raising=False)
    lesson = Learner().lesson
    assert Checks(lesson).strict
    monkeypatch.setenv("JPY_SESSION_NAME", "a notebook")
    assert not Checks(lesson).strict
    for name in module._BY_A_GRADER:
        monkeypatch.setenv(name, "autograde")
        assert Checks(lesson).strict
        monkeypatch.delenv(name)


def test_hints_come_one_by_one(capsys) -> None:
    learner = Learner(SMALL + HINTS)
    learner.check.hint("1.1")
    first = capsys.readouterr().out
    assert "hint 1 of 2" in first
    assert "keeps its sign" in first
    assert "np.abs" not in first
    learner.check.hint("1.1")
    assert "`np.abs` and `np.sign` make a good pair." in capsys.readouterr().out
    learner.check.hint("1.1")
    assert "That was the last" in capsys.readouterr().out
    learner.check.hint("1.2")
    assert "no further hints" in capsys.readouterr().out
    with pytest.raises(LessonError, match=r"no exercise '9\.9'"):
        learner.check.hint("9.9")
    learner.run("def threshold(w, d):\n    return w\n" + CHECK)
    assert 'check.hint("1.1")' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("guess", "actual", "says"),
    [
        (30, 31.0, "Well predicted"),
        (60, 31.0, "Surprised?"),
        (20, 0.2, "100 times too large"),
        (0.001, 31.0, "too small"),
        ("TWN", "twn", "Well predicted"),
        ("absmean", "twn", "Surprised?"),
        ("skip", 31.0, "It is 31 %"),
    ],
)
def test_predictions_are_laid_beside_what_came(capsys, guess, actual, says: str) -> None:
    Learner().check.predicted(guess, actual, within=3, unit=" %")
    assert says in capsys.readouterr().out


def test_without_a_guess_nothing_is_shown(capsys) -> None:
    Learner().check.predicted(None, 31.0, within=3, unit=" %", comment="thirty-one")
    out = capsys.readouterr().out
    assert "Predict first" in out
    assert "31" not in out
    assert "thirty" not in out


def test_summary_counts_points(learner: Learner, capsys) -> None:
    learner.run(RIGHT + CHECK)
    capsys.readouterr()
    learner.check.summary()
    out = capsys.readouterr().out
    assert "1 of 4 points" in out
    assert "✓ 1.1" in out
    assert "○ 1.2" in out


def test_what_passes_is_written_into_the_learners_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Learner().run(RIGHT + CHECK)
    assert not list(tmp_path.iterdir())  # nobody's own folder
    (tmp_path / MARK).touch()
    learner = Learner()
    learner.run(RIGHT + CHECK)
    progress = Progress("91_small")
    assert progress.answers()["1.1"].startswith("def threshold")
    assert progress.points() == 1
    before = progress.path.read_bytes()
    learner.run("def threshold(w, d):\n    return w\n" + CHECK)  # a worse try changes nothing
    assert progress.path.read_bytes() == before
    learner.run("def best_scale(w, t):\n    return np.abs(w)[t != 0].mean()\n" + CHECK_2)
    assert list(progress.answers()) == ["1.1", "1.2"]
    assert progress.points() == 4
    compile(progress.path.read_text(), "solved", "exec")
