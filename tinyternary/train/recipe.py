"""How to train: every choice with its default, checked when it is made (lesson 03)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tinyternary.errors import ConfigError, unknown_name

Augment = Literal["none", "light", "medical", "microscopy", "orientations", "random", "auto"]
FEW = 8000
"""Training images; fewer are learned by heart by networks of this size."""
_FEW_GRAY = 50_000  # shapes differ between patients more than their grain tells: strong for longer


class Recipe(BaseModel):
    """A training run as plain values; ``Recipe(epochs=5).to_dict()`` is JSON.

    Attributes
    ----------
    epochs, batch_size : int
        Passes over the training images; images per step.
    optimizer : {"adamw", "sgd"}
        With `lr` (peak), `weight_decay`, `momentum` (SGD) and `betas` (AdamW).
    schedule : {"cosine", "constant", "two-phase"}
        See `Schedule`; `warmup_epochs` may be a fraction, `min_lr` is the end.
    clip_norm : float
        Limit on the joint gradient norm; 0 is none.
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
    augment : {"none", "light", "medical", "microscopy", "orientations", "random", "auto"}
        Random changes to the training images, see `tinyternary.data.augment`. "auto" is
        strong where there are few of them ("microscopy" for fewer than 8,000 in colour,
        which have no upright; "medical" for fewer than 50,000 grey ones), and keeps
        pixels sharp where there are more ("orientations"; "light"). Mirroring is left
        out where class names tell left from right.
    mixup : float
        Parameter of the Beta distribution that blends pairs of images; 0 is off.
    balanced : bool
        Draw classes equally often.
    ema : float
        Decay of the weight average that is evaluated and kept; 0 is none.
    dropout, drop_path : float, optional
        Set these probabilities on the model; by default its own are kept.
    gradual_epochs : float
        Ternary layers fade from float to ternary over so many epochs; 0 is at once.
    sharpness : float
        The soft straight-through rule is annealed from 1 to this over the run; 0
        leaves it alone.
    monitor : {"auc", "acc", "loss"}
        Validation number that says which epoch is best.
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
    temperature, alpha, gamma : float
        Distillation: (1 - alpha) CE + alpha ((1 - gamma) T^2 KL + gamma F), where
        F compares features (arXiv 2510.13760).
    feature : {"mse", "cosine", "attention", "none"}
        F: squared error or cosine distance between last tokens, or squared error
        between attention maps; "none" takes gamma as 0.
    start_from_teacher : bool
        Copy the teacher's weights into the student where shapes agree.
    save_seconds : float
        Also save the state within an epoch when so much time has passed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=64, ge=1)
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    min_lr: float = Field(default=1e-6, ge=0)
    weight_decay: float = Field(default=0.05, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    betas: tuple[float, float] = (0.9, 0.999)
    schedule: Literal["cosine", "constant", "two-phase"] = "cosine"
    warmup_epochs: float = Field(default=1.0, ge=0)
    phase_split: float = Field(default=0.5, gt=0, lt=1)
    phase_drop: float = Field(default=0.66, gt=0, le=1)
    clip_norm: float = Field(default=1.0, ge=0)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    logit_adjustment: float = Field(default=0.0, ge=0, le=2)
    ordinal_width: float = Field(default=0.5, ge=0)
    augment: Augment = "light"
    mixup: float = Field(default=0.0, ge=0)
    balanced: bool = False
    ema: float = Field(default=0.0, ge=0, lt=1)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    drop_path: float | None = Field(default=None, ge=0, lt=1)
    gradual_epochs: float = Field(default=0.0, ge=0)
    sharpness: float = Field(default=0.0, ge=0)
    monitor: Literal["auc", "acc", "loss"] = "auc"
    keep: Literal["best", "last"] = "best"
    patience: int = Field(default=0, ge=0)
    flips: Literal["none", "horizontal", "both", "auto"] = "none"
    shifts: int = Field(default=0, ge=0, le=4)
    temperature: float = Field(default=2.0, gt=0)
    alpha: float = Field(default=0.5, ge=0, le=1)
    gamma: float = Field(default=0.5, ge=0, le=1)
    feature: Literal["mse", "cosine", "attention", "none"] = "mse"
    start_from_teacher: bool = False
    save_seconds: float = Field(default=60.0, ge=0)

    @model_validator(mode="after")
    def _together(self) -> Recipe:
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"warmup_epochs {self.warmup_epochs} exceeds epochs {self.epochs}")
        if self.gradual_epochs > self.epochs:
            raise ValueError(f"gradual_epochs {self.gradual_epochs} exceeds epochs {self.epochs}")
        if self.balanced and self.logit_adjustment:
            raise ValueError("balanced and logit_adjustment both make up for rare classes: use one")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas: expected two numbers in [0, 1), got {self.betas}")
        return self

    def resolved(self, channels: int, mirror_safe: bool, images: int) -> Recipe:
        """Say what "auto" means for so many training images, and whether they may be mirrored."""
        color, changes = channels == 3, {}
        if self.augment == "auto":
            strong, sharp = ("microscopy", "orientations") if color else ("medical", "light")
            changes["augment"] = strong if images < (FEW if color else _FEW_GRAY) else sharp
        if self.flips == "auto":
            changes["flips"] = "both" if color else "horizontal"
        if not mirror_safe:
            changes["flips"] = "none"
        return self.model_copy(update=changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, read back by `make_recipe`."""
        return self.model_dump(mode="json")


def make_recipe(
    recipe: Recipe | dict[str, Any] | str | Path | None = None, **changes: Any
) -> Recipe:
    """Build a recipe from a recipe, fields, a TOML file or nothing, with changes.

    Raises
    ------
    ConfigError
        If a field does not exist or a value cannot be used; the message names it.
    """
    if recipe is None:
        fields: dict[str, Any] = {}
    elif isinstance(recipe, Recipe):
        fields = recipe.to_dict()
    elif isinstance(recipe, dict):
        fields = dict(recipe)
    else:
        fields = read_toml(recipe)
    fields |= changes
    for name in fields:
        if name not in Recipe.model_fields:
            raise unknown_name("recipe field", name, Recipe.model_fields)
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
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If it is missing or not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file: {error}") from None
