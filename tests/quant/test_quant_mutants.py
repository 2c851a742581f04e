"""The tests notice mistakes: each deliberate one fails a test."""

import pytest
import quant_mutants
from mutation import survivors


@pytest.mark.slow
def test_every_mistake_in_quantisers_and_models_is_noticed():
    pytest.importorskip("torch", reason="some mistakes only the parity tests notice")
    assert len(quant_mutants.MUTANTS) >= 10
    assert survivors(quant_mutants.MUTANTS, quant_mutants.FOLDERS) == []
