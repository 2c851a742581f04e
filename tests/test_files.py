"""The one writer of files: whole or not at all."""

import os

import pytest

from tinyternary.files import replace_content


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
