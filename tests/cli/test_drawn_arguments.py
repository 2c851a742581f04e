"""Whatever a command is given, it ends with a status and a line, and never with a traceback."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings, strategies as st

from tests.cli import drawn


@pytest.fixture(scope="module", autouse=True)
def furnished(tmp_path_factory):
    folder, before = tmp_path_factory.mktemp("drawn"), os.getcwd()
    os.chdir(folder)
    drawn.furnish(folder)
    yield
    os.chdir(before)


def test_every_command_is_drawn():
    names = {" ".join(path) for path, _ in drawn.COMMANDS}
    assert {"train", "predict", "cost", "bench train", "lessons build", "grade"} <= names


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, derandomize=True)
def test_no_traceback(rng):
    drawn.outcome(drawn.line(rng))


@pytest.mark.slow
def test_no_traceback_of_many():
    counts = drawn.run(500, 2026)
    assert {what.split(":")[0] for what in counts} == {path[0] for path, _ in drawn.COMMANDS}
    assert sum(count for what, count in counts.items() if what.endswith(": 0")) > 10


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["inspect", drawn.LONG], 1),
        (["predict", "model.safetensors", drawn.LONG, f"{drawn.LONG}/x"], 1),
        (["predict", "model.safetensors", "image.png", "\udcff.png"], 1),
        (["evaluate", drawn.LONG], 1),
        (["pack", drawn.LONG], 1),
        (["train", "--out", drawn.LONG], 2),
        (["grade", drawn.LONG], 1),
        (["cost", "tiny", "--batch", "1" + "0" * 400], 2),
        (["cost", "tiny", "--out", "file/below"], 2),
        (["bench", "train", "--shapes", ","], 2),
        (["bench", "train", "--shapes", "x", "--batch", "1" + "0" * 400], 2),
        (["bench", "kernels", "--rows", "9" * 400], 2),
        (["bench", "infer", "--presets", ","], 2),
    ],
    ids=lambda case: " ".join(word[:9] for word in case) if isinstance(case, list) else None,
)
def test_what_was_found(words, status):
    assert drawn.outcome(words)[0] == status
