"""Choosing kernels without LLVM comes to what LLVM says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tinyternary.kernels import dispatch
from tinyternary.kernels.native import processor
from tinyternary.kernels.simd.targets import cpu_features

here = pytest.mark.skipif(bool(processor.unknown()), reason=processor.unknown() or "known")


@here
def test_the_system_and_llvm_agree_on_everything_that_a_kernel_asks_for():
    found = cpu_features()
    assert processor.features() == {name for name in processor.NAMES.values() if name in found}


def test_names_cover_what_x86_kernels_need():
    asked = {n for b in dispatch.BACKENDS for n in b.needs if b.name != "neon"}
    assert asked <= set(processor.NAMES.values())


@pytest.mark.parametrize("name", ["NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_BOUNDSCHECK"])
def test_who_tells_numba_what_to_do_is_asked_through_numba(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert name in processor.unknown()
    assert processor.features() is None


def test_a_numba_configuration_file_counts_too(monkeypatch, tmp_path):
    (tmp_path / ".numba_config.yaml").write_text("opt: 0")
    monkeypatch.chdir(tmp_path)
    assert processor.features() is None


def test_a_system_without_a_list_of_features_is_not_guessed_about(monkeypatch):
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
