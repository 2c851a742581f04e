"""The kernels' benchmark runs, says what it should, and its figures can be drawn."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

from tests.patience import PATIENCE
from tinyternary.bench import kernel_peers, kernels
from tinyternary.compiled.switch import jit_enabled
from tinyternary.errors import ConfigError

pytestmark = pytest.mark.skipif(not jit_enabled(), reason="measures compiled code")


@pytest.mark.slow
def test_a_small_run_has_times_ratios_and_shares(monkeypatch, tmp_path):
    monkeypatch.setattr(kernels, "LADDER_SHAPE", (4, 64, 64))
    said: list[tuple[int, int, str, bool]] = []
    result = kernels.bench_kernels(
        [(64, 96)],
        [1, 8],
        seconds=0.01,
        peers=[kernel_peers.NUMPY],
        watch=lambda done, total, label, found: said.append(
            (done, total, label, found["complete"])
        ),
    )
    assert json.loads(json.dumps(result)) == result
    assert [shape["m"] for shape in result["shapes"]] == [1, 8]
    for shape in result["shapes"]:
        assert set(shape["ratios"]) == {kernel_peers.NUMPY}
        assert 0 < shape["share"] < 1
        assert shape["operations"] == 2 * shape["m"] * 64 * 96
        for times in shape["times"].values():
            assert times["low"] <= times["median"] <= times["high"]
        ours, peer = shape["times"][kernels.OURS], shape["times"][kernel_peers.NUMPY]
        assert shape["ratios"][kernel_peers.NUMPY] == pytest.approx(peer["median"] / ours["median"])
    assert result["ladder"][0]["rung"] == "naive"
    assert result["ladder"][0]["times_first"] == pytest.approx(1)
    assert [row[:2] for row in said] == [(done, 4) for done in range(5)]
    assert "M = 8" in said[2][2]
    assert [row[3] for row in said] == [False] * 4 + [True]

    from tinyternary.report import ladder, style

    for draw in (ladder.ladder_bars, ladder.kernel_roofline):
        path = style.save(draw(result), tmp_path / f"{draw.__name__}.png")
        assert path.stat().st_size > 5000


PEAK = """
import re
from tinyternary.bench import peaks
run, macs = peaks._dot_loop()
run(10)
code = list(run.inspect_asm().values())[0]
loop = max(re.split(r"^[.]L[^:]*:", code, flags=re.M), key=len)
print(len(re.findall(r"vpdpbusd|vpmaddubsw|pmullw|sdot|mla", loop)), peaks._CHAINS * peaks._UNROLL)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="code for x86")
@pytest.mark.parametrize(
    ("cpu", "features"),
    [(None, None), ("haswell", "+sse2,+ssse3,+sse4.1,+avx,+avx2,+fma"), ("x86-64", "+sse2")],
)
def test_the_peak_multiplies_as_often_as_it_says(cpu, features):
    """Products of the same operands, computed once for all, would make any kernel look slow."""
    environment = dict(os.environ)
    if cpu is not None:
        environment |= {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features}
    done = subprocess.run(
        [sys.executable, "-c", PEAK],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    found, wanted = (int(number) for number in done.stdout.split())
    assert found == wanted


def test_unknown_peers_are_said_in_one_line():
    with pytest.raises(ConfigError, match="Did you mean"):
        kernels.bench_kernels(peers=["numpy float32"])


@pytest.mark.parity
@pytest.mark.slow
@pytest.mark.parametrize("name", kernel_peers.PEERS)
def test_every_peer_computes_the_product(name, rng):
    import numpy as np

    if name not in kernel_peers.installed():
        pytest.skip(f"{name} is not installed")
    w = rng.normal(size=(24, 32)).astype(np.float32)
    x = rng.normal(size=(5, 32)).astype(np.float32)
    got = kernel_peers.PEERS[name][1](w, x, 1)()
    got = np.asarray(got[0] if isinstance(got, list) else got)
    error = np.abs(got - x @ w.T).max() / np.abs(x @ w.T).max()
    assert error < (0.05 if "int8" in name else 1e-5)
