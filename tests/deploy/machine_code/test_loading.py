"""From a Numba function to kept machine code, and back to Numba where that cannot be."""

from __future__ import annotations

import logging
import os
import struct

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from numba import types

from tests.deploy.machine_code.objects import here
from tinyternary.deploy import machine_code
from tinyternary.deploy.machine_code import cache, emitting, linker, loading
from tinyternary.deploy.machine_code.calling import NativeFunction
from tinyternary.kept_files import NotUsable
from tinyternary.kernels import _pages, processor

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
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "a.py"
    path.write_text("")
    return path


def test_kept_code_gives_the_same_bits(source):
    expected = arguments()
    work(*expected)
    for make in (compiled, refused):  # the second time nothing is compiled
        found = machine_code.function("work", source, make)
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


def test_wrong_arguments_are_refused_and_not_read_as_addresses(source):
    run = machine_code.function("work", source, compiled).run
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


def test_an_exception_in_the_code_is_an_error_and_no_crash(source):
    with pytest.raises(RuntimeError, match="error"):
        machine_code.function("work", source, compiled).run(*arguments(-1))


def test_edited_sources_are_compiled_anew(source, tmp_path):
    machine_code.function("work", source, compiled)
    other = tmp_path / "a.py"
    other.write_text("# another")
    with pytest.raises(AssertionError, match="compiler"):
        machine_code.function("work", other, refused)


def test_damaged_files_are_replaced_with_a_warning(source, caplog):
    path = machine_code.function("work", source, compiled).file
    assert path is not None
    whole = path.read_bytes()
    path.write_bytes(whole[:-40] + b"\0" * 40)
    assert "damaged" in machine_code.look("work", source)[1]
    with caplog.at_level(logging.WARNING, "tinyternary"):
        found = machine_code.function("work", source, compiled)
    assert "made anew" in caplog.text
    assert found.because == ""
    assert machine_code.look("work", source) == (path, "")
    assert cache.read("work", cache.key_of("work", source))[0]["name"] == "work"


def runs_on_numba(source, words, make=compiled):
    found = machine_code.function("work", source, make)
    assert not isinstance(found.run, NativeFunction)
    assert found.file is None
    assert words in found.because
    mine, theirs = arguments(), arguments()
    found.run(*mine)
    work(*theirs)
    np.testing.assert_allclose(mine[3], theirs[3])


def test_switched_off(source, monkeypatch, place):
    monkeypatch.setenv("TINYTERNARY_NATIVE", "0")
    runs_on_numba(source, "TINYTERNARY_NATIVE is 0")
    assert machine_code.look("work", source) == (None, "TINYTERNARY_NATIVE is 0")
    assert not place.exists()


@pytest.mark.parametrize("machine", ["aarch64", "arm64", "i686"])
def test_other_processors(source, monkeypatch, machine):
    monkeypatch.setattr(os, "uname", lambda: type("", (), {"machine": machine}))
    runs_on_numba(source, "x86-64 only")


def test_other_systems(source, monkeypatch):
    monkeypatch.setattr(processor.sys, "platform", "darwin")
    runs_on_numba(source, "Linux")


def test_a_folder_that_cannot_be_written(source, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(emitting, "emit", refused)  # nothing is emitted for nothing
    runs_on_numba(source, "cannot be kept")


def test_memory_that_cannot_be_run(source, monkeypatch):
    def refuse(self, offset, size, rights):
        raise NotUsable("the system does not let memory be run")

    monkeypatch.setattr(_pages.Pages, "allow", refuse)
    runs_on_numba(source, "does not let memory be run")


def test_another_users_file(source, monkeypatch):
    machine_code.function("work", source, compiled)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    runs_on_numba(source, "another user")


def test_a_version_of_numba_that_looks_different_inside(source, monkeypatch):
    def changed(compiled):
        raise AttributeError("'Compiled' object has no attribute 'library'")

    monkeypatch.setattr(emitting, "_entry", changed)
    runs_on_numba(source, "no object file can be made: AttributeError")


def test_that_no_machine_code_can_be_made_is_kept_and_said(source, monkeypatch):
    def changed(compiled):
        raise AttributeError("'Compiled' object has no attribute 'library'")

    with monkeypatch.context() as patch:
        patch.setattr(emitting, "_entry", changed)
        runs_on_numba(source, "no object file can be made")
    monkeypatch.setattr(emitting, "emit", refused)  # no second start tries again
    runs_on_numba(source, "no object file can be made")
    file, because = machine_code.look("work", source)
    assert file is None
    assert "no object file can be made: AttributeError" in because


@pytest.mark.parametrize(
    "error",
    [OSError("x"), MemoryError(), KeyError(3), struct.error("x"), RecursionError(), TypeError()],
)
def test_whatever_the_linker_raises_numba_answers(source, monkeypatch, error):
    machine_code.function("work", source, compiled)

    def fail(code):
        raise error

    monkeypatch.setattr(linker, "Linked", fail)
    runs_on_numba(source, f"cannot be loaded: {type(error).__name__}")
    assert machine_code.look("work", source)[0] is None


WORDS = st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, 65521])


@pytest.fixture(scope="session")
def emitted():
    return emitting.emit(compiled())


def tables(code):
    """Places of the numbers that a linker reads: header, sections, symbols, relocations."""
    start, count = struct.unpack_from("<Q", code, 40)[0], struct.unpack_from("<H", code, 60)[0]
    yield from range(16, 64, 2)
    yield from range(start, start + 64 * count, 4)
    for i in range(count):
        kind, offset, size = struct.unpack_from("<4xI16xQQ", code, start + 64 * i)
        if kind in (2, 4):  # symbols, relocations
            yield from range(offset, offset + size, 4)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_in_any_number_that_the_linker_reads_stops_no_answer(source, emitted, data):
    arguments, code = emitted
    places = sorted(set(tables(code)))
    damaged = bytearray(code)
    for _ in range(data.draw(st.integers(1, 4))):
        place, width = data.draw(st.sampled_from(places)), data.draw(st.sampled_from([2, 4, 8]))
        word = (data.draw(WORDS) % 2 ** (8 * width)).to_bytes(width, "little")
        damaged[place : place + width] = word
    name, key = "work", cache.key_of("work", source)
    cache.write(name, key, {"name": name, "arguments": arguments}, bytes(damaged))

    def anew():
        return dispatcher

    found = machine_code.function(name, source, anew)
    if found.because:
        assert found.run is dispatcher
    else:  # linked: the damage was in what is not used; or found, and made anew
        assert isinstance(found.run, NativeFunction)


dispatcher = compiled()


def test_arguments_that_cannot_be_passed(source):
    dispatcher = numba.njit(types.void(types.float64))(lambda x: None)
    with pytest.raises(NotUsable, match="float64"):
        emitting.emit(dispatcher)


def test_code_that_calls_what_is_not_on_the_list(source, monkeypatch):
    from tinyternary.deploy.machine_code.linker import linking

    def calls():
        return numba.njit(SIGNATURE)(sleeps)

    pause = types.ExternalFunction("usleep", types.int32(types.uint32))

    def sleeps(n, x, images, out):
        pause(1)
        work_too(n, x, images, out)

    work_too = numba.njit()(work)
    monkeypatch.delitem(linking.OUTSIDE, "usleep")
    runs_on_numba(source, "'usleep' from outside", calls)


def test_reasons_are_not_printed_unless_something_is_wrong(source, monkeypatch, caplog):
    monkeypatch.setenv("TINYTERNARY_NATIVE", "0")
    with caplog.at_level(logging.WARNING, "tinyternary"):
        machine_code.function("work", source, compiled)
    assert caplog.text == ""
    assert loading.unavailable()
