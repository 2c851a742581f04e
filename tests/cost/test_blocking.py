"""Blocking: what fits, and what moves least."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from tinyternary.cost import Gemm, choose_blocking, traffic
from tinyternary.cost.blocking import footprint
from tinyternary.errors import ConfigError

gemms = st.builds(
    Gemm, st.integers(1, 300), st.integers(1, 300), st.integers(1, 300),
    st.sampled_from([8, 32]), st.sampled_from([1.6, 2, 8, 32]),
)  # fmt: skip


@given(gemms, st.sampled_from([1024, 32768, 2**20]))
def test_the_chosen_tile_fits_and_moves_no_less_than_the_operands(
    gemm: Gemm, capacity: int
) -> None:
    blocking = choose_blocking(gemm, capacity)
    assert footprint(gemm, blocking) <= capacity
    # every operand has to cross once, whatever the tile
    assert traffic(gemm, blocking).total >= gemm.operand_bytes * (1 - 1e-12)


@given(gemms)
def test_a_larger_memory_never_moves_more(gemm: Gemm) -> None:
    small, large = (traffic(gemm, choose_blocking(gemm, size)).total for size in (2048, 2**18))
    assert large <= small


def test_a_memory_that_holds_all_reads_each_operand_once() -> None:
    gemm = Gemm(64, 512, 2048, 8, 2, 32)
    assert traffic(gemm, choose_blocking(gemm, 2**22)).total == gemm.operand_bytes


def test_too_small_a_memory() -> None:
    with pytest.raises(ConfigError, match="holds no tile"):
        choose_blocking(Gemm(8, 64, 8), 16)
