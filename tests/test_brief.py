"""Whoever types a result's name is told what it is, not all that it holds."""

from __future__ import annotations

import dataclasses
import re
from types import ModuleType

import numpy as np
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as npst

import tinyternary as tt
from tinyternary.brief import MOST, in_brief

WITHOUT_END = re.compile(r"NDArray|F32|list|dict|Mapping|Any|tuple\[[A-Z]")
ONE_LINE = 2000
"""Characters that nobody has to scroll for."""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200)
    | npst.arrays(np.float32, npst.array_shapes(max_dims=3, min_side=0, max_side=40)),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(), inner, max_size=40)
    | st.tuples(inner, inner),
)  # fmt: skip


def public_dataclasses() -> dict[str, type]:
    """All that users reach as `tt.package.Name`."""
    packages = [each for name in dir(tt) if isinstance(each := getattr(tt, name), ModuleType)]
    return {
        f"{package.__name__}.{name}": getattr(package, name)
        for package in packages
        for name in dir(package)
        if name[0].isupper() and dataclasses.is_dataclass(getattr(package, name))
    }


@given(values)
def test_any_value_is_one_bounded_line(value: object) -> None:
    shown = in_brief(value)
    assert "\n" not in shown
    assert len(shown) <= (MOST + 1) ** 2 * 150


@given(st.integers(MOST + 1, 10**5))
def test_what_is_long_is_counted(length: int) -> None:
    assert in_brief([1.5] * length) == f"[{length} float]"
    assert in_brief(np.zeros((length, 3), np.int8)) == f"int8[{length}, 3]"


def test_every_result_that_may_be_long_says_itself_in_brief() -> None:
    classes = public_dataclasses()
    assert len(classes) > 40
    wordy = [
        name for name, each in classes.items()
        if any(f.repr and WITHOUT_END.search(str(f.type)) for f in dataclasses.fields(each))
        and each.__dataclass_params__.repr
    ]  # fmt: skip
    assert wordy == []


def test_what_a_learner_types_most_is_a_line() -> None:
    counts = {"train": 64, "val": 32, "test": 32}
    data = tt.data.Splits(*(tt.data.phantoms(each, count=n) for each, n in counts.items()))
    model = tt.models.ViT(tt.models.preset("tiny", num_classes=data.num_classes))
    run = tt.train.fit(model, data, epochs=1, batch_size=32, progress=False)
    engine = tt.deploy.Engine(tt.deploy.pack(model, class_names=data.class_names).read())
    results = [
        data, run, run.history, run.recipe, tt.cost.analyze(model), engine,
        engine.predict(data.test.images[:1]), engine.predict(data.test.images),
        tt.data.Batches(data.train, run.preprocessing), tt.train.AdamW(model.parameters()),
    ]  # fmt: skip
    for result in results:
        shown = repr(result)
        assert "\n" not in shown
        assert " object at 0x" not in shown
        assert len(shown) < ONE_LINE, type(result)
