import numpy as np
import pytest

from tests.train.small import dataset, model, splits
from tinyternary.autograd import Tensor
from tinyternary.config import LayerQuant, Task
from tinyternary.data import Splits, fit_preprocessing
from tinyternary.errors import ConfigError
from tinyternary.quant import set_strength
from tinyternary.train import Recipe, calibrate_norms, distill, fit, make_recipe, start_from
from tinyternary.train._features import attention_map, teacher_features
from tinyternary.train._objective import task_loss
from tinyternary.train.distill import Distillation, teacher_loss
from tinyternary.train.fit import training_batches

QUICK = Recipe(epochs=3, batch_size=16, lr=5e-3, warmup_epochs=0.5, augment="none")


@pytest.fixture(scope="module")
def teacher():
    net = model(width=32, dropout=0.0, drop_path=0.0)
    return fit(net, splits(192), QUICK, epochs=12, progress=False)


@pytest.mark.parametrize("feature", ["mse", "cosine", "attention", "none"])
def test_a_ternary_student_learns_from_its_teacher(teacher, feature):
    assert teacher.metrics["test"]["acc"] > 0.9
    student = model("all-linear", width=32, dropout=0.0, drop_path=0.0)
    run = distill(
        student, teacher, splits(192), QUICK, epochs=25, feature=feature,
        start_from_teacher=True, progress=False,
    )  # fmt: skip
    assert run.metrics["test"]["acc"] > 0.8  # chance is 0.25
    assert not any("matcher" in n or "proj_teacher" in n for n in run.model.state_dict())


@pytest.mark.parametrize("task", [Task.MULTI_LABEL, Task.ORDINAL, Task.BINARY])
def test_every_task_distils(task):
    data = splits(64, task=task)
    classes = {"num_classes": data.num_classes}
    run = distill(
        model("bitmedvit", **classes), model(**classes, seed=2), data, QUICK, progress=False
    )
    assert np.isfinite(run.history["train_loss"]).all()


def test_a_teacher_of_another_shape():
    # wider, deeper, finer patches, class token: features are brought to the student's grid
    big = model(width=24, depth=3, patch_size=2, pool="cls", seed=1)
    for feature in ("mse", "attention"):
        run = distill(
            model("all-linear"), big, splits(32), QUICK, epochs=1, feature=feature, progress=False
        )
        assert np.isfinite(run.history["train_loss"]).all()


@pytest.mark.parametrize("feature", ["mse", "cosine", "attention", "none"])
def test_cached_answers_equal_fresh_ones(feature):
    data = dataset(32)
    student, big = model(dropout=0.0, drop_path=0.0), model(seed=1)
    recipe = QUICK.model_copy(update={"feature": feature})
    prepare = fit_preprocessing(data)
    cached = Distillation(student, big, data, prepare, recipe, 0)
    assert set(cached.cached) == ({"logits"} if feature == "none" else {"logits", "features"})
    fresh = Distillation(student, big, data, prepare, recipe, 0)
    fresh.cached = {}
    batch = training_batches(data, prepare, recipe, 0).batch(1)
    student.eval()
    assert float(cached(batch)) == pytest.approx(float(fresh(batch)), rel=1e-5)


def test_nothing_is_cached_when_images_change():
    data = dataset(32)
    for changes in ({"augment": "light"}, {"mixup": 0.2}):
        recipe = Recipe(**{**QUICK.to_dict(), **changes})
        assert not Distillation(model(), model(), data, fit_preprocessing(data), recipe, 0).cached


@pytest.mark.parametrize("shifts", [0, 1])
def test_averaged_answers_are_those_of_all_copies_whatever_the_student_sees(shifts):
    data = dataset(16)
    student, big = model(dropout=0.0, drop_path=0.0), model(seed=1)
    changes = {"augment": "light", "flips": "both", "shifts": shifts, "feature": "none",
               "answers": "averaged", "alpha": 1.0}  # fmt: skip
    recipe = Recipe(**{**QUICK.to_dict(), **changes})
    prepare = fit_preprocessing(data)
    loss = Distillation(student, big, data, prepare, recipe, 0)
    big.eval()
    copies = []  # each pixel comes from the nearest one that there is
    for down in range(-shifts, shifts + 1):
        for right in range(-shifts, shifts + 1):
            rows, columns = (np.clip(np.arange(8) - by, 0, 7) for by in (down, right))
            moved = data.images[:, rows][:, :, columns]
            for flipped in (moved, moved[:, ::-1], moved[:, :, ::-1], moved[:, ::-1, ::-1]):
                copies.append(big(prepare(np.ascontiguousarray(flipped))).numpy())
    assert len(copies) == 4 * (2 * shifts + 1) ** 2
    expected = np.mean(copies, axis=0)
    np.testing.assert_allclose(loss.cached["logits"], expected, rtol=1e-4, atol=1e-5)
    loss.teacher = None  # nobody is asked again
    batch = training_batches(data, prepare, recipe, 0).batch(3)
    student.eval()
    answer = student(batch.images)
    wanted = teacher_loss(
        answer, expected[batch.indices], data.task, recipe.distillation.temperature
    )
    assert float(loss(batch)) == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.parametrize(("name", "value"), [("mixup", 0.2), ("feature", "mse")])
def test_averaged_answers_go_with_neither_mixup_nor_features(name, value):
    with pytest.raises(ConfigError, match=f"answers 'averaged'.*{name}"):
        make_recipe({"answers": "averaged", "feature": "none", name: value})


def test_a_student_learns_from_averaged_answers(teacher):
    run = distill(
        model("all-linear", width=32, dropout=0.0, drop_path=0.0), teacher, splits(192), QUICK,
        epochs=25, feature="none", answers="averaged", shifts=1,
        start_from_teacher=True, progress=False,
    )  # fmt: skip
    assert run.metrics["test"]["acc"] > 0.8
    assert run.recipe.distillation.answers == "averaged"


def test_loss_by_its_formula():
    # (1 - a) CE + a [(1 - g) T^2 KL + g MSE], each term computed here from its definition
    data = dataset(16)
    student, big = model(dropout=0.0, drop_path=0.0), model(seed=1)
    recipe = QUICK.model_copy(update={"alpha": 0.3, "gamma": 0.2, "temperature": 3.0})
    prepare = fit_preprocessing(data)
    objective = Distillation(student, big, data, prepare, recipe, 0)
    batch = training_batches(data, prepare, recipe, 0).batch(0)
    student.eval()
    big.eval()
    record_s, record_t = {}, {}
    s = student.forward(batch.images, record=record_s).data.astype(np.float64)
    t = big.forward(batch.images, record=record_t).data.astype(np.float64)

    def log_softmax(x):
        return x - np.log(np.exp(x).sum(1, keepdims=True))

    ce = -(batch.goal * log_softmax(s)).sum(1).mean()
    p, q = log_softmax(t / 3), log_softmax(s / 3)
    kl = 9 * (np.exp(p) * (p - q)).sum(1).mean()
    tokens = record_s["blocks.1"].data
    norm = (tokens - tokens.mean(-1, keepdims=True)) / np.sqrt(tokens.var(-1, keepdims=True) + 1e-5)
    mapped = norm @ objective.matcher.proj.weight.data.T
    squared = ((mapped - record_t["blocks.1"].data) ** 2).mean()
    expected = 0.7 * ce + 0.3 * (0.8 * kl + 0.2 * squared)
    assert float(objective(batch)) == pytest.approx(expected, rel=1e-4)


def test_multi_label_loss_by_its_formula(rng):
    s, t = rng.standard_normal((2, 5, 3)).astype(np.float32)
    p, q = 1 / (1 + np.exp(-t / 2)), 1 / (1 + np.exp(-s / 2))
    expected = 4 * -(p * np.log(q) + (1 - p) * np.log(1 - q)).mean()
    assert float(teacher_loss(Tensor(s), t, Task.MULTI_LABEL, 2.0)) == pytest.approx(
        expected, rel=1e-4
    )
    goal = np.array([[1.0, 0.0, 1.0]], np.float32)
    loss = task_loss(Tensor(np.zeros((1, 3), np.float32)), goal, Task.MULTI_LABEL, 0.2)
    assert float(loss) == pytest.approx(np.log(2), rel=1e-5)


def test_attention_maps_are_unit_vectors_and_follow_the_grid(rng):
    tokens = Tensor(rng.standard_normal((2, 16, 5)).astype(np.float32))
    maps = attention_map(tokens).data
    np.testing.assert_allclose((maps**2).sum(1), 1, rtol=1e-5)
    config = model(patch_size=2).config  # a grid of 4 x 4
    record = {"blocks.1": tokens}
    np.testing.assert_allclose(teacher_features(record, config, 4, True), maps, rtol=1e-5)
    flat = {"blocks.1": Tensor(np.ones((2, 16, 5), np.float32))}
    np.testing.assert_allclose(teacher_features(flat, config, 2, False), np.ones((2, 4, 5)))


def test_start_from_teacher_takes_weights_and_renews_learned_scales():
    big = model(seed=7)
    for p in big.parameters():
        p.data *= 3
    student = model({"blocks.*.mlp.fc?": LayerQuant(weight="ttq")})  # type: ignore[arg-type]
    before = {n: a.copy() for n, a in student.state_dict().items() if ".quantizer." in n}
    assert before
    shared = start_from(student, big)
    assert set(shared) == set(big.state_dict())
    for name, array in big.state_dict().items():
        np.testing.assert_array_equal(array, student.state_dict()[name])
    for name, array in before.items():
        assert student.state_dict()[name].mean() > 2 * array.mean()


def test_teachers_that_do_not_fit(teacher):
    data = splits(64)
    with pytest.raises(ConfigError, match="4 classes, the teacher expects 3"):
        distill(model("bitmedvit"), model(num_classes=3), data, QUICK, progress=False)
    other = [
        type(d)(d.images, d.labels, d.task, ("w", "x", "y", "z"), d.name, d.split) for d in data
    ]
    with pytest.raises(ConfigError, match="number 0 is 'a' to the teacher and 'w' in the data"):
        distill(model("bitmedvit"), teacher, Splits(*other), QUICK, progress=False)
    with pytest.raises(ConfigError, match="no array of the teacher fits"):
        start_from(
            model(width=20, patch_size=2, num_classes=5, mlp_width=24), model(width=16, depth=1)
        )


def test_a_calibrated_float_student_answers_almost_like_its_teacher():
    data = splits(128)
    net = fit(model(dropout=0.0, drop_path=0.0), data, QUICK, epochs=6, progress=False)
    images = net.preprocessing(data.train.images)
    wanted = net.model(images).data
    errors = []
    for calibration in (None, images):
        student = model("all-linear", seed=9, dropout=0.0, drop_path=0.0)
        start_from(student, net.model, calibration)
        set_strength(student, 0.0)  # float weights, but with the norms inside
        student.eval()
        errors.append(float(np.abs(student(images).data - wanted).mean()))
    assert errors[1] < 0.5 * errors[0]
    assert student.blocks[0].mlp.fc2.strength == 0.0
    sizes = calibrate_norms(student, images)
    assert set(sizes) == set(student.policy)
    assert student.blocks[0].mlp.fc2.norm.weight.data[0] == pytest.approx(sizes["blocks.0.mlp.fc2"])
