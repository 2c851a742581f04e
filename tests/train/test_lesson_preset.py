"""What the lessons train: four classes of phantoms, the preset `lesson`, `fit`'s defaults."""

from __future__ import annotations

import numpy as np
import pytest

import tinyternary as tt

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def data() -> tt.data.Splits:
    counts = {"train": 1000, "val": 200, "test": 500}
    return tt.data.Splits(*(tt.data.phantoms(s, count=n, classes=4) for s, n in counts.items()))


@pytest.fixture(scope="module")
def teachers(data: tt.data.Splits) -> list[tt.train.Run]:
    config = tt.models.preset("lesson", num_classes=4)
    return [
        tt.train.fit(tt.models.ViT(config, seed=seed), data, seed=seed, progress=False)
        for seed in SEEDS
    ]


@pytest.mark.slow
def test_the_defaults_are_enough_for_the_lessons_network(teachers: list[tt.train.Run]) -> None:
    accuracy = np.array([run.metrics["test"]["acc"] for run in teachers])
    assert accuracy.min() >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["bitmedvit", "all-linear"])
def test_a_ternary_student_of_it_keeps_up(
    data: tt.data.Splits, teachers: list[tt.train.Run], policy: str
) -> None:
    for seed, teacher in zip(SEEDS, teachers):
        student = tt.quant.ternarize(tt.models.ViT(teacher.model.config, seed=seed), policy)
        run = tt.train.distill(
            student, teacher, data, seed=seed, progress=False,
            epochs=10, start_from_teacher=True, feature="none",
        )  # fmt: skip
        assert run.metrics["test"]["acc"] >= 0.85
