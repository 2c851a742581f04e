"""Memory has bounds that are worked out from headers: before, not after, it is taken."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from tests.deploy.decoders.hand_made import png
from tests.deploy.small_models import images_for, make_model
from tinyternary.deploy import Engine, load, pack
from tinyternary.deploy.image_files import read_images
from tinyternary.deploy.memory import image_bytes
from tinyternary.errors import PackedFileError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/statm")

CHILD = """
import json, resource, sys
from PIL import Image, ImageCms, ImageOps
from tinyternary.deploy import load, predict_files
model, margin, limit, warm, *paths = sys.argv[1:]
engine = load(model, threads=1)
for _ in predict_files(engine, [warm]): pass
pages = int(open("/proc/self/statm").read().split()[0])
bound = pages * resource.getpagesize() + int(margin)
resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
said = [a.error for a in predict_files(engine, paths, limit_bytes=int(limit))]
json.dump(said, sys.stdout)
"""


@pytest.fixture
def bounded(packed_path, tmp_path):
    """Predict in a process that cannot have `margin` bytes more than it has after its start."""

    def run(paths, *, margin, limit=512 << 20):
        warm = tmp_path / "warm"
        warm.mkdir()
        for kind in ("png", "jpg", "tif", "webp"):
            Image.new("RGB", (40, 40)).save(warm / f"a.{kind}")
        done = subprocess.run(
            [sys.executable, "-c", CHILD, packed_path, str(margin), str(limit), warm, *paths],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return run


def test_images_are_made_small_while_they_are_read(bounded, tmp_path):
    Image.new("L", (4000, 4000)).save(tmp_path / "a.png")
    # forty of 16 MB each, kept at full size, are 640 MB
    assert bounded([tmp_path / "a.png"] * 40, margin=100 << 20) == [None] * 40


def test_a_batch_in_a_file_is_read_image_by_image(bounded, tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((60, 1500, 1500), np.uint8))  # 135 MB
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((60, 1500, 1500), np.uint8))
    paths = [tmp_path / "a.npy", tmp_path / "a.npz"]
    assert bounded(paths, margin=60 << 20) == [None] * 120


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [(1, 60_000_000, "at least 2 x 2"), (2, 50_000_000, "limit_bytes"), (12000, 12000, "limit")],
)
def test_what_is_too_large_is_refused_before_it_is_allocated(
    bounded, tmp_path, width, height, reason
):
    (tmp_path / "a.png").write_bytes(png(width, height))
    (error,) = bounded([tmp_path / "a.png"], margin=40 << 20)
    assert reason in error


@pytest.mark.parametrize("kind", ["png", "palette.png", "jpg", "progressive.jpg", "tif", "webp"])
def test_no_decoder_takes_more_than_was_worked_out(bounded, tmp_path, kind):
    """What is refused at one byte less can be read within that many bytes."""
    path = tmp_path / f"a.{kind}"
    options = {
        "progressive.jpg": {"progressive": True}, "tif": {"compression": "tiff_deflate"},
        "webp": {"lossless": True}, "palette.png": {},
    }  # fmt: skip
    picture = Image.linear_gradient("L").resize((2000, 1500)).convert("RGB")
    if kind == "palette.png":
        picture = picture.quantize(8)
    exif = Image.Exif()
    exif[0x0112] = 3
    picture.save(path, exif=exif, **options.get(kind, {}))
    expected = load_expected()
    (found,) = read_images(path, expected, 1)
    needed = int(found.error.split(" takes ")[1].split(" bytes")[0].replace(",", ""))
    (found,) = read_images(path, expected, needed - 1)
    assert found.error is not None
    # a little for Pillow's and zlib's own state
    assert bounded([path], margin=needed + (12 << 20), limit=needed) == [None]


def load_expected():
    from tinyternary.config import Preprocessing

    return Preprocessing(28, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"image_size": 224, "patch_size": 32}, {"image_size": 96, "patch_size": 4},
        {"width": 128, "mlp_width": 512}, {"stride": 2}, {"kv_heads": 1, "pool": "cls"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("fused", [True, False])
def test_no_network_takes_more_than_was_worked_out(changes, fused):
    model = make_model(**changes)
    packed = pack(model).read()
    engine = Engine(packed, 1, fused=fused)
    image = images_for(model, 1)
    engine(image)  # what is compiled, and the plain network's own weights
    if engine.fused is not None:
        engine = Engine(packed, 1)  # with nothing to write to yet
    tracemalloc.start()
    try:
        engine(image)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= engine.image_bytes
    assert engine.image_bytes == image_bytes(model.config, fused=engine.fused is not None)


@pytest.mark.parametrize("fused", [True, False])
def test_an_answer_opens_no_file(fused, monkeypatch):
    """What the system says of the process grows with it, and is read slowly."""
    model = make_model()
    engine, image = Engine(pack(model).read(), 1, fused=fused), images_for(model, 1)
    engine(image)

    def refuse(*arguments, **options):
        raise AssertionError(f"opened {arguments}")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse)
        engine(image)


def test_a_packed_file_whose_images_are_too_large_is_refused(tmp_path):
    model = make_model(
        image_size=8192, patch_size=128, width=8, heads=1, mlp_width=8, depth=1, channels=1,
        positions="sinusoidal",
    )  # fmt: skip
    path = pack(model).save(tmp_path / "large.safetensors")
    needed = image_bytes(model.config, fused=Engine(pack(make_model()).read()).fused is not None)
    assert path.stat().st_size < needed / 100
    tracemalloc.start()
    try:
        with pytest.raises(PackedFileError, match=r"image_size: one image of 8192 x 8192 takes"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < needed / 10
    finally:
        tracemalloc.stop()
    assert load(path, limit_bytes=needed).image_bytes == needed
