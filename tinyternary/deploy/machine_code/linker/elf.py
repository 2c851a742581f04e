"""Reading an object file: sections, symbols, relocations (lesson 08_packing_and_kernels).

ELF is the format of compiled code on Linux. An object file has no address yet: each section
(machine code in ``.text``, constants in ``.rodata``, ...) counts from zero. A symbol gives a
name to a place in a section, or is undefined: then somebody else has it. A relocation says "at
this place of this section, write the address of that symbol, in this way". Format: System V
ABI, AMD64 supplement, chapter 4.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from tinyternary.kept_files import Damaged

WRITE, ALLOCATE, EXECUTE = 1, 2, 4
"""Flags of a section: may be written to, takes memory when it runs, holds code."""
UNDEFINED, COMMON, ABSOLUTE = 0, 0xFFF2, 0xFFF1
"""Section numbers of a symbol that stand for something else than a section."""
_SYMBOLS, _RELOCATIONS, _ZEROS, _RELOCATIONS_SHORT = 2, 4, 8, 9
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
_IDENTITY = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian, version 1
_OBJECT, _X86_64 = 1, 62


class Section(NamedTuple):
    """A section: its bytes, or for zeros only how many there are."""

    name: str
    flags: int
    align: int
    size: int
    data: memoryview


class Symbol(NamedTuple):
    """A name for ``value`` bytes into section number ``section``."""

    name: str
    section: int
    value: int


class Relocation(NamedTuple):
    """Write the address of ``symbol`` plus ``addend`` at ``offset`` of section ``section``."""

    section: int
    offset: int
    kind: int
    symbol: int
    addend: int


class ObjectFile(NamedTuple):
    """What a linker has to know of an object file."""

    sections: list[Section]
    symbols: list[Symbol]
    relocations: list[Relocation]


def parse(content: bytes) -> ObjectFile:
    """Read an x86-64 ELF object file.

    Raises
    ------
    Damaged
        If it is none, or a number in it points outside of it.
    """
    try:
        return _parse(memoryview(content))
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise Damaged(f"the object file is damaged: {error}") from None


def _parse(content: memoryview) -> ObjectFile:
    header = _HEADER.unpack_from(content)
    identity, kind, machine, table, width, count, names = (
        header[0], header[1], header[2], header[6], header[11], header[12], header[13]
    )  # fmt: skip
    if not identity.startswith(_IDENTITY) or (kind, machine) != (_OBJECT, _X86_64):
        raise Damaged("not an object file for x86-64")
    if width != _SECTION.size:
        raise Damaged(f"section headers of {width} bytes, expected {_SECTION.size}")
    rows = [_SECTION.unpack_from(content, table + i * width) for i in range(count)]

    def part(row: tuple[int, ...]) -> memoryview:
        start, size = row[4], row[5]
        if row[1] == _ZEROS:
            return content[:0]
        if start + size > len(content):
            raise Damaged("a section ends after the end of the object file")
        return content[start : start + size]

    titles = bytes(part(rows[names]))
    sections = [
        Section(_text(titles, row[0]), row[2], max(row[8], 1), row[5], part(row)) for row in rows
    ]
    symbols: list[Symbol] = []
    relocations: list[Relocation] = []
    for row in rows:
        if row[1] == _SYMBOLS:
            strings = bytes(part(rows[row[6]]))
            for name, _, _, section, value, _ in _SYMBOL.iter_unpack(part(row)):
                symbols.append(Symbol(_text(strings, name), section, value))
        elif row[1] == _RELOCATIONS:
            for offset, info, addend in _RELOCATION.iter_unpack(part(row)):
                relocations.append(
                    Relocation(row[7], offset, info & 0xFFFFFFFF, info >> 32, addend)
                )
        elif row[1] == _RELOCATIONS_SHORT:
            raise Damaged("relocations without addends, which x86-64 does not use")
    for entry in relocations:
        if entry.section >= len(sections) or entry.symbol >= len(symbols):
            raise Damaged("a relocation points outside of the object file")
    return ObjectFile(sections, symbols, relocations)


def _text(strings: bytes, start: int) -> str:
    return strings[start : strings.index(0, start)].decode() if start < len(strings) else ""
