import pytest

from tinyternary.errors import ConfigError
from tinyternary.experiments.experiment import (
    Experiment,
    experiments,
    read_experiment,
    read_recipe,
)
from tinyternary.train import Recipe, make_recipe
from tinyternary.train.recipe import FEW, FLAT


def test_round_trip_and_overrides():
    recipe = make_recipe({"epochs": 3}, lr=0.5)
    assert (recipe.epochs, recipe.lr) == (3, 0.5)
    assert make_recipe(recipe.to_dict()) == recipe
    assert make_recipe() == Recipe()


def test_fields_go_by_group_and_by_their_own_names():
    nested = make_recipe(
        {"optimizer": {"kind": "sgd", "lr": 0.5}, "schedule": {"kind": "constant"},
         "augmentation": {"kind": "medical"}, "evaluation": {"flips": "both"}}
    )  # fmt: skip
    flat = make_recipe(
        optimizer="sgd", lr=0.5, schedule="constant", augment="medical", flips="both"
    )
    assert (
        nested
        == flat
        == Recipe(optimizer="sgd", lr=0.5, schedule="constant", augment="medical", flips="both")
    )
    # a change of one field leaves its neighbours, whichever way it is said
    for changes in ({"clip_norm": 2.0}, {"optimizer": {"clip_norm": 2.0}}):
        changed = make_recipe(flat, **changes)
        assert changed == flat.model_copy(update=changes)
        assert (changed.optimizer.kind, changed.optimizer.lr) == ("sgd", 0.5)
        assert changed.optimizer.clip_norm == 2.0
    for name, (group, field) in FLAT.items():
        if name not in Recipe.model_fields:
            assert getattr(flat, name) == getattr(getattr(flat, group), field)
    assert not hasattr(flat, "learning_rate")


def test_paper_defaults():
    # arXiv 2510.13760: T = 2, a = g = 0.5, squared error between features
    recipe = Recipe()
    assert (recipe.temperature, recipe.alpha, recipe.gamma, recipe.feature) == (2, 0.5, 0.5, "mse")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"lr": float("nan")}, "lr"),
        ({"schedule": "linear"}, "schedule.kind = 'linear'"),
        ({"epoch": 3}, "unknown recipe field 'epoch'. Did you mean 'epochs'"),
        (
            {"optimizer": {"momentun": 0.5}},
            "unknown field of optimizer 'momentun'. Did you mean 'momentum'",
        ),
        ({"learning_rate": 0.5}, "unknown recipe field 'learning_rate'"),
        ({"optimiser": {"lr": -1}}, "optimizer.lr = -1: Input should be greater than 0"),
        ({"optimizer": "adam"}, "optimizer.kind = 'adam': Input should be 'adamw' or 'sgd'"),
        ({"optimizer": 3}, "optimizer.kind = 3"),
        ({"optimizer": {"lr": "fast"}}, "optimizer.lr = 'fast'"),
        ({"epochs": 2, "warmup_epochs": 3}, "warmup_epochs 3"),
        ({"betas": (0.9, 1.0)}, "betas"),
    ],
)
def test_bad_fields_are_named_in_one_line(fields, message):
    with pytest.raises(ConfigError) as caught:
        make_recipe(fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_recipe_files(tmp_path):
    good = tmp_path / "mine.toml"
    for text in ("augment = 'none'", "[augmentation]\nkind = 'none'", "augmentation.kind = 'none'"):
        good.write_text(f"epochs = 4\n{text}\n")
        assert make_recipe(good).epochs == 4
        assert read_recipe(good).augmentation.kind == "none"
    bad = tmp_path / "bad.toml"
    bad.write_text("epochs = = 4")
    with pytest.raises(ConfigError, match=r"bad\.toml: not a TOML file"):
        make_recipe(bad)
    with pytest.raises(ConfigError, match="cannot be read"):
        make_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("name", experiments())
def test_every_experiment_of_the_package_can_be_run(name):
    experiment = read_experiment(name)
    assert experiment.name == name
    config = experiment.vit(28, 3, 8)
    assert config.num_classes == 8
    teacher, student = experiment.recipes(546)
    assert teacher.batch_size <= 546
    assert student.epochs >= 1
    assert read_recipe(f"{name}_teacher") == experiment.teacher


def test_unknown_experiment():
    with pytest.raises(ConfigError, match="Did you mean 'demo'"):
        read_experiment("dmo")
    with pytest.raises(ConfigError, match="unknown recipe"):
        read_recipe("demo")


def test_default_scales_epochs_with_the_data():
    experiment = read_experiment("default")
    few, many = experiment.recipes(1_000)[0].epochs, experiment.recipes(90_000)[0].epochs
    assert few > many >= experiment.fewest_epochs
    # pixels first where labels are few, and as many of them whatever the size of the set
    wished = experiment.for_images(546).pretraining.images
    assert wished
    for count in (546, 4_708, 7_000):
        assert abs(count * experiment.pretraining_for(count).epochs / wished - 1) < 0.05
    assert experiment.pretraining_for(90_000).epochs == 0


def test_few_images_change_fields_of_every_part():
    plan = Experiment(
        name="plan", model={"width": 32}, teacher=Recipe(lr=0.5, mixup=0.1),
        few={"student_share": 0.5, "model": {"depth": 1}, "pretraining": {"epochs": 7},
             "teacher": {"mixup": 0.3}},
    )  # fmt: skip
    assert plan.for_images(FEW) is plan
    few = plan.for_images(FEW - 1)
    assert (few.teacher.lr, few.teacher.mixup, few.student) == (0.5, 0.3, plan.student)
    assert few.model == {"width": 32, "depth": 1}
    assert (few.student_share, few.pretraining.epochs, few.few) == (0.5, 7, {})
    assert plan.recipes(100)[0].mixup == 0.3
    assert plan.recipes(FEW)[0].mixup == 0.1
    assert (plan.pretraining_for(100).epochs, plan.pretraining_for(FEW).epochs) == (7, 0)


@pytest.mark.parametrize(
    ("few", "message"),
    [
        ("[few]\nepoch = 3", "epoch"),
        ("[few.teacher]\nlearning_rate = 3", "learning_rate"),
        ("[few.pretraining]\nepochs = -1", "pretraining.epochs = -1"),
        ("[few.pretraining]\ndatasets = ['bloodmnits']", "bloodmnist"),
    ],
)
def test_what_is_wrong_for_few_images_is_said_at_once(tmp_path, few, message):
    path = tmp_path / "plan.toml"
    path.write_text(few)
    with pytest.raises(ConfigError, match=message) as error:
        read_experiment(path)
    assert "\n" not in str(error.value)


def test_auto_follows_the_data_and_sides_are_not_mirrored():
    recipe = make_recipe(augment="auto", flips="auto")
    gray, color = recipe.resolved(1, True, 500), recipe.resolved(3, True, 500)
    assert (gray.augment, gray.flips) == ("medical", "horizontal")
    assert (color.augment, color.flips) == ("microscopy", "both")
    assert recipe.resolved(1, True, 20_000).augment == "medical"
    assert recipe.resolved(1, True, 90_000).augment == "light"
    assert recipe.resolved(3, True, 20_000).augment == "orientations"
    organs = recipe.resolved(1, False, 500)
    assert organs.flips == "none"
    assert make_recipe().resolved(3, True, 500) == make_recipe()
