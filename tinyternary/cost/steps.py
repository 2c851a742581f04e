"""A Vision Transformer as a list of steps, each with its arrays, products and operations.

The steps are those of lesson 05, in the order in which an image meets them; the shapes
are those of `tinyternary.spec`. No weights are needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from tinyternary.cost import operations
from tinyternary.cost.memory import Gemm
from tinyternary.cost.storage import Rest, StoredArray, float_array, weight_arrays, weight_kind
from tinyternary.spec import LayerQuant, MatrixLayer, ViTConfig, vit_matrices

Arithmetic = Literal["float32", "float16", "int8", "ternary"]


@dataclass(frozen=True)
class Trits:
    """How many weights of a matrix are +1, -1 and 0."""

    plus: int
    minus: int
    zeros: int

    @classmethod
    def assumed(cls, weights: int, zero_share: float) -> Trits:
        """Split a matrix into zeros and equally many +1 and -1 (one more +1 if odd)."""
        zeros = round(weights * zero_share)
        minus = (weights - zeros) // 2
        return cls(weights - zeros - minus, minus, zeros)


@dataclass(frozen=True)
class Step:
    """One step of the forward pass, per image.

    Attributes
    ----------
    name : str
        ``"blocks.0.mlp.fc1"``, or what it does: ``"blocks.0.attn.softmax"``.
    kind : {"linear", "attention", "norm", "softmax", "activation", "add", "pool"}
    ops : Counter
        Operations by kind (ops, not MACs).
    gemm : Gemm, optional
        Its matrix product, if it is one.
    arithmetic : {"float32", "float16", "int8", "ternary"}, optional
        What the product is done in.
    arrays : tuple of StoredArray
        What it stores.
    reads, writes : float
        Bytes of activations that go in and out, each counted once (a product's operands
        are in `gemm` instead).
    """

    name: str
    kind: str
    ops: Counter[str]
    gemm: Gemm | None = None
    arithmetic: Arithmetic | None = None
    arrays: tuple[StoredArray, ...] = ()
    reads: float = 0.0
    writes: float = 0.0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the product (MACs), 0 where there is none."""
        return 0 if self.gemm is None else self.gemm.macs


@dataclass(frozen=True)
class Choices:
    """What decides the cost besides the network's shape.

    Attributes
    ----------
    rules : mapping
        Layer name to quantiser; float layers are absent.
    bits : {2, 1.6}
        Storage of a trit.
    rest : {"float32", "float16"}
        Storage and arithmetic of what is not quantised.
    attention : {"float32", "float16", "int8"}
        Arithmetic of the two attention products.
    execution : str
        What stands for one ternary MAC, see `operations.ternary_matmul`.
    trits : mapping
        Layer name to the counts of its trits, real or assumed.
    """

    rules: Mapping[str, LayerQuant]
    bits: float = 2
    rest: Rest = "float32"
    attention: Literal["float32", "float16", "int8"] = "float32"
    execution: str = "skip"
    trits: Mapping[str, Trits] = field(default_factory=dict)


def vit_steps(config: ViTConfig, choices: Choices) -> list[Step]:
    """List the steps of a ViT from patches to logits, per image."""
    c = config
    entries = c.tokens * c.width
    wide = float(4 * entries)  # bytes of all tokens in float32
    layers = {layer.name: layer for layer in vit_matrices(c)}

    embedding: list[StoredArray] = []
    if c.pool == "cls":
        embedding.append(float_array("cls_token", c.width, choices.rest))
    if c.positions == "learned":
        embedding.append(float_array("pos_embed", entries, choices.rest))
    steps = [
        linear_step(layers["patch_embed.proj"], choices),
        Step("positions", "add", operations.elementwise_add(entries), arrays=tuple(embedding),
             reads=2 * wide, writes=wide),
    ]  # fmt: skip
    for i in range(c.depth):
        block = f"blocks.{i}"
        steps += [
            norm_step(f"{block}.norm1", c.tokens, c.width, choices.rest),
            linear_step(layers[f"{block}.attn.qkv"], choices),
            *attention_steps(block, c, choices),
            linear_step(layers[f"{block}.attn.proj"], choices),
            _residual(f"{block}.attn.residual", entries),
        ]
        if c.mlp_norm:
            steps.append(norm_step(f"{block}.norm2", c.tokens, c.width, choices.rest))
        hidden = c.tokens * c.mlp_width
        steps += [
            linear_step(layers[f"{block}.mlp.fc1"], choices),
            Step(f"{block}.mlp.activation", "activation",
                 operations.activation(c.activation, hidden), reads=4.0 * hidden,
                 writes=4.0 * hidden),
            linear_step(layers[f"{block}.mlp.fc2"], choices),
            _residual(f"{block}.mlp.residual", entries),
        ]  # fmt: skip
    if c.pool == "mean":
        pool = operations.mean_pool(c.tokens, c.width)
        steps.append(Step("pool", "pool", pool, reads=wide, writes=4.0 * c.width))
    steps.append(norm_step("norm", 1, c.width, choices.rest))
    steps.append(linear_step(layers["head"], choices))
    return steps


def linear_step(layer: MatrixLayer, choices: Choices) -> Step:
    """Describe one linear layer under its quantisation rule."""
    rule = choices.rules.get(layer.name)
    rows, outputs, inputs = layer.rows, layer.outputs, layer.inputs
    arrays = weight_arrays(layer.name, outputs, inputs, rule, choices.bits, choices.rest)
    if layer.bias:
        arrays.append(float_array(f"{layer.name}.bias", outputs, choices.rest))
    float_bits = 16 if choices.rest == "float16" else 32
    ops: Counter[str] = Counter()
    x_bits: float = float_bits
    w_bits: float = float_bits
    arithmetic: Arithmetic = choices.rest
    if rule is None:
        ops += operations.float_matmul(layer.macs, _precision(choices.rest))
    else:
        kind = weight_kind(rule)
        w_bits = {"int8": 8, "int4": 4}.get(kind, choices.bits)
        x_bits = {"int8": 8, "int4": 4, "ternary": 2, "none": 32}[rule.activation]
        if rule.norm:
            ops += operations.rms_norm(rows, inputs)
            arrays.append(float_array(f"{layer.name}.norm.weight", inputs, choices.rest))
        integer = rule.activation != "none"
        if integer:
            ops += operations.absmax_quantise(rows, inputs) + operations.dequantise(rows, outputs)
        else:
            ops += Counter({"fp32_mul": rows * outputs})  # the weight's scale
        arithmetic = "ternary" if kind == "ternary" else ("int8" if integer else "float32")
        if kind == "ternary":
            trits = choices.trits[layer.name]
            execution = choices.execution if integer else "float-skip"
            ops += operations.ternary_matmul(rows, trits.plus, trits.minus, trits.zeros, execution)
        elif integer:
            ops += operations.int8_matmul(layer.macs)
        else:
            ops += operations.float_matmul(layer.macs)
    if layer.bias:
        ops += operations.bias(rows, outputs)
    gemm = Gemm(rows, inputs, outputs, x_bits, w_bits, 32)
    return Step(layer.name, "linear", ops, gemm, arithmetic, tuple(arrays))


def attention_steps(block: str, config: ViTConfig, choices: Choices) -> list[Step]:
    """Describe scores = Q K^T, softmax and the sum of values, for all heads."""
    c, kind = config, choices.attention
    bits = {"float32": 32, "float16": 16, "int8": 8}[kind]
    scores = Gemm(c.tokens, c.head_dim, c.tokens, bits, bits, 32, c.heads)
    values = Gemm(c.tokens, c.tokens, c.head_dim, bits, bits, 32, c.heads)
    table = 4.0 * c.heads * c.tokens**2  # bytes of all attention weights
    rows = c.heads * c.tokens

    def product(gemm: Gemm) -> Counter[str]:
        if kind != "int8":
            return operations.float_matmul(gemm.macs, _precision(kind))
        return operations.int8_matmul(gemm.macs) + operations.dequantise(
            gemm.count * gemm.rows, gemm.outputs
        )

    score_ops, value_ops = product(scores), product(values)
    if kind == "int8":  # q, k and v per token and head; the attention weights per row
        qkv_rows = c.tokens * (c.heads + 2 * c.key_value_heads)
        score_ops += operations.absmax_quantise(qkv_rows, c.head_dim)
        value_ops += operations.absmax_quantise(rows, c.tokens)
    return [
        Step(f"{block}.attn.scores", "attention", score_ops, scores, kind),
        Step(f"{block}.attn.softmax", "softmax", operations.softmax(rows, c.tokens), reads=table,
             writes=table),
        Step(f"{block}.attn.values", "attention", value_ops, values, kind),
    ]  # fmt: skip


def norm_step(name: str, rows: int, width: int, rest: Rest) -> Step:
    """Describe a LayerNorm."""
    arrays = (float_array(f"{name}.weight", width, rest), float_array(f"{name}.bias", width, rest))
    size = 4.0 * rows * width
    return Step(name, "norm", operations.layer_norm(rows, width), arrays=arrays, reads=size,
                writes=size)  # fmt: skip


def scaled_batch(gemm: Gemm, batch: int, *, shared_weights: bool) -> Gemm:
    """Return the product for a batch: more rows where weights are shared, else more products."""
    if shared_weights:
        return replace(gemm, rows=gemm.rows * batch)
    return replace(gemm, count=gemm.count * batch)


def _residual(name: str, entries: int) -> Step:
    size = 4.0 * entries
    return Step(name, "add", operations.elementwise_add(entries), reads=2 * size, writes=size)


def _precision(kind: str) -> str:
    return "fp16" if kind == "float16" else "fp32"
