"""Files of machine code: whole, for exactly this, and the user's own, or not used."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from tinyternary import kept_files
from tinyternary.compiled import source_files
from tinyternary.deploy.machine_code import cache
from tinyternary.kept_files import Damaged, NotUsable

CODE = bytes(range(256)) * 8
FACTS = {"name": "f", "arguments": ["int", "f1"]}


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    return tmp_path / "tinyternary"


def test_what_was_written_is_read(place):
    path = cache.write("f", "k" * 64, FACTS, CODE)
    assert path.parent == place
    assert cache.read("f", "k" * 64) == (FACTS, CODE)
    assert [p.name for p in place.iterdir()] == [path.name]  # no draft is left


def test_files_and_their_folder_are_the_users_own(place):
    path = cache.write("f", "k" * 64, FACTS, CODE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_another_key_is_another_file(place):
    cache.write("f", "k" * 64, FACTS, CODE)
    with pytest.raises(kept_files.Missing):
        cache.read("f", "j" * 64)
    with pytest.raises(kept_files.Missing):
        cache.read("g", "k" * 64)


def test_a_file_under_another_ones_name_is_refused(place):
    path = cache.write("f", "k" * 64, FACTS, CODE)
    path.rename(cache.path_of("f", "j" * 64))
    with pytest.raises(Damaged, match="something else"):
        cache.read("f", "j" * 64)


def test_a_key_depends_on_sources_and_name_and_processor(monkeypatch, tmp_path):
    one, two = tmp_path / "a.py", tmp_path / "b" / "a.py"
    one.write_text("one")
    two.parent.mkdir()
    two.write_text("two")
    keys = {cache.key_of("f", one), cache.key_of("g", one)}
    keys.add(cache.key_of("f", two))
    assert cache.key_of("f", two) in keys
    monkeypatch.setattr(cache.processor, "described", lambda: {"flags": "fpu avx2"})
    keys.add(cache.key_of("f", two))
    monkeypatch.setattr(cache.tinyternary, "__version__", "99.0")
    keys.add(cache.key_of("f", two))
    assert len(keys) == 5


def test_without_a_compiler_there_is_no_key(monkeypatch, tmp_path):
    monkeypatch.setattr(source_files.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotUsable, match="numba is not installed"):
        cache.key_of("f", tmp_path / "a.py")


@pytest.mark.parametrize(
    "facts",
    [
        None, [], 3, "text", {}, {"key": None}, {"arguments": []},
        {"key": "k" * 64, "arguments": None}, {"key": "k" * 64, "arguments": "int"},
        {"key": "k" * 64, "arguments": [3]}, {"key": "k" * 64, "arguments": ["d"]},
        {"key": "k" * 64, "arguments": ["dd"]}, {"key": "k" * 64, "arguments": [["int"]]},
        {"key": "k" * 64, "arguments": ["int", "f-1"]}, {"key": "k" * 64, "because": 3},
        {"key": "k" * 64},
    ],
)  # fmt: skip
def test_facts_that_cannot_be_are_refused_in_a_whole_file(place, facts):
    text = json.dumps(facts).encode()
    kept_files.write(cache.path_of("f", "k" * 64), len(text).to_bytes(4, "little") + text + CODE)
    with pytest.raises(Damaged):
        cache.read("f", "k" * 64)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60), length=st.sampled_from([b"", b"\5\0\0\0"]))
@example(content=b"[" * 100_000, length=b"\xff\xff\xff\xff")
@example(content=b"\xff\xfe", length=b"\x02\0\0\0")
def test_any_content_of_a_whole_file_is_refused(place, content, length):
    kept_files.write(cache.path_of("f", "k" * 64), length + content)
    with pytest.raises(Damaged):
        cache.read("f", "k" * 64)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_any_other_byte_is_refused(place, data):
    path = cache.write("f", "k" * 64, FACTS, CODE)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    with pytest.raises(Damaged):
        cache.read("f", "k" * 64)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keep=st.floats(0, 1, exclude_max=True), more=st.binary(min_size=1, max_size=40))
def test_shortened_and_lengthened_files_are_refused(place, keep, more):
    path = cache.write("f", "k" * 64, FACTS, CODE)
    whole = path.read_bytes()
    for content in (whole[: int(keep * len(whole))], whole + more):
        path.write_bytes(content)
        with pytest.raises(Damaged):
            cache.read("f", "k" * 64)


def test_a_link_a_folder_and_a_pipe_are_refused(place, tmp_path):
    path = cache.write("f", "k" * 64, FACTS, CODE)
    real = path.rename(tmp_path / "real")
    path.symlink_to(real)
    with pytest.raises(NotUsable):
        cache.read("f", "k" * 64)
    path.unlink()
    path.mkdir()
    with pytest.raises(NotUsable):
        cache.read("f", "k" * 64)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(NotUsable):
        cache.read("f", "k" * 64)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_to_is_refused(place, mode):
    path = cache.write("f", "k" * 64, FACTS, CODE)
    path.chmod(mode)
    with pytest.raises(NotUsable, match="another user"):
        cache.read("f", "k" * 64)


def test_another_users_file_is_refused(place, monkeypatch):
    cache.write("f", "k" * 64, FACTS, CODE)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(NotUsable, match="another user"):
        cache.read("f", "k" * 64)


def test_a_folder_that_cannot_be_written_is_said(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(NotUsable, match="cannot be kept"):
        cache.write("f", "k" * 64, FACTS, CODE)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *rights: False)  # an administrator may write anywhere
    with pytest.raises(NotUsable, match="cannot be written to"):
        cache.write("f", "k" * 64, FACTS, CODE)


def test_a_full_disk_leaves_the_old_file(place, monkeypatch):
    cache.write("f", "k" * 64, FACTS, CODE)

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(NotUsable, match="No space left"):
        cache.write("f", "k" * 64, FACTS, b"other")
    assert cache.read("f", "k" * 64) == (FACTS, CODE)
    assert len(list(place.iterdir())) == 1


def test_old_files_go(place):
    for i in range(cache.KEPT + 5):
        path = cache.write("f", f"{i:064d}"[::-1], FACTS, CODE)
        os.utime(path, (i, i))
    assert len(list(place.iterdir())) <= cache.KEPT + 1
    assert cache.read("f", f"{cache.KEPT + 4:064d}"[::-1]) == (FACTS, CODE)


WRITER = """
import sys
from tinyternary.deploy.machine_code import cache
for i in range(200):
    cache.write("f", "k" * 64, {"arguments": []}, sys.argv[1].encode() * (1000 + 7 * i))
"""


def test_two_processes_that_write_at_once_leave_whole_files(place):
    cache.write("f", "k" * 64, {"arguments": []}, b"a")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, letter], env={**os.environ})
        for letter in "ab"
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        _, code = cache.read("f", "k" * 64)  # never damaged, never missing
        assert set(code) <= {ord("a")} or set(code) <= {ord("b")}
        seen.add(code[:1])
    assert [writer.returncode for writer in writers] == [0, 0]
    assert seen <= {b"a", b"b"}
    assert [p.suffix for p in Path(place).iterdir()] == [".machine"]
