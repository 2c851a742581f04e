"""The Vision Transformer, from image to logits (lesson 05)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.autograd import Tensor, concatenate
from tinyternary.config import PRESETS as PRESETS, LayerQuant, ViTConfig, preset as preset
from tinyternary.errors import ConfigError, ShapeError
from tinyternary.models.position_grid import sinusoidal_positions
from tinyternary.nn import (
    Attention,
    Dropout,
    EncoderBlock,
    LayerNorm,
    Linear,
    Mlp,
    Module,
    Parameter,
    PatchEmbed,
    truncated_normal,
)


def list_models(pattern: str = "*") -> list[str]:
    """Return the names that `preset` takes.

    Parameters
    ----------
    pattern : str
        Only names that match, with ``*`` and ``?`` as in file names.

    Examples
    --------
    >>> tt.models.list_models("*tiny")
    ['tiny', 'deit-tiny']
    """
    return [name for name in PRESETS if fnmatchcase(name, pattern)]


class ViT(Module):
    """Vision Transformer with learned or fixed positions, mean or class-token pooling.

    Parameters
    ----------
    config : ViTConfig
    seed : int
        Every first value is drawn from a generator with this seed.

    Attributes
    ----------
    config : ViTConfig
    policy : dict of str to LayerQuant
        Which layers are quantised and how; empty until `tinyternary.quant.ternarize`.

    Notes
    -----
    Dosovitskiy et al., "An Image is Worth 16x16 Words", arXiv 2010.11929. Parameter
    names are timm's; the patch projection is a matrix (D, C p p). Linear weights and
    positions start as a truncated normal of deviation 0.02, biases at 0, norms at 1.

    Examples
    --------
    >>> model = tt.models.ViT(tt.models.preset("tiny", num_classes=2, channels=1))
    >>> model(tt.Tensor(np.zeros((1, 1, 28, 28)))).shape
    (1, 2)
    """

    def __init__(self, config: ViTConfig, seed: int = 0) -> None:
        if not isinstance(config, ViTConfig):
            raise ConfigError(
                f"config: expected a ViTConfig (tinyternary.models.preset makes one), "
                f"got {type(config).__name__}"
            )
        c = self.config = config
        self.policy: dict[str, LayerQuant] = {}
        rng = np.random.default_rng(seed)
        self.patch_embed = PatchEmbed(c.patch_size, c.channels, c.width, c.stride, rng)
        for name, count in c.front_tokens.items():
            setattr(self, name, Parameter(truncated_normal((1, count, c.width), 0.02, rng)))
        if c.positions == "learned":
            self.pos_embed = Parameter(truncated_normal((1, c.tokens, c.width), 0.02, rng))
        else:
            self._positions = self._fixed_positions()
        self.dropout = Dropout(c.dropout)
        if c.embed_norm:
            self.norm_pre = LayerNorm(c.width, c.norm_eps)
        self.blocks = [self._block(rng) for _ in range(c.depth)]
        self.norm = LayerNorm(c.width, c.norm_eps)
        self.head = Linear(c.head_inputs, c.num_classes, True, rng)

    def _block(self, rng: np.random.Generator) -> EncoderBlock:
        c = self.config
        return EncoderBlock(
            LayerNorm(c.width, c.norm_eps) if c.attn_norm else None,
            Attention(c.width, c.heads, c.kv_heads, c.attention_bias, rng, c.causal),
            LayerNorm(c.width, c.norm_eps) if c.mlp_norm else None,
            Mlp(c.width, c.mlp_width, c.activation, c.mlp_bias, rng),
            dropout=c.dropout,
            drop_path=c.drop_path,
        )

    def _fixed_positions(self) -> NDArray[np.float32]:
        c = self.config
        table = sinusoidal_positions(c.grid, c.width)
        # what stands in front of the patches comes from nowhere
        return np.concatenate([np.zeros((c.front, c.width), np.float32), table])[None]

    def embed(self, images: Any) -> Tensor:
        """Cut images (B, C, H, W) into tokens (B, T, D) with positions added.

        Raises
        ------
        ShapeError
            If the images are not of the size and channels of `config`, or there are none.
        """
        c = self.config
        shape = tuple(images.shape)
        if len(shape) != 4 or shape[1:] != (c.channels, c.image_size, c.image_size):
            raise ShapeError(
                f"images: expected (B, {c.channels}, {c.image_size}, {c.image_size}), got {shape}"
            )
        if not shape[0]:
            raise ShapeError("images: the batch is empty")
        x: Tensor = self.patch_embed(images)  # (B, T, D)
        if c.front:
            front = [
                getattr(self, name) + np.zeros((shape[0], count, c.width), x.dtype)
                for name, count in c.front_tokens.items()
            ]
            x = concatenate([*front, x], axis=1)
        x = x + (self.pos_embed if c.positions == "learned" else self._positions)
        x = self.dropout(x)
        return self.norm_pre(x) if c.embed_norm else x

    def encode(self, tokens: Tensor, record: dict[str, Any] | None = None) -> Tensor:
        """Run the encoder blocks on tokens (B, T, D)."""
        x = tokens
        for i, block in enumerate(self.blocks):
            if record is None:
                x = block(x)
                continue
            inner: dict[str, Any] = {}
            x = block(x, inner)
            record |= {f"blocks.{i}.{name}": value for name, value in inner.items()}
            record[f"blocks.{i}"] = x
        return x

    def pool(self, tokens: Tensor) -> Tensor:
        """Turn tokens (B, T, D) into features (B, D): class token or mean, then LayerNorm.

        With a distillation token (B, 2 D); with `token_norm` the LayerNorm comes first.
        """
        c = self.config
        if c.pool == "mean":
            patches = tokens[:, c.front :] if c.front else tokens
            if c.token_norm:
                mean: Tensor = self.norm(patches).mean(axis=1)
                return mean
            pooled = patches.mean(axis=1)
        else:
            pooled = tokens[:, 0] if c.pool == "cls" else tokens[:, :2]
        features: Tensor = self.norm(pooled)
        return features.reshape(len(features), c.head_inputs)

    def forward(self, images: Any, record: dict[str, Any] | None = None) -> Tensor:
        """Compute logits (B, num_classes) from images (B, C, H, W) float32.

        Parameters
        ----------
        images : Tensor or ndarray
        record : dict, optional
            Receives ``"tokens"`` (B, T, D), ``"blocks.i"`` (B, T, D),
            ``"blocks.i.attn"`` (B, H, T, T) as an array (with attention that is not fused also
            ``"blocks.i.weights"``, the same as a Tensor), and ``"features"``, what the head reads.
        """
        tokens = self.embed(images)
        if record is not None:
            record["tokens"] = tokens
        features = self.pool(self.encode(tokens, record))
        if record is not None:
            record["features"] = features
        logits: Tensor = self.head(features)
        return logits

    def describe(self) -> str:
        """Say the network's size for `repr`."""
        c = self.config
        return f"{c.tokens} tokens, width={c.width}, depth={c.depth}, heads={c.heads}"
