"""Which layers bear to be ternary, without training anything (lesson 06)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from tinyternary.brief import Brief
from tinyternary.config import LayerQuant, Preprocessing
from tinyternary.data import Dataset, Splits
from tinyternary.errors import ConfigError
from tinyternary.nn import Linear, Module
from tinyternary.quant.analysis.loss import Judge, Score
from tinyternary.quant.bitlinear import BitLinear
from tinyternary.quant.int8_attention import Int8Attention
from tinyternary.quant.ternarize import QUANTIZED, replace_module

PROBE = LayerQuant("twn", "channel", norm=False)
"""What a float layer is quantised by: of the rules without training, the one with least error."""


@dataclass(frozen=True)
class LayerSensitivity:
    """One layer's two experiments.

    Attributes
    ----------
    name : str
        Of a linear layer; in a quantised model also of a ternary norm, or of an attention in int8.
    weights : int
        Entries of its matrix, or of its scale; of an attention, 0.
    only_ternary : Score
        All layers float but this one.
    only_float : Score
        All layers quantised but this one.
    """

    name: str
    weights: int
    only_ternary: Score
    only_float: Score


@dataclass(frozen=True, repr=False)
class Sensitivity(Brief):
    """The result of `sensitivity`; printing it shows a table, the most sensitive layer first.

    Attributes
    ----------
    layers : tuple of LayerSensitivity
        In the order of the network.
    all_float, all_ternary : Score
        The two ends.
    images : int
        How many were judged.
    """

    layers: tuple[LayerSensitivity, ...]
    all_float: Score
    all_ternary: Score
    images: int

    def ranked(self) -> list[LayerSensitivity]:
        """Layers by the loss that making only them ternary costs, most sensitive first."""
        return sorted(self.layers, key=lambda row: -row.only_ternary.loss)

    def to_dict(self) -> dict[str, Any]:
        """Return losses by layer as plain JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.layers)
        head = f"{'layer':{width}}  {'only this ternary':>20}  {'only this float':>20}"
        lines = [head, f"{'':{width}}  {'loss':>10} {'accuracy':>9}  {'loss':>10} {'accuracy':>9}"]
        for row in self.ranked():
            one, other = row.only_ternary, row.only_float
            lines.append(
                f"{row.name:{width}}  {one.loss:10.4f} {one.accuracy:9.3f}"
                f"  {other.loss:10.4f} {other.accuracy:9.3f}"
            )
        a, b = self.all_float, self.all_ternary
        lines.append(f"all float: loss {a.loss:.4f}, accuracy {a.accuracy:.3f}; "
                     f"all ternary: loss {b.loss:.4f}, accuracy {b.accuracy:.3f}; "
                     f"{self.images} images")  # fmt: skip
        return "\n".join(lines)


def sensitivity(
    model: Module,
    data: Splits | Dataset,
    *,
    preprocessing: Preprocessing | None = None,
    rule: LayerQuant = PROBE,
    layers: str = "*",
    limit: int = 512,
    batch_size: int = 128,
) -> Sensitivity:
    """Judge a model with each layer alone ternary, and with each alone float.

    Parameters
    ----------
    model : Module
        A trained one. In a float model each layer is quantised by `rule`, without
        training and without a norm of its own, which would change more than the
        rounding. In a quantised model a layer computes with its latent weights and
        unrounded inputs where it is to be float, and an attention in floats; layers
        that are float already stay so.
    data : Splits or Dataset
        Of `Splits` the validation part.
    preprocessing : Preprocessing, optional
        As the model was trained with; needed for a `Dataset`.
    rule : LayerQuant
        For a float model.
    layers : str
        Glob pattern on layer names.
    limit : int
        Images to judge on, at most.
    batch_size : int

    Returns
    -------
    Sensitivity

    Raises
    ------
    ConfigError
        If no layer matches, or model and data do not fit.
    """
    judge = Judge(data, preprocessing, limit, batch_size)
    with switches(model, rule, layers) as panel:
        everything = set(panel.names)
        ends = panel.score(judge, set()), panel.score(judge, everything)
        rows = tuple(
            LayerSensitivity(
                name,
                panel.weights[name],
                panel.score(judge, {name}),
                panel.score(judge, everything - {name}),
            )
            for name in panel.names
        )
    return Sensitivity(rows, *ends, len(judge.images))


class Switches:
    """The layers of a model, each of which can be float or quantised."""

    def __init__(self, model: Module, rule: LayerQuant, pattern: str) -> None:
        self.model = model
        named = [(n, m) for n, m in model.named_modules() if fnmatchcase(n, pattern)]
        self.bits: dict[str, Any] = {n: m for n, m in named if isinstance(m, QUANTIZED)}
        self.floats = {n: m for n, m in named if isinstance(m, Linear)}
        if self.bits:
            self.floats = {}
        elif self.floats:
            rule = replace(rule, norm=False)
            self.bits = {n: BitLinear(m, rule, n) for n, m in self.floats.items()}
        else:
            raise ConfigError(f"no linear layer of the model matches {pattern!r}")
        self.names = list(self.bits)
        self.weights = {
            n: 0 if isinstance(m, Int8Attention) else m.weight.data.size
            for n, m in self.bits.items()
        }
        self._strengths = {n: m.strength for n, m in self.bits.items()}

    def choose(self, quantized: set[str]) -> None:
        """Quantise these layers and no others."""
        for name, layer in self.bits.items():
            if self.floats:
                replace_module(self.model, name, layer if name in quantized else self.floats[name])
            else:
                layer.strength = float(name in quantized)

    def score(self, judge: Judge, quantized: set[str]) -> Score:
        """Judge the model with these layers quantised."""
        self.choose(quantized)
        return judge(self.model)

    def restore(self) -> None:
        """Leave the model as it was found."""
        for name, layer in self.bits.items():
            if self.floats:
                replace_module(self.model, name, self.floats[name])
            else:
                layer.strength = self._strengths[name]


@contextmanager
def switches(model: Module, rule: LayerQuant, pattern: str) -> Iterator[Switches]:
    """Make a model's layers switchable; afterwards it is as it was."""
    panel = Switches(model, rule, pattern)
    try:
        yield panel
    finally:
        panel.restore()
