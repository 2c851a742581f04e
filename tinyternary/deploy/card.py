"""The model card: a page of text beside a packed file that says what it is for (lesson 10, 11)."""

from __future__ import annotations

from typing import Any

from tinyternary.deploy.inspection import layer_rows
from tinyternary.deploy.reader import PackedFile
from tinyternary.spec import Task

USE = "For teaching and research, not for clinical use."
"""The sentence that every card carries."""


def model_card(packed: PackedFile, name: str = "model.safetensors") -> str:
    """Write the model card of a packed model as Markdown.

    Parameters
    ----------
    packed : PackedFile
        What `reader.read_packed` returns (`Engine.packed` has it).
    name : str
        The file's name.

    Returns
    -------
    str
        Data, network, sizes, metrics (with their intervals where the header has
        them: entries such as ``{"value": 0.9, "low": 0.88, "high": 0.92}``, or
        ``acc`` beside ``acc_low`` and ``acc_high``), limits.
    """
    header, config = packed.header, packed.header.config
    rows = layer_rows(header)
    size = packed.header_bytes + packed.data_bytes
    floats = sum(row["float32_bytes"] for row in rows)
    ternary = sum(row["storage"] == "ternary" for row in rows)
    lines = [
        f"# {name}",
        "",
        f"**{USE}**",
        "",
        "## Model",
        "",
        f"- Vision Transformer: {config.image_size} x {config.image_size} pixels, "
        f"{config.channels} channel(s), patches of {config.patch_size} ({config.tokens} tokens), "
        f"width {config.width}, {config.depth} blocks, {config.heads} heads.",
        f"- {ternary} of {len(header.layers)} weight matrices are ternary, "
        f"{header.bits:g} bits per weight; the rest is {header.rest}.",
        f"- {size:,} bytes on disk; as float32 {floats:,} ({floats / size:.1f} times as many).",
        f"- Written by tinyternary {header.library_version}; {packed.checksum}.",
        "",
        "## Data and task",
        "",
        f"- Trained on: {header.dataset or 'not stated'}.",
        f"- Task: {header.task}; classes: {', '.join(header.class_names)}.",
        f"- Decision: {_decision(packed)}",
        "",
        "## Metrics",
        "",
        *_metrics(header.metrics),
        "",
        "## Limits",
        "",
        f"- {USE} No regulator has seen it, and no clinician has checked its answers.",
        "- Trained and measured on the data set named above only; images from another device, "
        "site or population may get other, and worse, answers.",
        "- Its probabilities are not calibrated unless the metrics above say so.",
        f"- It answers for every image, also for one that shows none of its classes; "
        f"finer detail than {config.image_size} x {config.image_size} pixels show is lost on it.",
        "",
    ]
    return "\n".join(lines)


def _decision(packed: PackedFile) -> str:
    header = packed.header
    if header.threshold is not None:
        values = ", ".join(f"{value:.3g}" for value in header.threshold)
        return f"probability at or above {values} (chosen on validation data)."
    if header.task is Task.MULTI_LABEL:
        return "each label whose probability is at least one half."
    return "the likeliest class."


def _metrics(metrics: dict[str, Any]) -> list[str]:
    rows = list(_rows(metrics, ""))
    if not rows:
        return ["None recorded."]
    return ["| metric | value | interval |", "|---|---|---|", *rows]


def _rows(metrics: dict[str, Any], prefix: str) -> list[str]:
    rows: list[str] = []
    for name, value in metrics.items():
        label = f"{prefix}{name}"
        if name.endswith(("_low", "_high")) and name.rpartition("_")[0] in metrics:
            continue  # shown as the interval of its metric
        if isinstance(value, dict) and "value" in value:
            rows.append(_row(label, value["value"], value.get("low"), value.get("high")))
        elif isinstance(value, dict):
            rows += _rows(value, f"{label} ")
        elif (
            isinstance(value, list)
            and len(value) == 3
            and all(isinstance(v, int | float) for v in value)
        ):
            rows.append(_row(label, *value))
        elif isinstance(value, int | float | str) and not isinstance(value, bool):
            low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
            rows.append(_row(label, value, low, high))
    return rows


def _row(label: str, value: Any, low: Any, high: Any) -> str:
    interval = "" if low is None or high is None else f"{_number(low)} to {_number(high)}"
    return f"| {label} | {_number(value)} | {interval} |"


def _number(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
