"""`tinyternary predict` on a folder with good and bad images, as a new user would have it."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from tinyternary import deploy, models, quant
from tinyternary.cli import console, main
from tinyternary.config import ViTConfig


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    config = ViTConfig(
        image_size=8, channels=3, patch_size=4, width=16, depth=1, heads=1, mlp_width=32,
        num_classes=2,
    )  # fmt: skip
    model = models.ViT(config)
    quant.ternarize(model, "all-linear")
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    deploy.pack(model, class_names=("benign [grade 1]", "malignant")).save(path)
    return path


@pytest.fixture
def folder(tmp_path, rng):
    pixels = rng.integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    Image.fromarray(pixels[1]).resize((20, 10)).save(tmp_path / "b [large].png")
    (tmp_path / "c.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not an image")
    np.savez(tmp_path / "d.npz", images=pixels[2:4], more=pixels[4:])
    return tmp_path


@pytest.fixture
def predict(capsys, monkeypatch):
    monkeypatch.setattr(console.out, "width", 200)

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            main(["predict", *map(str, args)])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


def test_table_leaves_out_what_could_not_be_read_and_says_so(
    predict, model_file, folder, monkeypatch
):
    monkeypatch.chdir(folder)  # or the table folds long names
    status, out, err = predict(model_file, ".")
    assert status == 1
    for name in ("a.png", "b [large].png", "d.npz[images][1]", "d.npz[more]"):
        assert name in out
    assert "c.png" not in out
    assert "benign [grade 1]" in out or "malignant" in out
    said = err.splitlines()
    assert sum(line.startswith("error:") for line in said) == 1
    assert "c.png: the file is empty" in err
    assert "10 x 20 pixels resized to 8 x 8" in err
    assert said[-1] == "1 of 6 images could not be read"
    assert "image/s" not in err  # a bar is for terminals


@pytest.mark.parametrize("option", [["--json"], ["--format", "json"]])
def test_json_has_a_row_for_each_image_and_each_bad_file(predict, model_file, folder, option):
    status, out, _err = predict(model_file, folder, *option)
    assert status == 1
    rows = json.loads(out)
    assert len(rows) == 6
    bad = [row for row in rows if row["error"]]
    assert [row["path"] for row in bad] == [str(folder / "c.png")]
    assert bad[0]["label"] is None
    for row in rows:
        if not row["error"]:
            assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_csv_has_a_row_for_each_image_and_each_bad_file(predict, model_file, folder):
    status, out, _err = predict(model_file, folder, "--format", "csv")
    assert status == 1
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 6
    assert [row["error"] != "" for row in rows] == [False, False, True, False, False, False]
    assert all(row["error"] or 0.5 <= float(row["probability"]) <= 1 for row in rows)


def test_all_good_is_status_0(predict, model_file, folder):
    status, _out, err = predict(model_file, folder / "a.png")
    assert status == 0
    assert err == ""


def test_a_folder_without_images_is_said_to_be_one(predict, model_file, tmp_path):
    (tmp_path / "notes.txt").write_text("not an image")
    status, out, err = predict(model_file, tmp_path)
    assert status == 1
    assert out == ""
    assert err.startswith(f"no images in {tmp_path}; looked for .png")


def test_the_probability_is_that_of_the_class_named(predict, folder, tmp_path):
    model = models.ViT(
        ViTConfig(image_size=8, channels=3, patch_size=4, width=16, depth=1, heads=1,
                  mlp_width=32, num_classes=2)
    )  # fmt: skip
    path = tmp_path / "threshold.safetensors"
    deploy.pack(model, class_names=("no", "yes"), threshold=(0.01,)).save(path)
    row = json.loads(predict(path, folder / "a.png", "--json")[1])[0]
    assert row["label"] == "yes"
    _status, out, _err = predict(path, folder / "a.png", "--format", "csv")
    shown = next(csv.DictReader(io.StringIO(out)))
    assert float(shown["probability"]) == pytest.approx(row["probabilities"]["yes"], abs=1e-6)
