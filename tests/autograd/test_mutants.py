"""The tests notice mistakes: each deliberate one fails a test."""

import pytest

from tests.autograd import mutants
from tests.mutation import survivors


@pytest.mark.slow
def test_every_mistake_in_a_backward_formula_is_noticed():
    pytest.importorskip("torch", reason="some mistakes only the parity tests notice")
    assert len(mutants.MUTANTS) >= 10
    assert survivors(mutants.MUTANTS, mutants.FOLDERS) == []
