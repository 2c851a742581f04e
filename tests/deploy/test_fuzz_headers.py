"""Headers that lie by rule, and that the writer obeys the reader."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from tests.deploy import fuzz_headers
from tests.deploy.small_models import make_model
from tinyternary.config import Preprocessing
from tinyternary.deploy import pack
from tinyternary.errors import ConfigError


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_five_thousand_lying_headers(record_property):
    counts = fuzz_headers.run(5000, 2026)
    record_property("outcomes", str(counts.most_common(20)))
    assert counts["answers"] > 500
    assert len(counts) > 60  # fields that were named


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_lying_headers_in_bounded_memory(record_property):
    counts = fuzz_headers.run(300, 7, measured=True)
    record_property("outcomes", str(counts.most_common(20)))
    assert counts["answers"] > 20


NUMBERS = st.one_of(
    st.floats(), st.integers(), st.sampled_from([0.0, 1e-6, 9e-7, 1e6, 2e6, 10**400])
)


@given(
    names=st.lists(st.text() | st.sampled_from(["a", "\ud800", "\x1b[0m"]), min_size=2, max_size=3),
    mean=st.lists(NUMBERS, min_size=3, max_size=3),
    std=st.lists(NUMBERS, min_size=3, max_size=3),
    threshold=st.none() | NUMBERS | st.lists(NUMBERS, max_size=3),
    task=st.sampled_from(["binary-class", "multi-class", "multi-label"]),
    dataset=st.text() | st.just("\ud800"),
    metrics=st.dictionaries(
        st.text(), st.recursive(NUMBERS | st.text(), st.lists, max_leaves=5), max_size=3
    ),
)
def test_what_is_packed_can_be_read(names, mean, std, threshold, task, dataset, metrics):
    model = make_model(num_classes=len(names), **fuzz_headers.SMALL)
    try:
        packed = pack(
            model, class_names=names, preprocessing=Preprocessing(8, tuple(mean), tuple(std)),
            threshold=threshold, task=task, dataset=dataset, metrics=metrics,
        )  # fmt: skip
    except ConfigError as error:
        assert len(str(error)) < fuzz_headers.MOST_CHARACTERS  # noqa: PT017
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert packed.read().header == packed.header


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"class_names": ["a", "a", "b"]}, "class_names.1"),
        ({"class_names": ["a", "b", "\ud800"]}, "class_names.2"),
        ({"preprocessing": Preprocessing(8, (0, 0, 0), (1, 1, 9e-7))}, "preprocessing.std"),
        ({"preprocessing": Preprocessing(8, (0, 0, 2e6), (1, 1, 1))}, "preprocessing.mean"),
        ({"preprocessing": Preprocessing(9, (0, 0, 0), (1, 1, 1))}, "preprocessing.image_size"),
        ({"threshold": 0.5}, "threshold: .* null: 3 classes"),
        ({"dataset": "\udcff"}, "dataset"),
    ],
)
def test_the_writer_names_what_the_reader_would_refuse(options, field):
    with pytest.raises(ConfigError, match=field):
        pack(make_model(num_classes=3, **fuzz_headers.SMALL), **options)
