"""`fit`: train a model on labelled images, or rows of numbers (lesson 03)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinyternary.autograd import Tensor, no_grad
from tinyternary.config import Preprocessing, Standardization, Task
from tinyternary.data import Batches, Dataset, Splits, fit_preprocessing
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.evaluate.evaluation import calibrate, measure
from tinyternary.files import DRAFT, one_at_a_time
from tinyternary.models import ViT
from tinyternary.nn import Dropout, DropPath, Module
from tinyternary.train._identity import START, checksums, current_settings
from tinyternary.train._objective import Supervised
from tinyternary.train._state import STATES, resume_state
from tinyternary.train.checkpoints import write_json
from tinyternary.train.loop import Loop, Objective
from tinyternary.train.recipe import Recipe, make_recipe
from tinyternary.train.run import Run, describe_run

OnStep = Callable[[int, Module], None]
OnEpoch = Callable[[dict[str, Any]], None]


def fit(
    model: Module,
    data: Splits,
    recipe: Recipe | dict[str, Any] | str | Path | None = None,
    *,
    run_dir: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    preprocessing: Preprocessing | Standardization | None = None,
    resume: bool = True,
    test: bool = True,
    label: str = "training",
    on_step: OnStep | None = None,
    on_epoch: OnEpoch | None = None,
    **recipe_overrides: Any,
) -> Run:
    """Train a model, float or ternary, on labelled images or rows of numbers.

    Parameters
    ----------
    model : ViT, or any Module
        From a batch of inputs to logits (B, C). Trained in place; ends with the weights
        that the recipe keeps.
    data : Splits
        Trains on ``data.train``, chooses by ``data.val``, reads ``data.test`` once at
        the end.
    recipe : Recipe, dict, path of a TOML file, optional
        How to train; by default ``Recipe()``. What only images have (augmentation, flips,
        shifts) is left out where the data are rows.
    run_dir : path, optional
        Folder for configuration, history, checkpoints and metrics. If it holds the
        state of the same run, training goes on from there, to the same bits. The same
        are starting weights, images of all three splits, recipe, seed and teacher; a
        model that the run itself has trained may be given again as it is.
    seed : int
        Of the order of images, augmentation and dropout.
    progress : bool
        Show a progress bar on standard error.
    preprocessing : Preprocessing, or Standardization of rows, optional
        By default measured on ``data.train``.
    resume : bool
        False starts over.
    test : bool
        False leaves the test images alone.
    label : str
        Text beside the progress bar.
    on_step, on_epoch : callables, optional
        Called as ``on_step(step, model)`` and ``on_epoch(row)``.
    **recipe_overrides
        Fields of `Recipe` to change: ``fit(model, data, epochs=3)``.

    Returns
    -------
    Run

    Raises
    ------
    ConfigError
        If the recipe, the model and the data do not fit each other.
    DataFileError
        If there are no images.
    TrainingError
        If the loss is not finite.
    CheckpointError
        If `run_dir` holds another run, or another training is going on there.

    Examples
    --------
    >>> data = tt.data.Splits(*(tt.data.phantoms(s, count=64) for s in ("train", "val", "test")))
    >>> model = tt.models.ViT(tt.models.preset("tiny", num_classes=8))
    >>> run = tt.train.fit(model, data, epochs=1, progress=False)
    >>> sorted(run.metrics)
    ['test', 'val']

    Any network, and rows of numbers in place of images:

    >>> x = np.random.default_rng(0).standard_normal((200, 2))
    >>> data = tt.data.table(x, (x[:, 0] > x[:, 1]).astype(int)).divide()
    >>> mlp = tt.nn.Sequential(tt.nn.Linear(2, 16), tt.nn.GELU(), tt.nn.Linear(16, 2))
    >>> run = tt.train.fit(mlp, data, batch_size=16, lr=1e-2, progress=False)
    >>> run.metrics["val"]["acc"] > 0.9
    True
    """
    session = Session(
        run_dir, seed, progress, preprocessing, resume, test, label, on_step, on_epoch
    )
    return train(
        model, data, make_recipe(recipe, **recipe_overrides), session,
        lambda _, chosen: Supervised(model, data.train, chosen),
    )  # fmt: skip


@dataclass(frozen=True)
class Session:
    """What belongs to one call of `fit`, `distill` or `pretrain`, and not to the recipe.

    The attributes are `fit`'s arguments of these names.
    """

    run_dir: str | Path | None = None
    seed: int = 0
    progress: bool = True
    preprocessing: Preprocessing | Standardization | None = None
    resume: bool = True
    test: bool = True
    label: str = "training"
    on_step: OnStep | None = None
    on_epoch: OnEpoch | None = None


def train(
    model: Module,
    data: Splits,
    recipe: Recipe,
    session: Session,
    objective: Callable[[Any, Recipe], Objective],
    **described: Any,
) -> Run:
    """Run an objective to the end and evaluate: what `fit`, `distill` and `pretrain` share.

    This is the door: here it is seen whether model and data fit each other, once. `objective`
    is made behind it; whatever is `described` goes into the run's configuration.
    """
    seed = session.seed
    if seed < 0:
        raise ConfigError(f"seed: expected an integer of at least 0, got {seed}")
    check_arguments(model, data)
    if isinstance(model, ViT):
        for part in data:
            if len(part) or part is data.train:
                part.check_fits(model.config, "training" if part is data.train else None)
    preprocessing = session.preprocessing or fit_preprocessing(data.train)
    if not isinstance(model, ViT):
        check_answers(model, data.train, preprocessing)
    if data.train.rows:
        recipe = recipe.for_rows()
    else:
        recipe = recipe.resolved(data.channels, data.train.mirror_safe, len(data.train))
    set_dropout(model, recipe)
    config = describe_run(
        model, preprocessing, data.task, data.class_names, recipe, seed, data.name,
        **checksums(model, data), **described,
    )  # fmt: skip
    settings = current_settings(config)
    del settings["library"]  # a newer library may go on with an older state
    folder = Path(session.run_dir) if session.run_dir is not None else None
    batches = training_batches(data.train, preprocessing, recipe, seed)
    with _alone_in(folder):
        loop = Loop(
            model, objective(preprocessing, recipe), batches, data.val, recipe, settings, folder,
            session.on_step, session.on_epoch,
        )  # fmt: skip
        resumed = session.resume and resume_state(loop)
        config[START] = loop.settings[START]  # what a run that goes on began with
        if folder is not None:
            _clear(folder, resumed)
        if folder is not None and not resumed:
            write_json(folder / "config.json", config)
        loop.run(session.progress, session.label)
        metrics = {
            split: measure(
                model, data[split], preprocessing,
                flips=recipe.evaluation.flips, shifts=recipe.evaluation.shifts,
                progress=f"{session.label}: {split} images" if session.progress else None,
            )
            for split in (("val", "test") if session.test else ("val",))
            if len(data[split])
        }  # fmt: skip
        calibrate(model, data, preprocessing, metrics)
        run = Run(
            model, preprocessing, data.task, data.class_names, loop.history, metrics, recipe,
            seed, data.name, folder, loop.seconds, config,
        )  # fmt: skip
        if folder is not None:
            run.save(folder)
    return run


def _alone_in(folder: Path | None) -> AbstractContextManager[None]:
    """Refuse a second training in a run folder: each would take the other's files for its own."""
    if folder is None:
        return nullcontext()
    busy = f"{folder}: another training runs in this folder; wait for its end, or choose another"
    return one_at_a_time(folder, CheckpointError(busy))


def _clear(folder: Path, resumed: bool) -> None:
    """Remove what a write left behind that was killed, and, to start over, another run's files."""
    for left_over in folder.glob(f".*{DRAFT}"):
        left_over.unlink()
    if not resumed:
        # the states go first, the older before the newer
        others = ("best.safetensors", "model.safetensors", "metrics.json")
        for name in (*reversed(STATES), *others):
            (folder / name).unlink(missing_ok=True)


def check_arguments(model: Any, data: Any) -> None:
    """Refuse what is no network, or no data in three splits.

    Raises
    ------
    ConfigError
        Saying how to make one.
    """
    if not isinstance(model, Module):
        raise ConfigError(
            f"model: expected a tinyternary Module (a ViT, tt.nn.Sequential(...), a class of your "
            f"own that is one), got {type(model).__name__}"
        )
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(
            f"model: the {type(model).__name__} has no parameters to train; a Module finds those "
            "that are its attributes, or stand in its lists of Modules"
        )
    if not isinstance(data, Splits):
        raise ConfigError(
            f"data: expected Splits (training, validation, test), got {type(data).__name__}; for "
            "arrays: tt.data.table(rows, labels).divide()"
        )


def check_answers(
    model: Module, data: Dataset, preprocessing: Preprocessing | Standardization
) -> None:
    """Ask a network about two inputs: it has to give one number per class for each.

    Raises
    ------
    ConfigError
        If it gives anything else.
    DataFileError
        If there is no input to ask about.
    """
    data.check_not_empty("training")
    few = data.images[:2]
    with no_grad():
        answer = model.eval()(preprocessing(few))
    model.train()
    got = tuple(getattr(answer, "shape", ()))
    if not isinstance(answer, Tensor) or got != (len(few), data.num_classes):
        kind = f"{type(answer).__name__} of shape {got}" if got else type(answer).__name__
        raise ConfigError(
            f"model: for {len(few)} inputs of shape {data.shape} the {type(model).__name__} gives "
            f"a {kind}, expected a Tensor of logits {(len(few), data.num_classes)}: one number "
            f"for each of {data.num_classes} classes"
        )


def training_batches(
    data: Dataset, preprocessing: Preprocessing | Standardization, recipe: Recipe, seed: int
) -> Batches:
    """Batches as a recipe says."""
    changes = recipe.augmentation
    return Batches(
        data, preprocessing, recipe.batch_size, augment=changes.kind, mixup=changes.mixup,
        balanced=changes.balanced and data.task is not Task.MULTI_LABEL,
        ordinal_width=recipe.loss.ordinal_width, seed=seed,
    )  # fmt: skip


def set_dropout(model: Module, recipe: Recipe) -> None:
    """Give the model the recipe's dropout and drop-path probabilities, where it names them.

    Drop-path rises linearly with depth, from 0 in the first block (Huang et al., 2016).
    """
    paths = [m for m in model.modules() if isinstance(m, DropPath)]
    for module in model.modules():
        if isinstance(module, Dropout) and recipe.regularization.dropout is not None:
            module.p = recipe.regularization.dropout
    if recipe.regularization.drop_path is not None:
        for place, module in enumerate(paths):
            module.p = recipe.regularization.drop_path * place / max(1, len(paths) - 1)
