"""The executed notebooks are those of their sources; recorded results are what they say."""

from __future__ import annotations

import json
from pathlib import Path

import jupytext
import nbformat
import pytest

from tinyternary.experiments import (
    Results,
    experiments,
    published,
    read_ablation,
    read_experiment,
)
from tinyternary.experiments.factors import read_ablation_plan
from tinyternary.report.trust.page import trust_sections
from tinyternary.train._identity import current_settings

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SOURCES = sorted((NOTEBOOKS / "source").glob("*.py"))
RECORDED = sorted((NOTEBOOKS / "results").glob("[!t]*mnist.json"))
TRUST = sorted((NOTEBOOKS / "results").glob("trust-*.json"))
ABLATIONS = sorted((NOTEBOOKS / "results").glob("ablation*.json"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_notebook_is_its_source_executed(source):
    wanted = jupytext.read(source)
    found = nbformat.read(NOTEBOOKS / f"{source.stem}.ipynb", as_version=4)
    cells = [(cell.cell_type, cell.source) for cell in found.cells]
    assert cells == [(cell.cell_type, cell.source) for cell in wanted.cells]
    code = [cell for cell in found.cells if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    assert counts == list(range(1, len(code) + 1))  # top to bottom, once
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs)


def flat(value, name=""):
    """Numbers of a nested result by where they stand: their last bits are the library's that
    computed them."""
    if isinstance(value, dict):
        value = list(value.items())
    elif isinstance(value, list):
        value = list(enumerate(value))
    else:
        return {name: value}
    return {k: v for key, inner in value for k, v in flat(inner, f"{name}/{key}").items()}


def test_there_are_recorded_results():
    assert {path.stem for path in RECORDED} <= set(experiments())
    assert RECORDED


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_results_are_machine_written_and_whole(path):
    record = json.loads(path.read_text())
    results = Results.from_dict(record)
    assert (results.experiment, results.dataset) == (path.stem, path.stem)
    # the means follow from the seeds: nothing was typed in
    summary = flat(json.loads(json.dumps(results.summary())))
    assert summary == pytest.approx(flat(record["summary"]), rel=1e-9, abs=1e-12)
    assert results.config["student"]["policy"]
    assert published(results.dataset)
    for row in results.seeds:
        assert row["seconds"] == pytest.approx(sum(row["stages"].values()))
        for who in ("teacher", "student"):
            low, high = row[who]["intervals"]["acc"]
            assert low <= row[who]["acc"] <= high
            counts = row[who]["confusion"]
            right = sum(counts[i][i] for i in range(len(counts)))
            assert right / row[who]["images"] == pytest.approx(row[who]["acc"])
            assert sum(map(sum, counts)) == row[who]["images"]
        assert set(record["curves"][str(row["seed"])]) >= {"teacher", "student"}
    once = record["single_pass"]
    assert sum(once["wrong"]["student"]) == once["images"]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_results_are_those_of_the_recipes_in_the_package(path):
    config = json.loads(path.read_text())["config"]
    experiment = read_experiment(path.stem)
    channels = config["student"]["model"]["channels"]
    wanted = dict(zip(("teacher", "student"), experiment.recipes(1_000_000)))
    for who, recipe in wanted.items():
        fields = recipe.resolved(channels, True, 1_000_000).to_dict()
        del fields["save_seconds"]
        recorded = current_settings(config[who])
        assert recorded["recipe"] == fields
        model = experiment.vit(28, channels, config[who]["model"]["num_classes"])
        assert recorded["model"] == model.to_dict()
    pixels = config.get("pretraining", {"recipe": {"epochs": 0}})
    assert pixels["recipe"]["epochs"] == experiment.pretraining.epochs
    assert pixels.get("more", []) == experiment.pretraining.datasets


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.stem)
def test_the_recorded_ablation_is_the_packages(path):
    found = read_ablation(path)
    plan = read_ablation_plan(found.name)
    assert found.config["recipe"]["epochs"] == plan.recipe.epochs
    teacher = read_experiment("pneumoniamnist").vit(28, 1, 2)
    assert current_settings({"model": found.config["model"]})["model"] == teacher.to_dict()
    assert {cell["quantizer"] for cell in found.cells} <= set(plan.quantizer)
    assert len({json.dumps([cell[f] for f in ("quantizer", "granularity", "distillation", "policy")])
                for cell in found.cells}) == len(found.cells) <= found.planned  # fmt: skip
    assert found.effects("test_acc").levels


@pytest.mark.parametrize("path", TRUST, ids=lambda path: path.stem)
def test_a_recorded_report_can_be_drawn_and_is_of_a_set(path):
    record = json.loads(path.read_text())
    assert record["data"]["name"] == path.stem.removeprefix("trust-")
    assert record["networks"] == ["teacher", "student"]
    assert {"accuracy", "calibration", "strata", "robustness", "maps"} <= set(record)
    assert "limits" in trust_sections(record)


@pytest.mark.parametrize("path", [*RECORDED, *ABLATIONS, *TRUST], ids=lambda path: path.stem)
def test_recorded_files_name_no_machine(path):
    text = path.read_text()
    assert "/tmp/" not in text
    assert "/home/" not in text
    assert path.stat().st_size < 400_000
