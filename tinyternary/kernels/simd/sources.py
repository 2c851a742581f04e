"""The files that generated machine code depends on (lesson 08).

Their checksum is part of the keys under which it is kept, see `tinyternary.compiled.source_files`.
Nothing here loads a compiler.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[2]
_BELOW = ("config/grid.py", "compiled/erf.py", "compiled/threads.py", "compiled/switch.py")
"""Files outside this folder whose numbers become part of the code."""


def sources() -> list[Path]:
    """Return every file that the machine code of a vector rung depends on."""
    return [*Path(__file__).parent.glob("*.py"), *(_PACKAGE / name for name in _BELOW)]
