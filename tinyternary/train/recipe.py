"""How to train: every choice with its default, checked when it is made (lesson 03).

A recipe is a few numbers and eight groups of them. A group is a table in a TOML file,
``[optimizer]``, and an attribute, ``recipe.optimizer.lr``; as an argument each field also goes
by its own name, ``fit(model, data, lr=1e-3)``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tinyternary.errors import ConfigError, unknown_name
from tinyternary.train._migrations import current

Augment = Literal["none", "light", "medical", "microscopy", "orientations", "random", "auto"]
FEW = 8000
"""Training images; fewer are learned by heart by networks of this size."""
_FEW_GRAY = 50_000  # shapes differ between patients more than their grain tells: strong for longer


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OptimizerRecipe(_Checked):
    """How weights follow gradients.

    Attributes
    ----------
    kind : {"adamw", "sgd"}
        Alone it goes by the name `optimizer`.
    lr : float
        Peak learning rate.
    weight_decay : float
    momentum : float
        Of SGD.
    betas : (float, float)
        Of AdamW.
    clip_norm : float
        Limit on the joint gradient norm; 0 is none.
    """

    kind: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    betas: tuple[float, float] = (0.9, 0.999)
    clip_norm: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _betas_fit(self) -> OptimizerRecipe:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas: expected two numbers in [0, 1), got {self.betas}")
        return self


class ScheduleRecipe(_Checked):
    """The learning rate over time, see `Schedule`.

    Attributes
    ----------
    kind : {"cosine", "constant", "two-phase"}
        Alone it goes by the name `schedule`.
    warmup_epochs : float
        May be a fraction.
    min_lr : float
        At the end.
    phase_split, phase_drop : float
        Of two phases.
    """

    kind: Literal["cosine", "constant", "two-phase"] = "cosine"
    warmup_epochs: float = Field(default=1.0, ge=0)
    min_lr: float = Field(default=1e-6, ge=0)
    phase_split: float = Field(default=0.5, gt=0, lt=1)
    phase_drop: float = Field(default=0.66, gt=0, le=1)


class LossRecipe(_Checked):
    """What the labels ask for.

    Attributes
    ----------
    label_smoothing : float
        Share of each target that is spread over all classes.
    logit_adjustment : float
        Strength of logit adjustment (Menon et al., ICLR 2021): the loss adds so many times
        the logarithm of each class's share of the training images to the logits. At 1 the
        network decides for the class that an image speaks for most, whichever is more
        common, and is right most often on average over classes; at 0, the default, on
        average over images. A student wants its teacher's.
    ordinal_width : float
        Ordinal tasks only: how far a target spreads to neighbouring classes
        (soft labels exp(-|i - k| / width), normalised; Diaz and Marathe, CVPR
        2019); 0 is plain cross-entropy.
    """

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    logit_adjustment: float = Field(default=0.0, ge=0, le=2)
    ordinal_width: float = Field(default=0.5, ge=0)


class AugmentationRecipe(_Checked):
    """Random changes to the training images.

    Attributes
    ----------
    kind : {"none", "light", "medical", "microscopy", "orientations", "random", "auto"}
        See `tinyternary.data.augment`; alone it goes by the name `augment`. "auto" is
        strong where there are few of them ("microscopy" for fewer than 8,000 in colour,
        which have no upright; "medical" for fewer than 50,000 grey ones), and keeps
        pixels sharp where there are more ("orientations"; "light"). Mirroring is left
        out where class names tell left from right.
    mixup : float
        Parameter of the Beta distribution that blends pairs of images; 0 is off.
    balanced : bool
        Draw classes equally often.
    """

    kind: Augment = "light"
    mixup: float = Field(default=0.0, ge=0)
    balanced: bool = False


class RegularizationRecipe(_Checked):
    """What keeps a network from learning its images by heart.

    Attributes
    ----------
    dropout, drop_path : float, optional
        Set these probabilities on the model; by default its own are kept.
    ema : float
        Decay of the weight average that is evaluated and kept; 0 is none.
    """

    dropout: float | None = Field(default=None, ge=0, lt=1)
    drop_path: float | None = Field(default=None, ge=0, lt=1)
    ema: float = Field(default=0.0, ge=0, lt=1)


class TernaryRecipe(_Checked):
    """How float layers become ternary ones during training.

    Attributes
    ----------
    gradual_epochs : float
        Ternary layers fade from float to ternary over so many epochs; 0 is at once.
    sharpness : float
        The soft straight-through rule is annealed from 1 to this over the run; 0
        leaves it alone.
    """

    gradual_epochs: float = Field(default=0.0, ge=0)
    sharpness: float = Field(default=0.0, ge=0)


class DistillationRecipe(_Checked):
    """What a student hears from its teacher: (1 - alpha) CE + alpha ((1 - gamma) T^2 KL + gamma F).

    Attributes
    ----------
    temperature, alpha, gamma : float
        T and the two shares (arXiv 2510.13760).
    feature : {"mse", "cosine", "attention", "none"}
        F: squared error or cosine distance between last tokens, or squared error
        between attention maps; "none" takes gamma as 0.
    start_from_teacher : bool
        Copy the teacher's weights into the student where shapes agree.
    answers : {"seen", "averaged"}
        What the teacher is asked about: each image as the student sees it, at every step; or
        each training image once, averaged over the copies that `evaluation` averages. The
        student then learns from a single copy what all of them say together, so that its own
        single answers come nearer to an average, and no step waits for the teacher. Without
        mixup and features.
    """

    temperature: float = Field(default=2.0, gt=0)
    alpha: float = Field(default=0.5, ge=0, le=1)
    gamma: float = Field(default=0.5, ge=0, le=1)
    feature: Literal["mse", "cosine", "attention", "none"] = "mse"
    start_from_teacher: bool = False
    answers: Literal["seen", "averaged"] = "seen"


class EvaluationRecipe(_Checked):
    """Which weights count, and how they are asked.

    Attributes
    ----------
    monitor : {"auc", "acc", "loss"}
        Validation number that says which epoch is best; of equal ones that with less loss.
    keep : {"best", "last"}
        Weights that the run ends with. With a schedule that ends near zero the
        last are usually at least as good, and less a matter of luck.
    patience : int
        Stop after so many epochs without a better `monitor`; 0 is never.
    flips : {"none", "horizontal", "both", "auto"}
        Average predictions over mirrored copies when evaluating; "auto" is "both" for
        colour images and "horizontal" for grey ones. None where class names tell left
        from right.
    shifts : int
        Average them also over copies moved by up to so many pixels along each axis.
    """

    monitor: Literal["auc", "acc", "loss"] = "auc"
    keep: Literal["best", "last"] = "best"
    patience: int = Field(default=0, ge=0)
    flips: Literal["none", "horizontal", "both", "auto"] = "none"
    shifts: int = Field(default=0, ge=0, le=4)


class Recipe(_Checked):
    """A training run as plain values; ``Recipe(epochs=5).to_dict()`` is JSON.

    Fields of the groups can be given and read by their own names too:
    ``Recipe(lr=1e-3).lr`` is ``Recipe(optimizer={"lr": 1e-3}).optimizer.lr``.

    Attributes
    ----------
    epochs, batch_size : int
        Passes over the training images; images per step.
    save_seconds : float
        Also save the state within an epoch when so much time has passed.
    optimizer, schedule, loss, augmentation, regularization, ternary, distillation, evaluation
        The groups: `OptimizerRecipe` and so on.
    """

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=64, ge=1)
    save_seconds: float = Field(default=60.0, ge=0)
    optimizer: OptimizerRecipe = OptimizerRecipe()
    schedule: ScheduleRecipe = ScheduleRecipe()
    loss: LossRecipe = LossRecipe()
    augmentation: AugmentationRecipe = AugmentationRecipe()
    regularization: RegularizationRecipe = RegularizationRecipe()
    ternary: TernaryRecipe = TernaryRecipe()
    distillation: DistillationRecipe = DistillationRecipe()
    evaluation: EvaluationRecipe = EvaluationRecipe()

    @model_validator(mode="before")
    @classmethod
    def _grouped(cls, fields: Any) -> Any:
        return grouped(fields) if isinstance(fields, Mapping) else fields

    @model_validator(mode="after")
    def _together(self) -> Recipe:
        for group, name in (("schedule", "warmup_epochs"), ("ternary", "gradual_epochs")):
            value = getattr(getattr(self, group), name)
            if value > self.epochs:
                raise ValueError(f"{name} {value} exceeds epochs {self.epochs}")
        if self.augmentation.balanced and self.loss.logit_adjustment:
            raise ValueError("balanced and logit_adjustment both make up for rare classes: use one")
        if self.distillation.answers == "averaged":
            if self.augmentation.mixup:
                raise ValueError("answers 'averaged' are of images that mixup does not blend")
            if self.distillation.feature != "none":
                raise ValueError("answers 'averaged' come without features: use feature 'none'")
        return self

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in FLAT:
                group, field = FLAT[name]
                return getattr(getattr(self, group), field)
            return super().__getattr__(name)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Recipe:
        """Return the recipe with some fields changed, checked as `make_recipe` does."""
        return make_recipe(self, **(update or {}))

    def resolved(self, channels: int, mirror_safe: bool, images: int) -> Recipe:
        """Say what "auto" means for so many training images, and whether they may be mirrored."""
        color, changes = channels == 3, {}
        if self.augmentation.kind == "auto":
            strong, sharp = ("microscopy", "orientations") if color else ("medical", "light")
            changes["augment"] = strong if images < (FEW if color else _FEW_GRAY) else sharp
        if self.evaluation.flips == "auto":
            changes["flips"] = "both" if color else "horizontal"
        if not mirror_safe:
            changes["flips"] = "none"
        return make_recipe(self, **changes)

    def for_rows(self) -> Recipe:
        """Give the recipe without what only images have: augmentation, flips and shifts."""
        return make_recipe(self, augment="none", flips="none", shifts=0)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types by group, read back by `make_recipe`."""
        return self.model_dump(mode="json")


GROUPS: dict[str, type[BaseModel]] = {
    name: field.annotation
    for name, field in Recipe.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
}
"""Tables of a recipe."""
_KINDS = {"optimizer": "optimizer", "schedule": "schedule", "augmentation": "augment"}
FLAT: dict[str, tuple[str, str]] = {
    _KINDS[group] if field == "kind" else field: (group, field)
    for group, model in GROUPS.items()
    for field in model.model_fields
}
"""Own name of each field in a group: its group and its name there."""


def grouped(fields: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Put fields that go by their own names into their groups, on top of those of `base`.

    Raises
    ------
    ConfigError
        If a field does not exist.
    """
    found = {n: dict(v) if isinstance(v, Mapping) else v for n, v in (base or {}).items()}
    for name, value in fields.items():
        if name in GROUPS and isinstance(value, Mapping | BaseModel):
            table = dict(value)
            for field in table:
                if field not in GROUPS[name].model_fields:
                    raise unknown_name(f"field of {name}", field, GROUPS[name].model_fields)
            found[name] = {**found.get(name, {}), **table}
        elif name in FLAT:
            group, field = FLAT[name]
            found[group] = {**found.get(group, {}), field: value}
        elif name in Recipe.model_fields:
            found[name] = value
        else:
            raise unknown_name("recipe field", name, [*Recipe.model_fields, *FLAT])
    return found


def make_recipe(
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None, **changes: Any
) -> Recipe:
    """Build a recipe from a recipe, fields, a TOML file or nothing, with changes.

    Fields may stand in their groups, as in a file, or go by their own names.

    Raises
    ------
    ConfigError
        If a field does not exist or a value cannot be used; the message names it.

    Examples
    --------
    >>> make_recipe({"optimizer": {"lr": 1e-3, "clip_norm": 0.5}}, lr=2e-3).optimizer.lr
    0.002
    """
    if isinstance(recipe, str | Path):
        base = read_toml(recipe)
    elif isinstance(recipe, Recipe):
        base = recipe.to_dict()
    else:
        base = current(recipe or {})
    fields = grouped(changes, base=grouped(base))
    try:
        return Recipe(**fields)
    except ValidationError as error:
        raise ConfigError(one_line(error, "recipe")) from None


def one_line(error: ValidationError, what: str) -> str:
    """Put a validation error into one line: field, value, what was expected."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{what}: {place} = {first['input']!r}: {message}" if place else f"{what}: {message}"


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file, its keys as they are spelled now.

    Raises
    ------
    ConfigError
        If it is missing or not TOML.
    """
    try:
        fields: dict[str, Any] = current(tomllib.loads(Path(path).read_text("utf-8")))
        return fields
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from None
