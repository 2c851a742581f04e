"""The two products of attention and the softmax between them (lesson 05)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tinyternary.config import ViTConfig
from tinyternary.cost import operations
from tinyternary.cost.memory import Gemm
from tinyternary.cost.steps import Choices, Step


def attention_steps(block: str, config: ViTConfig, choices: Choices) -> list[Step]:
    """Describe scores = Q K^T, softmax and the sum of values, for all heads, per image.

    With `choices.fused`, a tile of scores is made, normalised and used while it lies in
    the nearest memory (FlashAttention, arXiv 2205.14135): the table of H x T x T never
    moves further out.
    """
    c, kind = config, choices.attention
    bits = {"float32": 32, "float16": 16, "int8": 8}[kind]
    out_bits = 8 * choices.float_bytes
    scores = Gemm(c.tokens, c.head_dim, c.tokens, bits, bits, out_bits, c.heads)
    values = Gemm(c.tokens, c.tokens, c.head_dim, bits, bits, out_bits, c.heads)
    rows = c.heads * c.tokens
    table = choices.float_bytes * rows * c.tokens  # bytes of all attention weights
    around_scores: Counter[str] = Counter()
    around_values: Counter[str] = Counter()
    if kind == "int8":  # q, k and v per token and head; the attention weights per row
        vectors = c.tokens * (c.heads + 2 * c.key_value_heads)
        around_scores += operations.absmax_quantize(vectors, c.head_dim)
        around_scores += operations.dequantize(rows, c.tokens)
        around_values += operations.absmax_quantize(rows, c.tokens)
        around_values += operations.dequantize(rows, c.head_dim)
    fused = choices.fused
    softmax = Step(
        f"{block}.attn.softmax", "softmax", operations.softmax(rows, c.tokens),
        reads=table, writes=table, fused=fused,
    )  # fmt: skip
    return [
        _product_step(f"{block}.attn.scores", scores, choices, around_scores,
                      replace(scores, y_bits=0) if fused else None),
        softmax,
        _product_step(f"{block}.attn.values", values, choices, around_values,
                      replace(values, x_bits=0) if fused else None),
    ]  # fmt: skip


def _product_step(
    name: str, gemm: Gemm, choices: Choices, around: Counter[str], outer: Gemm | None
) -> Step:
    kind = choices.attention
    if kind == "int8":
        product = operations.int8_matmul(gemm.macs)
    else:
        product = operations.float_matmul(gemm.macs, "fp16" if kind == "float16" else "fp32")
    return Step(name, "attention", product + around, product, gemm, kind, outer_gemm=outer)
