"""Bytes of a network as the packed file stores them (lessons 08 and 10).

Names and sizes are those of the arrays of a file that `tinyternary.deploy` writes; the
file itself is these plus its header, whose length depends on what the header says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tinyternary.config import LayerQuant
from tinyternary.errors import ConfigError

Rest = Literal["float32", "float16", "int8"]
"""How what no policy quantises is stored, whatever it is computed in: "int8" leaves vectors in
float32."""

REST: tuple[Rest, ...] = ("float32", "float16", "int8")

INT8_REST = LayerQuant(weight="int8", granularity="channel", norm=False)
"""How a matrix is stored because the rest is int8; its product reads it as floats."""


@dataclass(frozen=True)
class StoredArray:
    """One array of a packed file.

    Attributes
    ----------
    name : str
        As the file names it: ``"blocks.0.mlp.fc1.codes"``.
    kind : {"ternary", "int8", "int4", "scale", "float32", "float16"}
        How its entries are stored.
    entries : int
        Numbers it stands for (trits, not bytes).
    nbytes : int
        Bytes it takes.
    """

    name: str
    kind: str
    entries: int
    nbytes: int

    @property
    def parameters(self) -> int:
        """Parameters of the model in it: its entries; a scale is none."""
        return 0 if self.kind == "scale" else self.entries


def vector(name: str, entries: int, rest: Rest) -> StoredArray:
    """Describe a bias, the scale of a norm or a class token."""
    kind = "float16" if rest == "float16" else "float32"
    return StoredArray(name, kind, entries, entries * (2 if kind == "float16" else 4))


def position_arrays(tokens: int, width: int, rest: Rest) -> list[StoredArray]:
    """Describe a learned position embedding (T, D): int8 with a scale per token, or floats."""
    if rest == "int8":
        return [
            StoredArray("pos_embed.values", "int8", tokens * width, tokens * width),
            StoredArray("pos_embed.scale", "scale", tokens, 4 * tokens),
        ]
    return [vector("pos_embed", tokens * width, rest)]


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
    rest : {"float32", "float16", "int8"}
        Type of a matrix that is not quantised.
    """
    entries = outputs * inputs
    if rule is None:
        return [vector(f"{name}.weight", entries, rest)]
    kind = weight_kind(rule)
    if kind == "ternary":
        stored = StoredArray(
            f"{name}.codes", kind, entries, outputs * packed_row_bytes(inputs, bits)
        )
    else:
        row = inputs if kind == "int8" else -(-inputs // 2)
        stored = StoredArray(f"{name}.values", kind, entries, outputs * row)
    scales = scale_count(rule, outputs, inputs)
    arrays = [stored, StoredArray(f"{name}.scale", "scale", scales, 4 * scales)]
    if rule.weight == "ttq":  # trained ternary quantisation: +1 and -1 have their own scales
        arrays.append(StoredArray(f"{name}.scale_negative", "scale", scales, 4 * scales))
    return arrays


def weight_kind(rule: LayerQuant) -> str:
    """Storage type of a quantised matrix: "int8", "int4" or "ternary"."""
    return rule.weight if rule.weight in ("int8", "int4") else "ternary"


def scale_count(rule: LayerQuant, outputs: int, inputs: int) -> int:
    """Count the scales of a matrix: one, one per output channel, or one per group.

    Raises
    ------
    ConfigError
        If the group size does not divide the number of inputs.
    """
    if rule.granularity == "tensor":
        return 1
    if rule.granularity == "channel":
        return outputs
    if inputs % rule.granularity:
        raise ConfigError(f"granularity {rule.granularity} does not divide {inputs} inputs")
    return outputs * (inputs // rule.granularity)
