"""A Vision Transformer as a list of steps, each with its arrays, products and operations.

The steps are those of lesson 05, in the order in which an image meets them; the shapes
are those of `tinyternary.config`. No weights are needed.
"""

from __future__ import annotations

from tinyternary.config import ViTConfig, vit_matrices
from tinyternary.cost import operations
from tinyternary.cost.attention import attention_steps
from tinyternary.cost.linear import linear_step
from tinyternary.cost.steps import Choices, Step
from tinyternary.cost.storage import StoredArray, position_arrays, vector


def vit_steps(config: ViTConfig, choices: Choices) -> list[Step]:
    """List the steps of a ViT from patches to logits, per image."""
    c, size = config, choices.float_bytes
    entries = c.tokens * c.width
    wide = size * entries  # bytes of all tokens
    linear = {layer.name: linear_step(layer, choices) for layer in vit_matrices(c)}
    steps = [linear["patch_embed.proj"], _embedding(c, choices, wide)]
    for i in range(c.depth):
        block = f"blocks.{i}"
        hidden = c.tokens * c.mlp_width
        if c.attn_norm:
            steps.append(norm_step(f"{block}.norm1", c.tokens, c.width, choices))
        steps += [
            linear[f"{block}.attn.qkv"],
            *attention_steps(block, c, choices),
            linear[f"{block}.attn.proj"],
            _residual(f"{block}.attn.residual", entries, wide),
        ]
        if c.mlp_norm:
            steps.append(norm_step(f"{block}.norm2", c.tokens, c.width, choices))
        steps += [
            linear[f"{block}.mlp.fc1"],
            Step(f"{block}.mlp.activation", "activation",
                 operations.activation(c.activation, hidden), reads=size * hidden,
                 writes=size * hidden, fused=choices.fused),
            linear[f"{block}.mlp.fc2"],
            _residual(f"{block}.mlp.residual", entries, wide),
        ]  # fmt: skip
    if c.pool == "mean":
        pool = operations.mean_pool(c.tokens, c.width)
        steps.append(Step("pool", "pool", pool, reads=wide, writes=size * c.width))
    return [*steps, norm_step("norm", 1, c.width, choices), linear["head"]]


def norm_step(name: str, rows: int, width: int, choices: Choices) -> Step:
    """Describe a LayerNorm: one pass over the tokens, no product."""
    arrays = tuple(vector(f"{name}.{part}", width, choices.rest) for part in ("weight", "bias"))
    moved = choices.float_bytes * rows * width
    return Step(name, "norm", operations.layer_norm(rows, width), arrays=arrays, reads=moved,
                writes=moved)  # fmt: skip


def _embedding(config: ViTConfig, choices: Choices, wide: float) -> Step:
    arrays: list[StoredArray] = []
    if config.positions == "learned":
        arrays += position_arrays(config.tokens, config.width, choices.rest)
    if config.pool == "cls":
        arrays.append(vector("cls_token", config.width, choices.rest))
    ops = operations.elementwise_add(config.tokens * config.width)
    return Step("positions", "add", ops, arrays=tuple(arrays), reads=wide, writes=wide)


def _residual(name: str, entries: int, wide: float) -> Step:
    ops = operations.elementwise_add(entries)
    return Step(name, "add", ops, reads=2 * wide, writes=wide)
