"""`distill`: a ternary student learns from a float teacher (lesson 07).

    loss = (1 - a) CE(student, labels)
         + a [ (1 - g) T^2 KL(teacher / T, student / T) + g F(student's, teacher's features) ]

with a = g = 0.5 and T = 2 as defaults (BitMedViT, arXiv 2510.13760, section 3.3).
F compares the tokens after the last block; the student's go through a LayerNorm
and a matrix to the teacher's width, which is dropped afterwards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor, bce_with_logits, kl_divergence, mse, no_grad
from tinyternary.config import Preprocessing, Standardization, Task
from tinyternary.config.decision import scores
from tinyternary.data import Batch, Dataset, Splits
from tinyternary.data.classes import check_classes
from tinyternary.errors import ConfigError
from tinyternary.evaluate.evaluation import predict_logits
from tinyternary.models import ViT
from tinyternary.nn import LayerNorm, Linear, Module
from tinyternary.train._features import attention_map, teacher_features
from tinyternary.train._identity import weights_checksum
from tinyternary.train._objective import (
    logit_offset,
    task_loss,
)
from tinyternary.train._starting import start_from
from tinyternary.train.fit import (
    OnEpoch,
    OnStep,
    Session,
    check_answers,
    check_arguments,
    train,
)
from tinyternary.train.recipe import EvaluationRecipe, Recipe, make_recipe
from tinyternary.train.run import Run, describe_model, describe_policy

_CACHE_BYTES = 512 * 2**20


class Matcher(Module):
    """Student's tokens (B, T, D) to the teacher's width (B, T, D'): LayerNorm, then a matrix."""

    def __init__(self, width: int, teacher_width: int, seed: int) -> None:
        super().__init__()
        self.norm = LayerNorm(width, 1e-5)
        self.proj = Linear(width, teacher_width, rng=np.random.default_rng([seed, 7]))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map a student's tokens (B, T, D) to the teacher's width."""
        return self.proj(self.norm(tokens))  # type: ignore[no-any-return]


class Distillation:
    """Loss of a student against labels and teacher.

    Parameters
    ----------
    student, teacher : ViT, or any Module if no features are compared
        They may differ in width, depth, patch size and attention.
    data : Dataset
        The training images.
    preprocessing : Preprocessing
    recipe : Recipe
        temperature, alpha, gamma, feature, label_smoothing, logit_adjustment.
    seed : int
        Of the matcher's weights.
    progress : str, optional
        Show a bar with this label while the teacher is asked about all images at once.
    """

    def __init__(
        self,
        student: Any,
        teacher: Any,
        data: Dataset,
        preprocessing: Preprocessing | Standardization,
        recipe: Recipe,
        seed: int,
        progress: str | None = None,
    ) -> None:
        self.student, self.teacher, self.task = student, teacher, data.task
        self.plan, self.smoothing = recipe.distillation, recipe.loss.label_smoothing
        self.offset = logit_offset(data, recipe)
        self.gamma = 0.0 if self.plan.feature == "none" else self.plan.gamma
        if self.gamma and not (isinstance(student, ViT) and isinstance(teacher, ViT)):
            raise ConfigError(
                f"feature: {self.plan.feature!r} compares the tokens of two ViTs, these are a "
                f"{type(student).__name__} and a {type(teacher).__name__}; give feature='none'"
            )
        self.matcher: Matcher | None = None
        if self.plan.alpha and self.gamma and self.plan.feature in ("mse", "cosine"):
            self.matcher = Matcher(student.config.width, teacher.config.width, seed)
        self.cached: dict[str, NDArray[np.float32]] = {}
        averaged = self.plan.answers == "averaged"
        unchanged = recipe.augmentation.kind == "none" and not recipe.augmentation.mixup
        if self.plan.alpha and (averaged or unchanged):
            copies = recipe.evaluation if averaged else EvaluationRecipe()
            self.cached["logits"] = predict_logits(
                self.teacher, data.images, preprocessing, flips=copies.flips, shifts=copies.shifts,
                progress=progress,
            )  # fmt: skip
            self._cache_features(data, preprocessing)

    def _cache_features(
        self, data: Dataset, preprocessing: Preprocessing | Standardization
    ) -> None:
        """Ask for features once per image: without augmentation they do not change."""
        if not self.gamma:
            return
        config = self.student.config
        per_image = 4 * config.grid**2 * (1 if self.matcher is None else self.teacher.config.width)
        if per_image * len(data) <= _CACHE_BYTES:
            parts = []
            for start in range(0, len(data), 256):
                images = preprocessing(data.images[start : start + 256])
                parts.append(self._ask(images)[1])
            self.cached["features"] = np.concatenate(parts)

    def parameters(self) -> dict[str, Tensor]:
        """Return the matcher's parameters, which train beside the student's."""
        return dict(self.matcher.named_parameters()) if self.matcher is not None else {}

    def _ask(self, images: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Teacher's logits (B, C) and features on the student's grid."""
        self.teacher.eval()
        with no_grad():
            if not self.gamma:
                return self.teacher(images).numpy(), np.empty(0, np.float32)
            record: dict[str, Any] = {}
            logits = self.teacher(images, record=record)
            grid, maps = self.student.config.grid, self.plan.feature == "attention"
            return logits.numpy(), teacher_features(record, self.teacher.config, grid, maps)

    def __call__(self, batch: Batch) -> Tensor:
        """Mean loss over a batch."""
        r = self.plan
        record: dict[str, Any] | None = {} if self.gamma and r.alpha else None
        seen = {} if record is None else {"record": record}  # only a ViT can record
        logits = self.student(batch.images, **seen)
        hard = task_loss(logits, batch.goal, self.task, self.smoothing, self.offset)
        loss = hard * (1.0 - r.alpha)
        if r.alpha == 0:
            return loss
        known, features = self.cached.get("logits"), self.cached.get("features")
        if known is not None and (features is not None or not self.gamma):
            answer = known[batch.indices]
            wanted = features[batch.indices] if features is not None else None
        else:
            answer, wanted = self._ask(batch.images)
        soft = teacher_loss(logits, answer, self.task, r.temperature)
        loss = loss + soft * (r.alpha * (1.0 - self.gamma))
        if record is not None and wanted is not None:
            loss = loss + self._compare(record, wanted) * (r.alpha * self.gamma)
        return loss

    def _compare(self, record: dict[str, Any], wanted: NDArray[Any]) -> Tensor:
        """F: how far the student's features are from the teacher's."""
        config = self.student.config
        tokens: Tensor = record[f"blocks.{config.depth - 1}"]
        if config.front:
            tokens = tokens[:, config.front :]  # what stands in front has no place in the grid
        if self.plan.feature == "attention":
            return mse(attention_map(tokens), wanted) * float(config.grid**2)
        assert self.matcher is not None
        mapped = self.matcher(tokens)
        if self.plan.feature == "mse":
            return mse(mapped, wanted)
        length = ((mapped * mapped).sum(axis=-1) + 1e-8).sqrt()
        goal = wanted / np.sqrt((wanted * wanted).sum(-1, keepdims=True) + 1e-8)
        cosine: Tensor = ((mapped * goal).sum(axis=-1) / length).mean()
        return 1.0 - cosine


def teacher_loss(student: Tensor, teacher: NDArray[Any], task: Task, temperature: float) -> Tensor:
    """T^2 times the divergence of the student's softened answers from the teacher's.

    Softening divides gradients by T^2; the factor brings them back (Hinton et
    al., 2015, section 2.1). Multi-label tasks soften one sigmoid per label.
    """
    if task is Task.MULTI_LABEL:
        goal = scores(teacher / temperature, task).astype(np.float32)
        return bce_with_logits(student * (1.0 / temperature), goal) * temperature**2
    return kl_divergence(student, teacher, temperature)


def distill(
    student: Module,
    teacher: Module | Run,
    data: Splits,
    recipe: Recipe | dict[str, Any] | str | Path | None = None,
    *,
    run_dir: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    preprocessing: Preprocessing | Standardization | None = None,
    resume: bool = True,
    test: bool = True,
    label: str = "distilling",
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    **recipe_overrides: Any,
) -> Run:
    """Train a student on labels and on a teacher's answers.

    Parameters
    ----------
    student : ViT, or any Module
        Usually ternary; trained in place.
    teacher : ViT, any Module, or Run
        Answers in evaluation mode; of any width and depth, for the same classes. A
        `Run` also brings its preprocessing and class names.
    data : Splits
    recipe : Recipe, dict, path of a TOML file, optional
    run_dir, seed, progress, preprocessing, resume, test, label, on_step, on_epoch
        As in `fit`.
    **recipe_overrides
        Fields of `Recipe` to change: ``distill(..., start_from_teacher=True)``.

    Returns
    -------
    Run

    Raises
    ------
    ConfigError
        If the teacher is for other classes or images, or shares no weight with
        the student although the recipe says to start from it, or features are to be
        compared of networks that are no ViTs.

    Examples
    --------
    >>> data = tt.data.Splits(*(tt.data.phantoms(s, count=64) for s in ("train", "val", "test")))
    >>> teacher = tt.models.ViT(tt.models.preset("tiny", num_classes=8))
    >>> student = tt.quant.ternarize(tt.models.ViT(teacher.config), policy="all-linear")
    >>> run = tt.train.distill(student, teacher, data, epochs=1, progress=False)
    >>> run.model is student
    True
    """
    chosen = make_recipe(recipe, **recipe_overrides)
    if isinstance(teacher, Run):
        check_classes(data.train, teacher.class_names, teacher.task, "teacher")
        preprocessing = preprocessing or teacher.preprocessing
        teacher = cast(Module, teacher.model)
    network: Module = teacher
    check_arguments(network, data)
    if isinstance(network, ViT):
        data.train.check_fits(network.config, "training", "teacher")

    def objective(preprocessing: Any, chosen: Recipe) -> Distillation:
        if not isinstance(network, ViT):
            check_answers(network, data.train, preprocessing)
        if chosen.distillation.start_from_teacher:
            start_from(student, network, preprocessing(data.train.images[:256]))
        asking = f"{label}: the teacher" if progress else None
        return Distillation(student, network, data.train, preprocessing, chosen, seed, asking)

    session = Session(
        run_dir, seed, progress, preprocessing, resume, test, label, on_step, on_epoch
    )
    return train(
        student, data, chosen, session, objective,
        teacher={
            "model": describe_model(network), "policy": describe_policy(network),
            "weights": weights_checksum(network),
        },
    )  # fmt: skip
