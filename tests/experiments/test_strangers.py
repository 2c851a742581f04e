"""What a report says of other sets' images: scikit-learn's AUROC, and a line where there is none."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from sklearn.metrics import roc_auc_score

from tests.experiments.crumbs import write_data
from tinyternary import data, experiments, models, train
from tinyternary.errors import CheckpointError
from tinyternary.evaluate.outliers import logits_and_features
from tinyternary.experiments.trust import PARTS
from tinyternary.report.trust.outliers import outliers_section

pytestmark = pytest.mark.filterwarnings("ignore::tinyternary.data.DataFileWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run, and the data folder with one other set."""
    home = tmp_path_factory.mktemp("strangers")
    root = write_data(home / "data")
    model = models.ViT(models.preset("lesson", num_classes=2, channels=1))
    with pytest.warns(data.DataFileWarning):
        splits = data.load("breastmnist", root)
    train.fit(
        model, splits, epochs=1, batch_size=16, run_dir=home / "seed-0" / "student", progress=False
    )
    return home


def record_of(run, root):
    subject = experiments.read_subject(run, root=root)
    parts = {name: PARTS[name](subject, 0, True) for name in ("data", "outliers", "model")}
    return subject, {"networks": list(subject.networks), **parts}


def test_another_set_is_one_more_kind_of_stranger(folder):
    subject, record = record_of(folder / "seed-0", folder / "data")
    found = record["outliers"]
    assert found["other_sets"] == {
        "asked": {"pneumoniamnist": {"modality": "chest X-ray", "channels": 1}},
        "left_out": {},
    }
    other = found["student"]["outside"]["pneumoniamnist"]
    assert other["images"] == 24
    run = subject.runs["student"]
    ours, theirs = (
        logits_and_features(run.model, images, run.preprocessing)[0]
        for images in (subject.data.test.images, subject.others.images["pneumoniamnist"])
    )
    strange = np.r_[np.zeros(len(ours)), np.ones(len(theirs))]
    logits = np.concatenate([ours, theirs])
    for score, values in (
        ("probability", 1 - softmax(logits, axis=1).max(1)), ("energy", -logsumexp(logits, axis=1))
    ):  # fmt: skip
        low, high = other["scores"][score]["interval"]
        wanted = roc_auc_score(strange, values)
        assert other["scores"][score]["auroc"] == pytest.approx(wanted, abs=1e-9)
        assert low <= wanted <= high
    assert other["confidence"] == pytest.approx(softmax(theirs, axis=1).max(1).mean())
    assert json.loads(json.dumps(found)) == found
    again = record_of(folder / "seed-0", folder / "data")[1]["outliers"]
    assert again == found


def test_the_page_names_the_set_or_says_that_none_is_there(folder, tmp_path):
    _, record = record_of(folder / "seed-0", folder / "data")
    section = outliers_section(record)
    rows = [row[0] for row in section.table.rows]
    assert "float network: PneumoniaMNIST, chest X-ray" in rows
    assert "PneumoniaMNIST (chest X-ray)" in section.text
    assert "not asked about" not in section.table.caption

    _, alone = record_of(folder / "seed-0", write_data(tmp_path, "breastmnist"))
    assert alone["outliers"]["other_sets"] == {"asked": {}, "left_out": {}}
    section = outliers_section(alone)
    assert "no file of another MedMNIST set" in section.table.caption
    assert not any("MNIST" in row[0] for row in section.table.rows)
    # what is measured of the rest does not hang on the folder
    del record["outliers"]["student"]["outside"]["pneumoniamnist"]
    assert record["outliers"]["student"] == alone["outliers"]["student"]

    # a record made before anybody looked for other sets does not say that there was none
    del alone["outliers"]["other_sets"]
    before = outliers_section(alone)
    assert before.table.rows == section.table.rows
    assert before.table.caption.endswith("Images of other organs were not asked about.")


def test_colors_that_had_to_change_and_sets_left_out_are_said(folder):
    _, record = record_of(folder / "seed-0", folder / "data")
    record["outliers"]["other_sets"]["asked"]["pneumoniamnist"]["channels"] = 3
    record["outliers"]["other_sets"]["left_out"]["bloodmnist"] = "seen in pretraining"
    caption = outliers_section(record).table.caption
    assert "Those of PneumoniaMNIST were weighed into grey." in caption
    assert "BloodMNIST (seen in pretraining)" in caption


def test_a_set_that_pretraining_saw_is_left_out(folder, tmp_path):
    runs = shutil.copytree(folder / "seed-0", tmp_path / "seed-0")
    config = runs / "pretraining" / "config.json"
    config.parent.mkdir()
    config.write_text('{"more": ["pneumoniamnist"]}')
    for source in (runs, runs / "student"):
        subject = experiments.read_subject(source, root=folder / "data")
        assert not subject.others.images
        assert subject.others.left_out == {"pneumoniamnist": "seen in pretraining"}
    config.write_text('{"more": [7]}')
    with pytest.raises(CheckpointError, match="more: expected names of data sets"):
        experiments.read_subject(runs, root=folder / "data")
