"""The one writer of files: whole or not at all."""

import os
import signal
import subprocess
import sys

import pytest

from tinyternary.files import one_at_a_time, replace_content


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "file"
    replace_content(path, b"old")

    def fail(*args):
        raise OSError("disk full")

    for step, error in (("fsync", OSError), ("replace", KeyError)):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, fail)
            with pytest.raises(error, match="file: cannot be written: disk full"):
                replace_content(path, b"new", error)
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["file"]


def test_a_link_goes_on_pointing_at_the_new_content(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    replace_content(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    replace_content(tmp_path / "made", b"")
    assert os.stat(tmp_path / "made").st_mode == os.stat(tmp_path / "plain").st_mode


def test_a_folder_is_made_only_when_asked_for(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    with pytest.raises(OSError, match="file: cannot be written: No such file or directory"):
        replace_content(path, b"x")
    replace_content(path, b"x", make_folder=True)
    assert path.read_bytes() == b"x"
    with pytest.raises(LookupError, match="b: is a folder; expected a file name"):
        replace_content(path.parent, b"x", LookupError)
    with pytest.raises(LookupError, match="c: cannot be written: "):
        replace_content(path / "c", b"x", LookupError, make_folder=True)


BUSY = ValueError("somebody is there")
HOLDER = """
import sys, time
from pathlib import Path
from tinyternary.files import one_at_a_time
with one_at_a_time(Path(sys.argv[1]), ValueError()):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_for_one_at_a_time(tmp_path):
    folder = tmp_path / "new" / "run"
    with one_at_a_time(folder, BUSY):
        with pytest.raises(ValueError, match="somebody is there"), one_at_a_time(folder, BUSY):
            pytest.fail("let in")
        with one_at_a_time(tmp_path / "other", BUSY):
            pass
        # who was turned away has not opened the door for others
        with pytest.raises(ValueError, match="somebody is there"), one_at_a_time(folder, BUSY):
            pytest.fail("let in")
    with pytest.raises(KeyError), one_at_a_time(folder, BUSY):
        raise KeyError
    with one_at_a_time(folder, BUSY):
        pass


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL (not on Windows)")
def test_a_killed_process_holds_nothing(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    with holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match="somebody"), one_at_a_time(tmp_path, BUSY):
            pytest.fail("let in")
        holder.kill()
        holder.wait()
    assert os.listdir(tmp_path) == [".lock"]
    with one_at_a_time(tmp_path, BUSY):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_holds_nothing(tmp_path):
    ours, theirs = os.pipe()
    with one_at_a_time(tmp_path, BUSY):
        child = os.fork()
        if not child:  # outlives the block, as a worker may its parent
            os.close(theirs)
            os.read(ours, 1)
            os._exit(0)
    try:
        with one_at_a_time(tmp_path, BUSY):
            pass
    finally:
        os.close(theirs)
        os.close(ours)
        assert os.waitpid(child, 0)[1] == 0


def test_where_nothing_can_be_locked_the_block_runs(tmp_path):
    (tmp_path / "file").touch()
    with one_at_a_time(tmp_path / "file" / "run", BUSY):
        pass
