"""Limits of prediction sets in a packed file: found, kept, applied, and missed where there are none."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

from tests.deploy.small_models import images_for, make_model
from tinyternary.config import SetLimits, Task
from tinyternary.deploy import Engine, load, model_card, pack, predict_files
from tinyternary.deploy.format.header_fields import parse_header
from tinyternary.errors import ConfigError, PackedFileError
from tinyternary.evaluate import class_limits, conformal_sets, scores, set_limits

LIMITS = SetLimits((0.5, 0.9), (20, 40, 9), ((0.5, 0.4, 0.25), (0.25, 0.2, 0.0)))
MODEL = make_model("bitmedvit")
PACKED = pack(MODEL, task=Task.MULTI_CLASS, prediction_sets=LIMITS)
ENGINE = Engine(PACKED.read(), threads=1)


@st.composite
def validation(draw):
    images, classes = draw(st.integers(2, 60)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = rng.normal(0, draw(st.sampled_from([0.1, 2, 20])), (images, classes))
    return rng.integers(0, classes, images), scores(logits, Task.MULTI_CLASS)


@given(case=validation(), coverage=st.sampled_from([0.5, 0.8, 0.9, 0.99]))
def test_what_is_kept_gives_the_sets_of_the_unrounded_limits_and_hardly_more(case, coverage):
    labels, probabilities = case
    kept = set_limits(labels, probabilities, Task.MULTI_CLASS)
    by_class = bool((np.bincount(labels, minlength=probabilities.shape[1]) >= 9).all())
    assert len(kept.images) == (probabilities.shape[1] if by_class else 1)
    limits = class_limits(labels, probabilities, Task.MULTI_CLASS, coverage, by_class=by_class)
    exact, found = conformal_sets(probabilities, limits), kept.sets(probabilities, coverage)
    assert (exact <= found).all()
    more = found & ~exact  # a probability less than its limit by less than a ten-thousandth of it
    assert np.allclose(probabilities[more], np.broadcast_to(-limits, found.shape)[more], rtol=1e-4)


@given(asked=st.floats(0.01, 0.99))
def test_a_coverage_between_those_kept_is_the_next_higher(asked):
    kept = SetLimits((0.3, 0.6, 0.99), (5,), ((0.9,), (0.4,), (0.1,)))
    level, limits = kept.at(asked)
    assert level >= asked
    assert level == min(c for c in kept.coverages if c >= asked)
    assert limits.tolist() == [{0.3: 0.9, 0.6: 0.4, 0.99: 0.1}[level]]


def test_the_engine_gives_sets_and_says_when_it_is_not_sure():
    answers = ENGINE.decide(np.log([[0.6, 0.3, 0.1], [0.3, 0.6, 0.1], [0.1, 0.7, 0.2],
                                    [0.34, 0.33, 0.33]]), 0.5)  # fmt: skip
    assert answers.sets.tolist() == [
        [True, False, False], [False, True, False], [False, True, False], [False, False, True],
    ]  # fmt: skip
    # the set of the last image is one class, and the likeliest is another
    assert answers.sure.tolist() == [True, True, True, False]
    assert ENGINE.decide(answers.logits, 0.9).sets[:, 2].all()  # too few images of this class
    assert (answers.sets <= ENGINE.decide(answers.logits, 0.9).sets).all()
    images = images_for(MODEL, 4)
    np.testing.assert_array_equal(
        ENGINE.predict(images, 0.7).sets, LIMITS.sets(ENGINE.predict(images).probabilities, 0.9)
    )


def test_sets_are_of_probabilities_at_the_temperature():
    warm = Engine(pack(MODEL, temperature=4.0, prediction_sets=LIMITS).read(), threads=1)
    logits = np.array([[3.0, 0.0, 0.0]], np.float32)
    assert ENGINE.decide(logits, 0.9).sets.tolist() == [[True, False, True]]
    assert warm.decide(logits, 0.9).sets.tolist() == [[True, True, True]]


def test_without_a_coverage_nothing_is_said_of_sets():
    answers = ENGINE.predict(images_for(MODEL, 1))
    assert answers.sets is None
    with pytest.raises(ConfigError, match="ask the engine with a coverage"):
        _ = answers.sure


def test_a_file_without_limits_says_how_to_get_them(tmp_path):
    engine = load(pack(MODEL).save(tmp_path / "m.safetensors"))
    with pytest.raises(ConfigError) as said:
        engine.predict(images_for(MODEL, 1), 0.9)
    assert str(said.value).startswith(f"{tmp_path / 'm.safetensors'}: keeps no limits")
    assert "`tinyternary pack RUN --sets`" in str(said.value)
    assert "cannot say that it is not sure" in model_card(engine.packed)
    with pytest.raises(ConfigError, match=r"at most 0\.9, which is the highest"):
        ENGINE.predict(images_for(MODEL, 1), 0.95)


def test_files_get_sets(tmp_path):
    pixels = images_for(MODEL, 3)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    wanted = ENGINE.predict(pixels, 0.9)
    names = np.array(ENGINE.class_names)
    for i, found in enumerate(predict_files(ENGINE, [tmp_path], coverage=0.9, batch_size=2)):
        assert found.set == names[wanted.sets[i]].tolist()
        assert found.sure == wanted.sure[i]
        assert found.answer == (found.label if found.sure else "not sure")
    (alone,) = predict_files(ENGINE, [tmp_path / "0.png"])
    assert (alone.set, alone.sure, alone.answer) == (None, None, alone.label)


def test_the_field_is_small():
    eight = make_model("bitmedvit", num_classes=8)
    rng = np.random.default_rng(0)
    probabilities = scores(rng.normal(0, 2, (800, 8)), Task.MULTI_CLASS)
    kept = set_limits(np.arange(800) % 8, probabilities, Task.MULTI_CLASS)
    assert pack(eight, prediction_sets=kept).nbytes - pack(eight).nbytes < 1000


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"coverages": [0.9, 0.5]}, "expected rising shares"),
        ({"coverages": [0.5, 1]}, "expected rising shares"),
        ({"coverages": []}, "expected rising shares"),
        ({"coverages": [0.5, True]}, r"coverages: .*expected numbers in \[0, 1\]"),
        ({"images": [1, 2]}, "images: .*expected 1 or 3 counts"),
        ({"images": [1, 2, -3]}, "images: .*expected counts"),
        ({"images": [1, 2, 10**12]}, "images: .*expected counts"),
        ({"limits": [[0.5, 0.4, 0.25]]}, r"limits: \[3\] numbers, expected 3 for each of 2"),
        ({"limits": [[0.5, 0.4], [0.2, 0.2]]}, "limits: .*expected 3 for each of 2"),
        ({"limits": [[0.5, 0.4, 0.25], [0.6, 0.2, 0]]}, "fall with the coverage"),
        ({"limits": [[0.5, 0.4, 0.25], [0.2, 1.2, 0]]}, r"limits\.1: .*expected numbers in"),
        ({"limits": [[0.5, 0.4, 0.25], 3]}, r"limits\.1: .*expected numbers in"),
        ({"more": 1}, "unknown field 'more'"),
    ],
)
def test_a_wrong_field_is_named(change, said):
    fields = PACKED.header.to_dict()
    assert parse_header(fields, "file", 1000).prediction_sets == LIMITS
    wrong = {**fields, "prediction_sets": {**fields["prediction_sets"], **change}}
    with pytest.raises(PackedFileError, match=f"^file: prediction_sets.*{said}"):
        parse_header(wrong, "file", 1000)


def test_a_task_of_several_labels_has_none():
    with pytest.raises(ConfigError, match=r"prediction_sets: .*none in a multi-label task"):
        pack(MODEL, task=Task.MULTI_LABEL, prediction_sets=LIMITS)
    with pytest.raises(ConfigError, match="one label an image"):
        set_limits([[0, 1]], [[0.5, 0.5]], Task.MULTI_LABEL)
