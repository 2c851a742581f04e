"""The grader's own work has bounds, whatever a notebook does, prints, raises or is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from hypothesis import given, strategies as st

from tests.course.small_lesson import GOOD_1, Notebook
from tests.patience import PATIENCE
from tinyternary import course
from tinyternary.course.grading import submission, worker
from tinyternary.course.grading.work import MESSAGE
from tinyternary.course.learner import checks
from tinyternary.course.lesson.percent import read_lesson
from tinyternary.errors import LessonError

FLOODS = {
    "a long line": "print(list(range(1_000_000)))",
    "many lines": "for i in range(300_000): print(i)",
    "standard error": "import sys\nsys.stderr.write('x' * 50_000_000)",
    "the terminal itself": "import os\nfor fd in (1, 2): os.write(fd, b'x' * 20_000_000)",
    "displays": (
        "from IPython.display import HTML, display\n"
        "for i in range(20): display(HTML('x' * 5_000_000))"
    ),
    "a value": "'x' * 50_000_000",
}


@pytest.mark.slow
@pytest.mark.parametrize("flood", FLOODS)
def test_what_a_cell_prints_costs_no_points(notebook: Notebook, flood: str) -> None:
    report = course.grade(notebook.answer(one=GOOD_1 + FLOODS[flood]).save())
    assert report.points == 4, report.table()
    assert not report.notes


@pytest.mark.slow
@pytest.mark.parametrize(
    "answer",
    [
        "raise ValueError('x' * 20_000_000)",
        "raise ValueError('\\n'.join(map(str, range(1_000_000))))",
        "def threshold(w, d):\n    raise ValueError('y' * 20_000_000)",
        "class Long:\n    def __repr__(self): return 'z' * 20_000_000\n"
        "def threshold(w, d):\n    return Long()",
        "def threshold(w, d):\n    return np.array(['z' * 20_000_000])",
    ],
)
def test_a_message_is_short(notebook: Notebook, answer: str) -> None:
    report = course.grade(notebook.answer(one=answer).save())
    assert report.points == 3, report.notes
    assert len(json.dumps(report.to_dict())) < 10 * MESSAGE


@pytest.mark.slow
def test_a_message_carries_no_terminal_codes(notebook: Notebook) -> None:
    codes = (
        "def threshold(w, d):\n    raise ValueError('\\x1b[2Jgone\\x1b]0;title\\x07\\u202eback')\n"
    )
    report = course.grade(notebook.answer(one=codes).save())
    message = report.exercises[0].message
    assert "gone" in message
    assert not {"\x1b", "\x07", "\u202e"} & set(message + report.table())


def alive_with(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if mark in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("excess", "says"),
    [
        ("def threshold(w, d):\n    return np.ones(1 << 30)\n", "MemoryError"),
        ("def threshold(w, d):\n    return threshold([w, w], d)\n", "RecursionError"),
        (
            "import sys\nsys.setrecursionlimit(10**9)\n"
            "def threshold(w, d):\n    return [threshold(w, d)]\n",
            "",
        ),
        ("with open('big', 'wb') as file:\n    file.truncate(1 << 40)\n", "large"),
        (
            "import subprocess, sys, time\n"
            "for i in range(4):\n"
            "    subprocess.Popen([sys.executable, '-c', 'x = bytearray(200 << 20)\\n'\n"
            "        'import time; time.sleep(600)', '{mark}'])\n"
            "time.sleep(600)\n",
            "more memory than it may take",
        ),
        (
            "import subprocess, sys, time\n"
            "for i in range(100):\n"
            "    subprocess.Popen(['tail', '-f', '/dev/null', '--pid=1', '{mark}'])\n"
            "time.sleep(600)\n",
            "more processes than it may have",
        ),
        (
            "import time\n"
            "for i in range(40):\n"
            "    with open(str(i), 'wb') as file:\n        file.truncate(100 << 20)\n"
            "time.sleep(600)\n",
            "more on disk than it may keep",
        ),
    ],
    ids=["memory", "recursion", "deep", "file", "children", "processes", "files"],
)
def test_what_a_notebook_takes_has_a_bound(
    notebook: Notebook, excess: str, says: str, tmp_path: Path
) -> None:
    mark = f"mark-{tmp_path.name}"
    start = time.monotonic()
    report = course.grade(
        notebook.answer(one=excess.replace("{mark}", mark)).save(), memory=700 << 20
    )
    assert time.monotonic() - start < 4 * 60
    assert report.exercises[0].points == 0
    assert report.exercises[1].status == "passed", report.table()
    assert says in report.exercises[0].message + " ".join(report.notes), report.table()
    assert not alive_with(mark)


@pytest.mark.slow
def test_processes_that_start_processes_all_end(notebook: Notebook, tmp_path: Path) -> None:
    mark = f"mark-{tmp_path.name}"
    # each starts two, leaves its session and clears its environment, down to a depth
    breeder = (
        "import os, subprocess, sys, time\n"
        "depth = int(sys.argv[2])\n"
        "if depth:\n"
        "    for _ in range(2):\n"
        "        subprocess.Popen([sys.executable, '-S', '-c', sys.argv[3], sys.argv[1],\n"
        "            str(depth - 1), sys.argv[3]], start_new_session=True, env={})\n"
        "time.sleep(600)\n"
    )
    cell = (
        f"import subprocess, sys, time\ncode = {breeder!r}\n"
        f"subprocess.Popen([sys.executable, '-S', '-c', code, {mark!r}, '4', code])\n"
        "time.sleep(0.3)\n"
    )
    course.grade(notebook.answer().add(cell).save())
    assert not alive_with(mark)


@pytest.mark.slow
def test_the_environment_of_the_one_who_grades_stays_with_them(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_SECRET_KEY", "hush")
    monkeypatch.setenv(checks.OWN_RUN, "1")
    tell = "import os\nraise ValueError(sorted(os.environ))\n"
    report = course.grade(notebook.answer().add(tell).save())
    assert "PATH" in report.notes[0]
    for name in ("CLOUD_SECRET_KEY", checks.OWN_RUN):
        assert name not in report.notes[0]


@pytest.mark.slow
@pytest.mark.parametrize("said", ["", "2"])
def test_blas_has_one_thread_unless_somebody_says_otherwise(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """Two notebooks on two cores, each with two threads that wait busily, took 500 times as long."""
    for name in worker.BLAS_ON_ONE_THREAD:
        monkeypatch.delenv(name, raising=False)
        if said:
            monkeypatch.setenv(name, said)
    tell = (
        "import threadpoolctl\n"
        "blas = [p for p in threadpoolctl.threadpool_info() if p['user_api'] == 'blas']\n"
        "raise ValueError({p['num_threads'] for p in blas})\n"
    )
    report = course.grade(notebook.answer().add(tell).save())
    assert f"{{{said or 1}}}" in report.notes[0]


def test_a_reply_without_end_is_no_reply(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = (
        "import gc\n"
        "from multiprocessing.connection import Connection\n"
        "line = next(o for o in gc.get_objects() if isinstance(o, Connection))\n"
        "line.send_bytes(b'\"' + b'x' * (8 << 20) + b'\"')\n"
    )
    with worker.worker(read_lesson("91", root)) as session:
        ran = session.run(cell, 20)
    assert ran.ending == "died"


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["lesson", "grade_id", "grade", "nbgrader", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(marks=JSON, about=JSON, cell=JSON)
def test_metadata_may_be_anything(marks: Any, about: Any, cell: Any) -> None:
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1", id="own")])
    text = json.loads(nbformat.writes(nb))
    text["metadata"] = {"tinyternary": about, "nbgrader": marks}
    text["cells"][0]["metadata"] = {"nbgrader": cell}
    path = Path("01_ternary_basics.ipynb")
    given = submission.notebook_of(json.dumps(text), path)
    assert isinstance(submission.lesson_name(given, path), str)
    assert submission.plan(given, course.packed_lesson("01")).touched


def test_a_notebook_that_is_too_large_is_refused(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook.nb.cells += [nbformat.v4.new_code_cell("1") for _ in range(submission.CELLS)]
    with pytest.raises(LessonError, match=r"2,\d+ cells; a notebook may have 2,000"):
        course.grade(notebook.save())
    notebook.nb.cells = [nbformat.v4.new_code_cell("1 + " * submission.CELL + "1")]
    with pytest.raises(LessonError, match="characters in a cell"):
        course.grade(notebook.save())
    notebook.path.write_bytes(b" " * (submission.FILE + 1))
    with pytest.raises(LessonError, match="bytes; a notebook may have"):
        course.grade(notebook.path)


def test_taking_cells_apart_is_linear_and_stands_any_text(notebook: Notebook) -> None:
    lesson = course.packed_lesson("01")
    check = lesson.exercises[0].check.for_learner()
    for text in ("-" * 90_000 + "1", "(" * 1000, "\0", "x" + ".a" * 50_000, "[" * 150 + "]" * 150):
        cell = nbformat.v4.new_code_cell(f"{text}\n{check}")
        assert submission.apart([cell], lesson)
    lines = "\n".join(["a = 'é'; b = 2"] * 6000)
    cell = nbformat.v4.new_code_cell(f"{lines}\n{check}")
    own, *checks_found = submission.apart([cell], lesson)
    assert own.source.count("a = 'é'") == own.source.count("b = 2") == 6000
    assert len(checks_found) == 1


def test_grading_leaves_no_process_behind_when_it_is_killed(tmp_path: Path) -> None:
    code = (
        "from tinyternary import course\n"
        "from tinyternary.course.grading.worker import worker\n"
        "with worker(course.packed_lesson('01')) as session:\n"
        "    print(session._process.pid, flush=True)\n"
        "    session.run('while True: pass', 600)\n"
    )
    grader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert grader.stdout is not None
    child = psutil.Process(int(grader.stdout.readline()))
    grader.kill()
    grader.wait()
    grader.stdout.close()
    try:
        child.wait(PATIENCE)
    except psutil.TimeoutExpired:
        child.kill()
        raise AssertionError("the learner's cell runs on after the grader was killed") from None
