"""The plan of an ablation: factors, their combinations, and the student of each (lesson 12).

The TOML files in `ablations/` are part of the package; ``tinyternary ablate NAME`` runs them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tinyternary.config import (
    POLICIES,
    LayerQuant,
    ViTConfig,
    resolve_policy,
)
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.experiments.packaged import packaged, read_packaged
from tinyternary.models import ViT
from tinyternary.nn import Linear
from tinyternary.quant import quantizers
from tinyternary.quant.ternarize import quantizable
from tinyternary.train.recipe import Recipe, make_recipe, one_line

FACTORS = ("quantizer", "granularity", "distillation", "policy")
"""In the order in which cells are counted: the last one changes fastest."""


class PolicyLevel(BaseModel):
    """One level of the factor policy.

    Attributes
    ----------
    policy : str
        Name in `tinyternary.config.POLICIES`; empty means the level's own name.
    model : dict
        Fields of `ViTConfig` to change against the teacher's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: str = ""
    model: dict[str, Any] = {}


class Ablation(BaseModel):
    """A full factorial of students on one data set.

    Attributes
    ----------
    name, dataset : str
    seed : int
        Of batches and augmentation, the same in every cell.
    quantizer : list of str
        Weight quantisers, of every matrix that a policy reaches.
    granularity : list of {"tensor", "channel"} or int
    distillation : list of bool
        Whether the teacher's answers count (`alpha` of the recipe) or labels alone.
    policy : dict of str to PolicyLevel
        Which layers; what else a policy says (activations, norms) stays.
    recipe : Recipe
        Of every cell.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    dataset: str
    seed: int = Field(default=0, ge=0)
    quantizer: list[str] = Field(min_length=1)
    granularity: list[Literal["tensor", "channel"] | int] = Field(min_length=1)
    distillation: list[bool] = Field(min_length=1)
    policy: dict[str, PolicyLevel] = Field(min_length=1)
    recipe: Recipe = Recipe()

    def levels(self) -> dict[str, list[Any]]:
        """Levels of each factor."""
        return {factor: list(getattr(self, factor)) for factor in FACTORS}


@dataclass(frozen=True)
class Cell:
    """One combination of levels."""

    quantizer: str
    granularity: Literal["tensor", "channel"] | int
    distillation: bool
    policy: str

    @property
    def name(self) -> str:
        """As a file name: ``absmean-tensor-distilled-all-linear``."""
        how = "distilled" if self.distillation else "labels"
        return f"{self.quantizer}-{self.granularity}-{how}-{self.policy}"

    def to_dict(self) -> dict[str, Any]:
        """Return the level by the factor's name."""
        return asdict(self)


def ablations() -> list[str]:
    """Names of the ablations in the package."""
    return packaged("ablations")


def read_ablation_plan(name: str | Path) -> Ablation:
    """Read an ablation of the package by name, or any TOML file by path.

    Raises
    ------
    ConfigError
        If there is no such ablation, or a field in it is wrong.
    """
    fields, source = read_packaged(name, "ablations", "ablation")
    if "recipe" in fields:
        fields["recipe"] = make_recipe(fields["recipe"])
    try:
        plan = Ablation(**fields)
    except ValidationError as error:
        raise ConfigError(one_line(error, source)) from None
    for quantizer in plan.quantizer:
        if quantizer not in quantizers()["weight"]:
            raise unknown_name("weight quantiser", quantizer, quantizers()["weight"])
    for label, level in plan.policy.items():
        if (level.policy or label) not in POLICIES:
            raise unknown_name("policy", level.policy or label, POLICIES)
    return plan


def student_of(plan: Ablation, cell: Cell, teacher: ViTConfig) -> tuple[ViTConfig, dict[str, Any]]:
    """Network and rule by layer of a cell's student.

    Quantiser and granularity replace the policy's own in every matrix; the scales of norms,
    which only "everything" makes ternary, are vectors and keep the policy's rule.
    """
    level = plan.policy[cell.policy]
    config = ViTConfig.from_dict({**teacher.to_dict(), **level.model})
    layers = dict(quantizable(ViT(config)))
    matrices = {name for name, module in layers.items() if isinstance(module, Linear)}
    names = [*layers, *(f"{name}.norm" for name in matrices)]
    rules = resolve_policy(level.policy or cell.policy, names)
    chosen: dict[str, LayerQuant] = {
        name: replace(rule, weight=cell.quantizer, granularity=cell.granularity)
        if name in matrices else rule
        for name, rule in rules.items()
    }  # fmt: skip
    # a rule for the norm inside a layer that has none would match nothing
    return config, {
        name: rule for name, rule in chosen.items()
        if name in layers or chosen.get(name.removesuffix(".norm"), LayerQuant(norm=False)).norm
    }  # fmt: skip


def cells_of(plan: Ablation, teacher: ViTConfig) -> tuple[list[Cell], dict[str, str]]:
    """List an ablation's cells, and the levels of policy that are left out, with the reason.

    A policy that gives the same network as an earlier one, as "all-linear" and
    "bit-attention" do where both leave the network's norms alone, is not run twice.
    """
    first = Cell(plan.quantizer[0], plan.granularity[0], plan.distillation[0], "")
    seen: dict[str, Any] = {}
    skipped: dict[str, str] = {}
    for label in plan.policy:
        student = student_of(plan, replace(first, policy=label), teacher)
        same = next((other for other, known in seen.items() if known == student), None)
        if same is None:
            seen[label] = student
        else:
            skipped[label] = f"the same layers of the same network as {same!r}"
    combinations = product(plan.quantizer, plan.granularity, plan.distillation, seen)
    return [Cell(*each) for each in combinations], skipped
