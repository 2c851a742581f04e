"""A policy for a byte budget, found greedily (lesson 06)."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tinyternary.brief import Brief
from tinyternary.config import LayerQuant, Preprocessing
from tinyternary.data import Dataset, Splits
from tinyternary.errors import ConfigError
from tinyternary.nn import Linear, Module
from tinyternary.quant.analysis.loss import Judge, Score
from tinyternary.quant.analysis.sensitivity import PROBE
from tinyternary.quant.bitlinear import BitLinear
from tinyternary.quant.describe import stored_bytes
from tinyternary.quant.ternarize import QUANTIZED, replace_module

OPTIONS = (LayerQuant("int8", "channel", norm=False), PROBE)
"""What a float layer may become, in falling order of bytes."""


@dataclass(frozen=True, repr=False)
class Proposal(Brief):
    """What `search_policy` found.

    Attributes
    ----------
    policy : dict of str to LayerQuant
        For `tinyternary.quant.ternarize`; float layers are absent.
    nbytes : int
        Bytes of all parameters as a packed file stores them, rest in float32.
    budget : int
    score, before : Score
        Of the proposal without training, and of the float model.
    steps : tuple of dict
        Each step taken: layer, quantiser, bytes and loss after it.
    """

    policy: dict[str, LayerQuant]
    nbytes: int
    budget: int
    score: Score
    before: Score
    steps: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return policy and path to it as plain JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.nbytes:,} of {self.budget:,} bytes; loss {self.before.loss:.4f} -> "
            f"{self.score.loss:.4f}, accuracy {self.before.accuracy:.3f} -> "
            f"{self.score.accuracy:.3f} without training"
        ]
        width = max((len(name) for name in self.policy), default=0)
        lines += [f"  {name:{width}}  {rule.weight}" for name, rule in self.policy.items()]
        return "\n".join(lines)


def search_policy(
    model: Module,
    data: Splits | Dataset,
    budget: int,
    *,
    options: Sequence[LayerQuant] = OPTIONS,
    preprocessing: Preprocessing | None = None,
    limit: int = 256,
    batch_size: int = 128,
) -> Proposal:
    """Quantise layer after layer until the model fits, each time the cheapest one.

    A step takes one layer to the next smaller of `options`; the step with the
    smallest rise in loss per byte saved is taken. Steps are judged again only when
    they come to the top (lazy greedy), so that L layers cost a few times L passes.

    Parameters
    ----------
    model : Module
        A trained float model; it is left as it was.
    data : Splits or Dataset
        Of `Splits` the validation part.
    budget : int
        Bytes of all parameters as stored: quantised matrices with their scales,
        everything else in float32. A file's header comes on top.
    options : sequence of LayerQuant
        In falling order of bytes.
    preprocessing, limit, batch_size
        As for `sensitivity`.

    Returns
    -------
    Proposal

    Raises
    ------
    ConfigError
        If the budget cannot be met; the message says what can. If the model is
        quantised already.
    """
    if any(isinstance(module, QUANTIZED) for module in model.modules()):
        raise ConfigError("model is quantised already; the search starts from a float one")
    if not options:
        raise ConfigError("options: expected one quantiser or more")
    judge = Judge(data, preprocessing, limit, batch_size)
    floats = {n: m for n, m in model.named_modules() if isinstance(m, Linear)}
    forms: dict[str, list[tuple[Linear | BitLinear, int]]] = {}
    for name, layer in floats.items():
        made = [BitLinear(layer, replace(option, norm=False), name) for option in options]
        forms[name] = [(layer, 4 * layer.weight.data.size), *((m, stored_bytes(m)) for m in made)]
    total = 4 * sum(p.data.size for p in model.parameters())
    least = total - sum(form[0][1] - form[-1][1] for form in forms.values())
    if budget < least:
        raise ConfigError(f"budget: {budget:,} bytes cannot be met; all quantised it is {least:,}")
    try:
        return _descend(model, judge, forms, total, budget)
    finally:
        for name, layer in floats.items():
            replace_module(model, name, layer)


def _descend(
    model: Module,
    judge: Judge,
    forms: dict[str, list[tuple[Linear | BitLinear, int]]],
    total: int,
    budget: int,
) -> Proposal:
    level = dict.fromkeys(forms, 0)
    score = before = judge(model)
    steps: list[dict[str, Any]] = []

    tries: dict[str, tuple[Score, int]] = {}

    def attempt(name: str) -> float:
        """Rise in loss per byte saved of taking this layer one step down; `tries` keeps it."""
        (now, size), (after, smaller) = forms[name][level[name] : level[name] + 2]
        replace_module(model, name, after)
        tried = judge(model)
        replace_module(model, name, now)
        tries[name] = tried, size - smaller
        return (tried.loss - score.loss) / max(size - smaller, 1)

    # entries: cost when last judged, order, layer, number of steps taken by then
    queue = [(attempt(name), i, name, 0) for i, name in enumerate(forms)]
    heapq.heapify(queue)
    while total > budget:
        _, order, name, judged = heapq.heappop(queue)
        if judged != len(steps):  # judged beside other layers than those of now
            heapq.heappush(queue, (attempt(name), order, name, len(steps)))
            continue
        tried, saved = tries[name]
        level[name] += 1
        chosen = forms[name][level[name]][0]
        replace_module(model, name, chosen)
        total, score = total - saved, tried
        assert isinstance(chosen, BitLinear)
        steps.append({"layer": name, "quantizer": chosen.rule.weight, "nbytes": total,
                      "loss": tried.loss, "accuracy": tried.accuracy})  # fmt: skip
        if level[name] + 1 < len(forms[name]):
            heapq.heappush(queue, (attempt(name), order, name, len(steps)))
    policy = {}
    for name, reached in level.items():
        layer = forms[name][reached][0]
        if isinstance(layer, BitLinear):
            policy[name] = layer.rule
    return Proposal(policy, total, budget, score, before, tuple(steps))
