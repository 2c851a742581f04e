"""Kept machine code is made anew when any source changes that its instructions depend on."""

import ast
from pathlib import Path

import pytest

import tinyternary
from tinyternary.deploy.encoder import kept
from tinyternary.kernels.simd import sources as simd

ROOT = Path(tinyternary.__file__).parent
# they hold no number that becomes part of machine code
WITHOUT_CODE = {
    "errors.py",
    "kernels/_pages.py",
    "kernels/packed_ternary.py",
    "kernels/packing.py",
    "kernels/reference.py",
}


def imported(path):
    """Files of the package whose names a file imports at its top."""
    for statement in ast.parse(path.read_text("utf-8")).body:
        if not isinstance(statement, ast.ImportFrom) or not statement.module:
            continue
        if not statement.module.startswith("tinyternary."):
            continue
        place = ROOT.joinpath(*statement.module.split(".")[1:])
        for candidate in (place, *(place / alias.name for alias in statement.names)):
            file = candidate.with_suffix(".py")
            if file.is_file():
                yield file


@pytest.mark.parametrize(
    ("start", "sources"),
    [
        ("deploy/encoder/encoder.py", kept.sources),
        ("kernels/simd/driver.py", simd.sources),
        ("kernels/simd/tables_driver.py", simd.sources),
    ],
)
def test_everything_that_machine_code_is_made_with_is_a_source(start, sources):
    known = set(sources())
    seen, waiting = set(), [ROOT / start]
    while waiting:
        path = waiting.pop()
        if path in seen or str(path.relative_to(ROOT)) in WITHOUT_CODE:
            continue
        seen.add(path)
        assert path in known, f"{path.relative_to(ROOT)} is not in sources() of {start}"
        waiting.extend(imported(path))
    assert ROOT / "compiled" / "erf.py" in seen
