"""Files of machine code: made by one process, whole, and no litter from those that were killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.patience import PATIENCE
from tinyternary import kept_files

fcntl = pytest.importorskip("fcntl")

MAKE = """
import pathlib, sys, time
from tinyternary import kept_files
path = pathlib.Path(sys.argv[1])
with kept_files.one_maker(path):
    try:
        kept_files.read(path)
    except kept_files.Missing:
        open(sys.argv[2], "a").write("made\\n")
        time.sleep(0.5)  # the others come meanwhile
        kept_files.write(path, b"code")
"""

HOLD = """
import pathlib, sys, time
from tinyternary import kept_files
with kept_files.one_maker(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""

DIE_WHILE_WRITING = """
import os, pathlib, signal, sys
from tinyternary import kept_files
os.replace = lambda draft, path: os.kill(os.getpid(), signal.SIGKILL)
kept_files.write(pathlib.Path(sys.argv[1]), b"code")
"""


def start(program, *arguments, **options):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, text=True, **options)


def test_eight_processes_make_a_file_once(tmp_path):
    path, log = tmp_path / "f.machine", tmp_path / "log"
    together = [start(MAKE, path, log) for _ in range(8)]
    assert [process.wait(timeout=PATIENCE) for process in together] == [0] * 8
    assert log.read_text() == "made\n"
    assert kept_files.read(path) == b"code"
    assert sorted(os.listdir(tmp_path)) == ["f.machine", "log"]


def test_a_killed_maker_keeps_nobody_waiting(tmp_path):
    path = tmp_path / "f.machine"
    holder = start(HOLD, path, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with kept_files.one_maker(path):
        kept_files.write(path, b"code")
    assert os.listdir(tmp_path) == ["f.machine"]


def test_a_maker_that_takes_for_ever_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    path = tmp_path / "f.machine"
    monkeypatch.setattr(kept_files, "WAIT", 0.2)
    with kept_files.one_maker(path), kept_files.one_maker(path):
        kept_files.write(path, b"code")
    assert kept_files.read(path) == b"code"


@pytest.mark.parametrize("error", [OSError(37, "No locks available"), PermissionError()])
def test_a_file_system_without_locks_costs_time_only(tmp_path, monkeypatch, error):
    def refuse(handle, how):
        raise error

    monkeypatch.setattr(fcntl, "flock", refuse)
    with kept_files.one_maker(tmp_path / "f.machine"):
        kept_files.write(tmp_path / "f.machine", b"code")
    with kept_files.one_maker(tmp_path / "no" / "folder" / "f.machine"):
        pass


def test_an_error_while_making_lets_the_next_one_try(tmp_path):
    path = tmp_path / "f.machine"
    with pytest.raises(KeyError), kept_files.one_maker(path):
        raise KeyError
    with kept_files.one_maker(path):
        kept_files.write(path, b"code")
    assert os.listdir(tmp_path) == ["f.machine"]


def test_drafts_of_killed_writers_go_and_those_of_live_ones_stay(tmp_path):
    path = tmp_path / "f.machine"
    for _ in range(2):
        assert start(DIE_WHILE_WRITING, path).wait(timeout=PATIENCE) == -signal.SIGKILL
    dead, live = sorted(tmp_path.iterdir())
    hours_ago = time.time() - 2 * kept_files.DEAD_AFTER
    os.utime(dead, (hours_ago, hours_ago))
    kept_files.write(path, b"code")
    assert sorted(tmp_path.iterdir()) == sorted([live, path])


def test_the_oldest_are_all_but_the_youngest(tmp_path):
    for i in range(5):
        (tmp_path / f"{i}").write_text("")
        os.utime(tmp_path / f"{i}", (100 - i, 100 - i))
    assert [p.name for p in kept_files.oldest(tmp_path.iterdir(), 2)] == ["4", "3", "2"]
    assert kept_files.oldest(tmp_path.iterdir(), 5) == []
