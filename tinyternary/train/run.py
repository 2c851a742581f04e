"""What a run leaves behind: a `Run` in memory, a run folder on disk (lesson 03).

config.json          model, policy, task, classes, preprocessing, data, recipe, seed
history.json         one row per epoch
last.safetensors     all that resuming needs
previous.safetensors the same, of the save before: should the last be damaged
best.safetensors     weights of the best epoch
model.safetensors    weights that the run ended with
metrics.json         validation and test metrics, written when the run is over
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinyternary import __version__
from tinyternary.brief import in_brief
from tinyternary.config import (
    LayerQuant,
    Preprocessing,
    Standardization,
    Task,
    ViTConfig,
    read_preprocessing,
)
from tinyternary.errors import CheckpointError, ConfigError, ShapeError
from tinyternary.models import ViT
from tinyternary.nn import Module
from tinyternary.quant import ternarize
from tinyternary.train._state import load_weights
from tinyternary.train.checkpoints import (
    load_checkpoint,
    read_json,
    save_checkpoint,
    write_json,
)
from tinyternary.train.history import History
from tinyternary.train.recipe import Recipe, make_recipe


@dataclass(repr=False)
class Run:
    """A finished (or loaded) training run.

    Attributes
    ----------
    model : ViT, or whatever Module was trained
        With the weights that the run ended with, in evaluation mode.
    preprocessing : Preprocessing, or Standardization of rows
        What turns images into its input.
    task : Task
    class_names : tuple of str
    history : History
        One row per epoch.
    metrics : dict
        ``{"val": {...}, "test": {...}}``, as far as evaluated. ``calibrated`` in each is what
        single answers at the run's temperature are worth: see `calibrate`.
    recipe : Recipe
    seed : int
    dataset : str
        Name of the training data.
    run_dir : Path, optional
    seconds : float
        Training and validation time, over all sessions of the run.
    """

    model: Any
    preprocessing: Any
    task: Task
    class_names: tuple[str, ...]
    history: History
    metrics: dict[str, dict[str, Any]]
    recipe: Recipe
    seed: int
    dataset: str
    run_dir: Path | None = None
    seconds: float = 0.0
    config: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        scores = [
            f"{split} accuracy {m['acc']:.3f}" for split, m in self.metrics.items() if "acc" in m
        ]
        said = [
            repr(self.dataset), in_brief(self.model), f"{len(self.history)} epochs",
            f"seed {self.seed}", *scores,
        ]  # fmt: skip
        where = f"; in {in_brief(self.run_dir)}" if self.run_dir else ""
        return f"Run({', '.join(said)}{where})"

    @property
    def temperature(self) -> float | None:
        """What logits are to be divided by, chosen on the run's validation images, if any."""
        found: float | None = self.metrics.get("val", {}).get("calibrated", {}).get("temperature")
        return found

    def save(self, folder: str | Path) -> Path:
        """Write the run into a folder that `load_run` reads; gives the folder."""
        folder = Path(folder)
        write_json(folder / "config.json", self.config)
        write_json(folder / "history.json", self.history.to_dict())
        arrays = {f"model/{n}": a for n, a in self.model.state_dict().items()}
        save_checkpoint(folder / "model.safetensors", "weights", arrays, {"settings": self.config})
        # last, since its presence says that the run is over
        write_json(folder / "metrics.json", self.metrics)
        return folder


def policy_of(model: Module) -> dict[str, LayerQuant]:
    """Quantiser per layer; empty for a float model."""
    policy: Mapping[str, LayerQuant] = getattr(model, "policy", None) or {}
    return dict(policy)


def describe_model(model: Module) -> dict[str, Any]:
    """Describe a network as JSON values: a ViT so that it can be made again, others to compare."""
    if isinstance(model, ViT):
        return model.config.to_dict()
    shapes = {name: list(array.shape) for name, array in model.state_dict().items()}
    return {"kind": type(model).__name__, "layers": repr(model), "parameters": shapes}


def describe_policy(model: Module) -> dict[str, Any]:
    """Describe a network's quantisers as JSON values, by layer."""
    return {name: rule.to_dict() for name, rule in policy_of(model).items()}


def describe_run(
    model: Module,
    preprocessing: Preprocessing | Standardization,
    task: Task,
    class_names: tuple[str, ...],
    recipe: Recipe,
    seed: int,
    dataset: str,
    **more: Any,
) -> dict[str, Any]:
    """Everything about a run but its weights, as JSON values: a run folder's `config.json`."""
    return {
        "library": __version__,
        "model": describe_model(model),
        "policy": describe_policy(model),
        "preprocessing": preprocessing.to_dict(),
        "task": task.value,
        "class_names": list(class_names),
        "dataset": dataset,
        "recipe": recipe.to_dict(),
        "seed": seed,
        **more,
    }


def build_model(config: Mapping[str, Any], policy: Mapping[str, Any], seed: int = 0) -> ViT:
    """Make an untrained model from a run folder's `model` and `policy` entries."""
    model = ViT(ViTConfig.from_dict(dict(config)), seed=seed)
    if policy:
        ternarize(model, {name: LayerQuant(**rule) for name, rule in policy.items()})
    return model


def load_run(path: str | Path, model: Module | None = None) -> Run:
    """Read a run folder.

    Parameters
    ----------
    path : path
        The folder that `fit` or `distill` was given as `run_dir`.
    model : Module, optional
        Where the run's weights go. A ViT is made anew without it; any other network has
        to be given, made as it was made for the run.

    Returns
    -------
    Run
        With the model that the run ended with; if it has not ended, with the
        best epoch's weights so far, and no metrics.

    Raises
    ------
    CheckpointError
        If the folder holds no run, a file in it is damaged, or the weights are not those of
        the `model`.
    """
    folder = Path(path)
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder}: not a run folder (it has no config.json)")
    config = read_json(folder / "config.json")
    try:
        if model is None and "kind" in config["model"]:
            raise CheckpointError(
                f"{folder}: the run of a {config['model']['kind']}, which only you can make: "
                "load_run(path, model=...)"
            )
        model = build_model(config["model"], config["policy"]) if model is None else model
        run = Run(
            model,
            read_preprocessing(config["preprocessing"]),
            Task(config["task"]),
            tuple(config["class_names"]),
            History(),
            {},
            make_recipe(config["recipe"]),
            int(config["seed"]),
            str(config["dataset"]),
            folder,
            config=config,
        )
    except (KeyError, TypeError, ValueError, ConfigError, ShapeError) as error:
        what = f"has no field {error}" if isinstance(error, KeyError) else str(error)
        raise CheckpointError(f"{folder / 'config.json'}: {what}") from None
    weights = folder / "model.safetensors"
    if not weights.exists():
        weights = folder / "best.safetensors"
    load_weights(model, load_checkpoint(weights, "weights").part("model"), weights)
    model.eval()
    if (folder / "history.json").exists():
        run.history = History.read(folder / "history.json")
        run.seconds = float(run.history.rows[-1]["seconds"]) if run.history.rows else 0.0
    if (folder / "metrics.json").exists():
        run.metrics = read_json(folder / "metrics.json")
    return run
