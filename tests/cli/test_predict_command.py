"""`tinyternary predict` on a folder with good and bad images, as a new user would have it."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import typer
from PIL import Image

from tinyternary import config, deploy, models, quant
from tinyternary.cli import commands, console, main
from tinyternary.config import ViTConfig
from tinyternary.deploy import PackedModel
from tinyternary.deploy.memory import LIMIT_BYTES
from tinyternary.evaluate import coverage_interval
from tinyternary.text import USE


def commands_options(name):
    return typer.main.get_command(commands()).commands[name].params


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
def file_with_sets(model_file, folder):
    """Limits such that the surest answer of the folder is sure at 0.8, and the other is not."""
    engine = deploy.load(model_file)
    found = [a for a in deploy.predict_files(engine, [folder]) if a.ok]
    likely = sorted({max(a.probabilities.values()) for a in found})
    limit = (likely[0] + likely[-1]) / 2
    limits = config.SetLimits((0.8, 0.9), (21, 57), ((limit, limit), (0.0, 0.4)))
    header = replace(engine.header, prediction_sets=limits)
    path = model_file.with_name("with-sets.safetensors")
    PackedModel(header, dict(engine.packed.tensors)).save(path)
    return path


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
    assert said[-1] == (
        "5 images answered, 1 refused; 1 skipped, of kinds that are not read (.txt)"
    )
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


def test_what_is_passed_over_is_said_and_no_failure(predict, model_file, folder):
    (folder / "c.png").unlink()
    (folder / ".thumbnails").mkdir()
    status, _out, err = predict(model_file, folder)
    assert status == 0
    assert err.splitlines()[-1] == (
        "5 images answered, 0 refused; 1 skipped, of kinds that are not read (.txt); 1 hidden"
    )


@pytest.mark.parametrize("images", [np.zeros((0, 8, 8, 3), np.uint8), np.zeros((2, 8, 8, 4), "u1")])
def test_an_array_that_gives_no_answer_is_a_failure(predict, model_file, tmp_path, images):
    np.save(tmp_path / "a.npy", images)
    status, _out, err = predict(model_file, tmp_path / "a.npy")
    assert status == 1
    assert err.splitlines()[-1] == "0 images answered, 1 refused"


def test_memory_is_an_option(predict, model_file, tmp_path):
    Image.new("L", (1000, 1000)).save(tmp_path / "a.png")
    status, _out, err = predict(model_file, tmp_path / "a.png", "--memory", "1")
    assert status == 1
    assert "expected at most 1,048,576; allow more with" in err
    assert "--memory" in err
    assert predict(model_file, tmp_path / "a.png", "--memory", "9")[0] == 0
    for command in ("predict", "evaluate"):
        (option,) = (p for p in commands_options(command) if p.name == "memory")
        assert option.default << 20 == LIMIT_BYTES


def test_every_style_says_what_it_is_not_sure_of(predict, file_with_sets, folder, monkeypatch):
    (folder / "c.png").write_bytes(b"no picture")
    ((limit, _), _) = deploy.load(file_with_sets).header.prediction_sets.limits
    status, out, err = predict(file_with_sets, folder, "--coverage", "0.8", "--json")
    assert status == 1
    rows = {row["path"]: row for row in json.loads(out)}
    for row in rows.values():
        if row["error"] is None:
            likely = [name for name, p in row["probabilities"].items() if p >= limit]
            assert row["set"] == likely
            assert row["sure"] == (likely == [row["label"]])
    said = {path: row["sure"] for path, row in rows.items()}
    assert set(said.values()) == {True, False, None}, "an image of each kind"

    _, out, _ = predict(file_with_sets, folder, "--coverage", "0.8", "--format", "csv")
    for row in csv.DictReader(io.StringIO(out)):
        found = rows[row["image"]]
        assert row["set"] == ", ".join(found["set"] or [])
        wanted = {True: found["label"], False: "not sure", None: ""}[found["sure"]]
        assert row["answer"] == wanted

    monkeypatch.chdir(folder)  # or the table folds long names
    _, out, _ = predict(file_with_sets, ".", "--coverage", "0.8")
    assert "set at 0.8" in out
    assert out.count("not sure") == sum(sure is False for sure in said.values())
    assert "with only 21 of 'benign [grade 1]' (the fewest)" in err
    low, high = coverage_interval(21, 0.8)
    assert f"it is {low:.0%} to {high:.0%} in 95 of 100 such samples" in err
    assert USE in out


def test_a_set_of_everything_is_said_to_be_one(predict, file_with_sets, folder):
    _, out, err = predict(file_with_sets, folder / "a.png", "--coverage", "0.85")
    assert "sets at 0.9" in err  # the next coverage that the file keeps
    assert "benign [grade 1]" in out
    status, _, err = predict(file_with_sets, folder / "a.png", "--coverage", "0.99")
    assert status == 2
    assert err.startswith("error: coverage: 0.99, expected a share above 0, and at most 0.9")


def test_a_file_without_sets_says_how_to_get_them(predict, model_file, folder):
    status, out, err = predict(model_file, folder, "--coverage", "0.9")
    assert status == 2
    assert out == ""
    assert err.startswith(f"error: {model_file}: keeps no limits of prediction sets; ")
    assert "pack RUN --sets" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("style", ["table", "json", "csv"])
def test_every_style_says_what_predictions_are_not_for(predict, model_file, folder, style):
    _status, out, err = predict(model_file, folder / "a.png", "--format", style)
    assert "not for clinical use" in (out if style == "table" else err)


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
