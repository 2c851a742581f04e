"""A search goes on where it was stopped, and never asks the test images."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings, strategies as st

from tests.experiments.crumbs import weights, write_data, write_plan
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.experiments import Sweep, search
from tinyternary.experiments.search_space import with_values

optuna = pytest.importorskip("optuna", reason="needs Optuna (extra `search`)")
pytestmark = pytest.mark.filterwarnings("ignore::tinyternary.data.DataFileWarning")

SPACE = """
[search]
trials = {trials}
[search.space]
"teacher.lr" = {{ low = 1e-4, high = 1e-2, log = true }}
"model.depth" = {{ low = 1, high = 2 }}
"student.alpha" = [0.2, 0.8]
"""

names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple)


@given(st.dictionaries(names, st.integers(), max_size=4))
@settings(max_examples=50)
def test_values_stand_where_their_names_say(values):
    paths = [
        path for path in values if not any(path != o and o[: len(path)] == path for o in values)
    ]
    change = {"z": {"kept": 1}}
    found = with_values(change, {".".join(path): values[path] for path in paths})
    assert change == {"z": {"kept": 1}}
    assert found["z"] == {"kept": 1}
    for path in paths:
        at = found
        for part in path:
            at = at[part]
        assert at == values[path]


@pytest.fixture
def made(tmp_path):
    def make(trials, space=SPACE):
        plan = write_plan(tmp_path, epochs=1, datasets=["breastmnist"], seeds=[0])
        plan.write_text(plan.read_text() + space.format(trials=trials))
        return plan

    return make, write_data(tmp_path / "data"), tmp_path


def test_a_search_that_was_stopped_tries_what_it_would_have_tried(made, monkeypatch):
    from tinyternary.experiments import searching

    make, root, folder = made
    whole = search(make(3), root, out=folder / "whole", progress=False)
    assert [len(whole["trials"]), whole["planned"]] == [3, 3]
    assert len({json.dumps(each["values"]) for each in whole["trials"]}) == 3
    assert whole["best"]["score"] == max(each["score"] for each in whole["trials"])
    for each in whole["trials"]:
        assert 1e-4 <= each["values"]["teacher.lr"] <= 1e-2
        assert each["values"]["model.depth"] in (1, 2)
        assert each["values"]["student.alpha"] in (0.2, 0.8)
    for path in (folder / "whole").rglob("metrics.json"):
        assert list(json.loads(path.read_text())) == ["val"]

    search(make(1), root, out=folder / "parts", progress=False)

    class Killed(BaseException):
        pass

    def die(*arguments):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(searching, "_score", die)  # after the runs, before the journal
        with pytest.raises(Killed):
            search(make(3), root, out=folder / "parts", progress=False)
    parts = search(make(3), root, out=folder / "parts", progress=False)
    assert parts == whole
    assert weights(folder / "parts") == weights(folder / "whole")


@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning"
)  # where nothing is compiled, NumPy says so too
def test_a_trial_that_fails_is_told_and_the_next_is_another(made):
    make, root, folder = made
    wild = '[search]\ntrials = {trials}\n[search.space]\n"teacher.lr" = [1e30, 1e-3]\n'
    plan = make(4, wild)
    plan.write_text(
        plan.read_text().replace("[search]", "[change]\nteacher.clip_norm = 0\n[search]", 1)
    )
    found = search(plan, root, out=folder / "out", progress=False)
    assert len(found["trials"]) == 4
    for each in found["trials"]:
        assert (each["score"] is None) == (each["values"]["teacher.lr"] == 1e30)
    assert {each["score"] is None for each in found["trials"]} == {True, False}
    assert found["best"]["values"] == {"teacher.lr": 1e-3}


def test_another_search_and_none_are_refused(made):
    make, root, folder = made
    search(make(1), root, out=folder / "out", progress=False)
    other = make(1, SPACE.replace("0.8", "0.9"))
    with pytest.raises(CheckpointError, match="another search"):
        search(other, root, out=folder / "out", progress=False)
    with pytest.raises(ConfigError, match=r"no \[search\]"):
        search(Sweep(name="p", recipes=["breastmnist"]), root, out=folder / "none", progress=False)
    with pytest.raises(ConfigError, match="lrr"):
        search(
            make(1, SPACE.replace("teacher.lr", "teacher.lrr")),
            root,
            out=folder / "b",
            progress=False,
        )


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ('"a" = {{ low = 2, high = 1 }}', "low < high"),
        ('"a" = {{ low = 0, high = 1, log = true }}', "above 0"),
        ('"a" = []', "at least one"),
        ('"a" = {{ least = 1 }}', "search.space.a"),
    ],
)
def test_a_space_without_values_is_refused(made, space, says):
    make, root, folder = made
    plan = make(1, "[search]\ntrials = {trials}\n[search.space]\n" + space)
    with pytest.raises(ConfigError, match=says) as caught:
        search(plan, root, out=folder / "out", progress=False)
    assert "\n" not in str(caught.value)
