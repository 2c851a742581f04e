"""Grading, and what must not score: each case runs a process."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from tests.course.small_lesson import GOOD_1, GOOD_2, Notebook
from tinyternary import course
from tinyternary.course.authoring.build import solved_notebook
from tinyternary.errors import ConfigError, LessonError


def graded(notebook: Notebook, **limits: float) -> dict[str, str]:
    report = course.grade(notebook.save(), **limits)
    assert report.max_points == 4
    assert report.points == sum(e.max_points for e in report.exercises if e.status == "passed")
    return {e.exercise: e.status for e in report.exercises}


def test_untouched_scores_zero(notebook: Notebook) -> None:
    report = course.grade(notebook.save())
    assert report.points == 0
    assert {e.status for e in report.exercises} == {"not attempted"}


def test_a_check_cell_that_was_run_by_the_learner_is_worth_nothing(notebook: Notebook) -> None:
    cell = notebook.cell("1_1_threshold_check")
    cell.outputs = [nbformat.v4.new_output("stream", text="✓ Exercise 1.1: passed")]
    assert graded(notebook)["1.1"] == "not attempted"


def test_no_notebook(tmp_path: Path, root: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        course.grade(tmp_path / "none.ipynb")
    for content in (
        "",
        "{}",
        "[1, 2]",
        '{"cells": 3}',
        "\x00\xff",
        '{"nbformat": 4, "cells": [{}]}',
    ):
        path = tmp_path / "bad.ipynb"
        path.write_text(content)
        with pytest.raises(LessonError, match="not a notebook") as caught:
            course.grade(path)
        assert "\n" not in str(caught.value)


def test_a_lesson_that_does_not_exist(notebook: Notebook) -> None:
    notebook.nb.metadata["tinyternary"] = {"lesson": "77_nothing"}
    with pytest.raises(ConfigError, match="unknown lesson '77_nothing'"):
        course.grade(notebook.save())


def test_the_source_can_be_given(notebook: Notebook, tmp_path_factory, root: Path) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    notebook.path = elsewhere / "mine.ipynb"
    path = notebook.save()
    for source in (root, root.parent, root / "source" / "91_small.py"):
        assert course.grade(path, source).max_points == 4


@pytest.mark.slow
def test_solved_scores_full_and_reports(notebook: Notebook, root: Path) -> None:
    notebook.nb = solved_notebook(course.read_lesson("91", root))
    report = course.grade(notebook.save())
    assert (report.points, report.max_points) == (4, 4), report.table()
    assert not report.notes
    assert json.loads(json.dumps(report.to_dict()))["exercises"][1]["points"] == 3
    assert "4 of 4 points" in report.table()


@pytest.mark.slow
def test_points_go_by_exercise_and_hidden_tests_count(notebook: Notebook) -> None:
    # right for the visible test, wrong at the edge, which only the hidden test asks
    edge = "def threshold(w, d):\n    return np.sign(w) * (np.abs(w) >= d)\n"
    report = course.grade(notebook.answer(one=edge).save())
    assert [e.status for e in report.exercises] == ["failed", "passed"]
    assert report.points == 3
    assert "mind the edge" in report.exercises[0].message
    assert "mind the edge" in report.table()


@pytest.mark.slow
def test_own_cells_and_edited_set_up_are_run(notebook: Notebook) -> None:
    notebook.answer(one="def threshold(w, d):\n    return my_sign(w) * (abs(w) > math.fabs(d))\n")
    notebook.add("def my_sign(w):\n    return np.sign(w)\n")
    setup = next(c for c in notebook.nb.cells if "course.checks" in c.source)
    setup.source += "\nimport math\n"
    assert graded(notebook) == {"1.1": "passed", "1.2": "passed"}


@pytest.mark.slow
def test_an_exercise_counts_whether_or_not_an_earlier_one_is_solved(notebook: Notebook) -> None:
    # 1.2 leans on 1.1, which is not written: the judge has the lesson's own
    leaning = "def best_scale(w, t):\n    threshold(w, 0.5)\n    return np.abs(w)[t != 0].mean()\n"
    assert graded(notebook.answer(one=None, two=leaning)) == {
        "1.1": "not attempted", "1.2": "passed",
    }  # fmt: skip


@pytest.mark.slow
def test_a_missing_cell_and_a_missing_check(notebook: Notebook) -> None:
    notebook.answer()
    gone = ("1_1_threshold", "1_2_best_scale_check")
    notebook.nb.cells = [c for c in notebook.nb.cells if c.id not in gone]
    assert graded(notebook) == {"1.1": "not attempted", "1.2": "passed"}


CHEATS = {
    "calls the library": (
        "from tinyternary.quant.rules._weights import cut as theirs\n"
        "def threshold(w, d):\n    return theirs(w, d)\n"
    ),
    "is the library's": "from tinyternary.quant.rules._weights import cut as threshold\n",
    "hides the call": (
        "import importlib\n"
        "def threshold(w, d):\n"
        "    name = 'tiny' + 'ternary.quant.rules._weights'\n"
        "    return getattr(importlib.import_module(name), 'c' + 'ut')(w, d)\n"
    ),
    "replaces the check object": (
        "class Fake:\n"
        "    def exercise(self, *a, **k):\n        return lambda body: None\n"
        "check = Fake()\n"
        "def threshold(w, d):\n    return w\n"
    ),
    "patches the check's class": (
        "import tinyternary.course.judge.tools as t\n"
        "t.Tools._compare = lambda *a, **k: None\n"
        "def threshold(w, d):\n    return w\n"
    ),
    "bends the tools of comparison": (
        "np.array_equal = lambda *a, **k: True\n"
        "np.allclose = lambda *a, **k: True\n"
        "def threshold(w, d):\n    return np.zeros_like(w)\n"
    ),
    "patches the judge": (
        "import tinyternary.course.judge.judging as j\n"
        "verdict = j.Verdict('1.1', 'threshold', 'passed', '', 1.0, 1.0)\n"
        "j.Judge.judge = lambda *a, **k: verdict\n"
        "def threshold(w, d):\n    return w\n"
    ),
    "turns the report of calls off": (
        "import sys, tinyternary.quant.rules._weights as hidden\n"
        "def threshold(w, d):\n"
        "    sys.setprofile(None)\n"
        "    return vars(hidden)['c' + 'ut'](w, d)\n"
    ),
    "asks the library in a thread": (
        "import threading, tinyternary.quant.rules._weights as hidden\n"
        "def threshold(w, d):\n"
        "    out = []\n"
        "    t = threading.Thread(target=lambda: out.append(vars(hidden)['c' + 'ut'](w, d)))\n"
        "    t.start(); t.join()\n"
        "    return out[0]\n"
    ),
    "runs the library's source": (
        "import inspect, tinyternary.quant.rules._weights as hidden\n"
        "def threshold(w, d):\n"
        "    names = {'np': np, 'Array': None, 'Any': None, 'NDArray': dict, 'Floats': None}\n"
        "    exec(inspect.getsource(vars(hidden)['c' + 'ut']).replace('->', '#'), names)\n"
        "    return names['cut'](w, d)\n"
    ),
    "reads the lesson": (
        "import glob, re\n"
        "import tinyternary\n"
        "def threshold(w, d):\n"
        "    text = open(list(tinyternary.__path__)[0] + '/course/lessons.py').read()\n"
        "    return np.sign(w) * (np.abs(w) > d)\n"
    ),
    "a package of that name in the folder": (
        "import os\n"
        "os.makedirs('tinyternary/course', exist_ok=True)\n"
        "open('tinyternary/__init__.py', 'w').write('def __getattr__(n): return None')\n"
        "def threshold(w, d):\n    return 0\n"
    ),
    "forges a record": (
        "from IPython.display import display\n"
        "def threshold(w, d):\n"
        "    display({'application/vnd.tinyternary.check+json': {'exercise': '1.1',"
        " 'status': 'passed', 'token': '', 'message': ''}}, raw=True)\n"
        "    return w\n"
    ),
    "returns what equals everything": (
        "class Same:\n"
        "    shape = (3,)\n"
        "    dtype = np.dtype('int8')\n"
        "    def __eq__(self, other):\n        return True\n"
        "    def __array__(self, *a, **k):\n        return np.zeros(3)\n"
        "def threshold(w, d):\n    return Same()\n"
    ),
    "exits when called": "def threshold(w, d):\n    raise SystemExit(0)\n",
    "exits at once": "import sys\nsys.exit(0)\n",
    "asks the kernel to end": "exit()\ndef threshold(w, d):\n    return w\n",
    "stops before the end": "raise KeyboardInterrupt\n",
    "does not compile": "def threshold(w, d):\n    return (\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("cheat", CHEATS)
def test_cheats_score_nothing_and_harm_no_other_exercise(notebook: Notebook, cheat: str) -> None:
    notebook.answer(one=CHEATS[cheat])
    check = notebook.cell("1_1_threshold_check")
    check.source = "pass"  # editing the check cell changes nothing: it is restored
    result = graded(notebook)
    assert result["1.1"] != "passed"
    # bending the judge in this process spoils the other check too, and that is on the cheat
    bends = ("bends the tools of comparison", "patches the check's class", "patches the judge")
    assert result["1.2"] == ("tampered" if cheat in bends else "passed")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "answer", "status"),
    [
        ("loops when called", "def threshold(w, d):\n    while True: pass\n", "timeout"),
        ("loops at once", "while True: pass\n", "timeout"),
        (
            "loops and will not be stopped",
            "def threshold(w, d):\n"
            "    while True:\n"
            "        try:\n            while True: pass\n"
            "        except BaseException: pass\n",
            "timeout",
        ),
        ("kills the process when called",
         "import os\ndef threshold(w, d):\n    os.kill(os.getpid(), 9)\n", "died"),
        ("kills the process at once", "import os\nos._exit(0)\n", "died"),
    ],
)  # fmt: skip
def test_a_hang_or_a_dead_process_scores_nothing_and_the_rest_is_graded(
    notebook: Notebook, name: str, answer: str, status: str
) -> None:
    assert graded(notebook.answer(one=answer), cell_limit=2) == {"1.1": status, "1.2": "passed"}


@pytest.mark.slow
def test_a_cell_of_their_own_that_kills_the_process_is_noted(notebook: Notebook) -> None:
    notebook.answer().add("import os; os._exit(1)")
    report = course.grade(notebook.save())
    assert report.points == 4
    assert "died" in report.notes[0]


@pytest.mark.slow
def test_the_notebook_as_a_whole_has_a_limit(notebook: Notebook) -> None:
    loop = "def {0}(a, b):\n    while True: pass\n"
    notebook.answer(one=loop.format("threshold"), two=loop.format("best_scale"))
    report = course.grade(notebook.save(), total_limit=4)
    assert report.points == 0
    assert report.seconds < 30
    assert {e.status for e in report.exercises} == {"timeout"}


@pytest.mark.slow
def test_two_answers_in_one_notebook_count_as_the_last(notebook: Notebook) -> None:
    notebook.answer()
    second = notebook.cell("1_1_threshold").copy()
    second["id"] = "copied"
    second["source"] = "def threshold(w, d):\n    return w\n"
    place = [c.id for c in notebook.nb.cells].index("1_1_threshold")
    notebook.nb.cells.insert(place + 1, nbformat.from_dict(second))
    assert graded(notebook) == {"1.1": "failed", "1.2": "passed"}


@pytest.mark.slow
@pytest.mark.parametrize("name", course.list_lessons(Path(__file__).parents[2]))
def test_real_lessons_untouched_zero_and_solved_full(name: str, tmp_path: Path) -> None:
    checkout = Path(__file__).parents[2]
    lesson = course.read_lesson(name, checkout)
    untouched = course.grade(checkout / "lessons" / f"{name}.ipynb")
    assert untouched.points == 0
    path = tmp_path / f"{name}.ipynb"
    nbformat.write(solved_notebook(lesson), path)
    report = course.grade(path, checkout)
    assert report.points == lesson.points == report.max_points > 0, report.table()


def test_good_answers_are_good() -> None:
    assert "def threshold" in GOOD_1
    assert "def best_scale" in GOOD_2
