"""Experiments: data, network, policy, teacher's and student's recipe in one TOML file (lesson 12).

The files in `recipes/` are part of the package; ``tinyternary reproduce NAME``
runs them. An experiment for a data set without a file of its own is `default`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tinyternary.config import ViTConfig, preset
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.experiments.packaged import packaged, read_packaged
from tinyternary.train.pretrain import Pretraining
from tinyternary.train.recipe import FEW, Recipe, make_recipe, one_line


class Experiment(BaseModel):
    """One data set, one float teacher and one ternary student.

    Attributes
    ----------
    name : str
    dataset : str
        "phantoms" or a MedMNIST flag; empty means that the caller says which.
    preset : str
        Network of both, see `tinyternary.config.preset`.
    model : dict
        Fields of `ViTConfig` to change; classes, channels and image size come
        from the data.
    policy : str
        Which layers of the student are ternary.
    images : int, optional
        Training images that the teacher sees in all: sets the epochs to what
        comes nearest, between `fewest_epochs` and `most_epochs`, and the
        student's to `student_share` of that. Without it the recipes' epochs count.
    seeds : list of int
        What ``reproduce`` runs by default.
    pretraining : Pretraining
    teacher, student : Recipe
    few : dict
        Fields of all these that are different for fewer than 8,000 training images.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    dataset: str = ""
    preset: str = "tiny"
    model: dict[str, Any] = {}
    policy: str = "all-linear"
    images: int | None = Field(default=None, ge=1)
    fewest_epochs: int = Field(default=5, ge=1)
    most_epochs: int = Field(default=150, ge=1)
    student_share: float = Field(default=1.0, gt=0)
    seeds: list[int] = [0, 1, 2, 3, 4]
    pretraining: Pretraining = Pretraining()
    teacher: Recipe = Recipe()
    student: Recipe = Recipe()
    few: dict[str, Any] = {}

    @model_validator(mode="after")
    def _few_fits(self) -> Experiment:
        self.for_images(0)  # what is wrong there is said now, not with the first small data set
        return self

    def for_images(self, train_images: int) -> Experiment:
        """Give the experiment as it is for so many training images.

        Raises
        ------
        ConfigError
            If a field in `few` is wrong.
        """
        if train_images >= FEW or not self.few:
            return self
        return self.changed({**self.few, "few": {}})

    def changed(self, changes: Mapping[str, Any]) -> Experiment:
        """Give the experiment with some fields changed.

        Parameters
        ----------
        changes : mapping
            As in a file: ``{"images": 1000, "teacher": {"lr": 1e-3}}``.

        Raises
        ------
        ConfigError
            If a field does not exist or is wrong.
        """
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        given = dict(changes)
        for part in ("model", "pretraining", "teacher", "student"):
            if not isinstance(given.get(part, {}), Mapping):
                raise ConfigError(f"{part}: expected a table of fields, got {given[part]!r}")
        for part in ("teacher", "student"):
            given[part] = make_recipe(fields[part], **given.get(part, {}))
        for part in ("model", "pretraining"):
            before = fields[part] if part == "model" else fields[part].model_dump()
            given[part] = {**before, **given.get(part, {})}
        try:
            return Experiment(**{**fields, **given})
        except ValidationError as error:
            raise ConfigError(one_line(error, f"experiment {self.name!r}")) from None

    def vit(self, image_size: int, channels: int, num_classes: int) -> ViTConfig:
        """Shape of the network for images and classes."""
        return preset(
            self.preset, **{**self.model, "image_size": image_size, "channels": channels,
                            "num_classes": num_classes},
        )  # fmt: skip

    def recipes(self, train_images: int) -> tuple[Recipe, Recipe]:
        """Teacher's and student's recipe for so many training images.

        Sets the epochs where the experiment counts images, and lowers the batch
        size to a sixteenth of the data where that is less.
        """
        plan = self.for_images(train_images)
        changes: dict[str, Any] = {}
        student: dict[str, Any] = {}
        if plan.images is not None:
            wished = round(plan.images / train_images)
            epochs = min(max(wished, plan.fewest_epochs), plan.most_epochs)
            changes["epochs"] = epochs
            student["epochs"] = max(1, round(plan.student_share * epochs))
        most = max(1, train_images // 16)
        return (
            make_recipe(plan.teacher, **changes, batch_size=min(plan.teacher.batch_size, most)),
            make_recipe(plan.student, **student, batch_size=min(plan.student.batch_size, most)),
        )

    def pretraining_for(self, train_images: int) -> Pretraining:
        """Pretraining for so many training images."""
        plan = self.for_images(train_images).pretraining
        if plan.images is None:
            return plan
        epochs = min(plan.epochs, max(1, round(plan.images / train_images)))
        return plan.model_copy(update={"epochs": epochs})


def experiments() -> list[str]:
    """Names of the experiments in the package."""
    return packaged("recipes")


def read_experiment(name: str | Path) -> Experiment:
    """Read an experiment of the package by name, or any TOML file by path.

    Raises
    ------
    ConfigError
        If there is no such experiment, or a field in it is wrong.
    """
    fields, source = read_packaged(name, "recipes", "experiment")
    for part in ("teacher", "student"):
        if part in fields:
            fields[part] = make_recipe(fields[part])
    try:
        return Experiment(**fields)
    except ValidationError as error:
        raise ConfigError(one_line(error, source)) from None


def read_recipe(name: str | Path) -> Recipe:
    """Read one recipe: ``"demo_teacher"``, ``"bloodmnist_student"``, or a TOML file of its fields.

    Raises
    ------
    ConfigError
        If there is no such recipe.
    """
    if Path(name).suffix == ".toml":
        return make_recipe(Path(name))
    known = [f"{each}_{part}" for each in experiments() for part in ("teacher", "student")]
    if str(name) not in known:
        raise unknown_name("recipe", str(name), known)
    experiment, part = str(name).rsplit("_", 1)
    found: Recipe = getattr(read_experiment(experiment), part)
    return found
