"""Patch embedding: cut the image into squares, one linear layer for all (lesson 05)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tinyternary.autograd import Tensor, pad
from tinyternary.errors import ConfigError, ShapeError
from tinyternary.nn.linear import Linear
from tinyternary.nn.module import Module


class PatchEmbed(Module):
    """Image to tokens: unfold into patches, then one matrix product.

    Parameters
    ----------
    patch_size : int
        Side p of a patch, pixels.
    channels : int
    dim : int
        Token width D.
    stride : int, optional
        Distance between patches; `patch_size` by default. A smaller one makes them
        overlap, and the image is padded by ``(patch_size - stride) // 2`` zeros.
    rng : numpy Generator, optional

    Attributes
    ----------
    proj : Linear
        (C p p) to (D): a convolution's weight, flattened in the order C, p, p.

    Examples
    --------
    >>> embed = tt.nn.PatchEmbed(patch_size=4, channels=3, dim=16)
    >>> embed(tt.Tensor(np.zeros((1, 3, 28, 28)))).shape  # 7 x 7 patches
    (1, 49, 16)
    """

    def __init__(
        self,
        patch_size: int,
        channels: int,
        dim: int,
        stride: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        stride = patch_size if stride is None else stride
        if not 1 <= stride <= patch_size:
            raise ConfigError(f"stride: expected 1 to {patch_size} (the patch size), got {stride}")
        self.patch_size, self.channels, self.stride = patch_size, channels, stride
        self.padding = (patch_size - stride) // 2
        self.proj = Linear(channels * patch_size**2, dim, True, rng)

    def unfold(self, images: Any) -> Any:
        """(B, C, H, W) to (B, T, C p p), tokens row by row.

        Raises
        ------
        ShapeError
            If the channels differ or the patches do not cover the image exactly.
        """
        p, step = self.patch_size, self.stride
        if len(images.shape) != 4 or images.shape[1] != self.channels:
            raise ShapeError(f"images: expected (B, {self.channels}, H, W), got {images.shape}")
        if self.padding:
            border = (self.padding, self.padding)
            widths = ((0, 0), (0, 0), border, border)
            images = pad(images, widths) if isinstance(images, Tensor) else np.pad(images, widths)
        batch, channels, height, width = images.shape
        if min(height, width) < p or (height - p) % step or (width - p) % step:
            raise ShapeError(
                f"images: {height} x {width} pixels (padding included) do not divide into "
                f"patches of {p} at stride {step}"
            )
        rows, columns = (height - p) // step + 1, (width - p) // step + 1
        if isinstance(images, Tensor) and step == p:
            x = images.reshape(batch, channels, rows, p, columns, p)
            x = x.permute(0, 2, 4, 1, 3, 5)
            return x.reshape(batch, rows * columns, channels * p * p)
        if isinstance(images, Tensor):  # overlapping: each patch takes its own copy
            down = step * np.arange(rows)[:, None] + np.arange(p)  # (rows, p)
            right = step * np.arange(columns)[:, None] + np.arange(p)  # (columns, p)
            taken = images[
                :, :, down[:, None, :, None], right[None, :, None, :]
            ]  # (B, C, r, c, p, p)
            return taken.permute(0, 2, 3, 1, 4, 5).reshape(batch, rows * columns, channels * p * p)
        windows = sliding_window_view(images, (p, p), (2, 3))[:, :, ::step, ::step]
        return windows.transpose(0, 2, 3, 1, 4, 5).reshape(batch, rows * columns, channels * p * p)

    def forward(self, images: Any) -> Tensor:
        """(B, C, H, W) to (B, T, D)."""
        if isinstance(images, Tensor) and not images.requires_grad:
            images = images.data  # an input without gradient needs no graph
        return self.proj(self.unfold(images))

    def describe(self) -> str:
        """Say patch size, channels and stride for `repr`."""
        return f"patch_size={self.patch_size}, channels={self.channels}, stride={self.stride}"
