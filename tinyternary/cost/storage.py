"""Bytes of a network as the packed file stores them (lessons 08 and 09)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tinyternary.errors import ConfigError
from tinyternary.spec import LayerQuant

Rest = Literal["float32", "float16"]
"""Type of what is not quantised."""

_FLOAT_BYTES = {"float32": 4, "float16": 2}


@dataclass(frozen=True)
class StoredArray:
    """One array of a packed file.

    Attributes
    ----------
    name : str
        As the model names it: ``"blocks.0.mlp.fc1.weight"``.
    kind : {"ternary", "int8", "int4", "scale", "float32", "float16"}
        How its entries are stored.
    entries : int
        Numbers it stands for (trits, not bytes).
    nbytes : int
        Bytes it takes.
    parameter : bool
        Whether its entries count as parameters of the model; scales do not.
    """

    name: str
    kind: str
    entries: int
    nbytes: int
    parameter: bool = True


def float_array(name: str, entries: int, rest: Rest = "float32") -> StoredArray:
    """Describe an array of floats."""
    return StoredArray(name, rest, entries, entries * _FLOAT_BYTES[rest])


def packed_row_bytes(inputs: int, bits: float) -> int:
    """Bytes of one row of K trits: 4 a byte (2 bits) or 5 a byte (1.6), whole bytes.

    Raises
    ------
    ConfigError
        If `bits` is neither 2 nor 1.6.
    """
    if bits not in (2, 1.6):
        raise ConfigError(f"bits: expected 2 or 1.6, got {bits!r}")
    return -(-inputs // (4 if bits == 2 else 5))


def weight_arrays(
    name: str, outputs: int, inputs: int, rule: LayerQuant | None, bits: float, rest: Rest
) -> list[StoredArray]:
    """Describe the arrays that hold one weight matrix W (N, K).

    Parameters
    ----------
    name : str
        Layer name.
    outputs, inputs : int
        N and K.
    rule : LayerQuant or None
        How it is quantised; None keeps it in floats.
    bits : {2, 1.6}
        Bits per trit.
    rest : {"float32", "float16"}
        Type of a matrix that is not quantised.
    """
    entries = outputs * inputs
    if rule is None:
        return [float_array(f"{name}.weight", entries, rest)]
    kind = weight_kind(rule)
    if kind == "ternary":
        nbytes = outputs * packed_row_bytes(inputs, bits)
    elif kind == "int4":
        nbytes = outputs * -(-inputs // 2)
    else:
        nbytes = entries
    scales = scale_count(rule, outputs, inputs)
    return [
        StoredArray(f"{name}.weight", kind, entries, nbytes),
        StoredArray(f"{name}.scale", "scale", scales, 4 * scales, parameter=False),
    ]


def weight_kind(rule: LayerQuant) -> str:
    """Storage type of a quantised matrix: "int8", "int4" or "ternary"."""
    return rule.weight if rule.weight in ("int8", "int4") else "ternary"


def scale_count(rule: LayerQuant, outputs: int, inputs: int) -> int:
    """Count the scales of a matrix: one, one per output channel, or one per group."""
    if rule.granularity == "tensor":
        return 1
    if rule.granularity == "channel":
        return outputs
    return outputs * -(-inputs // rule.granularity)
