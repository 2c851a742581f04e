"""A small convolutional network: what a ViT's robustness is measured against (lesson 11).

A convolution is a matrix product over patches that overlap (im2col): the layers are `Linear`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinyternary.autograd import Tensor, concatenate, pad
from tinyternary.nn import Linear, Module, PatchEmbed


class SmallConvNet(Module):
    """Three convolutions with ReLU, the mean over places, one linear layer.

    Parameters
    ----------
    channels, num_classes : int
        Of the images, and of the answers.
    width : int
        Channels after the first convolution; the others have twice and four times as many.
    seed : int

    Examples
    --------
    >>> model = tt.models.SmallConvNet(channels=1, num_classes=2)
    >>> model(np.zeros((5, 1, 28, 28), np.float32)).shape
    (5, 2)
    """

    def __init__(self, channels: int, num_classes: int, width: int = 16, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.conv1 = PatchEmbed(4, channels, width, 2, rng)
        self.conv2 = Linear(9 * width, 2 * width, True, rng)
        self.conv3 = Linear(18 * width, 4 * width, True, rng)
        self.head = Linear(4 * width, num_classes, True, rng)
        for layer in (self.conv1.proj, self.conv2, self.conv3):  # He et al., ICCV 2015: for ReLU
            weight = layer.weight.data
            weight[:] = rng.normal(0, np.sqrt(2 / weight.shape[1]), weight.shape)

    def forward(self, images: Any) -> Tensor:
        """Compute logits (B, num_classes) from images (B, C, H, W); H = W divides by 4.

        Raises
        ------
        ShapeError
            If channels or size do not fit.
        """
        batch, side = images.shape[0], images.shape[2] // 2
        x = self.conv1(images).relu().reshape(batch, side, side, -1)  # (B, H / 2, W / 2, D)
        x = self.conv2(_with_neighbors(x)).relu()  # (B, H / 2, W / 2, 2 D)
        x = x.reshape(batch, side // 2, 2, side // 2, 2, -1).mean(axis=(2, 4))
        x = self.conv3(_with_neighbors(x)).relu()  # (B, H / 4, W / 4, 4 D)
        logits: Tensor = self.head(x.mean(axis=(1, 2)))
        return logits


def _with_neighbors(x: Tensor) -> Tensor:
    """(B, h, w, D) to (B, h, w, 9 D): what a kernel of 3 x 3 sees, zeros beyond the edge."""
    height, width = x.shape[1:3]
    x = pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [x[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return concatenate(shifted, axis=-1)
