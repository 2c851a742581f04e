"""`import tinyternary` costs next to nothing and drags nothing in."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tinyternary as tt


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_after("import tinyternary")
    assert not loaded & {"numba", "matplotlib", "scipy", "sklearn", "numpy", "typer"}


def test_every_promised_name_resolves() -> None:
    for name in tt.__all__:
        assert getattr(tt, name) is not None
    assert set(tt.__all__) <= set(dir(tt))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = tt.nonsense


def test_the_engine_runs_without_the_training_side() -> None:
    loaded = loaded_after("import tinyternary.deploy.engine")
    forbidden = {
        f"tinyternary.{part}"
        for part in ("autograd", "nn", "models", "quant", "train", "report", "data", "cost")
    }
    # Numba looks for SciPy by itself; that our own modules do not is import-linter's to say
    assert loaded & (forbidden | {"matplotlib", "sklearn", "torch"}) == set()
