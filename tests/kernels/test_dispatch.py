"""Which kernel runs where; what processors that this one is not would be given."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tinyternary import kernels
from tinyternary.errors import ConfigError
from tinyternary.kernels import dispatch
from tinyternary.kernels.simd import assembly, targets

FIRST_RESULT = """
import numpy as np, tinyternary as tt
rng = np.random.default_rng(0)
w = rng.integers(-1, 2, (70, 130)).astype(np.int8)
x = rng.integers(-128, 128, (9, 130)).astype(np.int8)
layer = tt.kernels.TernaryLinear(tt.kernels.pack(w), 0.5, activation="gelu")
y = layer(rng.normal(size=(9, 130)).astype(np.float32))
assert np.array_equal(tt.kernels.matmul(x, tt.kernels.pack(w)), x.astype(np.int64) @ w.T)
print(layer.backend.name, y.tobytes().hex()[:4000])
"""


def run(**environment: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_RESULT], capture_output=True, text=True, timeout=PATIENCE,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    name, bits = done.stdout.split()
    return name, bits


def test_backends_lists_every_rung_and_says_why_one_cannot_run():
    listed = kernels.backends()
    assert len({backend.name for backend in listed}) == len(listed)
    for backend in listed:
        assert backend.available == (not backend.missing)
        assert backend.summary


def test_unknown_and_unavailable_backends_are_said_in_one_line(monkeypatch):
    monkeypatch.setenv("TINYTERNARY_JIT", "1")
    with pytest.raises(ConfigError, match="Did you mean 'avx512'"):
        dispatch.choose("avx521")
    monkeypatch.setenv("TINYTERNARY_KERNEL", "nonsense")
    with pytest.raises(ConfigError, match="nonsense"):
        dispatch.choose()
    monkeypatch.setenv("TINYTERNARY_KERNEL", "tile")
    assert dispatch.choose().name == "tile"
    monkeypatch.setattr(dispatch, "_features", lambda: frozenset())
    with pytest.raises(ConfigError, match="lacks avx2"):
        dispatch.choose("avx2")


@pytest.mark.parametrize(
    ("features", "wanted"),
    [
        ((), "vector"),
        (("sse2", "ssse3"), "vector"),
        (("avx2",), "avx2"),
        (("avx2", "avx512bw", "avx512vl"), "avx2"),
        (("avx2", "avxvnni"), "avxvnni"),
        (("avx2", "avxvnni", "avx512vnni", "avx512bw", "avx512vl"), "avx512"),
        (("neon",), "vector"),
        (("neon", "dotprod"), "neon"),
    ],
)
def test_the_fastest_kernel_that_the_processor_has_is_taken(monkeypatch, features, wanted):
    monkeypatch.setenv("TINYTERNARY_JIT", "1")
    monkeypatch.delenv("TINYTERNARY_KERNEL", raising=False)
    monkeypatch.setattr(dispatch, "_features", lambda: frozenset(features))
    dispatch._fastest.cache_clear()
    try:
        assert dispatch.choose().name == wanted
    finally:
        dispatch._fastest.cache_clear()


def test_without_compiled_code_numpy_answers_with_the_same_bits():
    name, bits = run(TINYTERNARY_JIT="0")
    assert name == "blas"
    assert bits == run(TINYTERNARY_JIT="1")[1]


@pytest.mark.slow
@pytest.mark.skipif(not dispatch.Backend("", "", ("avx2",)).available, reason="no AVX2 here")
@pytest.mark.parametrize(
    ("cpu", "wanted"), [("x86-64", "vector"), ("nehalem", "vector"), ("haswell", "avx2")]
)
def test_an_older_processor_gets_the_same_bits(monkeypatch, cpu, wanted):
    monkeypatch.setenv("TINYTERNARY_JIT", "1")
    name, bits = run(NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES=FEATURES[cpu])
    assert name == wanted
    assert bits == run()[1]


FEATURES = {
    "x86-64": "+sse2",
    "nehalem": "+sse2,+ssse3,+sse4.1,+sse4.2,+popcnt",
    "haswell": "+sse2,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2",
}

MUST = {
    "avx512": (r"vpdpbusd\s.*%zmm", r"vdivps\s.*%zmm"),
    "five": (r"vperm[it]2b\s.*%zmm", r"vpsubb\s.*%zmm.*\{%k\d\}", r"vpdpbusd\s.*%zmm", r"^unpack:"),
    "avxvnni": (r"\{vex\}\s+vpdpbusd\s.*%ymm", r"vdivps\s.*%ymm"),
    "avx2": (r"vpmaddubsw\s.*%ymm", r"vpmaddwd\s.*%ymm"),
    "neon": (r"\bsdot\s+v\d+\.4s", r"fdiv\s+v\d+\.4s"),
    "vector": (r"pmullw\s.*%xmm", r"divps\s.*%xmm"),
    "vector-arm": (r"\bsmlal\s+v\d+\.8h", r"fdiv\s+v\d+\.4s"),
    "vector-riscv": (r"\bmulw?\s",),
}
NEVER = {
    "avx512": r"$^",
    "five": r"$^",
    "avxvnni": r"%zmm",
    "avx2": r"%zmm|vpdpbusd",
    "neon": r"$^",
    "vector": r"%ymm|%zmm|pmaddubsw|pshufb|\bv[a-z]+\s.*%xmm",
    "vector-arm": r"\b[su]dot\b",
    "vector-riscv": r"\bvset",
}


@pytest.mark.parametrize("path", assembly.PROCESSORS)
def test_machine_code_of_every_path_has_the_instructions_it_is_made_for(path):
    text = assembly.assembly(path)
    for pattern in MUST[path]:
        assert re.search(pattern, text, re.M), f"no {pattern} in the code for {path}"
    found = re.search(NEVER[path], text)
    assert not found, f"{found and found.group()} in the code for {path}"
    for function in ("tile", "row", "quantize"):
        assert re.search(rf"^{function}:", text, re.M)


@pytest.mark.parametrize("path", ["avx512", "avxvnni", "avx2"])
def test_accumulators_stay_in_registers(path):
    text = assembly.assembly(path)
    body = text[text.index("\ntile:") : text.index("\nrow:")]
    dots = r"vpdpbusd|vpmaddubsw"
    loop = max(
        re.split(r"^\.L\w+:", body, flags=re.M), key=lambda part: len(re.findall(dots, part))
    )
    target = next(t for t in targets.TARGETS if t.name == path)
    assert len(re.findall(dots, loop)) == 4 * target.rows * target.columns
    assert "(%rsp)" not in loop or path == "avx2"  # 16 registers: AVX2 keeps a few in memory


def test_features_follow_the_processor_that_numba_compiles_for(monkeypatch):
    from numba.core import config

    monkeypatch.setattr(config, "CPU_FEATURES", "+avx2,-avx512vnni")
    assert targets.cpu_features() == {"avx2"}
    monkeypatch.setattr(config, "CPU_FEATURES", None)
    monkeypatch.setattr(config, "CPU_NAME", "x86-64")
    assert "avx2" not in targets.cpu_features()


def test_the_ladder_has_one_order_on_the_page_in_the_list_and_in_its_numbers():
    from tinyternary.kernels import ladder

    names = [backend.name for backend in kernels.backends()]
    folder = Path(ladder.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} == {*names, "__init__"}
    assert re.findall(r"^(\d+)\. `(\w+)`:", ladder.__doc__, re.M) == [
        (str(number), name) for number, name in enumerate(names, 1)
    ]
    for number, name in enumerate(names, 1):
        text = ast.get_docstring(ast.parse((folder / f"{name}.py").read_text("utf-8")))
        assert text.startswith(f"Rung {number} of {len(names)}: ")
        for other, said in re.findall(r"[Rr]ung\s+(\d+),\s+`(\w+)`", text):
            assert names[int(other) - 1] == said
        assert "What it adds:" in text
