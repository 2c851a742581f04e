"""Reading MedMNIST files: the real ones as they are, every kind of damage with one clear error."""

from __future__ import annotations

import importlib
import io
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tinyternary.config import Task
from tinyternary.data import (
    MEDMNIST,
    DataFileWarning,
    Dataset,
    Splits,
    data_root,
    download,
    fit_preprocessing,
    load,
    medmnist,
)
from tinyternary.data.medmnist._archive import open_archive
from tinyternary.data.medmnist.catalog import SIZES, VOLUMES, flag_and_size
from tinyternary.errors import ConfigError, DataFileError

TASKS = {
    "multi-class": Task.MULTI_CLASS, "binary-class": Task.BINARY,
    "ordinal-regression": Task.ORDINAL, "multi-label, binary-class": Task.MULTI_LABEL,
}  # fmt: skip


def small_file(path, name, count=6, size=28, **changes):
    """Write a file as the official ones are, with few images; return its arrays."""
    facts, rng = MEDMNIST[name], np.random.default_rng(0)
    color = (3,) if facts.channels == 3 else ()
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, size, size, *color), np.uint8)
        classes = len(facts.class_names)
        if facts.task is Task.MULTI_LABEL:
            labels = rng.integers(0, 2, (count, classes))
        else:
            labels = rng.integers(0, classes, (count, 1))
        arrays[f"{split}_labels"] = labels.astype(np.uint8)
    arrays.update(changes)
    np.savez_compressed(path, **{k: v for k, v in arrays.items() if v is not None})
    return arrays


def read(path, name="breastmnist", split="train"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataFileWarning)
        return medmnist(name, split, path.parent)


@pytest.mark.slow  # the package imports torch
@pytest.mark.parity
def test_facts_are_those_of_the_official_package():
    info = pytest.importorskip("medmnist.info").INFO
    assert set(info) == {*MEDMNIST, *VOLUMES}
    for name, facts in MEDMNIST.items():
        theirs = info[name]
        assert facts.title == theirs["python_class"]
        assert facts.task is TASKS[theirs["task"]]
        assert facts.channels == theirs["n_channels"]
        assert facts.class_names == tuple(
            theirs["label"][str(i)] for i in range(len(facts.class_names))
        )
        assert len(facts.class_names) == len(theirs["label"])
        assert facts.samples == tuple(theirs["n_samples"][s] for s in ("train", "val", "test"))
        assert facts.license == theirs["license"]
        for size, md5 in facts.md5.items():
            suffix = "" if size == 28 else f"_{size}"
            assert md5 == theirs[f"MD5{suffix}"]
            assert facts.url(name, size) == theirs[f"url{suffix}"]


@pytest.mark.parametrize("name", ["breastmnist", "pneumoniamnist", "bloodmnist"])
def test_real_files_read_without_a_warning(medmnist_root, name):
    if not (medmnist_root / f"{name}.npz").is_file():
        pytest.skip(f"{name}.npz is not in {medmnist_root}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        splits = load(name, medmnist_root)
    official = np.load(medmnist_root / f"{name}.npz", allow_pickle=False)
    for part, count in zip(splits, MEDMNIST[name].samples):
        assert len(part) == count
        images = official[f"{part.split}_images"]
        np.testing.assert_array_equal(part.images.reshape(images.shape), images)
        np.testing.assert_array_equal(part.labels, official[f"{part.split}_labels"][:, 0])
        assert not part.synthetic
    assert splits.num_classes == len(MEDMNIST[name].class_names)


@pytest.mark.parametrize("name", list(MEDMNIST))
def test_every_kind_of_set_reads(tmp_path, name):
    arrays = small_file(tmp_path / f"{name}.npz", name)
    with pytest.warns(DataFileWarning, match=r"MD5 .* differs .* has 6 images"):
        data = medmnist(name, "val", tmp_path)
    assert data.channels == MEDMNIST[name].channels
    assert data.images.shape == (6, 28, 28, data.channels)
    wanted = arrays["val_labels"]
    if data.task is not Task.MULTI_LABEL:
        wanted = wanted[:, 0]
    np.testing.assert_array_equal(data.labels, wanted)
    assert data.labels.dtype == np.int64
    assert data.mirror_safe == (not name.startswith("organ"))


def test_larger_images_come_from_their_own_file(tmp_path):
    small_file(tmp_path / "breastmnist_64.npz", "breastmnist", size=64)
    with pytest.warns(DataFileWarning):
        assert medmnist("breastmnist", "test", tmp_path, size=64).image_size == 64
    with pytest.raises(ConfigError, match="size: expected one of 28, 64, 128, 224, got 32"):
        medmnist("breastmnist", "test", tmp_path, size=32)


@pytest.mark.filterwarnings("ignore::tinyternary.data.DataFileWarning")
@given(
    flag=st.sampled_from(sorted(MEDMNIST)),
    size=st.sampled_from([None, *SIZES]),
    stated=st.sampled_from([None, *SIZES]),
    title=st.booleans(),
)
def test_a_set_by_flag_title_or_file_name(flag, size, stated, title):
    name = MEDMNIST[flag].title if title else flag
    name += "" if stated is None else f"_{stated}"
    if None not in (size, stated) and size != stated:
        with pytest.raises(ConfigError, match=f"size: {size}, but the data set is called '{name}'"):
            flag_and_size(name, size)
    else:
        assert flag_and_size(name, size) == (flag, size or stated or 28)


@pytest.mark.filterwarnings("ignore::tinyternary.data.DataFileWarning")
def test_a_set_of_another_size_is_called_so_and_found_by_that_name(tmp_path):
    small_file(tmp_path / "bloodmnist_128.npz", "bloodmnist", size=128)
    for name, size in (("BloodMNIST", 128), ("bloodmnist_128", None), ("bloodmnist_128", 128)):
        splits = load(name, tmp_path, size=size)
        assert (splits.name, splits.image_size) == ("bloodmnist_128", 128)
    assert load(splits.name, tmp_path).image_size == 128
    assert download("BloodMNIST", tmp_path, 128) == tmp_path / "bloodmnist_128.npz"


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("OrganMNIST3D", None, "the 3D sets of MedMNIST are not supported"),
        ("nodulemnist3d_64", None, "the 3D sets of MedMNIST are not supported"),
        ("breastmnist_", None, "unknown data set"), ("breastmnist_32", None, "size: expected one"),
        ("breast_mnist", None, "unknown data set"), ("_64", None, "unknown data set"),
        ("phantoms", 64, "phantoms are drawn at 28 pixels"),
    ],
)  # fmt: skip
def test_names_and_sizes_that_there_are_not(name, size, reason, tmp_path):
    with pytest.raises(ConfigError, match=reason):
        load(name, tmp_path, size=size)


GOOD = np.zeros((6, 28, 28), np.uint8)
LABELS = np.zeros((6, 1), np.uint8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_images": None}, "expected an array 'train_images', found"),
        ({"train_labels": None}, "expected an array 'train_labels'"),
        ({"train_images": GOOD.astype(np.float32)}, "train_images: expected uint8, got float32"),
        ({"train_images": GOOD[:, :20]}, r"expected shape \(N, 28, 28\), got \(6, 20, 28\)"),
        ({"train_images": np.zeros((6, 28, 28, 3), np.uint8)}, r"got \(6, 28, 28, 3\)"),
        ({"train_images": GOOD[:0], "train_labels": LABELS[:0]}, "the split is empty"),
        ({"train_labels": LABELS[:5]}, r"expected shape \(6, 1\), got \(5, 1\)"),
        ({"train_labels": LABELS[:, 0]}, r"expected shape \(6, 1\), got \(6,\)"),
        ({"train_labels": LABELS + 2}, "values from 0 to 1, got 2 to 2"),
        ({"train_labels": LABELS.astype(np.int8) - 1}, "values from 0 to 1, got -1 to -1"),
        ({"train_labels": LABELS + 0.5}, "train_labels: expected integers, got float64"),
        ({"train_labels": LABELS.astype("U1")}, "train_labels: expected integers"),
        ({"train_labels": LABELS.astype(object)}, "holds Python objects"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, changes, message):
    path = tmp_path / "breastmnist.npz"
    small_file(path, "breastmnist", **changes)
    with pytest.raises(DataFileError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_says_how_to_get_it(tmp_path):
    with pytest.raises(DataFileError, match=r"breastmnist.npz: not found; get it from https://"):
        medmnist("breastmnist", "train", tmp_path)
    (tmp_path / "breastmnist.npz").mkdir()
    with pytest.raises(DataFileError, match="is a folder"):
        medmnist("breastmnist", "train", tmp_path)


def test_unknown_names_are_named(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'breastmnist'"):
        medmnist("breastmnits", "train", tmp_path)
    with pytest.raises(ConfigError, match="split"):
        medmnist("breastmnist", "validation", tmp_path)
    with pytest.raises(ConfigError, match="unknown data set"):
        load("cifar", tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "breastmnist.npz"
    small_file(path, "breastmnist")
    return path


@given(data=st.data())
def test_truncated_files_are_errors(whole, tmp_path_factory, data):
    content = whole.read_bytes()
    length = data.draw(st.integers(0, len(content) - 1))
    path = tmp_path_factory.mktemp("cut") / "breastmnist.npz"
    path.write_bytes(content[:length])
    with pytest.raises(DataFileError, match=r"breastmnist\.npz"):
        read(path)


def _near(content, key):
    starts = [i for i in range(len(content)) if content.startswith(key, i)]
    return [j for i in starts for j in range(i, min(i + 100, len(content)))]


@given(data=st.data())
def test_flipped_bytes_never_read_as_something_else(whole, tmp_path_factory, data):
    """Damage is an error, or lies where it does not touch the arrays."""
    damaged = bytearray(whole.read_bytes())
    # headers and directory are few bytes: half of the examples go there
    headers = st.sampled_from([i for key in (b"PK", b"NUMPY") for i in _near(bytes(damaged), key)])
    place = data.draw(headers | st.integers(0, len(damaged) - 1))
    damaged[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("flip") / "breastmnist.npz"
    intact = read(whole)
    path.write_bytes(bytes(damaged))
    try:
        found = read(path)
    except DataFileError as error:
        assert "breastmnist.npz" in str(error)  # noqa: PT017 - either outcome is right
    else:
        np.testing.assert_array_equal(found.images, intact.images)
        np.testing.assert_array_equal(found.labels, intact.labels)


@given(st.binary(max_size=300))
def test_anything_else_is_not_a_file(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "breastmnist.npz"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"damaged or not an \.npz file"):
        read(path)


def _npy_header(shape, dtype="|u1"):
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    head = head.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode()


def test_a_bomb_is_refused_before_memory_is_taken(tmp_path):
    path = tmp_path / "breastmnist.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("train_images.npy", _npy_header((64 << 20,)) + bytes(64 << 20))
        file.writestr("val_images.npy", _npy_header((1 << 62,), "<i8"))
    assert path.stat().st_size < 100_000
    with open_archive(path) as archive:
        tracemalloc.start()
        with pytest.raises(DataFileError, match="67,108,864 bytes, more than the limit of 1,048"):
            archive.read("train_images", limit_bytes=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
        tracemalloc.stop()
    with pytest.raises(DataFileError, match="more than the limit of 1,073,741,824"):
        read(path, split="val")


def test_a_header_that_promises_more_than_there_is(tmp_path):
    path = tmp_path / "breastmnist.npz"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("train_images.npy", _npy_header((6, 28, 28)) + bytes(100))
    with pytest.raises(DataFileError, match="needs 4,704 bytes, the file holds 100"):
        read(path)


@pytest.mark.parametrize("fortran", [False, True])
def test_archives_read_what_numpy_wrote(tmp_path, fortran):
    array = np.arange(24, dtype=">i4").reshape(2, 3, 4)
    array = np.asfortranarray(array) if fortran else array
    np.savez(tmp_path / "a.npz", a=array, empty=np.zeros((0, 3)))
    with open_archive(tmp_path / "a.npz") as archive:
        np.testing.assert_array_equal(archive.read("a"), array)
        assert archive.read("empty").shape == (0, 3)


def test_pickles_are_never_loaded(tmp_path):
    buffer = io.BytesIO()
    np.save(buffer, np.array([print], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "breastmnist.npz", "w") as file:
        file.writestr("train_images.npy", buffer.getvalue())
    with pytest.raises(DataFileError, match="Python objects"):
        read(tmp_path / "breastmnist.npz")


def test_download_without_the_package_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataFileError, match=r"not installed; get it from https://zenodo"):
        download("breastmnist", tmp_path)
    assert list(tmp_path.iterdir()) == []


class FakePackage:
    """Stands in for the official package: writes the file, or half of it and fails."""

    def __init__(self, fails):
        self.fails = fails

    def BreastMNIST(self, split, download, root, size):
        with open(f"{root}/breastmnist.npz", "wb") as file:
            file.write(b"half" if self.fails else b"whole")
        if self.fails:
            raise RuntimeError("\n   Automatic download failed! \n and more")


def test_download_leaves_a_whole_file_or_none(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(importlib, "import_module", lambda name: FakePackage(True))
    with pytest.raises(DataFileError, match=r"failed \(Automatic download failed!\); get it from"):
        download("breastmnist", tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    monkeypatch.setattr(importlib, "import_module", lambda name: FakePackage(False))
    path = download("breastmnist", tmp_path / "new")
    assert path.read_bytes() == b"whole"
    assert list((tmp_path / "new").iterdir()) == [path]
    monkeypatch.setattr(importlib, "import_module", None)
    assert download("breastmnist", tmp_path / "new") == path


def test_root_comes_from_argument_environment_or_home(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYTERNARY_DATA", str(tmp_path))
    assert data_root() == tmp_path
    assert data_root("/elsewhere").as_posix() == "/elsewhere"
    monkeypatch.delenv("TINYTERNARY_DATA")
    assert data_root().name == ".medmnist"


def _dataset(images=GOOD[..., None], labels=LABELS[:, 0], task=Task.BINARY, names=("a", "b")):
    return Dataset(images, labels, task, names)


def test_data_sets_check_themselves():
    assert len(_dataset()) == 6
    for change, message in [
        ({"images": GOOD}, "expected images as uint8"),
        ({"images": GOOD[..., None].astype(float)}, "expected images as uint8"),
        ({"labels": LABELS}, "expected integer labels of shape"),
        ({"labels": LABELS[:, 0] + 2}, "expected labels between 0 and 1"),
        ({"labels": LABELS[:, 0] + 0.0}, "expected integer labels"),
        ({"names": ("a",)}, "two class names"),
        ({"task": Task.MULTI_LABEL}, r"expected integer labels of shape \(6, 2\)"),
    ]:
        with pytest.raises(DataFileError, match=message):
            _dataset(**change)


def test_subsets():
    data = Dataset(
        np.arange(6, dtype=np.uint8)[:, None, None, None] + GOOD[..., None],
        np.array([0, 1, 0, 1, 0, 1]), Task.BINARY, ("a", "b"),
    )  # fmt: skip
    for chosen in ([4, 1], np.array([4, 1]), slice(4, 0, -3)):
        part = data.subset(chosen)
        assert part.images[:, 0, 0, 0].tolist() == [4, 1]
        assert part.labels.tolist() == [0, 1]
    assert len(data.subset(data.labels == 1)) == 3
    assert len(data.subset([])) == 0
    with pytest.raises(ConfigError, match="6 images"):
        data.subset([6])


def test_splits_agree_with_each_other():
    good = _dataset()
    splits = Splits(good, good, good)
    assert splits["val"] is good
    with pytest.raises(ConfigError, match="split"):
        splits["all"]
    with pytest.raises(DataFileError, match="class_names"):
        Splits(good, good, _dataset(names=("a", "c")))


@given(st.integers(0, 2**32), st.integers(1, 9), st.sampled_from([1, 3]))
def test_preprocessing_standardises_its_own_images(seed, count, channels):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 28, 28, channels), np.uint8)
    data = Dataset(images, np.zeros(count, np.int64), Task.BINARY, ("a", "b"))
    fitted = fit_preprocessing(data)
    scaled = images.astype(np.float64) / 255
    np.testing.assert_allclose(fitted.mean, scaled.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(fitted.std, scaled.std((0, 1, 2)), rtol=1e-9)
    out = fitted(images)
    np.testing.assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(out.std((0, 2, 3)), 1, atol=1e-4)


def test_preprocessing_of_images_without_contrast_and_of_none():
    flat = _dataset(images=GOOD[..., None] + np.uint8(7))
    assert np.abs(fit_preprocessing(flat)(flat.images)).max() < 1e-4
    with pytest.raises(DataFileError, match="no images"):
        fit_preprocessing(flat.subset([]))
