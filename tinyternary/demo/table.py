"""The demo's numbers as rows of text, the same in the terminal and in the report."""

from __future__ import annotations

from typing import Any

from tinyternary.text import USE


def comparison_rows(metrics: dict[str, Any]) -> list[list[str]]:
    """Lay the content of `metrics.json` out as a table, header first.

    Returns
    -------
    list of list of str
        ``["", "float teacher", "ternary student"]`` and a row per quantity.
    """
    networks = (metrics["teacher"], metrics["student"])

    def row(label: str, *cells: str) -> list[str]:
        return [label, *cells]

    return [
        row("", "float teacher", "ternary student"),
        row("accuracy, test (95 % interval)", *(_interval(n, "accuracy") for n in networks)),
        row("AUC, test (95 % interval)", *(_interval(n, "auc", ".3f") for n in networks)),
        row("parameters", *(f"{n['parameters']:,}" for n in networks)),
        row("bytes on disk", *(f"{n['bytes_on_disk']:,}" for n in networks)),
        *(
            row(f"latency per image, batch {size}", *(_latency(n, size) for n in networks))
            for size in ("1", "64")
        ),
        row("MACs per image", *(f"{n['macs'] / 1e6:.2f} M" for n in networks)),
        row("energy per image, modelled", *(_energy(n) for n in networks)),
    ]


def summary(metrics: dict[str, Any]) -> str:
    """Say in a few lines how the numbers came about and whether the engine agrees."""
    data, agreement = metrics["data"], metrics["agreement"]
    kind = "synthetic phantoms, not patients" if data["synthetic"] else "real images"
    return (
        f"{data['test']:,} test images ({kind}); always naming the largest class scores "
        f"{data['majority_share']:.1%}.\n"
        f"Packed engine against training model: logits differ by at most "
        f"{agreement['largest_difference']:.2g}, {agreement['equal_predictions']:.2%} of "
        f"predictions are equal.\n"
        f"Energy is modelled ({metrics['energy_model']}), all else measured on "
        f"{metrics['machine']['cpu']}, {metrics['machine']['threads']} threads, "
        f"in {metrics['seconds']['total']:.0f} s.\n"
        f"{USE}"
    )


def _interval(network: dict[str, Any], name: str, style: str = ".1%") -> str:
    low, high = network[f"{name}_interval"]
    return f"{network[name]:{style}} ({low:{style}} to {high:{style}})"


def _latency(network: dict[str, Any], batch: str) -> str:
    times = network["latency_ms"][batch]
    return f"{times['median']:.3f} ms (p95 {times['p95']:.3f})"


def _energy(network: dict[str, Any]) -> str:
    energy = network["energy_uj"]
    return f"{energy['middle']:.1f} µJ ({energy['low']:.1f} to {energy['high']:.1f})"
