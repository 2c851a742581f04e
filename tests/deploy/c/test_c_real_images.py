"""Real images through a trained network in C: the engine's logits, and so its accuracy."""

from __future__ import annotations

import numpy as np
import pytest

import tinyternary as tt
from tests.deploy.c.building import COMPILERS, answers, build, check_equal, needs_compiler
from tinyternary.deploy import Engine, pack, to_c


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", ["breastmnist", "pneumoniamnist", "bloodmnist"])
def test_real_images_are_classified_as_by_the_engine(name, medmnist_root, tmp_path):
    splits = tt.data.load(name, root=medmnist_root)
    images, labels = splits.test.images[:400], splits.test.labels[:400].reshape(-1)
    config = tt.models.preset(
        "lesson", num_classes=splits.num_classes, width=32, mlp_width=64, kv_heads=1,
        channels=splits.channels,
    )  # fmt: skip
    model = tt.quant.ternarize(tt.models.ViT(config), "everything")
    few = splits.train.subset(slice(300)).divide()
    run = tt.train.fit(model, few, epochs=1, progress=False)
    packed = pack(
        run.model, bits=1.6, preprocessing=run.preprocessing, task=run.task,
        class_names=run.class_names,
    )  # fmt: skip
    to_c(packed, tmp_path)
    build(tmp_path, COMPILERS[0], "-O3 -march=native")
    engine, found = Engine(packed.read()), answers(tmp_path, images)
    check_equal(engine, found, images)
    accuracy = np.mean(engine.decide(found).labels == labels)
    assert accuracy == np.mean(engine.predict(images).labels == labels)
