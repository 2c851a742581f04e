"""describe: which layer is quantised how, and what it weighs (lesson 06)."""

from __future__ import annotations

from dataclasses import dataclass

from tinyternary.nn import Linear, Module
from tinyternary.quant.bitlinear import BitLinear
from tinyternary.quant.int8_attention import Int8Attention
from tinyternary.quant.registry import WEIGHTS


@dataclass(frozen=True)
class LayerRow:
    """One line of `describe`.

    Attributes
    ----------
    name : str
    shape : (N, K)
    quantizer : str
        Weight rule, granularity and activation rule, or "float32".
    bits : float
        Bits per weight, scales included.
    nbytes : int
        Bytes of weights and their scales: trits at 2 bits, each row padded to a
        whole byte as in a packed file; the bias and norms are not in it.
    """

    name: str
    shape: tuple[int, int]
    quantizer: str
    bits: float
    nbytes: int


class Description(list[LayerRow]):
    """The rows of `describe`; printing one shows a table.

    Attributes
    ----------
    int8_attention : list of str
        Attentions whose products are of integers, by name; they have no weights of their own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.int8_attention: list[str] = []

    @property
    def nbytes(self) -> int:
        """Bytes of all weight matrices and their scales."""
        return sum(row.nbytes for row in self)

    def __str__(self) -> str:
        head = ("layer", "shape", "quantizer", "bits", "bytes")
        cells = [head] + [
            (r.name, f"{r.shape[0]} x {r.shape[1]}", r.quantizer, f"{r.bits:.2f}", f"{r.nbytes:,}")
            for r in self
        ]
        cells += [(name, "", "int8 products", "", "") for name in self.int8_attention]
        cells.append(("all matrices", "", "", "", f"{self.nbytes:,}"))
        widths = [max(len(row[i]) for row in cells) for i in range(5)]
        lines = [
            [c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
            for row in cells
        ]
        return "\n".join("  ".join(line).rstrip() for line in lines)

    def __repr__(self) -> str:
        return str(self)


def describe(model: Module) -> Description:
    """List every weight matrix of a model: layer, shape, quantiser, bits, bytes.

    Attentions that compute in int8 are listed below them.

    Parameters
    ----------
    model : Module

    Returns
    -------
    Description
        A list of `LayerRow`; printing it shows a table.
    """
    rows = Description()
    for name, module in model.named_modules():
        if isinstance(module, BitLinear):
            shape = module.weight.shape
            nbytes = stored_bytes(module)
            rule = module.rule
            size = rule.granularity
            per = f"group of {size}" if isinstance(size, int) else size
            given = "float" if rule.activation == "none" else rule.activation
            rows.append(_row(name, shape, f"{rule.weight} per {per}, {given} input", nbytes))
        elif isinstance(module, Linear):
            rows.append(_row(name, module.weight.shape, "float32", 4 * module.weight.data.size))
        elif isinstance(module, Int8Attention):
            rows.int8_attention.append(name)
    return rows


def stored_bytes(layer: BitLinear) -> int:
    """Bytes of a quantised layer's weights and scales as a packed file holds them (2 bits)."""
    outputs, inputs = layer.weight.shape
    per_row = -(-inputs * int(WEIGHTS[layer.rule.weight].bits) // 8)
    size = layer.rule.granularity
    scales = 1 if size == "tensor" else outputs * (1 if size == "channel" else inputs // size)
    two = 2 if layer.rule.weight == "ttq" else 1
    return outputs * per_row + 4 * scales * two


def _row(name: str, shape: tuple[int, ...], quantizer: str, nbytes: int) -> LayerRow:
    outputs, inputs = shape
    return LayerRow(name, (outputs, inputs), quantizer, 8 * nbytes / (outputs * inputs), nbytes)
