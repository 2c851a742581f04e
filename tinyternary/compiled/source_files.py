"""What cached machine code was made from: files, and their checksum (lesson 08).

Numba's cache watches the one file in which a function is defined, but the functions that it calls
and the constants that it reads, from whatever file, become part of its machine code. So keys of
the cache get a checksum of them. Nothing here loads a compiler.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def checksum(files: Iterable[Path]) -> int:
    """CRC of the files' content, 24 bits, so that editing one cannot revive old machine code."""
    total = 0
    for path in sorted(files):
        total = zlib.crc32(path.read_bytes(), total)
    return total & 0xFFFFFF


def loop_sources() -> list[Path]:
    """Return every file that the loops of this package are made with."""
    return [*Path(__file__).parent.glob("*.py"), _PACKAGE / "config" / "grid.py"]


@cache
def fingerprint() -> int:
    """Checksum of `loop_sources`, read once in a process."""
    return checksum(loop_sources())
