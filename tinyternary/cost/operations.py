"""Arithmetic operations of each step of a network, by kind (lesson 09).

Every function returns counts of single operations (ops), never of multiply-accumulates:
1 MAC is 1 multiplication and 1 addition, 2 ops. A dot product of K terms starts from a
zero accumulator: K multiplications and K additions; a bias is one further addition.
`max` is one comparison per entry. Counts are for the formula as written, per image;
reshapes, transposes and copies count as bytes (`memory`), not as operations.
"""

from __future__ import annotations

from collections import Counter

EXECUTIONS = ("skip", "dense", "dot", "int8-add")
"""What can stand for one MAC of int8 activations with trits, see `ternary_matmul`."""


def float_matmul(macs: int, precision: str = "fp32") -> Counter[str]:
    """Count a product of float matrices: one multiplication and one addition per MAC.

    Parameters
    ----------
    macs : int
        Multiply-accumulates.
    precision : {"fp32", "fp16"}
    """
    return Counter({f"{precision}_mul": macs, f"{precision}_add": macs})


def int8_matmul(macs: int) -> Counter[str]:
    """Count a product of int8 matrices into int32: 8-bit multiplication, 32-bit addition."""
    return Counter({"int8_mul": macs, "int32_add": macs})


def ternary_matmul(rows: int, plus: int, minus: int, zeros: int, execution: str) -> Counter[str]:
    """Count a product with a ternary matrix, given how many trits are +1, -1 and 0.

    Parameters
    ----------
    rows : int
        Rows of the activations, each of which meets every trit once.
    plus, minus, zeros : int
        Trits of each value in the matrix; their sum is the number of weights.
    execution : {"skip", "dense", "dot", "int8-add", "float-skip"}
        What stands for one MAC:

        ``skip``: +1 adds the activation to an int32 accumulator, -1 subtracts it, 0 does
        nothing (the naive kernel; a chip that gates zeros).
        ``dense``: every trit costs one int32 addition, zeros too.
        ``dot``: an int8 dot-product instruction multiplies codes and accumulates
        (what the SIMD kernels do: 8-bit multiplication and 32-bit addition per MAC).
        ``int8-add``: one 8-bit addition per trit and no accumulation: how the BitNet
        papers count, kept to reproduce them.
        ``float-skip``: as ``skip`` with float32 activations.
    """
    weights = plus + minus + zeros
    if execution == "skip":
        return Counter({"int32_add": rows * plus, "int32_sub": rows * minus, "skip": rows * zeros})
    if execution == "float-skip":
        return Counter({"fp32_add": rows * plus, "fp32_sub": rows * minus, "skip": rows * zeros})
    if execution == "dense":
        return Counter({"int32_add": rows * weights})
    if execution == "int8-add":
        return Counter({"int8_add": rows * weights})
    return int8_matmul(rows * weights)


def bias(rows: int, outputs: int) -> Counter[str]:
    """Count the addition of a bias to each row."""
    return Counter({"fp32_add": rows * outputs})


def elementwise_add(entries: int) -> Counter[str]:
    """Count a sum of two arrays: residual connection, position embedding."""
    return Counter({"fp32_add": entries})


def absmax_quantize(rows: int, entries: int) -> Counter[str]:
    """Count the int8 quantisation of rows with so many entries in all.

    A row's max |x| and one division, then each entry scaled and rounded.
    """
    return Counter(
        {"fp32_compare": entries, "fp32_div": rows, "fp32_mul": entries, "fp32_convert": entries}
    )  # fmt: skip


def dequantize(rows: int, entries: int) -> Counter[str]:
    """Count the way back, of rows with so many entries in all: to float32, times a factor.

    The row's and the weight's scale are joined once a row.
    """
    return Counter({"fp32_convert": entries, "fp32_mul": entries + rows})


def rms_norm(rows: int, width: int) -> Counter[str]:
    """Count y = x / sqrt(mean(x^2) + eps) * g."""
    return Counter(
        {"fp32_mul": rows * (3 * width + 1), "fp32_add": rows * (width + 1), "fp32_sqrt": rows,
         "fp32_div": rows}
    )  # fmt: skip


def layer_norm(rows: int, width: int) -> Counter[str]:
    """Count y = (x - mean) / sqrt(var + eps) * g + b, mean first and then variance."""
    return Counter(
        {"fp32_add": rows * (3 * width + 1), "fp32_sub": rows * width,
         "fp32_mul": rows * (3 * width + 2), "fp32_sqrt": rows, "fp32_div": rows}
    )  # fmt: skip


def softmax(rows: int, entries: int) -> Counter[str]:
    """Count a softmax over rows with so many entries in all, the factor 1/sqrt(D) included."""
    return Counter(
        {"fp32_mul": 2 * entries, "fp32_compare": entries, "fp32_sub": entries,
         "fp32_exp": entries, "fp32_add": entries, "fp32_div": rows}
    )  # fmt: skip


def activation(kind: str, entries: int) -> Counter[str]:
    """Count the non-linearity of the feed-forward network.

    Parameters
    ----------
    kind : {"gelu", "gelu_tanh", "relu_squared"}
    entries : int
        Values it is applied to.
    """
    per_entry = {
        # x/2 (1 + erf(x / sqrt 2))
        "gelu": {"fp32_mul": 3, "fp32_add": 1, "fp32_erf": 1},
        # x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
        "gelu_tanh": {"fp32_mul": 6, "fp32_add": 2, "fp32_tanh": 1},
        # max(x, 0)^2
        "relu_squared": {"fp32_compare": 1, "fp32_mul": 1},
    }[kind]
    return Counter({op: count * entries for op, count in per_entry.items()})


def mean_pool(tokens: int, width: int) -> Counter[str]:
    """Count the mean over tokens."""
    return Counter({"fp32_add": tokens * width, "fp32_mul": width})
