"""Whatever decides a run is part of what its folder is asked for."""

import json
import signal

import numpy as np
import pytest

from tests.train.small import dataset, model, splits
from tinyternary.config import Task
from tinyternary.data import Splits
from tinyternary.errors import CheckpointError
from tinyternary.quant import ternarize
from tinyternary.train import Recipe, distill, fit, load_checkpoint, load_run, save_checkpoint
from tinyternary.train._identity import fingerprint

QUICK = Recipe(epochs=2, batch_size=16, augment="none", ema=0.9)


def other(split):
    """The same data but for one pixel, or one label, of one image of a split."""

    def changed(part, what):
        if part.split != split:
            return part
        array = getattr(part, what).copy()
        array.flat[7] = (array.flat[7] + 1) % 4
        fields = {"images": part.images, "labels": part.labels, what: array}
        return type(part)(
            fields["images"], fields["labels"], part.task, part.class_names, part.name, split, True
        )

    return lambda what: Splits(*(changed(part, what) for part in splits()))


CHANGES = {
    "starting_weights": lambda: {"student": nudged(model())},
    "data was": lambda: {"data": other("train")("labels")},
    "data was ": lambda: {"data": other("train")("images")},
    "validation_images": lambda: {"data": other("val")("images")},
    "validation_images was": lambda: {"data": other("val")("labels")},
    "test_images": lambda: {"data": other("test")("images")},
    "test_images was": lambda: {"data": other("test")("labels")},
    "recipe.optimizer.lr": lambda: {"lr": 1e-2},
    "recipe.augmentation.balanced": lambda: {"balanced": True},
    "seed": lambda: {"seed": 1},
    "teacher.weights": lambda: {"teacher": nudged(model(seed=3))},
    "teacher.policy": lambda: {"teacher": ternarize(model(seed=3), {"head": "absmean"})},
    "policy": lambda: {"student": ternarize(model(), {"head": "absmean"})},
    "model.pool": lambda: {"student": model(pool="cls")},
}


def nudged(net):
    net.blocks[1].mlp.fc1.weight.data[3, 2] += np.float32(1e-3)
    return net


def run(folder, student=None, teacher=None, data=None, **options):
    return distill(
        student or model(), teacher or model(seed=3), data or splits(), QUICK,
        run_dir=folder, preprocessing=PREPROCESSING, progress=False, **options,
    )  # fmt: skip


def plain(config):
    """As JSON has it: without tuples."""
    return json.loads(json.dumps(config))


PREPROCESSING = fit(model(), splits(), QUICK, epochs=1, test=False, progress=False).preprocessing


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    run(folder)
    return folder


@pytest.mark.parametrize("names", CHANGES)
def test_anything_else_is_refused_with_a_line_that_names_it(finished, names):
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    with pytest.raises(CheckpointError, match=rf"belongs to another run: {names.strip()}") as error:
        run(finished, **CHANGES[names]())
    assert "\n" not in str(error.value)
    assert "resume=False" not in str(error.value)  # the command line has no such option
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_the_same_run_is_given_back(finished):
    first = load_run(finished)
    again = run(finished)
    assert again.metrics == first.metrics
    assert plain(again.config) == plain(first.config)


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("stop_at", [5, 11, 12])
def test_a_model_that_the_run_has_trained_may_be_given_again(tmp_path, keep, stop_at):
    """As by whoever runs a notebook's cell once more, after Ctrl-C or at the end."""
    whole = fit(model(), splits(), QUICK, run_dir=tmp_path / "a", keep=keep, progress=False)
    net = model()

    def stop(step, network):
        if step == stop_at:
            signal.raise_signal(signal.SIGINT)

    folder = tmp_path / "b"
    # whoever started the tests may have had Ctrl-C ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        fit(net, splits(), QUICK, run_dir=folder, keep=keep, on_step=stop, progress=False)
    signal.signal(signal.SIGINT, before)
    for _ in range(2):
        found = fit(net, splits(), QUICK, run_dir=folder, keep=keep, progress=False)
        assert found.metrics == whole.metrics
        assert plain(found.config) == plain(load_run(folder).config) == plain(whole.config)
        for name, array in whole.model.state_dict().items():
            np.testing.assert_array_equal(array, net.state_dict()[name])
    with pytest.raises(CheckpointError, match="starting_weights"):
        fit(nudged(net), splits(), QUICK, run_dir=folder, keep=keep, progress=False)


def test_a_state_from_before_this_was_written_goes_on(tmp_path):
    fit(model(), splits(), QUICK, run_dir=tmp_path, progress=False)
    for path in (tmp_path / "last.safetensors", tmp_path / "previous.safetensors"):
        saved = load_checkpoint(path)
        header = {k: v for k, v in saved.header.items() if k not in ("kind", "format", "library")}
        for name in ("starting_weights", "validation_images", "test_images"):
            del header["settings"][name]
        save_checkpoint(path, "state", saved.arrays, header)
    assert fit(model(seed=9), splits(), QUICK, run_dir=tmp_path, progress=False).metrics


@pytest.mark.parametrize("task", list(Task))
def test_all_that_labels_and_images_are_counts(task):
    """No two data sets that differ in a byte have one fingerprint."""
    data = dataset(24, task=task)
    seen = {fingerprint(data)}
    for place in range(0, data.images.size, 97):
        images = data.images.copy()
        images.flat[place] ^= 1
        seen.add(fingerprint(data.with_images(images)))
    assert len(seen) == 1 + len(range(0, data.images.size, 97))
    assert fingerprint(data.subset(slice(0, 12))) not in seen
