"""One linear layer under its quantisation rule: arrays, product and operations (lesson 06)."""

from __future__ import annotations

from collections import Counter

from tinyternary.config import LayerQuant, MatrixLayer
from tinyternary.cost import operations
from tinyternary.cost.memory import Gemm
from tinyternary.cost.steps import Arithmetic, Choices, Step
from tinyternary.cost.storage import INT8_REST, vector, weight_arrays, weight_kind


def linear_step(layer: MatrixLayer, choices: Choices) -> Step:
    """Describe one linear layer, per image."""
    rule = choices.rules.get(layer.name)
    if rule is None and choices.rest == "int8":
        rule = INT8_REST
    arrays = weight_arrays(
        layer.name, layer.outputs, layer.inputs, rule, choices.bits, choices.rest
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
        ops += operations.absmax_quantize(layer.rows, layer.inputs)
        ops += operations.dequantize(layer.rows, layer.outputs)
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
    stored = 16 if choices.rest == "float16" else 32
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
