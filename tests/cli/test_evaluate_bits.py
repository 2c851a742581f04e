"""`tinyternary evaluate RUN --activation-bits 7`: what a bit of the activations costs."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_command_line import run as command
from tinyternary import data, deploy, models, quant, train


@pytest.mark.slow
def test_a_run_is_judged_with_seven_bits_and_a_packed_file_is_not(tmp_path):
    splits = data.load("phantoms")
    few = data.Splits(
        splits.train.subset(range(64)), splits.val.subset(range(64)), splits.test.subset(range(64))
    )
    shape = models.preset("tiny", image_size=28, channels=3, num_classes=8, depth=1)
    student = quant.ternarize(models.ViT(shape, seed=0), "all-linear")
    run = train.fit(student, few, epochs=1, run_dir=tmp_path / "run", progress=False)
    answers = {}
    for bits in ("8", "7"):
        done = command("evaluate", str(tmp_path / "run"), "--activation-bits", bits, "--json")
        assert done.returncode == 0, done.stderr
        answers[bits] = json.loads(done.stdout)["test"]
    assert answers["8"] != answers["7"]

    deploy.pack(run.model, preprocessing=run.preprocessing).save(tmp_path / "packed.safetensors")
    done = command("evaluate", str(tmp_path / "packed.safetensors"), "--activation-bits", "7")
    assert done.returncode == 2
    assert "run folder" in done.stderr
