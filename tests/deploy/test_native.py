"""The engine on kept machine code: the same bits, and no compiler in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.deploy.machine_code import loaders
from tests.deploy.small_models import images_for, make_model
from tests.marks import needs_compiled
from tests.patience import PATIENCE
from tinyternary import deploy
from tinyternary.deploy import Engine, pack
from tinyternary.kernels import dispatch, processor

here = pytest.mark.skipif(bool(processor.unknown()), reason=processor.unknown() or "kept here")
ENCODERS = [
    backend.name
    for backend in dispatch.BACKENDS
    if backend.name in ("avx512", "avxvnni", "avx2") and backend.available
]

ANSWER = """
import json, sys, time
import numpy as np
from tinyternary.deploy import load
engine = load(sys.argv[1], threads=int(sys.argv[2]))
c = engine.header.config
images = np.arange(5 * c.image_size**2 * c.channels, dtype=np.uint64) * 2654435761 >> np.uint64(7)
images = images.astype(np.uint8).reshape(5, c.image_size, c.image_size, c.channels)
logits = [engine(images[:count]) for count in (1, 2, 5)]
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({
    "bits": [y.tobytes().hex() for y in logits], "because": engine.numba_because,
    "plain": engine.plain_because, "modules": sorted(sys.modules), "peak_kb": int(peak.split()[1]),
}))
"""


def answer(path, threads=1, **environment):
    done = subprocess.run(
        [sys.executable, "-c", ANSWER, str(path), str(threads)],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@here
@needs_compiled
def test_a_second_start_loads_no_compiler_and_little_else(packed_path):
    deploy.warmup()
    for threads in (1, 2):
        found = answer(packed_path, threads)
        assert found["because"] == found["plain"] == ""
        heavy = {
            "numba", "llvmlite", "scipy", "pydantic", "PIL", "typer", "rich", "tqdm", "matplotlib",
            "sklearn", "safetensors", "logging", "importlib.metadata",
        }  # fmt: skip
        assert heavy & set(found["modules"]) == set()
        # 38 MB when this was written, of which NumPy is 25; with Numba 170
        assert found["peak_kb"] < 60_000


@here
@needs_compiled
def test_llvms_loader_gives_the_same_bits_and_takes_more_memory(packed_path):
    deploy.warmup()
    own, llvm = (loaders.first_answer(packed_path, loader) for loader in ("own", "llvm"))
    assert own["bits"] == llvm["bits"]
    assert own["because"] == llvm["because"] == ""
    assert (own["llvm"], llvm["llvm"], llvm["numba"]) == (False, True, False)
    assert own["mb"] < llvm["mb"]


@here
@needs_compiled
@pytest.mark.slow
@pytest.mark.parametrize("kernel", ENCODERS)
def test_kept_code_and_numba_give_the_same_bits(packed_path, kernel):
    kept = [answer(packed_path, threads, TINYTERNARY_KERNEL=kernel) for threads in (1, 2)]
    numba = [
        answer(packed_path, threads, TINYTERNARY_KERNEL=kernel, TINYTERNARY_NATIVE="0")
        for threads in (1, 2)
    ]
    assert [row["because"] for row in kept] == ["", ""]
    assert [row["because"] for row in numba] == ["TINYTERNARY_NATIVE is 0"] * 2
    assert all("numba" in row["modules"] for row in numba)
    assert len({tuple(row["bits"]) for row in kept + numba}) == 1


@here
@needs_compiled
@pytest.mark.slow
def test_first_answer_with_nothing_kept_and_where_nothing_can_be(packed_path, tmp_path):
    cold = answer(packed_path, NUMBA_CACHE_DIR=str(tmp_path))
    warm = answer(packed_path, NUMBA_CACHE_DIR=str(tmp_path))
    assert "numba" in cold["modules"]
    assert "numba" not in warm["modules"]
    assert cold["because"] == warm["because"] == ""
    (tmp_path / "tinyternary" / "file").write_text("")
    kept = list((tmp_path / "tinyternary").glob("*.machine"))
    kept[0].write_bytes(b"")
    kept[0].chmod(0o666)
    refused = answer(packed_path, NUMBA_CACHE_DIR=str(tmp_path))
    assert "another user" in refused["because"]
    assert cold["bits"] == warm["bits"] == refused["bits"]


def test_without_compiled_code_no_machine_code_is_used_either(packed_path):
    found = answer(packed_path, TINYTERNARY_JIT="0")
    assert "blas" in found["plain"]
    assert "numba" not in found["modules"]


@here
@needs_compiled
@pytest.mark.slow
@pytest.mark.parametrize("policy", [None, "all-linear"])
@pytest.mark.parametrize(
    "changes",
    [{"kv_heads": 1}, {"pool": "cls", "width": 48, "heads": 3}, {"activation": "relu_squared"}],
    ids=str,
)
def test_networks_of_all_kinds_give_the_same_bits(monkeypatch, changes, policy):
    model = make_model(policy, **changes)
    packed, images = pack(model).read(), images_for(model, 7)
    monkeypatch.delenv("TINYTERNARY_NATIVE", raising=False)
    kept = Engine(packed, 2)
    monkeypatch.setenv("TINYTERNARY_NATIVE", "0")
    numba = Engine(packed, 2)
    assert not kept.numba_because
    assert numba.numba_because
    for count in (1, 3, 7):
        np.testing.assert_array_equal(kept(images[:count]), numba(images[:count]))
    np.testing.assert_array_equal(kept.features(images), numba.features(images))


@needs_compiled
def test_inspect_says_what_would_run(packed_path, monkeypatch):
    deploy.warmup()
    words = deploy.inspect(packed_path)["runs_on"]
    if deploy.numba_because():
        assert deploy.numba_because() in words
    else:
        assert "machine code kept in" in words
        monkeypatch.setenv("TINYTERNARY_NATIVE", "0")
        assert "TINYTERNARY_NATIVE is 0" in deploy.inspect(packed_path)["runs_on"]
    monkeypatch.setenv("TINYTERNARY_JIT", "0")
    assert "one layer after the other" in deploy.inspect(packed_path)["runs_on"]
