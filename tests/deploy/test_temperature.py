"""The temperature of a packed file: kept, applied to probabilities alone, absent from old files."""

from __future__ import annotations

import json
import re
import subprocess

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.deploy.c.building import COMPILERS, answers, build, needs_compiler, said
from tests.deploy.small_models import images_for, make_model
from tinyternary.config import Task, logit_limits
from tinyternary.data import Dataset
from tinyternary.deploy import Engine, inspect, pack, to_c
from tinyternary.deploy.format.header_fields import parse_header
from tinyternary.errors import ConfigError, PackedFileError
from tinyternary.evaluate import choose_threshold, decide, evaluate, scores

SHAPE = {"width": 16, "depth": 1, "heads": 2, "mlp_width": 20, "image_size": 8}


@pytest.fixture(scope="module")
def model():
    return make_model("bitmedvit", num_classes=2, **SHAPE)


def test_only_probabilities_change(model):
    images = images_for(model, 12)
    plain = Engine(pack(model).read()).predict(images)
    for temperature in (0.2, 1.0, 3.5):
        found = Engine(pack(model, temperature=temperature).read()).predict(images)
        np.testing.assert_array_equal(found.logits, plain.logits)
        np.testing.assert_array_equal(found.labels, plain.labels)
        wanted = scores(plain.logits.astype(np.float64) / temperature, Task.MULTI_CLASS)
        np.testing.assert_array_equal(found.probabilities, wanted)
        assert (temperature == 1) == np.array_equal(found.probabilities, plain.probabilities)


def test_a_file_without_one_is_what_it_was(model):
    packed = pack(model)
    fields = packed.header.to_dict()
    assert fields["format_version"] == 1
    assert "temperature" not in fields
    assert b"temperature" not in packed.content
    header = parse_header(fields, "file", 1000)
    assert header.temperature is None
    assert header.to_dict() == fields
    # a reader of format 1 would answer with other probabilities: it has to refuse
    with_one = pack(model, temperature=1.5)
    assert with_one.header.to_dict()["format_version"] == 2
    assert with_one.read().header.temperature == 1.5
    with pytest.raises(PackedFileError, match="unknown field 'temperature'"):
        parse_header({**fields, "temperature": 1.5}, "file", 1000)


@pytest.mark.parametrize("wrong", [0, -1.0, 1e-3, 1e9, True, "1", None, [1.0], float("nan")])
def test_what_is_none_is_refused(model, wrong):
    fields = pack(model, temperature=1.5).header.to_dict()
    with pytest.raises(PackedFileError, match=r"temperature: .*expected a number in"):
        parse_header({**fields, "temperature": wrong}, "file", 1000)
    if wrong is not None:
        with pytest.raises(ConfigError, match=r"temperature: .*expected a number"):
            pack(model, temperature=wrong)
    if isinstance(wrong, float):
        with pytest.raises(ConfigError, match="temperature: expected a number"):
            scores([[0.0, 1.0]], Task.BINARY, wrong)


@given(
    task=st.sampled_from([Task.BINARY, Task.MULTI_LABEL]),
    logits=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=1, max_size=8),
    threshold=st.floats(0.02, 0.98), temperature=st.floats(0.05, 20),
)  # fmt: skip
def test_limits_of_logits_say_what_thresholds_of_probabilities_say(
    task, logits, threshold, temperature
):
    x = np.array(logits)
    probabilities = scores(x, task, temperature)
    decided = decide(probabilities, task, threshold)
    limits = np.array(logit_limits(task, (threshold,), 2, temperature))
    margin = x if task is Task.MULTI_LABEL else x[:, 1] - x[:, 0]
    clear = np.abs(margin - limits) > 1e-9  # beside the limit the last bit decides
    np.testing.assert_array_equal((margin > limits)[clear], decided[clear] == 1)


def test_a_threshold_serves_at_the_temperature_that_it_was_chosen_at(model):
    images = images_for(model, 24)
    logits = Engine(pack(model).read())(images)
    labels = (logits[:, 1] - logits[:, 0] > np.quantile(logits[:, 1] - logits[:, 0], 0.7)).astype(
        int
    )
    task, temperature = Task.BINARY, 0.3
    chosen = choose_threshold(labels, scores(logits, task, temperature), task)
    packed = pack(model, task=task, threshold=chosen, temperature=temperature)
    engine = Engine(packed.read())
    np.testing.assert_array_equal(engine.predict(images).labels, labels)
    data = Dataset(images, labels, task, ("class 0", "class 1"))
    found = evaluate(engine, data, resamples=0)
    assert (found["acc"], found["temperature"]) == (1, temperature)
    assert found["loss"] == pytest.approx(
        -np.log(engine.predict(images).probabilities[np.arange(24), labels]).mean()
    )
    before = evaluate(engine, data, resamples=0, temperature=1.0, threshold=None)
    plain = evaluate(Engine(pack(model, task=task).read()), data, resamples=0)
    assert before == {**plain, "temperature": 1.0}


def test_inspect_says_it(model, tmp_path):
    assert inspect(pack(model).save(tmp_path / "a.safetensors"))["temperature"] is None
    found = inspect(pack(model, temperature=0.735).save(tmp_path / "b.safetensors"))
    assert found["temperature"] == 0.735
    json.dumps(found, allow_nan=False)


PROBE = """
#include "model.h"
#include <math.h>
#include <stdio.h>
int main(void) {
    tt_logit logits[TT_CLASSES] = {LOGITS};
    double e[TT_CLASSES], sum = 0;
    for (int i = 0; i < TT_CLASSES; i++) sum += e[i] = exp((double)logits[i] / TT_TEMPERATURE);
    for (int i = 0; i < TT_CLASSES; i++) printf("%.9f ", e[i] / sum);
    return 0;
}
"""


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("integer", [False, True])
def test_c_has_the_constant_that_makes_the_engines_probabilities(model, integer, tmp_path):
    images, temperature = images_for(model, 6), 0.437
    for task, threshold in ((Task.MULTI_CLASS, None), (Task.BINARY, 0.6)):
        packed = pack(model, task=task, threshold=threshold, temperature=temperature)
        to_c(packed, tmp_path, integer=integer)
        build(tmp_path, COMPILERS[0])
        logits = answers(tmp_path, images)
        logits = logits.view(np.int32) if integer else logits
        expected = Engine(packed.read()).decide(logits / (65536 if integer else 1))
        names = [line.split(": ")[1].split("\t")[0]
                 for line in said(tmp_path, "images.pnm").stdout.splitlines()]  # fmt: skip
        assert names == expected.names
    for row, wanted in zip(logits, expected.probabilities, strict=True):
        told = ", ".join(str(value) for value in row.tolist())
        (tmp_path / "probe.c").write_text(PROBE.replace("LOGITS", told))
        subprocess.run([COMPILERS[0], "-std=c99", "probe.c", "-o", "probe", "-lm"],
                       cwd=tmp_path, check=True)  # fmt: skip
        done = subprocess.run([tmp_path / "probe"], capture_output=True, text=True, check=True)
        np.testing.assert_allclose([float(p) for p in done.stdout.split()], wanted, atol=1e-4)
    unit = r"28639" if integer else r"0\.437"
    assert re.search(rf"#define TT_TEMPERATURE {unit}\b", (tmp_path / "model.h").read_text())
