"""The shape of a Vision Transformer (lesson 05)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from tinyternary.errors import ConfigError, unknown_name

_CHOICES = {
    "pool": ("mean", "cls"),
    "positions": ("learned", "sinusoidal"),
    "activation": ("gelu", "gelu_tanh", "relu_squared"),
}


@dataclass(frozen=True)
class ViTConfig:
    """Everything that decides which arrays a ViT has and how they are joined.

    Attributes
    ----------
    image_size : int
        Height and width of the square input, pixels.
    channels : int
        Colour channels of the input.
    patch_size : int
        Side of the square that one token sees, pixels.
    stride : int, optional
        Distance between patches; smaller than `patch_size` makes them overlap
        (the image is then padded by ``(patch_size - stride) // 2`` on each side).
        By default `patch_size`.
    width, depth, heads : int
        Token width, number of encoder blocks, attention heads.
    kv_heads : int, optional
        Key/value heads: `heads` (the default) is multi-head attention, 1 is
        multi-query, anything between is grouped-query.
    mlp_width : int
        Hidden width of the feed-forward network.
    num_classes : int
        Outputs of the head.
    pool : {"mean", "cls"}
        What the head reads: the mean of all tokens, or a class token.
    positions : {"learned", "sinusoidal"}
        Position embedding.
    activation : {"gelu", "gelu_tanh", "relu_squared"}
        Non-linearity of the feed-forward network.
    attention_bias, mlp_bias : bool
        Whether QKV and output projection, or the feed-forward layers, have biases.
    attn_norm : bool
        Whether a LayerNorm stands before the attention. BitMedViT's code has none where
        its policy makes the attention's layers BitLinear, which normalise for themselves.
    mlp_norm : bool
        Whether a LayerNorm stands before the feed-forward network. BitMedViT has
        none, for the same reason.
    dropout, drop_path : float
        Probabilities used in training only.
    norm_eps : float
        Epsilon of the LayerNorms.
    """

    image_size: int = 28
    channels: int = 3
    patch_size: int = 4
    stride: int | None = None
    width: int = 64
    depth: int = 4
    heads: int = 4
    kv_heads: int | None = None
    mlp_width: int = 256
    num_classes: int = 8
    pool: Literal["mean", "cls"] = "mean"
    positions: Literal["learned", "sinusoidal"] = "learned"
    activation: Literal["gelu", "gelu_tanh", "relu_squared"] = "gelu"
    attention_bias: bool = True
    mlp_bias: bool = True
    attn_norm: bool = True
    mlp_norm: bool = True
    dropout: float = 0.0
    drop_path: float = 0.0
    norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("image_size", "channels", "patch_size", "width", "depth", "heads",
                     "mlp_width", "num_classes"):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name}: expected a positive integer, got {value!r}")
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.kv_heads is not None and (self.kv_heads < 1 or self.heads % self.kv_heads):
            raise ConfigError(f"kv_heads {self.kv_heads} does not divide heads {self.heads}")
        if not 1 <= self.step <= self.patch_size:
            raise ConfigError(f"stride {self.step} is not between 1 and the patch size "
                              f"{self.patch_size}")  # fmt: skip
        if (self.image_size + 2 * self.padding - self.patch_size) % self.step:
            raise ConfigError(
                f"image size {self.image_size} does not divide into patches of "
                f"{self.patch_size} at stride {self.step}"
            )
        for name in ("dropout", "drop_path"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(f"{name}: expected a value in [0, 1), got {getattr(self, name)}")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise unknown_name(f"{name} of a ViT", getattr(self, name), known)
        if self.positions == "sinusoidal" and self.width % 4:
            raise ConfigError(f"width: sinusoidal positions need a multiple of 4, got {self.width}")
        if not 0.0 < self.norm_eps < 1.0:
            raise ConfigError(f"norm_eps: expected a small positive number, got {self.norm_eps!r}")

    @property
    def step(self) -> int:
        """Distance between neighbouring patches, pixels."""
        return self.patch_size if self.stride is None else self.stride

    @property
    def padding(self) -> int:
        """Zero padding on each side of the image, pixels."""
        return (self.patch_size - self.step) // 2

    @property
    def grid(self) -> int:
        """Patches along one side of the image."""
        return (self.image_size + 2 * self.padding - self.patch_size) // self.step + 1

    @property
    def tokens(self) -> int:
        """Tokens T that the encoder sees, class token included."""
        return self.grid**2 + (self.pool == "cls")

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads

    @property
    def key_value_heads(self) -> int:
        """Number of key/value heads."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def qkv_width(self) -> int:
        """Outputs of the joint query/key/value projection."""
        return self.width + 2 * self.key_value_heads * self.head_dim

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, read back by `from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ViTConfig:
        """Inverse of `to_dict`; an unknown field is an error.

        Raises
        ------
        ConfigError
            If a field is unknown or a value impossible.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"ViT configuration has unknown fields: {', '.join(unknown)}")
        return cls(**values)
