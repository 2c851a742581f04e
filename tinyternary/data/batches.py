"""Images in batches: shuffled, augmented, blended, and able to go on where they stopped.

Built in lesson 03. The order of an epoch is drawn from (seed, 1, epoch), the changes to a
batch's images from (seed, 2, step): nothing has to be remembered to go on from a step, and a
run that was killed sees the same batches as one that was not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.brief import Brief
from tinyternary.config import Preprocessing, Standardization, Task
from tinyternary.data.augment.augmentation import Augmentation, augmentation
from tinyternary.data.dataset import Dataset
from tinyternary.data.target_probabilities import targets
from tinyternary.errors import CheckpointError, ConfigError

F32 = NDArray[np.float32]
_ORDER, _CHANGE = 1, 2  # purposes of random streams; training has more: `train.loop`


def balanced_order(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw as many indices as labels, each class equally often, rare ones repeatedly.

    Parameters
    ----------
    labels : (N,) int
    rng : Generator

    Returns
    -------
    (N,) int64
        No image comes a second time before all others of its class came once.
    """
    classes = np.unique(labels)
    share = -(-len(labels) // len(classes))
    drawn = []
    for label in classes:
        members = np.flatnonzero(labels == label)
        rounds = [rng.permutation(members) for _ in range(-(-share // len(members)))]
        drawn.append(np.concatenate(rounds)[:share])
    return rng.permutation(np.concatenate(drawn))[: len(labels)]


def mixup(images: F32, goal: F32, alpha: float, rng: np.random.Generator) -> tuple[F32, F32]:
    """Blend each image and its target with another's of the batch (Zhang et al., ICLR 2018).

    Parameters
    ----------
    images : (B, C, H, W) float32, or rows (B, D)
    goal : (B, K) float32
        Target probabilities.
    alpha : float
        Shares are drawn from Beta(alpha, alpha), one per image; an image keeps
        the larger share of itself.
    rng : Generator

    Returns
    -------
    images, goal
        Of the same shapes.
    """
    drawn = rng.beta(alpha, alpha, len(images)).astype(np.float32)
    share: F32 = np.maximum(drawn, 1 - drawn)
    other = rng.permutation(len(images))
    wide, tall = share.reshape(-1, *[1] * (images.ndim - 1)), share[:, None]
    blended: F32 = wide * images + (1 - wide) * images[other]
    target: F32 = tall * goal + (1 - tall) * goal[other]
    return blended, target


@dataclass(frozen=True, repr=False)
class Batch(Brief):
    """One step's images.

    Attributes
    ----------
    images : (B, C, H, W) float32, or rows (B, D)
        Augmented and preprocessed.
    goal : (B, K) float32
        Target probabilities, blended by mixup.
    indices : (B,) int
        Which images of the data they are.
    step : int
        Optimiser step that they are for, counted from 0.
    """

    images: F32
    goal: F32
    indices: NDArray[np.int64]
    step: int


class Batches:
    """Images in batches: ``batch(step)``, or one epoch per ``for images, goal in batches``.

    All batches are full; the images left over differ from epoch to epoch.

    Parameters
    ----------
    data : Dataset
    preprocessing : Preprocessing, or Standardization of rows
    batch_size : int
    augment : str or Augmentation
    mixup : float
        Parameter of the Beta distribution; 0 is off.
    balanced : bool
        Draw classes equally often (not for multi-label data).
    ordinal_width : float
        How far targets of ordinal tasks spread, see `targets`; 0 is not at all.
    seed : int

    Raises
    ------
    ConfigError
        If the batch does not fit the data, or an option cannot be used.
    """

    def __init__(
        self, data: Dataset, preprocessing: Preprocessing | Standardization,
        batch_size: int = 64, *,
        augment: str | Augmentation = "none", mixup: float = 0.0, balanced: bool = False,
        ordinal_width: float = 0.0, seed: int = 0,
    ) -> None:  # fmt: skip
        if not 1 <= batch_size <= len(data):
            raise ConfigError(
                f"batch_size: expected 1 to {len(data)} (the images of {data.name!r}), "
                f"got {batch_size}"
            )
        if balanced and data.task is Task.MULTI_LABEL:
            raise ConfigError("balanced: images with several labels have no one class to balance")
        if mixup < 0 or seed < 0:
            raise ConfigError(f"mixup and seed: expected 0 or more, got {mixup} and {seed}")
        self.data, self.preprocessing, self.batch_size = data, preprocessing, batch_size
        if isinstance(augment, str):
            augment = augmentation(augment, data.mirror_safe)
        self.augment, self.mixup, self.balanced, self.seed = augment, mixup, balanced, seed
        self.goal = targets(data.labels, data.task, data.num_classes, ordinal_width)
        self.epoch = self.position = 0  # of the ``for`` loops
        self._order: tuple[int, NDArray[np.int64]] = -1, np.empty(0, np.int64)

    def __repr__(self) -> str:
        return f"Batches({len(self)} of {self.batch_size} images an epoch, {self.data!r})"

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self.data) // self.batch_size

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the order of the images in an epoch (from 0)."""
        if epoch != self._order[0]:
            rng = np.random.default_rng([self.seed, _ORDER, epoch])
            draw = balanced_order(self.data.labels, rng) if self.balanced else None
            self._order = epoch, rng.permutation(len(self.data)) if draw is None else draw
        return self._order[1]

    def batch(self, step: int) -> Batch:
        """Return the batch of optimiser step `step`, counted from 0."""
        epoch, place = divmod(step, len(self))
        indices = self.order(epoch)[place * self.batch_size :][: self.batch_size]
        rng = np.random.default_rng([self.seed, _CHANGE, step])
        changed: NDArray[Any] = self.augment(self.data.images[indices], rng)
        images = self.preprocessing(changed)
        goal = self.goal[indices]
        if self.mixup:
            images, goal = mixup(images, goal, self.mixup, rng)
        return Batch(images, goal, indices, step)

    def __iter__(self) -> Iterator[tuple[F32, F32]]:
        """Yield what is left of this epoch; the next loop is the next epoch."""
        while self.position < len(self):
            step = self.epoch * len(self) + self.position
            # counted before the batch is handed out: a state saved in the loop's body
            # goes on with the next batch
            self.position += 1
            found = self.batch(step)
            yield found.images, found.goal
        self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self) -> dict[str, int]:
        """Everything needed to go on, as plain integers."""
        return {
            "seed": self.seed, "epoch": self.epoch, "position": self.position,
            "images": len(self.data), "batch_size": self.batch_size,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a saved state.

        Raises
        ------
        CheckpointError
            If it belongs to other data, another batch size or another seed.
        """
        for name, ours in self.state_dict().items():
            if name not in state:
                raise CheckpointError(f"batches: the saved state has no {name!r}")
            if name not in ("epoch", "position") and state[name] != ours:
                raise CheckpointError(f"batches: saved with {name} {state[name]}, now {ours}")
        if state["epoch"] < 0 or not 0 <= state["position"] <= len(self):
            raise CheckpointError(
                f"batches: saved epoch {state['epoch']}, position {state['position']}; "
                f"an epoch has {len(self)} batches"
            )
        self.epoch, self.position = int(state["epoch"]), int(state["position"])
