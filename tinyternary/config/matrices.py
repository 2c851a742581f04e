"""The weight matrices of a ViT by name, in the order in which they are used.

The names are those of the model's parameters (``blocks.0.mlp.fc1``), so that a
policy, a cost table and a packed file speak of the same layer.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyternary.config.vit import ViTConfig


@dataclass(frozen=True)
class MatrixLayer:
    """One linear layer y (rows, outputs) = x (rows, inputs) W (outputs, inputs)^T + b.

    Attributes
    ----------
    name : str
        Module name, ``"blocks.0.attn.qkv"``.
    outputs, inputs : int
        Shape (N, K) of the weight.
    rows : int
        Rows of x per image: the tokens for encoder layers, 1 for the head.
    bias : bool
        Whether a bias of `outputs` entries is added.
    """

    name: str
    outputs: int
    inputs: int
    rows: int
    bias: bool

    @property
    def weights(self) -> int:
        """Entries of the weight matrix."""
        return self.outputs * self.inputs

    @property
    def macs(self) -> int:
        """Multiply-accumulates per image (MACs)."""
        return self.rows * self.weights


def attention_names(config: ViTConfig) -> list[str]:
    """List the attentions of a ViT by module name, one for each block (``"blocks.0.attn"``)."""
    return [f"blocks.{block}.attn" for block in range(config.depth)]


def vit_matrices(config: ViTConfig) -> list[MatrixLayer]:
    """List every weight matrix of a ViT, from patch embedding to head."""
    c = config
    tokens, mlp = c.tokens, c.mlp_width
    layers = [
        MatrixLayer("patch_embed.proj", c.width, c.channels * c.patch_size**2, c.grid**2, True)
    ]
    for i in range(c.depth):
        block = f"blocks.{i}"
        layers += [
            MatrixLayer(f"{block}.attn.qkv", c.qkv_width, c.width, tokens, c.attention_bias),
            MatrixLayer(f"{block}.attn.proj", c.width, c.width, tokens, c.attention_bias),
            MatrixLayer(f"{block}.mlp.fc1", mlp, c.width, tokens, c.mlp_bias),
            MatrixLayer(f"{block}.mlp.fc2", c.width, mlp, tokens, c.mlp_bias),
        ]
    return [*layers, MatrixLayer("head", c.num_classes, c.head_inputs, 1, True)]
