"""What generated machine code depends on: files, and their checksum (lesson 08).

Numba's cache watches the one file in which a function is defined; the instructions in it come from
all of these. Nothing here loads a compiler.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path

_PACKAGE = Path(__file__).parents[2]
_BELOW = ("config/grid.py", "compiled/erf.py", "compiled/threads.py", "compiled/switch.py")
"""Files outside this folder whose numbers become part of the code."""


def sources() -> list[Path]:
    """Return every file that the machine code of a vector rung depends on."""
    return [*Path(__file__).parent.glob("*.py"), *(_PACKAGE / name for name in _BELOW)]


def checksum(files: Iterable[Path]) -> int:
    """CRC of the files' content, 24 bits, so that editing one cannot revive old machine code."""
    total = 0
    for path in sorted(files):
        total = zlib.crc32(path.read_bytes(), total)
    return total & 0xFFFFFF
