"""The tests notice mistakes: each deliberate one fails a test."""

import pytest

from tests.mutation import survivors
from tests.quant import mutants as quant_mutants


@pytest.mark.slow
def test_every_mistake_in_quantisers_and_models_is_noticed():
    pytest.importorskip("torch", reason="some mistakes only the parity tests notice")
    assert len(quant_mutants.MUTANTS) >= 10
    assert survivors(quant_mutants.MUTANTS, quant_mutants.FOLDERS) == []
