"""A Vision Transformer as a list of steps, each with its arrays, products and operations.

The steps are those of lesson 05, in the order in which an image meets them, and the shapes
those of `tinyternary.config`; what a quantisation rule adds to a layer is lesson 06's. No
weights are needed. The walk names the engine's steps (`tinyternary.deploy.plain`) and stays
a walk of its own: a step here has shapes and counts, but no input and no output.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from tinyternary.config import LayerQuant, MatrixLayer, ViTConfig, vit_matrices
from tinyternary.cost import operations
from tinyternary.cost.blocking import Gemm
from tinyternary.cost.steps import Arithmetic, Choices, Step
from tinyternary.cost.storage import (
    INT8_REST,
    StoredArray,
    position_arrays,
    vector,
    weight_arrays,
    weight_kind,
)


def vit_steps(config: ViTConfig, choices: Choices) -> list[Step]:
    """List the steps of a ViT from patches to logits, per image."""
    c, size = config, choices.float_bytes
    entries = c.tokens * c.width
    wide = size * entries  # bytes of all tokens
    linear = {layer.name: linear_step(layer, choices) for layer in vit_matrices(c)}
    steps = [linear["patch_embed.proj"], _embedding(c, choices, wide)]
    if c.embed_norm:
        steps.append(norm_step("norm_pre", c.tokens, c.width, choices))
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
    patches = c.grid**2
    # how many rows the last norm has: all patches' where it comes before their mean
    rows = {"mean": patches if c.token_norm else 1, "cls": 1, "distilled": 2}[c.pool]
    ends = [norm_step("norm", rows, c.width, choices)]
    if c.pool == "mean":
        pool = Step("pool", "pool", operations.mean_pool(patches, c.width),
                    reads=size * patches * c.width, writes=size * c.width)  # fmt: skip
        ends.insert(1 if c.token_norm else 0, pool)
    return [*steps, *ends, linear["head"]]


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
    for name, count in config.front_tokens.items():
        arrays.append(vector(name, count * config.width, choices.rest))
    ops = operations.elementwise_add(config.tokens * config.width)
    return Step("positions", "add", ops, arrays=tuple(arrays), reads=wide, writes=wide)


def _residual(name: str, entries: int, wide: float) -> Step:
    ops = operations.elementwise_add(entries)
    return Step(name, "add", ops, reads=2 * wide, writes=wide)


def linear_step(layer: MatrixLayer, choices: Choices) -> Step:
    """Describe one linear layer, per image."""
    rule = choices.rules.get(layer.name)
    stored = INT8_REST if rule is None and choices.rest == "int8" else rule
    arrays = weight_arrays(
        layer.name, layer.outputs, layer.inputs, stored, choices.bits, choices.rest
    )
    ops: Counter[str] = Counter()
    if layer.bias:
        arrays.append(vector(f"{layer.name}.bias", layer.outputs, choices.rest))
        ops += operations.bias(layer.rows, layer.outputs)
    if rule is None:
        gemm, arithmetic, product = _float_product(layer, choices)
        return Step(layer.name, "linear", ops + product, product, gemm, arithmetic, tuple(arrays))
    if rule.norm:
        arrays.append(vector(f"{layer.name}.norm.weight", layer.inputs, choices.rest))
        ops += operations.rms_norm(layer.rows, layer.inputs)
    gemm, arithmetic, product = _quantized_product(layer, rule, choices)
    if rule.activation != "none":
        ops += operations.absmax_quantize(layer.rows, layer.rows * layer.inputs)
        ops += operations.dequantize(layer.rows, layer.rows * layer.outputs)
    else:
        ops += Counter({"fp32_mul": layer.rows * layer.outputs})  # the weight's scale
    # the pass that normalises and quantises reads floats and writes what the product reads
    entries = layer.rows * layer.inputs
    reads = choices.float_bytes * entries if rule.norm or rule.activation != "none" else 0.0
    writes = gemm.x_bits / 8 * entries if reads else 0.0
    return Step(
        layer.name, "linear", ops + product, product, gemm, arithmetic, tuple(arrays), reads, writes
    )


def _float_product(layer: MatrixLayer, choices: Choices) -> tuple[Gemm, Arithmetic, Counter[str]]:
    bits = 8 * choices.float_bytes
    stored = {"float32": 32, "float16": 16, "int8": 8}[choices.rest]
    gemm = Gemm(layer.rows, layer.inputs, layer.outputs, bits, stored, bits)
    precision = "fp16" if choices.floats == "float16" else "fp32"
    return gemm, choices.floats, operations.float_matmul(layer.macs, precision)


def _quantized_product(
    layer: MatrixLayer, rule: LayerQuant, choices: Choices
) -> tuple[Gemm, Arithmetic, Counter[str]]:
    rows, outputs, inputs = layer.rows, layer.outputs, layer.inputs
    kind = weight_kind(rule)
    w_bits = {"int8": 8, "int4": 4}.get(kind, choices.bits)
    integer = rule.activation != "none"
    # ternary activations are kept one a byte, as the engine does
    x_bits = {"int4": 4.0, "none": 8 * choices.float_bytes}.get(rule.activation, 8.0)
    gemm = Gemm(rows, inputs, outputs, x_bits, w_bits, 8 * choices.float_bytes)
    if kind == "ternary":
        trits = choices.trits[layer.name]
        execution = choices.execution if integer else "float-skip"
        ops = operations.ternary_matmul(rows, trits.plus, trits.minus, trits.zeros, execution)
        return gemm, "ternary" if integer else "float32", ops
    if integer:
        return gemm, "int8", operations.int8_matmul(layer.macs)
    return gemm, "float32", operations.float_matmul(layer.macs)


def attention_steps(block: str, config: ViTConfig, choices: Choices) -> list[Step]:
    """Describe scores = Q K^T, softmax and the sum of values, for all heads, per image.

    With `choices.fused`, a tile of scores is made, normalised and used while it lies in
    the nearest memory (FlashAttention, arXiv 2205.14135): the table of H x T x T never
    moves further out. Causal attention works out what a query may see and no more, on
    average (T + 1) / 2 of T keys.
    """
    c, kind = config, "int8" if f"{block}.attn" in choices.rules else choices.attention
    bits = {"float32": 32, "float16": 16, "int8": 8}[kind]
    out_bits = 8 * choices.float_bytes
    scores = Gemm(c.tokens, c.head_dim, c.tokens, bits, bits, out_bits, c.heads,
                  "y" if c.causal else "")  # fmt: skip
    values = Gemm(c.tokens, c.tokens, c.head_dim, bits, bits, out_bits, c.heads,
                  "x" if c.causal else "")  # fmt: skip
    rows = c.heads * c.tokens
    weights = c.heads * scores.y_entries
    table = choices.float_bytes * weights  # bytes of all attention weights
    around_scores: Counter[str] = Counter()
    around_values: Counter[str] = Counter()
    if kind == "int8":  # q, k and v per token and head; the attention weights per row
        vectors = c.tokens * (c.heads + 2 * c.key_value_heads)
        around_scores += operations.absmax_quantize(vectors, vectors * c.head_dim)
        around_scores += operations.dequantize(rows, weights)
        around_values += operations.absmax_quantize(rows, weights)
        around_values += operations.dequantize(rows, rows * c.head_dim)
    fused = choices.fused
    softmax = Step(
        f"{block}.attn.softmax", "softmax", operations.softmax(rows, weights),
        reads=table, writes=table, fused=fused,
    )  # fmt: skip
    return [
        _product_step(f"{block}.attn.scores", scores, kind, around_scores,
                      replace(scores, y_bits=0) if fused else None),
        softmax,
        _product_step(f"{block}.attn.values", values, kind, around_values,
                      replace(values, x_bits=0) if fused else None),
    ]  # fmt: skip


def _product_step(
    name: str, gemm: Gemm, kind: Arithmetic, around: Counter[str], outer: Gemm | None
) -> Step:
    if kind == "int8":
        product = operations.int8_matmul(gemm.macs)
    else:
        product = operations.float_matmul(gemm.macs, "fp16" if kind == "float16" else "fp32")
    return Step(name, "attention", product + around, product, gemm, kind, outer_gemm=outer)
