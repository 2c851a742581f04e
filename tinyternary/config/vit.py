"""The shape of a Vision Transformer (lesson 05)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from tinyternary.errors import ConfigError, unknown_name
from tinyternary.text import quoted

_CHOICES = {
    "pool": ("mean", "cls", "distilled"),
    "positions": ("learned", "sinusoidal"),
    "activation": ("gelu", "gelu_tanh", "relu_squared"),
}
_MOST = 1 << 24
"""Largest size of anything: far above what can be trained."""


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
    pool : {"mean", "cls", "distilled"}
        What the head reads: the mean of the patches' tokens, a class token, or a class and a
        distillation token side by side (DeiT's two heads, averaged, are one such head).
    token_norm : bool
        Whether the last LayerNorm comes before the mean, in place of after it.
    registers : int
        Tokens that no head reads and no mean counts, behind those that a head reads
        (Darcet et al., arXiv 2309.16588). A class token that nobody reads is one too.
    embed_norm : bool
        Whether a LayerNorm stands between the embedding and the first block, as in CLIP.
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
    causal : bool
        Whether a token attends to itself and to those before it only, row by row from the
        top left, a class token first. BitMedViT as released does: see "BitMedViT as
        published, as released, as built here" in the documentation.
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
    pool: Literal["mean", "cls", "distilled"] = "mean"
    token_norm: bool = False
    registers: int = 0
    embed_norm: bool = False
    positions: Literal["learned", "sinusoidal"] = "learned"
    activation: Literal["gelu", "gelu_tanh", "relu_squared"] = "gelu"
    attention_bias: bool = True
    mlp_bias: bool = True
    attn_norm: bool = True
    mlp_norm: bool = True
    causal: bool = False
    dropout: float = 0.0
    drop_path: float = 0.0
    norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        for field in fields(self):
            self._check_type(field.name, getattr(self, field.name), field.default)
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.kv_heads is not None and self.heads % self.kv_heads:
            raise ConfigError(f"kv_heads {self.kv_heads} does not divide heads {self.heads}")
        if not 1 <= self.step <= self.patch_size:
            raise ConfigError(f"stride {self.step} is not between 1 and the patch size "
                              f"{self.patch_size}")  # fmt: skip
        room = self.image_size + 2 * self.padding - self.patch_size
        if room < 0 or room % self.step:
            raise ConfigError(
                f"image size {self.image_size} does not divide into patches of "
                f"{self.patch_size} at stride {self.step}"
            )
        for name in ("dropout", "drop_path"):
            if not 0.0 <= (value := getattr(self, name)) < 1.0:
                raise ConfigError(f"{name}: expected a value in [0, 1), got {quoted(value)}")
        if self.token_norm and self.pool != "mean":
            raise ConfigError("token_norm: only where the head reads a mean (pool='mean'): for "
                              "single tokens both orders are the same")  # fmt: skip
        if self.positions == "sinusoidal" and self.width % 4:
            raise ConfigError(f"width: sinusoidal positions need a multiple of 4, got {self.width}")
        if not 0.0 < self.norm_eps < 1.0:
            raise ConfigError(
                f"norm_eps: expected a small positive number, got {quoted(self.norm_eps)}"
            )

    @staticmethod
    def _check_type(name: str, value: object, default: object) -> None:
        if name in _CHOICES:
            if not isinstance(value, str) or value not in _CHOICES[name]:
                raise unknown_name(f"{name} of a ViT", value, _CHOICES[name])
            return
        # bool is a subclass of int in Python and must not pass for a number
        number = not isinstance(value, bool)
        if isinstance(default, bool):
            sound, expected = not number, "true or false"
        elif isinstance(default, float):
            sound, expected = number and isinstance(value, int | float), "a number"
        else:
            least = 0 if default == 0 else 1
            sound = number and isinstance(value, int) and least <= value <= _MOST
            sound = sound or (value is None and default is None)
            expected = f"{'a positive' if least else 'no negative'} integer up to {_MOST:,}"
        if not sound:
            raise ConfigError(f"{name}: expected {expected}, got {quoted(value)}")

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
        """Tokens T that the encoder sees: those in front, then those of patches."""
        return self.front + self.grid**2

    @property
    def front_tokens(self) -> dict[str, int]:
        """Parameters that stand as tokens in front of the patches', in order, and how many each."""
        counts = {
            "cls_token": int(self.pool != "mean"),
            "dist_token": int(self.pool == "distilled"),
            "reg_token": self.registers,
        }
        return {name: count for name, count in counts.items() if count}

    @property
    def front(self) -> int:
        """Number of tokens in front of the patches'."""
        return sum(self.front_tokens.values())

    @property
    def head_inputs(self) -> int:
        """Inputs of the head."""
        return self.width * (2 if self.pool == "distilled" else 1)

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
            raise ConfigError(f"ViT configuration has an unknown field: {quoted(unknown[0])}")
        return cls(**values)
