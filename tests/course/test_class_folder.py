"""`tinyternary grade` of a class: all notebooks of a folder, a table, a CSV file, pages."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.course.room_lesson import ANSWERS, NAME, Answered, lessons_folder
from tests.patience import PATIENCE
from tinyternary.cli import main
from tinyternary.course import packed_lesson
from tinyternary.course.authoring.build import to_text
from tinyternary.course.grading.folder import find_submissions
from tinyternary.course.grading.worker import worker
from tinyternary.errors import ConfigError


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    return int(ended.value.code or 0)


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_students_are_the_first_folder_or_the_file(tmp_path: Path) -> None:
    put(tmp_path / "a" / "ada" / "01_x" / "01_x.ipynb")
    put(tmp_path / "a" / "ada" / "01_x" / ".ipynb_checkpoints" / "01_x-checkpoint.ipynb")
    put(tmp_path / "a" / "ada" / "01_x" / "notes.txt")
    bo = put(tmp_path / "a" / "bo.ipynb")
    cy = put(tmp_path / "a" / "cy" / "01_x.ipynb")
    found = find_submissions([tmp_path / "a"])
    assert [(s.student, s.path.name) for s in found] == [
        ("ada", "01_x.ipynb"), ("bo", "bo.ipynb"), ("cy", "01_x.ipynb"),
    ]  # fmt: skip
    assert [s.student for s in find_submissions([bo, cy])] == ["bo", "cy"]
    assert [s.student for s in find_submissions([cy, tmp_path / "a" / "cy"])] == ["01_x"]
    for path in (tmp_path / "none", tmp_path / "a" / "ada" / "01_x" / ".ipynb_checkpoints"):
        if path.is_dir():
            assert find_submissions([path])  # asked for by name
            continue
        with pytest.raises(ConfigError, match="none"):
            find_submissions([path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no notebook"):
        find_submissions([tmp_path / "empty"])


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = lessons_folder(tmp_path)
    monkeypatch.setenv("TINYTERNARY_PACKS", str(root / "packs"))
    folder = tmp_path / "submitted"
    loop = {**ANSWERS, "1.2": "def best_scale(w, t):\n    while True: pass"}
    part = {"1.6": "def quantized(w, d):\n    '<b>'\n    return np.sign(w) * (abs(w) > d), 1.0"}
    for student, answers in (("ada", ANSWERS), ("bo", loop), ("=cy", part), ("di", {})):
        put(folder / student / NAME / f"{NAME}.ipynb", to_text(Answered(root, answers).nb))
    put(folder / "el" / NAME / f"{NAME}.ipynb", '{"cells": <b>')
    return folder


@pytest.mark.slow
def test_a_class_in_one_go(room: Path, tmp_path: Path, capfd) -> None:
    table, pages = tmp_path / "points.csv", tmp_path / "pages"
    assert command(
        "grade", str(room), "--csv", str(table), "--feedback", str(pages), "--time-scale", "0.1"
    ) == 1  # fmt: skip
    said = capfd.readouterr()
    assert "1 of 5 notebooks could not be graded" in said.err
    for words in ("ada", "10 / 10", "7 / 10", "1.2 timeout", "not attempted"):
        assert words in said.out
    with table.open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert {name: row["points"] for name, row in rows.items()} == {
        "ada": "10", "bo": "7", "'=cy": "1", "di": "0", "el": "",
    }  # fmt: skip
    assert rows["bo"]["1.2 best_scale"] == "0"
    assert rows["'=cy"]["1.6 quantized"] == "1"
    assert "1.6 partly" in rows["'=cy"]["remarks"]
    assert "not a notebook" in rows["el"]["remarks"]
    assert {path.name for path in pages.iterdir()} == {
        f"{name}_{NAME}.html" for name in ("ada", "bo", "=cy", "di", "el")
    }
    assert "1 of 3" in (pages / f"=cy_{NAME}.html").read_text()
    assert "<b>&#39;" not in (page := (pages / f"el_{NAME}.html").read_text())
    assert "&lt;b&gt;" in page
    assert command("grade", str(room / "ada"), str(room / "di"), "--json", "--quiet") == 0
    found = json.loads(capfd.readouterr().out)
    assert [item["report"]["points"] for item in found] == [10, 0]


@pytest.mark.slow
def test_ctrl_c_ends_a_class_and_leaves_nothing(room: Path) -> None:
    loop = room / "bo"
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # as a shell
    code += "from tinyternary.cli import main; main(['grade', " + f"{str(loop)!r}, '--quiet'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TINYTERNARY_PROBE": str(room)},
    )  # fmt: skip
    deadline = time.monotonic() + PATIENCE
    while not psutil.Process(process.pid).children() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(4)  # into the loop
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    assert process.wait(timeout=PATIENCE) != 0
    assert time.monotonic() - start < 60  # not what a notebook may take
    assert not marked("TINYTERNARY_PROBE", str(room))


DETACHED = """
import os, subprocess, sys, time
code = '''
import os, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
open({pids!r}, "a").write(str(os.getpid()) + "\\\\n")
time.sleep(600)
'''
for count, env in enumerate((None, {{}}), 1):
    subprocess.run([sys.executable, "-c", code], env=env)
    while not os.path.exists({pids!r}) or len(open({pids!r}).readlines()) < count:
        time.sleep(0.05)
if os.fork() == 0:
    open({pids!r}, "a").write(str(os.getpid()) + "\\n")
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["", "\nos._exit(0)"])
def test_a_detached_child_does_not_outlive_its_notebook(
    room: Path, tmp_path: Path, ending: str
) -> None:
    pids = tmp_path / "pids"
    with worker(packed_lesson(NAME)) as session:
        ran = session.run(DETACHED.format(pids=str(pids)) + ending, 20)
        assert ran.ending == ("died" if ending else "done"), ran.error
        if not ending:  # a copy of the worker that the cell forked has no say
            assert session.judge("1.1", 20).reply["exercise"] == "1.1"
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) >= 2
    # one that cleared its environment and whose parent died first cannot be told from others
    alive = [pid for pid in started if psutil.pid_exists(pid)]
    known = started[:1] if ending else started
    assert not set(alive) & set(known)
    for pid in alive:
        psutil.Process(pid).kill()


def marked(name: str, value: str) -> list[int]:
    """Return processes that inherited an environment variable, this one aside."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(name) == value:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
