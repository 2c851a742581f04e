"""Lesson 05: the numbers its prose states, and the claim that goes against intuition."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits

import tinyternary as tt
from tests.course.solved import solutions
from tinyternary import course

CHECKOUT = Path(__file__).parents[2]
LESSON = course.read_lesson("05_vision_transformer", CHECKOUT)
PROSE = "\n".join(cell.source for cell in LESSON.cells if cell.role == "prose")
MINE = solutions(LESSON)


def test_it_has_what_a_lesson_must_have() -> None:
    assert len(LESSON.exercises) >= 8
    assert len(LESSON.questions) == 1
    code = "\n".join(c.source for c in LESSON.cells if c.role == "demo")
    assert PROSE.count("**Predict, then run.**") == code.count("check.predicted(") >= 5
    sections = PROSE.split("\n## ")
    for needed in ("Recap", "Further reading"):
        assert any(section.startswith(needed) for section in sections)
    for source in ("2010.11929", "1706.03762", "1911.02150", "2105.10497", "2510.13760"):
        assert source in PROSE
    for exercise in LESSON.exercises:
        assert f"{exercise.number} ●" in PROSE


def test_the_whole_network_is_some_sixty_lines() -> None:
    made = [e.solution.solved(hidden=False) for e in LESSON.exercises
            if e.number in ("5.1", "5.2", "5.4", "5.5", "5.6", "5.7")]  # fmt: skip
    made += [c.source for c in LESSON.cells if c.role == "demo" and "def forward(" in c.source]
    lines = [line.strip() for source in made for line in source.splitlines()]
    code = [line for line in lines if line and not line.startswith(("#", '"""'))]
    assert 50 <= len(code) <= 70
    assert "some sixty lines" in PROSE


def test_what_the_root_of_d_is_for() -> None:
    rng = np.random.default_rng(0)
    dots = (rng.normal(size=(4000, 256)) * rng.normal(size=(4000, 256))).sum(axis=1)
    assert np.std(dots) == pytest.approx(16, rel=0.05)
    assert "at $d = 256$ scores of ±16" in PROSE
    assert math.exp(16) == pytest.approx(9e6, rel=0.02)
    assert "$e^{16}$ is nine million times $e^0$" in PROSE
    q, k = rng.normal(size=(400, 1, 256)), rng.normal(size=(400, 49, 256))
    largest = MINE["attention"](q, k, k)[1].max(axis=-1).mean()
    assert 0.07 < largest < 0.13
    assert "With the root it is about a tenth" in PROSE


def test_what_shared_keys_and_values_save() -> None:
    many, one = (tt.cost.analyze(tt.models.preset("bitmedvit", kv_heads=g)) for g in (8, 1))
    saved = 1 - one.parameters / many.parameters
    assert 1 / 8 < saved < 1 / 6
    assert "the network as a whole by a seventh or so" in PROSE
    scores = [sum(s.step.macs for s in r.layers if s.step.name.endswith((".scores", ".values")))
              for r in (many, one)]  # fmt: skip
    assert scores[0] == scores[1]


def test_the_sizes_that_the_prose_states() -> None:
    report = tt.cost.analyze(tt.models.preset("bitmedvit"))
    assert f"{report.macs / 1e9:.1f}" == "11.5"
    assert 'says 11.5 "GOPs"' in PROSE
    mlp = sum(s.step.macs for s in report.layers if ".mlp." in s.step.name)
    assert 0.5 < mlp / report.macs < 0.6
    assert "more than half of it in BitMedViT" in PROSE


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"kv_heads": 1},
        {"kv_heads": 2, "depth": 3},
        {"patch_size": 7, "channels": 1, "heads": 8},
    ],
)
def test_the_formula_counts_what_the_library_counts(changes: dict[str, int]) -> None:
    c = tt.models.preset("lesson", **changes)
    counted = MINE["count"](c.tokens, c.patch_size**2 * c.channels, c.width, c.depth, c.heads,
                            c.key_value_heads, c.mlp_width, c.num_classes)  # fmt: skip
    report = tt.cost.analyze(c)
    model = tt.models.ViT(c)
    assert counted == (report.parameters, report.macs)
    assert counted[0] == sum(array.size for array in model.state_dict().values())


def forward(images: np.ndarray, model: tt.models.ViT) -> np.ndarray:
    """Run the lesson's `forward`, as its cell defines it."""
    cell = next(c for c in LESSON.cells if c.role == "demo" and "def forward(" in c.source)
    names = {"np": np, "my": type("Mine", (), {n: staticmethod(f) for n, f in MINE.items()})}
    exec(cell.source, names)
    logits: np.ndarray = names["forward"](images, dict(model.state_dict()), model.config)
    return logits


@pytest.mark.parametrize("changes", [{}, {"kv_heads": 1}, {"patch_size": 7, "depth": 1}])
def test_the_learners_functions_are_the_librarys_network(changes: dict[str, int]) -> None:
    model = tt.models.ViT(tt.models.preset("lesson", **changes), seed=1)
    rng = np.random.default_rng(2)
    for array in model.state_dict().values():  # larger than at the start, biases too
        array += rng.normal(0, 0.1, array.shape).astype(np.float32)
    images = rng.normal(size=(6, 3, 28, 28)).astype(np.float32)
    np.testing.assert_allclose(forward(images, model), model(images).data, rtol=1e-3, atol=1e-4)


def test_a_shuffled_table_undoes_a_shuffle_of_all_images() -> None:
    model = tt.models.ViT(tt.models.preset("lesson"), seed=1)
    model.pos_embed.data[...] *= 30
    images = np.random.default_rng(3).normal(size=(4, 28, 28, 3)).astype(np.float32)
    order = np.random.default_rng(4).permutation(49)
    shuffled = MINE["unpatchify"](MINE["patchify"](images, 4)[:, order], 4, 28, 28)
    before = model(images.transpose(0, 3, 1, 2).copy()).data
    other = model(shuffled.transpose(0, 3, 1, 2).copy()).data
    model.pos_embed.data[...] = model.pos_embed.data[:, order]
    after = model(shuffled.transpose(0, 3, 1, 2).copy()).data
    assert np.abs(after - before).max() < 1e-6
    assert np.abs(other - before).max() > 1e-4


def shuffled(data: tt.data.Splits, kind: str, p: int, seed: int) -> tt.data.Splits:
    """Shuffle patches by slicing, without the lesson's own scissors."""
    parts = []
    for n, part in enumerate(data):
        side = part.image_size // p
        images = part.images.copy()
        rng = np.random.default_rng([seed, n])
        fixed = np.random.default_rng(7).permutation(side**2)
        for image, source in zip(images, part.images):
            order = fixed if kind == "one" else rng.permutation(side**2)
            for place, t in enumerate(order):
                (r, c), (i, j) = divmod(place, side), divmod(int(t), side)
                image[p * r : p * r + p, p * c : p * c + p] = source[
                    p * i : p * i + p, p * j : p * j + p
                ]
        parts.append(replace(part, images=images))
    return tt.data.Splits(*parts)


def trained(data: tt.data.Splits, p: int, seed: int, **recipe: Any) -> tt.train.Run:
    config = tt.models.preset(
        "lesson", image_size=data.train.image_size, channels=data.train.channels, patch_size=p,
        num_classes=data.train.num_classes,
    )  # fmt: skip
    model = tt.models.ViT(config, seed=seed)
    return tt.train.fit(model, data, seed=seed, progress=False, augment="none", **recipe)


def accuracy(run: tt.train.Run) -> float:
    return 100 * float(run.metrics["test"]["acc"])


def interval(differences: list[float]) -> tuple[float, float]:
    """95 % interval of the mean over seeds (Student's t)."""
    d = np.array(differences)
    half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / math.sqrt(len(d))
    return float(d.mean() - half), float(d.mean() + half)


@cache
def digits(seed: int) -> tt.data.Splits:
    x, y = load_digits(return_X_y=True)
    x = (15.9 * x).astype(np.uint8).reshape(-1, 8, 8, 1)
    order = np.random.default_rng(seed).permutation(len(y))
    names = tuple("0123456789")
    parts = {"train": order[:1197], "val": order[1197:1297], "test": order[1297:]}
    return tt.data.Splits(
        *(tt.data.Dataset(x[rows], y[rows], tt.config.Task.MULTI_CLASS, names, "digits", split)
          for split, rows in parts.items())
    )  # fmt: skip


def strips(data: tt.data.Splits) -> tt.data.Splits:
    """Digits whose patches of 2 x 2 hold what exhibit A makes of them: four pixels of one row."""
    parts = []
    for part in data:
        flat = part.images.reshape(len(part), 8, 2, 4)  # row, half of it, four pixels
        tokens = flat.reshape(len(part), 16, 4)
        parts.append(replace(part, images=MINE["unpatchify"](tokens, 2, 8, 8)))
    return tt.data.Splits(*parts)


def test_exhibit_a_cuts_strips() -> None:
    cell = next(c for c in LESSON.cells if c.role == "demo" and "def unfold_exhibit(" in c.source)
    names: dict[str, Any] = {}
    exec(cell.source, names)
    part = digits(0).test
    got = names["unfold_exhibit"](part.images.transpose(0, 3, 1, 2), 2)
    made = MINE["patchify"](strips(digits(0)).test.images, 2)
    np.testing.assert_array_equal(got, made)


@pytest.mark.slow
def test_one_shuffle_for_all_costs_nothing_and_one_for_each_costs_the_digits() -> None:
    recipe = {"epochs": 16, "lr": 4e-3, "batch_size": 32}
    plain, of_one, of_each, of_strips = [], [], [], []
    for seed in range(3):
        runs = {kind: trained(data, 2, seed, **recipe) for kind, data in (
            ("none", digits(seed)), ("one", shuffled(digits(seed), "one", 2, seed)),
            ("each", shuffled(digits(seed), "each", 2, seed)),
            ("strips", strips(digits(seed))),
        )}  # fmt: skip
        plain.append(accuracy(runs["none"]))
        of_one.append(plain[-1] - accuracy(runs["one"]))
        of_each.append(plain[-1] - accuracy(runs["each"]))
        of_strips.append(plain[-1] - accuracy(runs["strips"]))
    print("plain", plain)
    assert min(plain) > 85
    print("one", of_one, interval(of_one), "each", of_each, interval(of_each))
    assert "one shuffle for all costs less than three points, each its own more than ten" in PROSE
    print("strips", of_strips, interval(of_strips))
    assert abs(np.mean(of_strips)) < 3
    assert "It made as much of strips as of squares" in PROSE
    assert abs(np.mean(of_one)) < 3
    low, high = interval(of_one)
    assert low < 3
    assert high > -3
    assert interval(of_each)[0] > 10


@pytest.mark.slow
def test_cells_survive_a_shuffle_of_their_own() -> None:
    lost = []
    for seed in range(3):
        draw = partial(tt.data.phantoms, seed=seed, classes=4)
        data = tt.data.Splits(draw("train", count=1600), draw("val", count=200),
                              draw("test", count=400))  # fmt: skip
        run = trained(data, 4, seed, epochs=8, lr=2e-3)
        other = trained(shuffled(data, "each", 4, seed), 4, seed, epochs=8, lr=2e-3)
        lost.append(accuracy(run) - accuracy(other))
        assert accuracy(other) > 60  # chance is 25
        # what its positions have learned: the middle and the rim
        table = run.model.state_dict()["pos_embed"][0]
        table = table - table.mean(axis=0)
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        place = np.stack(np.divmod(np.arange(49), 7), axis=1)
        rim = np.any((place == 0) | (place == 6), axis=1)
        alike = table @ table.T
        corners = alike[np.ix_([0, 6], [42, 48])].mean()
        assert alike[np.outer(rim, ~rim)].mean() < 0 < corners
    print("cells", lost, interval(lost))
    assert interval(lost)[1] < 25
