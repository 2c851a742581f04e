"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from tinyternary.compiled import threads

# Numba compiles inside the first example: a deadline would measure the compiler
settings.register_profile(
    "tinyternary", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tinyternary")


def pytest_configure(config: pytest.Config) -> None:
    """Give BLAS one thread in each of several processes that test, and in what they start.

    Its threads wait for each other by keeping their core busy: where another process has the core,
    400 products of 49 x 64 numbers took 6 s and not 10 ms.
    """
    if getattr(config.option, "numprocesses", None):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before the workers load NumPy


@pytest.fixture(autouse=True)
def _number_of_threads() -> Iterator[None]:
    """Lessons' cells say a number for the whole process, and are run in this one."""
    before = threads._chosen
    yield
    if threads._chosen != before:
        threads.set_threads(before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def medmnist_root() -> Path:
    """Folder of real MedMNIST files: `TINYTERNARY_DATA`, or `shared/data` beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("TINYTERNARY_DATA", beside))
    if not (root / "breastmnist.npz").is_file():
        pytest.skip(f"no MedMNIST files in {root} (set TINYTERNARY_DATA to their folder)")
    return root
