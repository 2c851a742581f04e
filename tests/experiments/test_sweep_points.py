"""What a sweep's networks take and give: asked of the packed files, once for each network."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.experiments.crumbs import write_data, write_plan
from tinyternary import cost, deploy
from tinyternary.data import load
from tinyternary.errors import CheckpointError
from tinyternary.experiments import collect, read_results, read_sweep, sweep
from tinyternary.experiments.sweep_points import sweep_points
from tinyternary.train import load_run

pytestmark = pytest.mark.filterwarnings("ignore::tinyternary.data.DataFileWarning")
VARIANTS = """
[variants.narrow]
[variants.wide.model]
width = 32
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("points")
    root = write_data(folder / "data", "breastmnist")
    policies = ["all-linear", "everything"]
    path = write_plan(folder, epochs=1, datasets=["breastmnist"], seeds=[0], policies=policies)
    path.write_text(path.read_text() + VARIANTS)
    found = sweep(path, root, out=folder / "out", progress=False)
    assert (found.finished, found.failed) == (4, {})
    return folder / "out", root, path


def test_every_network_is_a_point_and_a_shared_teacher_is_one(swept):
    out, root, _ = swept
    record = collect(out, root)
    assert json.loads(json.dumps(record)) == record
    points = {(p["variant"], p["policy"]): p for p in record["points"]}
    policies = ("float32", "all-linear", "everything")
    assert set(points) == {(v, p) for v in ("narrow", "wide") for p in policies}
    assert len(points) == len(record["points"])
    test = load("breastmnist", root=root).test
    for (variant, policy), point in points.items():
        arm = f"crumbs-{variant}-breastmnist-{'all-linear' if policy == 'float32' else policy}"
        row = read_results(out / arm).seeds[0]
        who = "teacher" if policy == "float32" else "student"
        run = load_run(out / arm / "seed-0" / who)
        packed = deploy.pack(
            run.model, preprocessing=run.preprocessing, task=run.task,
            class_names=run.class_names, metrics=run.metrics, dataset=run.dataset,
            temperature=run.temperature,
        )  # fmt: skip
        engine = deploy.load(packed.save(out / "one.safetensors"))
        said = engine.predict(test.images).labels
        assert point["acc"] == np.mean(said == test.labels.ravel())
        assert point["bytes"] == (out / "one.safetensors").stat().st_size
        expected = cost.analyze(run.model)
        assert point["energy_uj"]["middle"] == expected.energy_uj.middle
        assert point["parameters"] == expected.parameters
        assert point["intervals"]["acc"][0] <= point["acc"] <= point["intervals"]["acc"][1]
        assert point["averaged"] == {name: row[who][name] for name in ("acc", "auc")}
        assert point["seconds"] == row["stages"][who]
        assert record["configs"][arm]["student"]["policy"]
        assert ("smallest" in point) == (who == "student")
        if who == "student":
            small = deploy.pack(
                run.model, preprocessing=run.preprocessing, task=run.task, bits=1.6, rest="int8",
                class_names=run.class_names, metrics=run.metrics, dataset=run.dataset,
                temperature=run.temperature,
            )  # fmt: skip
            path = small.save(out / "small.safetensors")
            said = deploy.load(path).predict(test.images).labels
            found = point["smallest"]
            assert found["acc"] == np.mean(said == test.labels.ravel())
            assert found["bytes"] == path.stat().st_size < point["bytes"]
            program = cost.footprint(run.model, bits=1.6, rest="int8", class_names=run.class_names)
            assert found["flash_bytes"] == program.flash_bytes
            assert found["ram_bytes"] == program.ram_bytes
    for variant in ("narrow", "wide"):
        sizes = [points[variant, policy]["bytes"] for policy in policies]
        assert sizes == sorted(sizes, reverse=True)


def test_what_is_not_finished_is_left_out(swept, tmp_path):
    out, root, path = swept
    plan = read_sweep(path).model_copy(update={"seeds": [7], "policies": ["all-linear"]})
    only = plan.model_copy(update={"variants": {"narrow": {}}})
    sweep(only, root, out=tmp_path / "out", progress=False)
    (tmp_path / "out" / "crumbs-wide-breastmnist-all-linear").mkdir()
    other = json.loads((out / "crumbs-wide-breastmnist-all-linear" / "arm.json").read_text())
    begun = tmp_path / "out" / "crumbs-wide-breastmnist-all-linear" / "arm.json"
    begun.write_text(json.dumps(other))
    record = sweep_points(tmp_path / "out", root)
    assert {(p["variant"], p["seed"]) for p in record["points"]} == {("narrow", 7)}
    del other["parts"]
    begun.write_text(json.dumps(other))
    with pytest.raises(CheckpointError, match="give `tinyternary sweep` once more"):
        sweep_points(tmp_path / "out", root)
    both = read_sweep(path).model_copy(update={"seeds": [7], "policies": ["all-linear"]})
    sweep(both, root, out=tmp_path / "out", progress=False)  # writes what it combines
    assert len(sweep_points(tmp_path / "out", root)["points"]) == 4


def test_a_sweep_without_a_finished_run_says_so(tmp_path):
    (tmp_path / "sweep.json").write_text('{"token": "x"}')
    with pytest.raises(CheckpointError, match="no run of this sweep is finished"):
        collect(tmp_path)
