"""Lesson 06: the numbers its prose states, its layer against the library's, its claim over seeds."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import tinyternary as tt
from tests.course.solved import solutions
from tinyternary import course
from tinyternary.quant import LayerQuant

CHECKOUT = Path(__file__).parents[2]
LESSON = course.read_lesson("06_bitlinear", CHECKOUT)
PROSE = "\n".join(cell.source for cell in LESSON.cells if cell.role == "prose")
MADE = solutions(LESSON)
ROUNDED = LayerQuant(activation="none", norm=False)
"""absmean on the weights and nothing else."""


def interval(values: Any) -> tuple[float, float]:
    """95 % interval of the mean, by Student's t."""
    values = np.asarray(values, float)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


# ---- trained networks -----------------------------------------------------------------------


@pytest.mark.slow
def test_rounding_afterwards_loses_what_training_ternary_keeps() -> None:
    cells = tt.data.Splits(
        *(tt.data.phantoms(part, count=count, classes=4)
          for part, count in (("train", 1600), ("val", 400), ("test", 400)))
    )  # fmt: skip
    recipe = {"augment": "none", "epochs": 12, "lr": 4e-3, "progress": False}
    truth = np.asarray(cells.test.labels).ravel()

    def right(model: Any, inputs: Any) -> float:
        return 100 * float(np.mean(model(inputs).data.argmax(axis=1) == truth))

    as_float, rounded, ternary = [], [], []
    for seed in range(3):
        model = tt.models.ViT(tt.models.preset("lesson"), seed=seed)
        run = tt.train.fit(model, cells, seed=seed, **recipe)
        inputs = run.preprocessing(cells.test.images)
        as_float.append(right(run.model, inputs))
        report = tt.quant.sensitivity(
            run.model, cells, preprocessing=run.preprocessing, rule=ROUNDED, limit=400
        )
        harm = {
            row.name: (row.only_ternary.loss - report.all_float.loss) / row.weights
            for row in report.layers
        }
        assert report.ranked()[0].name == "patch_embed.proj"
        # per weight saved nothing in the blocks does as much harm
        assert set(sorted(harm, key=harm.__getitem__)[-2:]) == {"patch_embed.proj", "head"}
        rounded.append(right(tt.quant.ternarize(run.model, {"blocks.*": ROUNDED}), inputs))
        model = tt.quant.ternarize(
            tt.models.ViT(tt.models.preset("lesson"), seed=seed), "all-linear"
        )
        run = tt.train.fit(model, cells, seed=seed, **recipe)
        ternary.append(right(run.model, inputs))

    lost, spent = np.subtract(as_float, rounded), np.subtract(as_float, ternary)
    print(lost, spent)  # of each seed, which differ from processor to processor
    assert "costs more than 40 points, training ternary less than 20" in PROSE
    assert np.mean(lost) > 40, lost
    assert 0 < np.mean(spent) < 20, spent
    assert interval(lost)[0] > 25
    assert interval(np.subtract(ternary, rounded))[0] > 10
    assert min(rounded) > 30  # "stay above guessing"


# ---- numbers of the prose -------------------------------------------------------------------


def test_the_shares_of_weights_and_bytes() -> None:
    model = tt.models.ViT(tt.models.preset("lesson"))
    shapes = {row.name: row.shape for row in tt.quant.describe(model)}
    sizes = {name: rows * columns for name, (rows, columns) in shapes.items()}
    outside = sizes["patch_embed.proj"] + sizes["head"]
    assert len(shapes) == 10
    assert f"They are {100 * outside / sum(sizes.values()):.0f} % of the weights" in PROSE
    chosen = MADE["resolve"]({"blocks.*": "absmean"}, list(shapes))
    assert len(chosen) == 8
    total = MADE["stored_bytes"](shapes, chosen)
    assert f"they are {100 * 4 * outside / total:.0f} % of the bytes" in PROSE
    assert total == tt.quant.describe(tt.quant.ternarize(model, "all-linear")).nbytes
    assert 2 ** len(shapes) == 1024
    assert "1,024 choices" in PROSE


def test_what_rounding_loses_of_a_gaussian() -> None:
    weights = np.random.default_rng(0).normal(size=(400, 400))
    trits, alpha = MADE["absmean"](weights)
    lost = np.mean((trits * alpha - weights) ** 2) / np.mean(weights**2)
    assert "lost about a quarter of its energy" in PROSE
    assert lost == pytest.approx(0.26, abs=0.02)


def test_the_policies_are_the_librarys() -> None:
    names = [row.name for row in tt.quant.describe(tt.models.ViT(tt.models.preset("lesson")))]
    for named, policy in (("bitmedvit", {"blocks.*.mlp.fc?": "absmean"}),
                          ("bit-attention", {"blocks.*": "absmean"})):  # fmt: skip
        model = tt.quant.ternarize(tt.models.ViT(tt.models.preset("lesson")), named)
        assert list(MADE["resolve"](policy, names)) == list(model.policy)


# ---- exactness ------------------------------------------------------------------------------


def test_the_integer_product_is_the_exact_one_rounded_once() -> None:
    rng = np.random.default_rng(3)
    codes, scale = MADE["absmax"](rng.normal(size=(4, 300)).astype(np.float32))
    trits, alpha = MADE["absmean"](rng.normal(size=(5, 300)).astype(np.float32))
    got = MADE["integer_product"](codes, scale, trits, alpha)
    for (i, n), value in np.ndenumerate(got):
        whole = sum(int(q) * int(t) for q, t in zip(codes[i], trits[n], strict=True))
        exact = whole * Fraction(float(scale[i, 0])) * Fraction(float(alpha))
        assert value == float(exact)  # a Fraction is rounded once, to the nearest float64
    inside = (codes * scale.astype(np.float64)) @ (trits * np.float64(alpha)).T
    assert np.any(inside != got)


def test_how_long_a_row_may_be() -> None:
    longest = MADE["longest_row"](np.float32)
    assert np.float32(127 * longest) == 127 * longest
    assert int(np.float32(127 * (longest + 1))) != 127 * (longest + 1)
    for bits, kind in ((24, np.float32), (53, np.float64), (11, np.float16)):
        assert MADE["longest_row"](kind) == 2**bits // 127
    assert 24 + 7 + 20 < 53  # a scale, a code and rows of a million entries


# ---- against the library --------------------------------------------------------------------


def test_absmax_is_the_librarys() -> None:
    rng = np.random.default_rng(4)
    x = (rng.normal(size=(3, 7, 33)) * 10.0 ** rng.integers(-7, 4, (3, 7, 1))).astype(np.float32)
    x[1, 2] = 0
    for mine, theirs in zip(MADE["absmax"](x), tt.quant.absmax(x), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_bitlinear_is_the_librarys() -> None:
    rng = np.random.default_rng(5)
    layer = tt.quant.BitLinear(tt.nn.Linear(48, 20))
    layer.weight.data[...] = rng.normal(0, 0.1, (20, 48))
    layer.norm.weight.data[...] = rng.uniform(0.2, 2, 48)
    x = rng.normal(size=(6, 48)).astype(np.float32)
    mine = MADE["bitlinear"](x, layer.weight.data, layer.norm.weight.data, layer.bias.data)
    np.testing.assert_allclose(mine, layer(tt.Tensor(x)).data, rtol=1e-4, atol=1e-5)


# ---- the lesson -----------------------------------------------------------------------------


def test_it_has_what_a_lesson_must_have() -> None:
    assert len(LESSON.exercises) == 9
    assert LESSON.questions
    code = "\n".join(c.source for c in LESSON.cells if c.role == "demo")
    assert PROSE.count("**Predict, then run.**") == code.count("check.predicted(") >= 4
    for source in ("2402.17764", "2310.11453", "2510.13760", "1910.07467"):
        assert source in PROSE
    points = {e.number: e.points for e in LESSON.exercises} | {
        q.number: q.points for q in LESSON.questions
    }
    for number, worth in points.items():
        row = next(line for line in PROSE.splitlines() if f"| {number} |" in line)
        assert row.rstrip("|").split("|")[-1].strip() == f"{worth:g}"
