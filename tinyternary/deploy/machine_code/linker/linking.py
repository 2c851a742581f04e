"""From an object file to code that can run: a small linker and loader (lesson 08).

Sections are laid out one after the other in three stretches of pages: code, constants,
variables. Then each relocation is filled in. With S the symbol's address, A the addend and P
the place that is written to (System V ABI, AMD64 supplement, table 4.9):

============== ============== ============================================================
kind           written        used for
============== ============== ============================================================
64             S + A          a pointer in a table
PC32, PLT32    S + A - P      constants and calls, counted from where the code stands
GOTPCREL(X)    G + A - P      the same, to an entry G of a table that holds S
============== ============== ============================================================

32 bits reach 2 GiB in each direction, and the C library may be farther away than that. So
calls to it go to a *stub* beside the code, one instruction that jumps to the address in a
table: the "procedure linkage table" and "global offset table" of every program on Linux.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable

from tinyternary.deploy.machine_code.linker.elf import (
    ABSOLUTE,
    ALLOCATE,
    COMMON,
    EXECUTE,
    UNDEFINED,
    WRITE,
    ObjectFile,
    Relocation,
)
from tinyternary.kept_files import Damaged, NotUsable
from tinyternary.kernels._pages import (
    CHANGE,
    PAGE,
    READ,
    RUN,
    Pages,
)

R_NONE, R_64, R_PC32, R_PLT32 = 0, 1, 2, 4
R_GOTPCREL, R_GOTPCRELX, R_REX_GOTPCRELX = 9, 41, 42
_GOT_KINDS = (R_GOTPCREL, R_GOTPCRELX, R_REX_GOTPCRELX)

OUTSIDE = {
    "memcpy": "c", "memmove": "c", "memset": "c", "sched_yield": "c", "usleep": "c",
    "sqrt": "m", "sqrtf": "m", "exp": "m", "expf": "m", "exp2": "m", "exp2f": "m",
    "log2": "m", "log2f": "m",
}  # fmt: skip
"""Functions that machine code may call, and the library that has them; no others."""

MOST_BYTES = 2**26
"""Memory that code and its data may take; the encoder takes a fifth of a MiB."""

_STUB = 8  # bytes of a stub: jmp [rip + distance], and two to fill it up
_ENTRY = 8  # bytes of an entry of the table of addresses


def library_address(name: str) -> int:
    """Return the address of one of the functions of `OUTSIDE`.

    Raises
    ------
    NotUsable
        If it is not on that list, or this system's library does not have it.
    """
    if name not in OUTSIDE:
        raise NotUsable(f"the code wants {name!r} from outside, which is not on the list")
    for library in (None, f"lib{OUTSIDE[name]}.so.6"):
        try:
            function = getattr(ctypes.CDLL(library), name)
        except (OSError, AttributeError):
            continue
        found = ctypes.cast(function, ctypes.c_void_p).value
        if found:
            return found
    raise NotUsable(f"no library of this system has {name!r}")


class Linked:
    """An object file in memory, ready to run.

    Parameters
    ----------
    code : ObjectFile
    find : callable
        Gives the address of a function that the code has not itself.

    Raises
    ------
    NotUsable
        If there is a relocation of an unknown kind, one that does not reach, a function that
        may not be called, or no memory to run code in.
    """

    def __init__(self, code: ObjectFile, find: Callable[[str], int] = library_address) -> None:
        self._code = code
        self._find = find
        # what has to be reached through the table: undefined symbols, and whatever asks for it
        wanted = [r.symbol for r in code.relocations if self._through_table(r)]
        self._entries = {symbol: i for i, symbol in enumerate(dict.fromkeys(wanted))}
        self._places: dict[int, int] = {}
        stubs = len(self._entries) * _STUB
        table = len(self._entries) * _ENTRY
        constants = self._lay_out(EXECUTE, EXECUTE, 0, stubs)
        variables = self._lay_out(WRITE | EXECUTE, 0, constants, table)
        end = self._lay_out(WRITE | EXECUTE, WRITE, variables, 0)
        if end > MOST_BYTES:
            raise Damaged(f"the code wants {end:,} bytes, more than {MOST_BYTES:,}")
        self._stubs, self._table = constants - self._room(stubs), variables - self._room(table)
        self._pages = Pages(max(end, 1))
        self.base, self.size = self._pages.address, self._pages.size
        for number, place in self._places.items():
            self._pages.write(place, code.sections[number].data)
        for symbol, i in self._entries.items():
            at, entry = self._stubs + i * _STUB, self._table + i * _ENTRY
            self._pages.write(at, b"\xff\x25" + struct.pack("<i", entry - at - 6) + b"\x66\x90")
            self._pages.write(entry, _number(self._address(symbol)))
        for relocation in code.relocations:
            if relocation.section in self._places:
                self._fill_in(relocation)
        self._pages.allow(0, constants, RUN)
        self._pages.allow(constants, variables - constants, READ)
        self._pages.allow(variables, self._pages.size - variables, CHANGE)

    def address(self, name: str) -> int:
        """Return where the symbol called ``name`` is now."""
        for number, symbol in enumerate(self._code.symbols):
            if symbol.name == name and symbol.section in self._places:
                return self._address(number)
        raise NotUsable(f"the code has no {name!r}")

    def _through_table(self, relocation: Relocation) -> bool:
        symbol = self._code.symbols[relocation.symbol]
        called = relocation.kind in (R_PC32, R_PLT32) and symbol.section == UNDEFINED
        taken = self._code.sections[relocation.section].flags & ALLOCATE
        return bool(taken) and (relocation.kind in _GOT_KINDS or called)

    def _lay_out(self, mask: int, flags: int, start: int, extra: int) -> int:
        """Give places to sections with these flags, and room for more; return where pages end."""
        place = start
        for number, section in enumerate(self._code.sections):
            wanted = section.flags & ALLOCATE and section.flags & mask == flags
            # what tells a debugger how to walk back through calls is not needed to make them
            if wanted and section.name != ".eh_frame":
                place = -(-place // section.align) * section.align
                self._places[number] = place
                place += section.size
        return -(-(place + self._room(extra)) // PAGE) * PAGE

    @staticmethod
    def _room(extra: int) -> int:
        """Bytes kept at the end of a stretch: whole lines, so that entries stay aligned."""
        return -(-extra // 64) * 64

    def _address(self, number: int) -> int:
        symbol = self._code.symbols[number]
        if symbol.section == UNDEFINED:
            return self._find(symbol.name)
        if symbol.section in (COMMON, ABSOLUTE) or symbol.section not in self._places:
            raise NotUsable(f"the symbol {symbol.name!r} is in no section that was loaded")
        return self.base + self._places[symbol.section] + symbol.value

    def _fill_in(self, relocation: Relocation) -> None:
        place = self._places[relocation.section] + relocation.offset
        size = 8 if relocation.kind == R_64 else 4
        if relocation.offset + size > self._code.sections[relocation.section].size:
            raise Damaged("a relocation points outside of its section")
        if relocation.kind == R_NONE:
            return
        if relocation.kind == R_64:
            value = self._address(relocation.symbol) + relocation.addend
            self._pages.write(place, _number(value))
            return
        if relocation.kind in _GOT_KINDS:
            target = self.base + self._table + self._entries[relocation.symbol] * _ENTRY
        elif relocation.kind in (R_PC32, R_PLT32):
            stub = self._entries.get(relocation.symbol)
            if self._code.symbols[relocation.symbol].section == UNDEFINED and stub is not None:
                target = self.base + self._stubs + stub * _STUB
            else:
                target = self._address(relocation.symbol)
        else:
            raise NotUsable(f"relocation of kind {relocation.kind}, which is not known here")
        distance = target + relocation.addend - (self.base + place)
        if not -(2**31) <= distance < 2**31:
            raise NotUsable(f"a distance of {distance:,} bytes does not fit into 32 bits")
        self._pages.write(place, struct.pack("<i", distance))


def _number(value: int) -> bytes:
    return struct.pack("<Q", value % 2**64)
