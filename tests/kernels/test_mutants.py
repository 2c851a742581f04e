"""Faults put into the kernels on purpose are all noticed."""

from __future__ import annotations

import pytest

from tests.kernels.mutants import MUTANTS, survives


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.what)
def test_the_fault_is_noticed(mutant, tmp_path):
    verdict = survives(mutant, tmp_path)
    if verdict == "not here":
        pytest.skip(f"no processor here for {', '.join(mutant.backends)}")
    assert verdict == "caught"
