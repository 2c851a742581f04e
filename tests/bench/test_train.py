"""The training benchmark: what it returns, that both sides train, and that it puts things back."""

import numpy as np
import pytest

from tinyternary.bench.train import SHAPES, batch_for, bench_train, own_step, peak_memory
from tinyternary.compiled import threads
from tinyternary.errors import ConfigError


def test_rows_say_what_was_timed(monkeypatch):
    found = bench_train(["tiny"], [1], batch=2, seconds=0.01, memory=False)
    monkeypatch.setenv("TINYTERNARY_THREADS", "3")  # the bench's choice is over
    assert threads.get_threads() == 3
    assert [row["layers"] for row in found["rows"]] == ["float", "W2A8"]
    assert found["blas"]
    for row in found["rows"]:
        assert row["ours_ms"]["calls"] >= 3
        assert 0 < row["products"] < 1
        if row["pytorch_ms"] is None:
            assert row["ratio"] is None
        else:
            assert row["ratio"] == pytest.approx(
                row["ours_ms"]["median"] / row["pytorch_ms"]["median"]
            )


@pytest.mark.parametrize("quantized", [False, True])
def test_our_step_trains(quantized):
    step = own_step(SHAPES["tiny"], quantized, *batch_for(SHAPES["tiny"], 8))
    losses = [step() for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parity
@pytest.mark.parametrize("quantized", [False, True])
def test_the_peer_trains_too(quantized):
    pytest.importorskip("torch")
    from tinyternary.bench.train_peer import torch_step

    step = torch_step(SHAPES["tiny"], quantized, *batch_for(SHAPES["tiny"], 8))
    losses = [step() for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.slow
@pytest.mark.parity
def test_the_compiled_peer_computes_what_the_eager_one_does():
    pytest.importorskip("torch")
    from tinyternary.bench.train_peer import torch_step, why_no_compile

    if why_no_compile():
        pytest.skip(why_no_compile())
    batch = batch_for(SHAPES["tiny"], 2)
    eager, compiled = (torch_step(SHAPES["tiny"], False, *batch, how) for how in (False, True))
    assert [compiled() for _ in range(3)] == pytest.approx([eager() for _ in range(3)], rel=1e-4)


def test_a_peer_that_cannot_be_is_skipped_with_its_reason(monkeypatch):
    from tinyternary.bench import train_peer

    monkeypatch.setattr(train_peer.shutil, "which", lambda name: None)
    found = bench_train(
        ["tiny"], [1], batch=1, seconds=0.01, quantized=[False], memory=False, compiled=True
    )
    why = found["skipped"]["torch.compile"]
    assert why in ("torch.compile needs a C++ compiler", "not installed: torch")
    assert found["rows"][0]["compiled_ms"] is None


@pytest.mark.slow
def test_peak_memory_is_measured_in_another_process():
    peak = peak_memory("tinyternary", "tiny", False, 64)
    if peak is None:
        pytest.skip("the system does not tell")
    config = SHAPES["tiny"]
    hidden = 64 * config.tokens * config.mlp_width * 4 / 2**20  # MiB of one hidden layer
    assert 2 * config.depth * hidden < peak < 50 * config.depth * hidden


def test_wrong_names_and_numbers_are_refused():
    with pytest.raises(ConfigError, match="unknown training shape 'huge'"):
        bench_train(["huge"])
    with pytest.raises(ConfigError, match="batch 0"):
        bench_train(["tiny"], batch=0)
    assert np.isfinite(batch_for(SHAPES["tiny"], 2)[0]).all()
