"""The microscope: what happens to the trits of each layer while training (lesson 04).

It answers "why are my weights not -1, 0 and 1?": the optimiser moves *latent*
floats by tiny steps; a trit changes only when one of them crosses a threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import ConfigError
from tinyternary.nn import Module
from tinyternary.quant.bitlinear import BitLinear
from tinyternary.quant.quantized import Quantized, spread

MEASURES = {
    "negative": "share of weights whose trit is -1",
    "zero": "share of weights whose trit is 0",
    "positive": "share of weights whose trit is +1",
    "flips": "share of trits that changed, per step",
    "returns": "share of trits that changed and are back where they were two records ago",
    "near": "share of weights within 5 % of the scale from a threshold",
    "distance": "mean distance to the nearest threshold, in units of the scale",
    "scale": "mean scale",
    "threshold": "mean threshold, in units of the scale",
    "sqnr_db": "signal to quantisation noise, decibels: 10 log10(sum W^2 / sum (W - W_q)^2)",
}
"""What is recorded of each layer, one number per record."""

EDGES = np.linspace(-3.0, 3.0, 61)
"""Edges of the histogram of latent weights, in units of the scale."""


@dataclass
class LayerTrace:
    """What was seen of one layer.

    Attributes
    ----------
    values : dict of str to list of float
        One list per name of `MEASURES`, as long as `Microscope.steps`.
    histograms : list of list of float
        Share of latent weights per bin of `EDGES`; weights beyond it in the outer bins.
    """

    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in MEASURES})
    histograms: list[list[float]] = field(default_factory=list)


class Microscope:
    """Record the trits of every ternary layer every few steps.

    Parameters
    ----------
    every : int
        Steps between records. A record costs about one quantisation of each weight.
    layers : str
        Glob pattern on layer names.

    Attributes
    ----------
    steps : list of int
        When it looked.
    traces : dict of str to LayerTrace

    Examples
    --------
    ``tt.train.fit(model, data, on_step=microscope)``, then
    ``tt.report.over_time(microscope.to_dict())``.
    """

    def __init__(self, every: int = 10, layers: str = "*") -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ConfigError(f"every: expected a positive number of steps, got {every!r}")
        self.every, self.layers = every, layers
        self.steps: list[int] = []
        self.traces: dict[str, LayerTrace] = {}
        self._before: dict[str, list[NDArray[np.int8]]] = {}

    def __call__(self, step: int, model: Module) -> None:
        """Look at the model if `step` is a multiple of `every`: a trainer's ``on_step``."""
        if step % self.every == 0:
            self.record(step, model)

    def record(self, step: int, model: Module) -> None:
        """Look at the model now.

        Raises
        ------
        ConfigError
            If `step` is not after the last one, or the model has no ternary layer
            that the pattern matches.
        """
        if self.steps and step <= self.steps[-1]:
            raise ConfigError(f"step: expected one after {self.steps[-1]}, got {step}")
        seen = list(self._ternary(model))
        if not seen:
            raise ConfigError(f"the model has no ternary layer that matches {self.layers!r}")
        elapsed = step - self.steps[-1] if self.steps else 1
        for name, layer, q in seen:
            self._look(name, layer.weight.data, q, elapsed)
        self.steps.append(step)

    def _ternary(self, model: Module) -> Iterable[tuple[str, BitLinear, Quantized]]:
        for name, module in model.named_modules():
            if isinstance(module, BitLinear) and fnmatchcase(name, self.layers):
                q = module.quantizer.quantize(module.weight.data)
                if isinstance(q, Quantized):
                    yield name, module, q

    def _look(self, name: str, w: NDArray[Any], q: Quantized, elapsed: int) -> None:
        trace = self.traces.setdefault(name, LayerTrace())
        before = self._before.setdefault(name, [])
        size = w.size
        flips = returns = 0
        if before:
            changed = q.trits != before[-1]
            flips = int(np.count_nonzero(changed))
            if len(before) > 1:
                returns = int(np.count_nonzero(changed & (q.trits == before[-2])))
        self._before[name] = [*before[-1:], q.trits]
        minus, plus = (int(np.count_nonzero(q.trits == trit)) for trit in (-1, 1))
        alpha = spread(q.scale, w.shape)
        ratio = w / alpha
        limit = spread(_threshold(q), w.shape) / alpha
        gap = np.abs(np.abs(ratio) - limit)
        noise = float(np.square(w - q.dequantize(), dtype=np.float64).sum())
        signal = float(np.square(w, dtype=np.float64).sum())
        row = {
            "negative": minus / size,
            "zero": (size - minus - plus) / size,
            "positive": plus / size,
            "flips": flips / size / elapsed,
            "returns": returns / size,
            "near": int(np.count_nonzero(gap < 0.05)) / size,
            "distance": float(gap.mean(dtype=np.float64)),
            "scale": float(q.scale.mean(dtype=np.float64)),
            "threshold": float(limit.mean(dtype=np.float64)),
            "sqnr_db": float(10 * np.log10(max(signal, 1e-30) / max(noise, 1e-30))),
        }
        for measure, value in row.items():
            trace.values[measure].append(value)
        counts, _ = np.histogram(np.clip(ratio, EDGES[0], EDGES[-1]), EDGES)
        trace.histograms.append((counts / size).tolist())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types: steps, and per layer a list per measure; `from_dict` reads it."""
        return {
            "every": self.every,
            "steps": list(self.steps),
            "edges": EDGES.tolist(),
            "layers": {
                name: {**trace.values, "histograms": trace.histograms}
                for name, trace in self.traces.items()
            },
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Microscope:
        """Inverse of `to_dict`; the next record has nothing to compare its trits with."""
        scope = cls(int(fields["every"]))
        scope.steps = [int(step) for step in fields["steps"]]
        for name, layer in fields["layers"].items():
            values = {measure: list(layer[measure]) for measure in MEASURES}
            scope.traces[name] = LayerTrace(values, list(layer["histograms"]))
        return scope


def _threshold(q: Quantized) -> NDArray[np.float32]:
    assert q.threshold is not None  # every ternary rule of the package gives one
    return q.threshold
