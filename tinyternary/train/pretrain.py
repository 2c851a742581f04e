"""Masked-image pretraining: learn from training images without their labels (lesson 12).

Squares of the image are hidden; the network predicts their pixels from the rest
(after SimMIM, Xie et al., CVPR 2022). A few hundred labels say little, the
pixels of the same images say more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from tinyternary.autograd import Tensor
from tinyternary.config import Preprocessing, ViTConfig, recolor
from tinyternary.data import NAMES, Batch, Dataset, Splits
from tinyternary.errors import ConfigError, unknown_name
from tinyternary.models import ViT
from tinyternary.nn import Linear
from tinyternary.train.fit import Session, train
from tinyternary.train.recipe import Augment, make_recipe
from tinyternary.train.run import Run

_MASK = 4  # purpose of a random stream, see `data.batches`


class Pretraining(BaseModel):
    """Masked-image pretraining of the teacher on the training images, without labels.

    Attributes
    ----------
    epochs : int
        0 leaves it out.
    images : int, optional
        Limit on the images seen in all, for data of any size: so many fewer epochs.
    batch_size, lr, weight_decay
        Of AdamW with warm-up and cosine.
    mask : float
        Share of the patches that is hidden.
    augment : str
        As in `Recipe`.
    datasets : list of str
        Data sets whose training images are looked at as well, turned into the network's
        colours. `epochs` counts passes over all images together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=0, ge=0)
    images: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=64, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    mask: float = Field(default=0.5, gt=0, lt=1)
    augment: Augment = "auto"
    datasets: list[str] = []

    @field_validator("datasets")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        for name in names:
            if name not in NAMES:
                raise ValueError(str(unknown_name("data set", name, NAMES)))
        return names


class MaskedImages:
    """Mean squared error of predicted pixels, over the hidden squares only.

    Parameters
    ----------
    model : ViT
        Its head is not used.
    share : float
        Share of the cells (one per token, `stride` pixels a side) that is hidden,
        in groups of 2 x 2 so that overlapping patches cannot peek.
    seed : int
    """

    def __init__(self, model: ViT, share: float, seed: int) -> None:
        c = model.config
        self.model, self.share, self.seed = model, share, seed
        rng = np.random.default_rng([seed, _MASK])
        self.decoder = Linear(c.width, c.channels * c.step**2, rng=rng)

    def parameters(self) -> dict[str, Tensor]:
        """Return the decoder's, dropped afterwards."""
        return {f"decoder.{name}": p for name, p in self.decoder.named_parameters()}

    def __call__(self, batch: Batch) -> Tensor:
        """Mean loss over the hidden cells of a batch."""
        c = self.model.config
        rng = np.random.default_rng([self.seed, _MASK, batch.step])
        hidden = random_cells(len(batch.images), c.grid, self.share, rng)  # (B, G, G)
        pixels = hidden.repeat(c.step, 1).repeat(c.step, 2)[:, None]  # (B, 1, G s, G s)
        images = batch.images.copy()
        covered = images[:, :, : c.grid * c.step, : c.grid * c.step]
        np.copyto(covered, 0, where=pixels)
        tokens = self.model.encode(self.model.embed(images))
        if c.front:
            tokens = tokens[:, c.front :]
        guess = self.decoder(tokens)  # (B, T, C s s)
        wanted = cells(batch.images, c)
        weight = hidden.reshape(len(hidden), -1, 1).astype(np.float32)
        error = (guess - wanted) * weight
        result: Tensor = (error * error).sum() * (1.0 / (weight.sum() * wanted.shape[-1]))
        return result


def random_cells(
    count: int, grid: int, share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Hidden cells (count, grid, grid) in groups of 2 x 2 (single ones if grid < 4)."""
    side = 2 if grid >= 4 else 1
    half = -(-grid // side)
    noise = rng.random((count, half * half))
    hide = min(max(1, round(share * half * half)), max(1, half * half - 1))
    groups = np.zeros((count, half * half), bool)
    np.put_along_axis(groups, np.argsort(noise, axis=1)[:, :hide], True, axis=1)
    return groups.reshape(count, half, half).repeat(side, 1).repeat(side, 2)[:, :grid, :grid]


def cells(images: NDArray[np.float32], config: ViTConfig) -> NDArray[np.float32]:
    """Cut images (B, C, H, W) into the cells (B, T, C s s) that tokens stand for.

    Where patch size and stride differ by an odd number, the last row and column of
    pixels belong to no cell.
    """
    g, s = config.grid, config.step
    b, c = images.shape[:2]
    images = images[:, :, : g * s, : g * s]
    square = images.reshape(b, c, g, s, g, s).transpose(0, 2, 4, 1, 3, 5)
    return square.reshape(b, g * g, c * s * s)


def pretrain(
    model: ViT,
    data: Splits,
    plan: Pretraining,
    *,
    run_dir: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    preprocessing: Preprocessing | None = None,
    more: Sequence[Dataset] = (),
    label: str = "pretraining",
) -> Run:
    """Pretrain a float model in place on ``data.train`` without labels.

    Parameters
    ----------
    model : ViT
    data : Splits
        Only training images are read.
    plan : Pretraining
    run_dir, seed, progress, preprocessing, label
        As in `tinyternary.train.fit`.
    more : sequence of Dataset
        Images to learn from besides, of any colours: those that ``plan.datasets`` names.

    Returns
    -------
    Run
        Its history holds the training loss only.

    Raises
    ------
    ConfigError
        If images of another size are among them.
    """
    images = together(data.train, more)
    fields: dict[str, Any] = {
        "epochs": plan.epochs, "batch_size": min(plan.batch_size, len(images)), "lr": plan.lr,
        "weight_decay": plan.weight_decay, "augment": plan.augment, "keep": "last",
        "warmup_epochs": min(plan.epochs, max(1.0, 0.05 * plan.epochs)),
    }  # fmt: skip
    nothing = np.arange(0)
    unseen = Splits(images, data.val.subset(nothing), data.test.subset(nothing))
    session = Session(run_dir, seed, progress, preprocessing, label=label)
    described: dict[str, Any] = {"masked": plan.mask}
    if more:
        described["more"] = [each.name for each in more]
    return train(
        model, unseen, make_recipe(fields), session,
        lambda *_: MaskedImages(model, plan.mask, seed), **described,
    )  # fmt: skip


def together(first: Dataset, more: Sequence[Dataset]) -> Dataset:
    """Put images of other data sets, without their labels, behind those of the first.

    Raises
    ------
    ConfigError
        If their sizes differ.
    """
    if not more:
        return first
    for each in more:
        if each.image_size != first.image_size:
            raise ConfigError(
                f"pretraining: images of {each.name!r} have {each.image_size} pixels a side, "
                f"those of {first.name!r} {first.image_size}"
            )
    parts = [first.images, *(recolor(each.images, first.channels) for each in more)]
    images = np.concatenate(parts)
    labels = np.zeros((len(images), *first.labels.shape[1:]), np.int64)
    return replace(first, images=images, labels=labels)
