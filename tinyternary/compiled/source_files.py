"""What machine code is made from: files, and a fingerprint of them (lesson 08).

The functions that a compiled function calls and the constants that it reads, from whatever file,
become part of its machine code; Numba's own cache looks at the one file in which a function is
defined. So the keys of all that this package keeps hold a fingerprint of every file that takes
part: the function's own, the files of this package that it imports, those that they import, and
so on. Nothing here loads a compiler.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tinyternary.kept_files import NotUsable

_PACKAGE = Path(__file__).parents[1]
_IMPORT = re.compile(
    r"^[ \t]*from[ \t]+tinyternary(\.[\w.]+)?[ \t]+import[ \t]+(?:\(([^)]*)\)|([^(\n]*))", re.M
)


def reached(start: Path) -> list[Path]:
    """Return a file and all files of this package that it imports, directly or not, in order."""
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(_imported(path))
    return sorted(seen)


@cache
def fingerprint(start: Path) -> str:
    """Return a fingerprint of the sources that `reached` gives, and of what compiles them.

    Read once in a process, since what is imported does not change with its file.

    Raises
    ------
    NotUsable
        If a source cannot be read, or no compiler is installed.
    """
    digest = hashlib.sha256((sys.implementation.cache_tag or sys.version).encode())
    for package in ("numba", "llvmlite"):
        spec = importlib.util.find_spec(package)  # finds it without loading it
        if spec is None or spec.origin is None:
            raise NotUsable(f"{package} is not installed")
        digest.update(_content(Path(spec.origin).with_name("_version.py")))
    for path in reached(start):
        content = _content(path)
        digest.update(f"\n{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


@cache
def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotUsable(f"{path}: a source cannot be read: {error.strerror}") from None


@cache
def _imported(path: Path) -> list[Path]:
    """Return the files of this package that a file imports, inside functions or outside."""
    return list(_targets(_content(path).decode("utf-8", "replace")))


def _targets(text: str) -> Iterator[Path]:
    for module, several, line in _IMPORT.findall(text):
        place = _PACKAGE.joinpath(*module.split("."))
        names = re.findall(r"(\w+)(?:[ \t]+as[ \t]+\w+)?[ \t]*(?:,|#|$)", several or line, re.M)
        for candidate in (place, place / "__init__", *(place / name for name in names)):
            file = candidate.with_suffix(".py")
            if file.is_file():
                yield file
