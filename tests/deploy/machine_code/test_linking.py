"""Object files from LLVM, linked by our own linker and run."""

from __future__ import annotations

import contextlib
import ctypes
import math

import pytest
from hypothesis import given, settings, strategies as st

from tests.deploy.machine_code.objects import (
    CALLS,
    CONSTANTS,
    POINTERS,
    STRANGER,
    TABLE_OF_ADDRESSES,
    VARIABLES,
    here,
    object_of,
)
from tinyternary.deploy.machine_code.linker import elf, linking
from tinyternary.deploy.machine_code.linker.linking import Linked
from tinyternary.kept_files import NotUsable
from tinyternary.kernels import _pages

pytestmark = here


def linked(text, result, *arguments):
    code = elf.parse(object_of(text))
    done = Linked(code)
    return done, ctypes.CFUNCTYPE(result, *arguments)(done.address("entry"))


def kinds(text):
    code = elf.parse(object_of(text))
    return {r.kind for r in code.relocations if code.sections[r.section].name not in (".eh_frame",)}


def test_constants_are_found_from_where_the_code_stands():
    assert linking.R_PC32 in kinds(CONSTANTS)
    _, entry = linked(CONSTANTS, ctypes.c_int64, ctypes.c_int64)
    assert [entry(i) for i in range(4)] == [3, 1, 4, 159]


def test_calls_into_libraries_go_through_stubs():
    assert linking.R_PLT32 in kinds(CALLS)
    _, entry = linked(CALLS, ctypes.c_double, ctypes.c_double)
    for x in (0.0, 1.0, 6.25, 100.0):
        assert entry(x) == math.sqrt(2 ** math.sqrt(x))


def test_pointers_in_tables_are_whole_addresses():
    assert linking.R_64 in kinds(POINTERS)
    _, entry = linked(POINTERS, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
    assert entry(0, 21) == 42
    assert entry(1, -12) == 144


def test_the_address_of_a_library_function_comes_from_the_table():
    assert kinds(TABLE_OF_ADDRESSES) & {
        linking.R_GOTPCREL, linking.R_GOTPCRELX, linking.R_REX_GOTPCRELX,
    }  # fmt: skip
    _, entry = linked(TABLE_OF_ADDRESSES, ctypes.c_void_p)
    assert entry() == linking.library_address("usleep")


def test_variables_start_with_their_values_and_change():
    _, entry = linked(VARIABLES, ctypes.c_int64)
    assert [entry(), entry(), entry()] == [41, 42, 43]
    _, other = linked(VARIABLES, ctypes.c_int64)  # memory of its own
    assert other() == 41


def test_code_far_from_the_libraries_reaches_them_all_the_same():
    code = elf.parse(object_of(CALLS))
    far = Linked(code, lambda name: 2**46 + 8)  # linked, not called
    assert far.address("entry") > 0


def rights_at(address):
    with open("/proc/self/maps") as file:
        for line in file:
            first, last = (int(part, 16) for part in line.split()[0].split("-"))
            if first <= address < last:
                return line.split()[1]
    raise AssertionError("not mapped")


@pytest.mark.parametrize("text", [CONSTANTS, CALLS, POINTERS, VARIABLES])
def test_no_page_can_be_written_to_and_run(text):
    done = Linked(elf.parse(object_of(text)))
    assert rights_at(done.address("entry")) == "r-xp"
    found = {rights_at(done.base + i) for i in range(0, done.size, _pages.PAGE)}
    assert found <= {"r-xp", "r--p", "rw-p"}
    if text is VARIABLES:
        assert "rw-p" in found
    if text in (CONSTANTS, CALLS):  # constants, and the table of addresses
        assert found == {"r-xp", "r--p"}


def test_functions_that_are_not_on_the_list_are_refused():
    with pytest.raises(NotUsable, match="'system' from outside"):
        Linked(elf.parse(object_of(STRANGER)))


@pytest.mark.parametrize("kind", [3, 5, 10, 11, 24, 25, 31, 99])
def test_relocations_of_other_kinds_are_refused(kind):
    code = elf.parse(object_of(CONSTANTS))
    changed = [r._replace(kind=kind) for r in code.relocations]
    with pytest.raises(NotUsable, match=f"kind {kind}"):
        Linked(code._replace(relocations=changed))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"addend": 2**31}, "does not fit into 32 bits"),
        ({"addend": -(2**33)}, "does not fit into 32 bits"),
        ({"offset": 10**6}, "outside of its section"),
    ],
)
def test_relocations_that_do_not_reach_are_refused(change, words):
    code = elf.parse(object_of(CONSTANTS))
    changed = [r._replace(**change) for r in code.relocations]
    with pytest.raises(NotUsable, match=words):
        Linked(code._replace(relocations=changed))


def test_a_missing_entry_is_said():
    with pytest.raises(NotUsable, match="no 'exit'"):
        Linked(elf.parse(object_of(CONSTANTS))).address("exit")


def test_memory_that_may_not_be_run_is_said(monkeypatch):
    def refuse(*arguments):
        ctypes.set_errno(13)
        return -1

    pages = _pages.Pages(10)
    monkeypatch.setattr(pages, "_protect", refuse)
    with pytest.raises(NotUsable, match="run"):
        pages.allow(0, 10, _pages.RUN)


def test_nothing_is_written_outside_of_the_pages():
    pages = _pages.Pages(10)
    assert pages.size == _pages.PAGE
    for offset in (-1, _pages.PAGE - 1):
        with pytest.raises(NotUsable, match="outside"):
            pages.write(offset, b"ab")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x7fELF", b"MZ" * 100, object_of(CONSTANTS)[:-1], object_of(CONSTANTS)[:64]],
    ids=["empty", "short", "foreign", "one byte less", "header only"],
)
def test_what_is_no_object_file_is_refused(content):
    with pytest.raises(NotUsable):
        elf.parse(content)


def test_object_files_for_other_processors_are_refused():
    content = bytearray(object_of(CONSTANTS))
    content[18] = 183  # AArch64
    with pytest.raises(NotUsable, match="x86-64"):
        elf.parse(bytes(content))


@settings(max_examples=600)
@given(
    text=st.sampled_from([CONSTANTS, CALLS, POINTERS, TABLE_OF_ADDRESSES, VARIABLES]),
    changes=st.lists(
        st.tuples(st.integers(0, 10**6), st.sampled_from([0, 1, 0x7F, 0x80, 0xFF])),
        min_size=1, max_size=6,
    ),
    length=st.integers(0, 10**6),
)  # fmt: skip
def test_damaged_object_files_are_linked_or_refused_and_nothing_else(text, changes, length):
    content = bytearray(object_of(text))
    for place, value in changes:
        content[place % len(content)] = value
    if length % 5 == 0:
        del content[length % len(content) :]
    with contextlib.suppress(NotUsable):
        Linked(elf.parse(bytes(content)))
