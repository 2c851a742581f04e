"""The benchmarks as commands: both ways of printing, and nothing that was measured is lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE
from tinyternary.cli import bench, console, following
from tinyternary.compiled.switch import jit_enabled

QUICK = {
    "kernels": ["--rows", "1", "--seconds", "0.01"],
    "train": ["--shapes", "tiny", "--threads", "1", "--batch", "2", "--seconds", "0.01"],
    "infer": ["--presets", "tiny", "--batches", "1", "--threads", "1", "--seconds", "0.01"],
    "scale": ["--axes", "depth", "--seconds", "0.01"],
}
ROWS = {"kernels": "shapes", "train": "rows", "infer": "points", "scale": "rows"}

pytestmark = pytest.mark.skipif(not jit_enabled(), reason="measures compiled code")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tinyternary", "bench", *arguments],
        capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_each_bench_prints_tables_and_json_and_keeps_its_numbers(name: str, tmp_path: Path) -> None:
    done = run(name, *QUICK[name], "--out", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["complete"]
    assert printed == json.loads((tmp_path / f"bench-{name}.json").read_text())
    done = run(name, *QUICK[name])
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "…" not in done.stdout


def results() -> dict[str, dict[str, Any]]:
    """Results as long as they get, with what every table needs."""
    machine = {"cpu": "A processor with a name of its own", "cores": 2}
    times = {"median": 12345.6, "low": 12000.1, "high": 13000.9, "p95": 1.0, "gops": 1234.5}
    peers = [
        "NumPy float32", "PyTorch float32", "PyTorch dynamic int8", "onnxruntime float32",
        "onnxruntime dynamic int8",
    ]  # fmt: skip
    shape = {
        "m": 1024, "k": 2048, "n": 3072, "share": 0.987, "times": {"tinyternary int8": times},
        "ratios": dict.fromkeys(peers, 123.45),
    }  # fmt: skip
    point = {"preset": "deit-tiny", "batch": 64, "threads": 2, "contender": "onnxruntime float32"}
    step = {
        "shape": "deit-tiny", "layers": "float", "threads": 2, "ours_ms": times,
        "pytorch_ms": times, "ratio": 0.654, "products": 0.789, "peak_mib": 1234.0,
        "peer_peak_mib": 2345.0, "compiled_ms": times, "compiled_ratio": 0.876,
        "first_s": {"ours": 1.2, "pytorch": 0.3, "torch.compile": 123.4},
    }  # fmt: skip
    return {
        "kernels": {
            "machine": machine, "shapes": [shape],
            "ladder": [{"rung": "avx512, 2 threads", "gops": 1234.56, "times_first": 9876.5}],
        },
        "train": {
            "machine": machine, "skipped": {"pytorch": "not installed: torch"},
            "rows": [step, {**step, "pytorch_ms": None, "ratio": None, "compiled_ms": None,
                            "compiled_ratio": None, "first_s": {"ours": 1.2}}],
        },
        "infer": {
            "machine": machine, "skipped": {"litert int8": "not installed: ai_edge_litert"},
            "points": [{**point, "p50_ms": 1234.56, "p95_ms": 2345.67, "images_per_s": 12345.6}],
            "ratios": [{**point, "best_peer": "onnxruntime float32", "times_best_peer": 1.234,
                        "times_int8_attention": 1.357, "times_pytorch": 12.345}],
            "processes": [{**point, "peak_mb": 1234.0, "start_s": 12.34}],
        },
        "scale": {
            "machine": machine,
            "rows": [{"work": "training step", "axis": "threads", "size": 1024, "ms": times,
                      "macs": 123456.7e6}],
            "fits": [{"work": "training step", "axis": "threads", "slope": -0.95, "low": -1.02,
                      "high": -0.88, "counted": -1.0, "limit": -1.0},
                     {"work": "answer", "axis": "width", "slope": 1.95, "low": None,
                      "high": None, "counted": 1.9, "limit": 2.0}],
        },
    }  # fmt: skip


SHOWS = {
    "kernels": bench._show_kernels,
    "train": lambda result: bench._show_train(64, result),
    "infer": bench._show_infer,
    "scale": bench._show_scale,
}


@pytest.mark.parametrize("name", SHOWS)
def test_tables_fit_80_columns_with_every_number_whole(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "out", console.Console(width=80))
    cells: list[str] = []
    draw = console.print_table

    def table(header: Any, rows: Any, **options: Any) -> None:
        for row in rows:
            cells.extend(row[options.get("text", 1) :])
        draw(header, rows, **options)

    monkeypatch.setattr(console, "print_table", table)
    SHOWS[name](results()[name])
    said = capsys.readouterr().out
    assert "…" not in said
    words = re.split(r"\s{1,}", said)
    for cell in cells:
        assert not cell or cell in words, cell
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize(
    ("number", "lines"),
    [("0.92..1.50", ["95 % range"]), ("0.92", ["95 %", "range"]), ("9", ["95 %", "range"])],
)
def test_a_heading_breaks_only_where_its_numbers_are_narrower(
    number: str, lines: list[str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(console, "out", console.Console(width=80))
    console.print_table(["of", "95 % range"], [["a", number]])
    said = [
        line.strip().removeprefix("of").strip() for line in capsys.readouterr().out.splitlines()
    ]
    assert [line for line in said if line in ("95", "%", "95 %", "range", "95 % range")] == lines


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_what_was_measured_outlives_the_end(how: signal.Signals, tmp_path: Path) -> None:
    # SIGINT is ignored in children of a shell's background job: set what a terminal gives
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from tinyternary.cli import main; main(sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, "bench", "train", "--shapes", "tiny", "--batch", "2",
         "--threads", ",".join(["1"] * 200), "--seconds", "0.01", "--json", "--out", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    kept = tmp_path / "bench-train.json"
    while process.poll() is None and not (kept.exists() and json.loads(kept.read_text())["rows"]):
        time.sleep(0.05)
    process.send_signal(how)
    said, noted = process.communicate(timeout=PATIENCE)
    found = json.loads(kept.read_text())
    assert found["rows"], noted
    assert not found["complete"]
    if how == signal.SIGKILL:
        return
    assert process.returncode == 130, noted
    assert "ended early" in noted
    assert len(json.loads(said)["rows"]) >= len(found["rows"])


def test_a_folder_that_cannot_be_written_is_said_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("train", "--out", str(tmp_path / "file"))
    assert done.returncode == 2
    assert "cannot write" in done.stderr


def test_sigterm_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with following._ended_like_ctrl_c():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
