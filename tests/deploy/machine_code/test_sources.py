"""Kept machine code is made anew when any source changes that its instructions depend on."""

import ast
from pathlib import Path

import pytest

import tinyternary
from tinyternary.compiled import source_files, twins
from tinyternary.deploy.encoder import kept
from tinyternary.kernels.simd import sources as simd

ROOT = Path(tinyternary.__file__).parent
# they hold no number that becomes part of machine code
WITHOUT_CODE = {
    "compiled/source_files.py",
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


def reached(start):
    """Files whose numbers become part of the machine code of one: what it imports, and they."""
    seen, waiting = set(), [ROOT / start]
    while waiting:
        path = waiting.pop()
        if path in seen or str(path.relative_to(ROOT)) in WITHOUT_CODE:
            continue
        seen.add(path)
        waiting.extend(imported(path))
    return seen


@pytest.mark.parametrize(
    ("start", "sources"),
    [
        ("deploy/encoder/encoder.py", kept.sources),
        ("kernels/simd/driver.py", simd.sources),
        ("kernels/simd/tables_driver.py", simd.sources),
    ],
)
def test_everything_that_machine_code_is_made_with_is_a_source(start, sources):
    found = reached(start)
    assert found - set(sources()) == set()
    assert ROOT / "compiled" / "erf.py" in found


def test_everything_that_loops_are_made_with_is_a_source():
    known = set(source_files.loop_sources())
    for name in sorted(set(twins.FILES.values())):
        assert reached(f"compiled/{name}.py") - known == set()
    assert ROOT / "config" / "grid.py" in known & reached("compiled/fake_quantize.py")
