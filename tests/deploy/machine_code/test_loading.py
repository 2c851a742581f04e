"""From a Numba function to kept machine code, and back to Numba where that cannot be."""

from __future__ import annotations

import logging
import os

import numba
import numpy as np
import pytest
from numba import types

from tests.deploy.machine_code.objects import here
from tinyternary.deploy import machine_code
from tinyternary.deploy.machine_code import cache, emitting, loading
from tinyternary.deploy.machine_code.calling import NativeFunction
from tinyternary.kernels import _pages, processor
from tinyternary.kernels._pages import NotUsable

pytestmark = here

SIGNATURE = types.void(
    types.int64, types.float64[::1], types.Array(types.uint8, 3, "C", readonly=True),
    types.float64[:, ::1],
)  # fmt: skip


def work(n, x, images, out):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = n * np.sqrt(x[j]) + images[i % images.shape[0], j % 2, -1]
    row = out[n % 2]  # a view: Numba counts its owners
    row[0] = len(x) + out.strides[0] + images.strides[0] + images.strides[1]
    if n < 0:
        raise ValueError("n must not be negative")


def compiled():
    return numba.njit(SIGNATURE, nogil=True)(work)


def refused():
    raise AssertionError("a compiler was asked")


def arguments(n=3):
    rng = np.random.default_rng(abs(n))
    images = rng.integers(0, 256, (3, 2, 5), dtype=np.uint8)
    images.flags.writeable = n % 2 == 0
    return n, rng.random(7), images, np.zeros((4, 7))


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("TINYTERNARY_NATIVE", raising=False)
    return tmp_path / "tinyternary"


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    path = tmp_path_factory.mktemp("sources") / "a.py"
    path.write_text("")
    return [path]


def test_kept_code_gives_the_same_bits(sources):
    expected = arguments()
    work(*expected)
    for make in (compiled, refused):  # the second time nothing is compiled
        found = machine_code.function("work", sources, make)
        assert found.because == ""
        assert found.file is not None
        assert found.file.is_file()
        for n in (2, 3):
            mine, theirs = arguments(n), arguments(n)
            found.run(*mine)
            compiled()(*theirs)
            np.testing.assert_array_equal(mine[3], theirs[3])


def test_code_from_numbas_own_cache_can_be_kept_too(tmp_path):
    dispatcher = compiled()
    dispatcher.stats.cache_hits[SIGNATURE] += 1  # as if: then it has no representation
    kinds, code = emitting.emit(dispatcher)
    assert kinds == ["int", "d1", "B3", "d2"]
    assert code.startswith(b"\x7fELF")


def test_wrong_arguments_are_refused_and_not_read_as_addresses(sources):
    run = machine_code.function("work", sources, compiled).run
    n, x, images, out = arguments()
    wrong = [
        (n, x, images), (n, x, images, out, out), (x, n, images, out), (n, images, x, out),
        (n, x.astype(np.float32), images, out), (n, x, images[0], out), (n, x, images, out.T),
        (n, x[::2], images, out), (n, None, images, out), (float(n), x, images, out),
    ]  # fmt: skip
    for parts in wrong:
        with pytest.raises(TypeError):
            run(*parts)
    assert not out.any()


def test_an_exception_in_the_code_is_an_error_and_no_crash(sources):
    with pytest.raises(RuntimeError, match="error"):
        machine_code.function("work", sources, compiled).run(*arguments(-1))


def test_edited_sources_are_compiled_anew(sources, tmp_path):
    machine_code.function("work", sources, compiled)
    other = tmp_path / "a.py"
    other.write_text("# another")
    with pytest.raises(AssertionError, match="compiler"):
        machine_code.function("work", [other], refused)


def test_damaged_files_are_replaced_with_a_warning(sources, caplog):
    path = machine_code.function("work", sources, compiled).file
    assert path is not None
    whole = path.read_bytes()
    path.write_bytes(whole[:-40] + b"\0" * 40)
    assert "damaged" in machine_code.look("work", sources)[1]
    with caplog.at_level(logging.WARNING, "tinyternary"):
        found = machine_code.function("work", sources, compiled)
    assert "made anew" in caplog.text
    assert found.because == ""
    assert machine_code.look("work", sources) == (path, "")
    assert cache.read("work", cache.key_of("work", sources))[0]["name"] == "work"


def runs_on_numba(sources, words, make=compiled):
    found = machine_code.function("work", sources, make)
    assert not isinstance(found.run, NativeFunction)
    assert found.file is None
    assert words in found.because
    mine, theirs = arguments(), arguments()
    found.run(*mine)
    work(*theirs)
    np.testing.assert_allclose(mine[3], theirs[3])


def test_switched_off(sources, monkeypatch, place):
    monkeypatch.setenv("TINYTERNARY_NATIVE", "0")
    runs_on_numba(sources, "TINYTERNARY_NATIVE is 0")
    assert machine_code.look("work", sources) == (None, "TINYTERNARY_NATIVE is 0")
    assert not place.exists()


@pytest.mark.parametrize("machine", ["aarch64", "arm64", "i686"])
def test_other_processors(sources, monkeypatch, machine):
    monkeypatch.setattr(os, "uname", lambda: type("", (), {"machine": machine}))
    runs_on_numba(sources, "x86-64 only")


def test_other_systems(sources, monkeypatch):
    monkeypatch.setattr(processor.sys, "platform", "darwin")
    runs_on_numba(sources, "Linux")


def test_a_folder_that_cannot_be_written(sources, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(emitting, "emit", refused)  # nothing is emitted for nothing
    runs_on_numba(sources, "cannot be kept")


def test_memory_that_cannot_be_run(sources, monkeypatch):
    def refuse(self, offset, size, rights):
        raise NotUsable("the system does not let memory be run")

    monkeypatch.setattr(_pages.Pages, "allow", refuse)
    runs_on_numba(sources, "does not let memory be run")


def test_another_users_file(sources, monkeypatch):
    machine_code.function("work", sources, compiled)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    runs_on_numba(sources, "another user")


def test_a_version_of_numba_that_looks_different_inside(sources, monkeypatch):
    def changed(compiled):
        raise AttributeError("'Compiled' object has no attribute 'library'")

    monkeypatch.setattr(emitting, "_entry", changed)
    runs_on_numba(sources, "no object file can be made: AttributeError")


def test_arguments_that_cannot_be_passed(sources):
    dispatcher = numba.njit(types.void(types.float64))(lambda x: None)
    with pytest.raises(NotUsable, match="float64"):
        emitting.emit(dispatcher)


def test_code_that_calls_what_is_not_on_the_list(sources, monkeypatch):
    from tinyternary.deploy.machine_code import linking

    def calls():
        return numba.njit(SIGNATURE)(sleeps)

    pause = types.ExternalFunction("usleep", types.int32(types.uint32))

    def sleeps(n, x, images, out):
        pause(1)
        work_too(n, x, images, out)

    work_too = numba.njit()(work)
    monkeypatch.delitem(linking.OUTSIDE, "usleep")
    runs_on_numba(sources, "'usleep' from outside", calls)


def test_reasons_are_not_printed_unless_something_is_wrong(sources, monkeypatch, caplog):
    monkeypatch.setenv("TINYTERNARY_NATIVE", "0")
    with caplog.at_level(logging.WARNING, "tinyternary"):
        machine_code.function("work", sources, compiled)
    assert caplog.text == ""
    assert loading.unavailable()
