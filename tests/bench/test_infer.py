import json

import pytest

from tinyternary.bench.infer import bench_infer, ratios


@pytest.mark.slow
def test_bench_infer_returns_plain_rows():
    found = bench_infer(
        ["tiny"],
        batches=[1, 4],
        threads=[1],
        seconds=0.01,
        contenders=["ternary", "int8 attention", "float"],
    )
    json.dumps(found)
    assert len(found["points"]) == 2 * 3
    for row in found["points"]:
        assert 0 < row["p50_ms"] <= row["p95_ms"]
        assert row["calls"] >= 3
    assert {row["contender"] for row in found["processes"]} == {
        "ternary",
        "int8 attention",
        "float",
    }
    assert all(row["peak_mb"] > 10 and row["start_s"] > 0 for row in found["processes"])
    assert found["ratios"] == []


@pytest.mark.slow
def test_memory_and_start_up_are_those_of_a_second_start(tmp_path):
    from tinyternary.bench.infer import process_row, write_files
    from tinyternary.deploy import load, numba_because

    write_files("tiny", "all-linear", tmp_path, ["ternary"], [])
    load(tmp_path / "ternary.safetensors")  # as the timing does, which comes first
    row = process_row("tiny", "ternary", tmp_path, 2)
    if not numba_because():
        assert row["peak_mb"] < 60  # with a compiler it is 160 at least


@pytest.mark.slow
@pytest.mark.parity
def test_every_contender_gives_the_float_models_answers(tmp_path):
    import numpy as np

    from tinyternary import kernels
    from tinyternary.bench.infer import random_images, write_files
    from tinyternary.bench.infer_peers import CONTENDERS, installed, start

    names = [name for name in CONTENDERS if installed(name)]
    write_files("tiny", "all-linear", tmp_path, names, [3])
    images = random_images("tiny", 3)
    answers = {name: np.asarray(start(name, tmp_path, 1)(images)) for name in names}
    for name in names:
        if "int8" not in name and name != "ternary":
            np.testing.assert_allclose(answers[name], answers["float"], atol=1e-5)
    if "litert int8" in names:
        np.testing.assert_allclose(answers["litert int8"], answers["float"], atol=0.05)
    if "openvino int8" in names:  # its attention has fixed scales, from phantoms: the same network
        both = answers["openvino int8"].ravel(), answers["float"].ravel()
        assert np.corrcoef(*both)[0, 1] > 0.5
    if "onnxruntime int8" in names:
        # without VNNI it adds pairs of products in 16 bits, which may saturate
        vnni = {b.name for b in kernels.backends() if b.available} & {"avx512", "avxvnni"}
        atol = 0.05 if vnni else 0.1
        np.testing.assert_allclose(answers["onnxruntime int8"], answers["float"], atol=atol)


def test_what_is_not_installed_is_skipped_with_its_reason(monkeypatch):
    from tinyternary.bench import infer_peers

    absent = infer_peers.Contender("none such", "x", ("numpy", "no_such_runtime"))
    monkeypatch.setitem(infer_peers.CONTENDERS, "absent", absent)
    found = bench_infer(["tiny"], batches=[1], threads=[1], contenders=["absent"], seconds=0.01)
    assert found["skipped"] == {"absent": "not installed: no_such_runtime"}
    assert found["contenders"] == {}
    assert found["points"] == []


def test_ratios_against_the_best_peer():
    point = {"preset": "small", "batch": 1, "threads": 1}
    times = {"ternary": 1.0, "float": 0.5, "pytorch": 2.6, "onnxruntime int8": 1.4}
    (row,) = ratios([{**point, "contender": n, "p50_ms": t} for n, t in times.items()])
    assert row["best_peer"] == "onnxruntime int8"
    assert row["times_best_peer"] == pytest.approx(1.4)
    assert row["times_pytorch"] == pytest.approx(2.6)
    assert row["met"]
    assert row["times_int8_attention"] is None
    times["int8 attention"] = 0.8  # ours, and no peer
    (row,) = ratios([{**point, "contender": n, "p50_ms": t} for n, t in times.items()])
    assert row["times_int8_attention"] == pytest.approx(1.4 / 0.8)
    assert row["times_best_peer"] == pytest.approx(1.4)
    times["pytorch"] = 2.4
    (row,) = ratios([{**point, "contender": n, "p50_ms": t} for n, t in times.items()])
    assert not row["met"]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["all-linear", "integer-attention"])
def test_parts_add_up_to_the_whole(policy):
    from tinyternary.bench.infer_parts import infer_parts
    from tinyternary.errors import ConfigError

    try:
        found = infer_parts("tiny", policy, repeats=5)
    except ConfigError as error:
        pytest.skip(str(error))
    json.dumps(found)
    assert sum(row["share"] for row in found["parts"]) == pytest.approx(1)
    assert {"attention", "qkv", "fc2"} < {row["part"] for row in found["parts"]}
    assert all(row["us"] >= 0 for row in found["parts"])
