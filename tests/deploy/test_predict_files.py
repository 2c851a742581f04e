"""Images as users have them: good ones, and every kind of bad one."""

import json
import os
import re
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.deploy.decoders.hand_made import png
from tests.deploy.small_models import images_for, make_model
from tinyternary.deploy import Engine, pack, predict_files
from tinyternary.deploy.image_files import find_files


@pytest.fixture(scope="module")
def engine():
    return Engine(pack(make_model(), class_names=["a", "b", "c"]).read(), 1)


@pytest.fixture
def color(rng):
    return rng.integers(0, 256, (28, 28, 3), dtype=np.uint8)


def answer(engine, path):
    (found,) = predict_files(engine, [path])
    assert found.path.startswith(str(path))
    return found


def refused(engine, path):
    found = answer(engine, path)
    assert not found.ok
    assert found.label is None
    assert "\n" not in found.error
    assert str(path) in found.error
    return found.error


def test_png_jpeg_npy_and_npz_give_what_the_engine_gives(engine, color, tmp_path):
    expected = engine.predict(color[None])
    Image.fromarray(color).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", color)
    np.save(tmp_path / "batch.npy", np.stack([color] * 3))
    np.savez(tmp_path / "c.npz", images=color[None], labels=np.zeros(1, np.int64))
    for name in ("a.png", "b.npy", "c.npz"):
        found = answer(engine, tmp_path / name)
        assert found.ok
        assert found.index == expected.labels[0]
        assert found.label == expected.names[0]
        np.testing.assert_allclose(list(found.probabilities.values()), expected.probabilities[0])
        json.dumps(found.to_dict())
    batch = list(predict_files(engine, [tmp_path / "batch.npy"]))
    assert [found.path[-3:] for found in batch] == ["[0]", "[1]", "[2]"]
    Image.fromarray(color).save(tmp_path / "d.JPG", format="JPEG", quality=95)
    assert answer(engine, tmp_path / "d.JPG").ok


def test_folders_in_order_and_batches_of_any_size(engine, rng, tmp_path):
    images = rng.integers(0, 256, (7, 28, 28, 3), dtype=np.uint8)
    (tmp_path / "sub").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / ("sub" if i > 4 else ".") / f"{i}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.png").write_text("not an image")
    assert [path.name for path in find_files([tmp_path]).files] == [f"{i}.png" for i in range(7)]
    expected = engine.predict(images).labels.tolist()
    for size in (1, 2, 64):
        found = list(predict_files(engine, [tmp_path], batch_size=size))
        assert [one.index for one in found] == expected


def test_a_bad_file_among_good_ones(engine, color, tmp_path):
    for name in ("1.png", "3.png"):
        Image.fromarray(color).save(tmp_path / name)
    (tmp_path / "2.png").write_bytes(b"nonsense")
    found = list(predict_files(engine, [tmp_path]))
    assert [one.ok for one in found] == [True, False, True]
    assert found[0].index == found[2].index


def test_files_that_are_refused(engine, color, tmp_path):
    whole = tmp_path / "whole.png"
    Image.fromarray(color).save(whole)
    content = whole.read_bytes()
    cases = {
        "zero.png": (b"", "empty"),
        "half.png": (content[: len(content) // 2], "damaged"),
        "head.png": (content[:20], "not a PNG|damaged"),
        "text.png": (b"hello", "not a PNG"),
        "huge.png": (png(20_000, 20_000), "more pixels than Pillow opens"),
        "large.png": (png(9000, 9000), "at most 536,870,912; allow more with"),
    }
    for name, (data, reason) in cases.items():
        (tmp_path / name).write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert re.search(reason, refused(engine, tmp_path / name))
    jpeg = tmp_path / "half.jpg"
    Image.fromarray(color).save(jpeg)
    jpeg.write_bytes(jpeg.read_bytes()[:300])
    assert "damaged" in refused(engine, jpeg)
    assert "no such file" in refused(engine, tmp_path / "missing.png")


@pytest.mark.parametrize(
    ("mode", "suffix", "reason"),
    [
        ("CMYK", "jpg", "CMYK colours"),
        ("RGBA", "png", "alpha"),
        ("LA", "png", "alpha"),
        ("I;16", "png", "more than 8 bits"),
    ],
)
def test_modes_that_would_need_guessing(engine, mode, suffix, reason, tmp_path):
    path = tmp_path / f"image.{suffix}"
    Image.new(mode, (28, 28)).save(path)
    assert reason in refused(engine, path)


def test_palette_and_one_bit_images(engine, color, tmp_path):
    Image.fromarray(color).quantize(16).save(tmp_path / "palette.png")
    assert answer(engine, tmp_path / "palette.png").ok
    Image.fromarray(color).convert("1").save(tmp_path / "bits.png")
    found = answer(engine, tmp_path / "bits.png")
    assert found.ok
    assert "grey images turned into RGB" in found.note
    transparent = Image.fromarray(color).quantize(16)
    transparent.info["transparency"] = 3
    transparent.save(tmp_path / "clear.png", transparency=3)
    assert "alpha" in refused(engine, tmp_path / "clear.png")


def test_one_pixel_and_strange_sizes(engine, rng, tmp_path):
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(tmp_path / "dot.png")
    assert "expected at least 2 x 2" in refused(engine, tmp_path / "dot.png")
    wide = rng.integers(0, 256, (10, 300, 3), dtype=np.uint8)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    found = answer(engine, tmp_path / "wide.png")
    assert found.ok
    assert found.note == "images of 10 x 300 pixels resized to 28 x 28"


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((28, 28, 3), np.float32), "dtype float32"),
        (np.zeros((28, 28, 3), np.uint16), "dtype uint16"),
        (np.zeros((2, 2, 28, 28, 3), np.uint8), "shape"),
        (np.zeros((28, 28, 28, 4), np.uint8), "shape"),
        (np.array([{}]), "Python objects"),
        (np.zeros(5, np.uint8), "shape"),
    ],
)
def test_arrays_that_are_refused(engine, array, reason, tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, array, allow_pickle=True)
    assert reason in refused(engine, path)
    np.savez(tmp_path / "a.npz", images=array)
    assert reason in refused(engine, tmp_path / "a.npz")


def test_damaged_array_files(engine, color, tmp_path):
    np.save(tmp_path / "a.npy", color)
    np.savez_compressed(tmp_path / "a.npz", images=np.stack([color] * 4))
    rng = np.random.default_rng(0)
    for suffix in ("npy", "npz"):
        content = (tmp_path / f"a.{suffix}").read_bytes()
        for i in range(120):
            damaged = bytearray(content[: rng.integers(len(content))] if i % 2 else content)
            for _ in range(3):
                if damaged:
                    damaged[rng.integers(len(damaged))] = rng.integers(256)
            path = tmp_path / f"damaged.{suffix}"
            path.write_bytes(bytes(damaged))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for found in predict_files(engine, [path]):
                    assert found.ok or str(path) in found.error


@contextmanager
def as_nobody():
    """Give up the rights of root, who can read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_everything_in_a_folder_is_accounted_for(engine, color):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for sub in ("open", ".hidden", "closed", "looping"):
            (folder / sub).mkdir()
            Image.fromarray(color).save(folder / sub / "a.png")
        (folder / "looping" / "link").symlink_to(folder)
        (folder / ".a.png").write_bytes(b"")
        (folder / "notes.txt").write_text("not an image")
        (folder / "b.gif").write_bytes(b"GIF89a")
        (folder / "c.nii.gz").write_bytes(b"scan")
        os.mkfifo(folder / "pipe.png")
        (folder / "closed").chmod(0)
        with as_nobody():
            found = find_files([folder])
            answers = {
                a.path.removeprefix(f"{folder}/"): a for a in predict_files(engine, [folder])
            }
        everything = [folder / sub for sub in ("closed", ".hidden", "looping/link")]
        everything += [p for p in folder.rglob("*") if not p.is_dir() and ".hidden/" not in str(p)]
        everything.remove(folder / "closed" / "a.png")
    assert sorted(found.files + found.skipped + found.hidden) == sorted(everything)
    assert [path.name for path in found.hidden] == [".a.png", ".hidden"]
    assert [path.name for path in found.skipped] == ["looping/link"[8:], "notes.txt", "pipe.png"]
    assert [name for name, answer in answers.items() if answer.ok] == [
        "looping/a.png",
        "open/a.png",
    ]
    assert "Permission denied" in answers["closed"].error
    assert "not a PNG" in answers["b.gif"].error
    assert "not a PNG" in answers["c.nii.gz"].error
    assert found.passed_over() == (
        "3 skipped, of kinds that are not read (.png, .txt, none); 2 hidden"
    )


def test_names_that_no_file_can_have(engine):
    assert "cannot be read" in refused(engine, "x" * 5000 + ".png")


def test_multi_label_answers(tmp_path):
    model = make_model()
    engine = Engine(pack(model, task="multi-label", class_names=["a", "b", "c"]).read(), 1)
    Image.fromarray(images_for(model, 1)[0]).save(tmp_path / "a.png")
    found = answer(engine, tmp_path / "a.png")
    assert len(found.index) == 3
    assert set(found.index) <= {0, 1}
