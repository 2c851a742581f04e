"""Choosing kernels without LLVM comes to what LLVM says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tinyternary.kernels import _cpuid, _pages, dispatch, processor
from tinyternary.kernels._pages import NotUsable
from tinyternary.kernels.simd.targets import cpu_features

here = pytest.mark.skipif(bool(processor.unknown()), reason=processor.unknown() or "known")


@here
def test_the_processor_and_llvm_agree_on_everything_that_a_kernel_asks_for():
    found = cpu_features()
    assert processor.features() == {name for name in _cpuid.FEATURES if name in found}


def test_wide_registers_that_the_system_does_not_save_are_not_used():
    everything = [[2**32 - 1] * 4] * 2
    assert _cpuid.decode(everything, 0xE7) == set(_cpuid.FEATURES)
    assert _cpuid.decode(everything, 0x07) == {"avx2", "avxvnni"}  # no 512 bits
    assert _cpuid.decode(everything, 0x03) == set()
    assert _cpuid.decode([[0] * 4] * 2, 0xE7) == set()


def test_a_bit_is_one_feature():
    found = {}
    for place in range(8 * 32):
        words = [[0] * 4, [0] * 4]
        words[place // 128][place // 32 % 4] = 1 << place % 32
        for name in _cpuid.decode(words, 0xE7):
            found[name] = place
    # part, register, bit as in the manual's tables of leaf 7
    assert found == {
        "avx2": 32 + 5, "avx512bw": 32 + 30, "avx512vl": 32 + 31, "avx512vbmi": 64 + 1,
        "avx512vnni": 64 + 11, "avxvnni": 128 + 4,
    }  # fmt: skip


def test_features_cover_what_x86_kernels_need():
    asked = {n for b in dispatch.BACKENDS for n in b.needs if b.name != "neon"}
    assert asked <= set(_cpuid.FEATURES)


@here
def test_where_no_code_may_be_run_numba_is_asked(monkeypatch):
    def refuse(self, offset, size, rights):
        raise NotUsable("the system does not let memory be run")

    monkeypatch.setattr(_pages.Pages, "allow", refuse)
    _cpuid.features.cache_clear()
    try:
        assert processor.features() is None
    finally:
        _cpuid.features.cache_clear()


@pytest.mark.parametrize("name", ["NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_BOUNDSCHECK"])
def test_who_tells_numba_what_to_do_is_asked_through_numba(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert name in processor.unknown()
    assert processor.features() is None


def test_a_numba_configuration_file_counts_too(monkeypatch, tmp_path):
    (tmp_path / ".numba_config.yaml").write_text("opt: 0")
    monkeypatch.chdir(tmp_path)
    assert processor.features() is None


def test_a_processor_that_is_not_described_is_not_guessed_about(monkeypatch):
    monkeypatch.setattr(processor, "described", dict)
    assert processor.features() is None


@here
def test_a_target_is_chosen_without_a_compiler():
    code = (
        "import sys; from tinyternary.kernels import dispatch; print(dispatch.choose().name); "
        "assert not {'numba', 'llvmlite'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == dispatch.choose().name
