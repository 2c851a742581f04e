"""Deliberate mistakes, one at a time, in a copy of the package: do the tests notice?

`tests/autograd/mutants.py` and `tests/quant/mutants.py` list mistakes; this runs them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Mutant:
    """One line changed, and the tests that ought to notice."""

    what: str
    file: str  # below tinyternary/
    old: str
    new: str
    tests: tuple[str, ...]


def run_tests(root: Path, tests: Sequence[str]) -> bool:
    """Whether the tests pass with the package found under `root`."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "TINYTERNARY_JIT": "0",  # formulas, not compilers: and nothing to compile anew
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("CI", None)  # Hypothesis draws other examples there
    # one seed: whether a mistake is noticed must not depend on what Hypothesis happens to draw
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
               "--hypothesis-seed=0", *tests]  # fmt: skip
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=300
    )
    if done.returncode not in (0, 1):  # nothing collected, or a crash: not a caught mistake
        raise RuntimeError(f"tests did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.returncode == 0


def survivors(mutants: Sequence[Mutant], folders: Sequence[str], show: bool = False) -> list[str]:
    """Apply each mistake alone; names of those that no test noticed.

    `folders` are those below ``tests/`` that the mutants' tests need.
    """
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "tinyternary", copy / "tinyternary", ignore=ignore)
        for part in folders:
            shutil.copytree(ROOT / "tests" / part, copy / "tests" / part, ignore=ignore)
        for shared in (ROOT / "tests").glob("*.py"):
            if not shared.name.startswith("test_"):
                shutil.copy(shared, copy / "tests")
        shutil.copy(ROOT / "pyproject.toml", copy)
        if not run_tests(copy, sorted({test for mutant in mutants for test in mutant.tests})):
            raise RuntimeError("the tests fail without any mistake")
        for mutant in mutants:
            path = copy / "tinyternary" / mutant.file
            right = path.read_text("utf-8")
            if right.count(mutant.old) != 1:
                raise RuntimeError(f"{mutant.what}: text found {right.count(mutant.old)} times")
            path.write_text(right.replace(mutant.old, mutant.new), "utf-8")
            noticed = not run_tests(copy, mutant.tests)
            path.write_text(right, "utf-8")
            if show:
                print(f"{'caught' if noticed else 'MISSED':8} {mutant.what}", flush=True)
            if not noticed:
                missed.append(mutant.what)
    return missed


def report(mutants: Sequence[Mutant], folders: Sequence[str]) -> int:
    """Print a table; status 1 if any mistake goes unnoticed."""
    left = survivors(mutants, folders, show=True)
    print(f"{len(mutants) - len(left)} of {len(mutants)} mistakes caught")
    return 1 if left else 0
