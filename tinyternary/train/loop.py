"""The training loop: step, epoch, save, resume (lesson 03).

Everything random in step s of a run (order of the images, augmentation, mixup,
dropout) is drawn from generators seeded by (run's seed, purpose, epoch or step).
So the state of the random numbers *is* the seed and the step, and a run that
was killed goes on with the same bits as one that never was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor
from tinyternary.compiled import pool_first
from tinyternary.data import Batch, Batches, Dataset
from tinyternary.errors import NonFiniteError
from tinyternary.evaluate.evaluation import quick_metrics
from tinyternary.nn import Module
from tinyternary.quant import set_sharpness, set_strength
from tinyternary.train._diagnosis import stop
from tinyternary.train._interrupt import interruptible, stop_for
from tinyternary.train._progress import ProgressBar
from tinyternary.train._state import save_best, save_state
from tinyternary.train.ema import WeightAverage
from tinyternary.train.history import History
from tinyternary.train.optimizers import clip_gradients, make_optimizer
from tinyternary.train.recipe import Recipe
from tinyternary.train.schedules import make_schedule

Arrays = dict[str, NDArray[Any]]
_DROPOUT = 3  # purpose of a random stream; `data.batches` uses 1 and 2, `pretrain` 4


class Objective(Protocol):
    """What a step makes small: a loss of a batch, and parameters of its own, by name."""

    def parameters(self) -> dict[str, Tensor]:
        """Parameters that are trained along and dropped afterwards."""
        ...

    def __call__(self, batch: Batch) -> Tensor:
        """Mean loss over a batch."""
        ...


class Loop:
    """One training run in progress.

    Parameters
    ----------
    model : Module
        Trained in place.
    objective : Objective
        Loss of a batch.
    batches : Batches
        Training images in order; their seed is that of all random numbers.
    validation : Dataset
        Read after each epoch; may be empty.
    recipe : Recipe
    settings : dict
        What a checkpoint must agree with to be resumed (model, data, recipe, ...).
    run_dir : Path, optional
        Where the state is kept; without one it stays in memory.
    on_step, on_epoch : callables, optional
        Called as ``on_step(step, model)`` after each step (1, 2, ...), and as
        ``on_epoch(row)``.
    """

    def __init__(
        self,
        model: Module,
        objective: Objective,
        batches: Batches,
        validation: Dataset,
        recipe: Recipe,
        settings: dict[str, Any],
        run_dir: Path | None = None,
        on_step: Callable[[int, Module], None] | None = None,
        on_epoch: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.model, self.objective, self.batches = model, objective, batches
        self.validation, self.recipe, self.settings = validation, recipe, settings
        self.run_dir, self.on_step, self.on_epoch = run_dir, on_step, on_epoch
        self.step, self.loss_sum, self.seconds = 0, 0.0, 0.0
        self.history = History()
        self.best_score, self.best = -np.inf, {}  # type: tuple[float, Arrays]
        self.per_epoch = len(batches)
        self.total = recipe.epochs * self.per_epoch
        self.trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.extra = {f"extra.{n}": p for n, p in objective.parameters().items()}
        self.optimizer = make_optimizer(self.trained | self.extra, recipe)
        self.schedule = make_schedule(recipe, self.per_epoch)
        decay = recipe.regularization.ema
        self.average = WeightAverage(self.trained, decay) if decay else None
        # one generator for all dropout of the model, set anew at each step
        self._dropout = np.random.Generator(np.random.PCG64(0))
        model.set_rng(self._dropout)

    def run(self, progress: bool = True, label: str = "training") -> None:
        """Train to the end of the recipe, or to early stopping, and load the kept weights.

        Raises
        ------
        TrainingError
            If the loss or a gradient is not finite.
        KeyboardInterrupt
            After Ctrl-C, when the state has been saved. It is saved after SIGTERM and SIGHUP
            too, which then end the process.
        """
        saved = time.perf_counter()
        with (
            pool_first(),
            ProgressBar(self.total, self.step, label, progress) as bar,
            interruptible() as asked,
        ):
            while self.step < self.total and not self._early():
                begun = time.perf_counter()
                loss = self._step()
                self.seconds += time.perf_counter() - begun
                bar.step(loss, self.recipe.batch_size)
                ended = self.step % self.per_epoch == 0
                if ended:
                    bar.epoch(self._end_epoch())
                if asked():
                    break
                if ended or time.perf_counter() - saved > self.recipe.save_seconds:
                    save_state(self)
                    saved = time.perf_counter()
        if asked():
            save_state(self)
        self._use_kept()
        if asked():
            where = f"; the same command goes on from {self.run_dir}" if self.run_dir else ""
            message = f"stopped after step {self.step} of {self.total}{where}"
            bar.note(message)
            stop_for(asked(), message)

    def _step(self) -> float:
        """One step: batch, loss, gradients, update; gives the loss."""
        batch = self.batches.batch(self.step)
        self.model.train()
        stream = np.random.PCG64([self.batches.seed, _DROPOUT, self.step])
        self._dropout.bit_generator.state = stream.state
        self._fade()
        try:
            loss = self.objective(batch)
        except NonFiniteError as error:  # a quantiser met NaN in a weight
            stop(self, str(error))
        value = float(loss.data)
        if not np.isfinite(value):
            stop(self, f"loss is {value}", loss)
        self.optimizer.zero_grad()
        loss.backward()
        limit = self.recipe.optimizer.clip_norm or np.inf
        norm = clip_gradients(self.optimizer.parameters().values(), limit)
        if not np.isfinite(norm):
            stop(self, f"gradient norm is {norm}")
        self.optimizer.lr = self.schedule(self.step)
        self.optimizer.decay_scale = self.schedule.decay_scale(self.step)
        self.optimizer.step()
        self.step += 1
        self.loss_sum += value
        if self.average is not None:
            self.average.update()
        if self.on_step is not None:
            self.on_step(self.step, self.model)
        return value

    def _fade(self) -> None:
        """Set how ternary the layers are (0 is float) and how sharp the soft rule is."""
        steps = self.recipe.ternary.gradual_epochs * self.per_epoch
        if steps > 0:
            set_strength(self.model, min(1.0, self.step / steps))
        sharpest = self.recipe.ternary.sharpness
        if sharpest > 0:
            set_sharpness(self.model, sharpest ** (self.step / self.total))

    def _end_epoch(self) -> dict[str, Any]:
        """Ask about the validation images, and keep the weights if they are the best so far."""
        row: dict[str, Any] = {
            "epoch": self.step // self.per_epoch, "step": self.step, "lr": self.optimizer.lr,
            "train_loss": self.loss_sum / self.per_epoch,
        }  # fmt: skip
        self.loss_sum = 0.0
        started = time.perf_counter()
        if self.recipe.ternary.gradual_epochs > 0:
            set_strength(self.model, 1.0)  # what counts is the network that will be packed
        with self.average.applied() if self.average is not None else nullcontext():
            row |= quick_metrics(self.model, self.validation, self.batches.preprocessing)
            self._consider(row)
        self.seconds += time.perf_counter() - started
        row["seconds"] = self.seconds
        self.history.append(row)
        if self.on_epoch is not None:
            self.on_epoch(row)
        return row

    def _consider(self, row: dict[str, Any]) -> None:
        """Keep the present weights if the epoch is the best so far."""
        monitor = self.recipe.evaluation.monitor
        value = row[f"val_{monitor}"]
        if value is None or not np.isfinite(value):  # nothing to judge by: the latest counts
            score = float(row["epoch"]) - 1e9
        else:
            score = -float(value) if monitor == "loss" else float(value)
        if score > self.best_score or (score == self.best_score and self._surer(row)):
            self.best_score, self.history.best_epoch = score, int(row["epoch"])
            self.best = {n: a.copy() for n, a in self.model.state_dict().items()}
            save_best(self, int(row["epoch"]))

    def _surer(self, row: dict[str, Any]) -> bool:
        """Whether an epoch as good as the best has less loss: an AUC of 1 is soon reached."""
        best = self.history.rows[self.history.best_epoch - 1]["val_loss"]
        return best is not None and bool(row["val_loss"] < best)

    def _early(self) -> bool:
        patience, done = self.recipe.evaluation.patience, len(self.history)
        return bool(patience) and done - self.history.best_epoch >= patience

    def _use_kept(self) -> None:
        """Load the weights that the recipe keeps: best epoch's, or the last (averaged)."""
        if self.recipe.evaluation.keep == "best" and self.best:
            self.model.load_state_dict(self.best)
        elif self.average is not None:
            for name, parameter in self.trained.items():
                parameter.data[...] = self.average.arrays[name]
        self.model.eval()
