"""The model card: a page of text beside a packed file that says what it is for (lesson 10, 11)."""

from __future__ import annotations

from typing import Any

from tinyternary.config import Task, attention_names
from tinyternary.deploy.format.header import LAYOUT_VERSION
from tinyternary.deploy.format.reader import PackedFile
from tinyternary.deploy.inspect import layer_rows
from tinyternary.text import USE, visible


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
        Data, network, sizes, metrics, limits. Metrics are shown as a run records
        them, split by split: ``{"test": {"acc": 0.9, "intervals": {"acc": [0.88,
        0.92]}, "per_class": {"sensitivity": [...], ...}}}``; other numbers as they are.
    """
    header, config, prepare = packed.header, packed.header.config, packed.header.preprocessing
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
        f"- Matrices quantised as: {_rules(packed)}.",
        f"- Pixels: x / 255, less {list(prepare.mean)}, divided by {list(prepare.std)}.",
        f"- Written by tinyternary {header.library_version}, format "
        f"{header.to_dict()['format_version']}, layout "
        f"{LAYOUT_VERSION}; {packed.checksum}.",
        "",
        "## Data and task",
        "",
        f"- Trained on: {header.dataset or 'not stated'}.",
        f"- Task: {header.task}; classes: {', '.join(header.class_names)}.",
        f"- Probabilities: {_probabilities(packed)}",
        f"- Decision: {_decision(packed)}",
        f"- Prediction sets: {_sets(packed)}",
        "",
        "## Metrics",
        "",
        *_metrics(header.metrics, header.class_names),
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
    return "\n".join(map(visible, lines))  # names in it, and what was measured, are text


def _rules(packed: PackedFile) -> str:
    header = packed.header
    whole = [name for name in attention_names(header.config) if name in header.policy]
    rules = dict.fromkeys(rule for name, rule in header.policy.items() if name not in whole)
    said = [f"{r.weight} per {r.granularity}, inputs {r.activation}" for r in rules]
    if whole:
        blocks = "all blocks" if len(whole) == header.config.depth else f"{len(whole)} blocks"
        said.append(f"attention in int8 in {blocks}")
    return "; ".join(said) or "none"


def _probabilities(packed: PackedFile) -> str:
    several, temperature = packed.header.task is Task.MULTI_LABEL, packed.header.temperature
    said = "a sigmoid of each logit" if several else "softmax of the logits"
    if temperature is None:
        return f"{said}, as the network was trained to give them."
    return f"{said} divided by {temperature:.3g} (a temperature chosen on validation data)."


def _sets(packed: PackedFile) -> str:
    kept = packed.header.prediction_sets
    if kept is None:
        return "none kept; it cannot say that it is not sure."
    several = len(kept.images) > 1
    found = ", ".join(f"{n} of {name}" for n, name in zip(kept.images, packed.header.class_names))
    return (
        f"`predict --coverage` {kept.coverages[0]:g} to {kept.coverages[-1]:g}, "
        f"{'class by class' if several else 'over all classes'}, from "
        f"{found if several else kept.images[0]} validation images; few images make the coverage "
        "uncertain, and other images than these void it."
    )


def _decision(packed: PackedFile) -> str:
    header = packed.header
    if header.threshold is not None:
        values = ", ".join(f"{value:.3g}" for value in header.threshold)
        recorded = [m.get("threshold") for m in header.metrics.values() if isinstance(m, dict)]
        other = 0.5 in recorded and header.threshold != (0.5,)
        return f"probability above {values} (chosen on validation data)." + (
            " The metrics below were recorded with decisions at 0.5; `tinyternary evaluate` "
            "measures this file as it decides." if other else ""
        )  # fmt: skip
    if header.task is Task.MULTI_LABEL:
        return "each label whose probability is above one half."
    return "the likeliest class."


def _metrics(metrics: dict[str, Any], class_names: tuple[str, ...]) -> list[str]:
    rows = list(_rows(metrics, ""))
    if not rows:
        return ["None recorded."]
    lines = ["| metric | value | 95 % interval |", "|---|---|---|", *rows]
    for split, found in metrics.items():
        if isinstance(found, dict):
            lines += _copies(found, split) + _classes(found, split, class_names)
    return lines


def _rows(metrics: dict[str, Any], prefix: str) -> list[str]:
    rows: list[str] = []
    intervals = metrics.get("intervals")
    for name, value in metrics.items():
        label = f"{prefix}{name}"
        if name in ("intervals", "per_class"):
            continue  # beside their metric; in a table of their own
        if isinstance(value, dict):
            rows += _rows(value, f"{label} ")
        elif isinstance(value, int | float | str) and not isinstance(value, bool):
            found = intervals.get(name) if isinstance(intervals, dict) else None
            shown = " to ".join(map(_number, found)) if isinstance(found, list) else ""
            rows.append(f"| {label} | {_number(value)} | {shown} |")
    return rows


def _copies(found: dict[str, Any], split: str) -> list[str]:
    flips, shifts = found.get("flips", "none"), found.get("shifts", 0)
    if flips == "none" and not shifts:
        return []
    return [
        "",
        f"The {split} numbers average the logits of copies of each image (flips: {flips}; shifts: "
        f"up to {shifts} pixels). A single pass may answer otherwise; `tinyternary evaluate` "
        "measures this file either way.",
    ]


def _classes(found: dict[str, Any], split: str, class_names: tuple[str, ...]) -> list[str]:
    table = found.get("per_class")
    if not isinstance(table, dict) or not table:
        return []
    if any(not isinstance(v, list) or len(v) != len(class_names) for v in table.values()):
        return []
    head = f"| {split}, each class against the rest | " + " | ".join(table) + " |"
    rows = [
        f"| {_number(name)} | " + " | ".join(_number(v[i]) for v in table.values()) + " |"
        for i, name in enumerate(class_names)
    ]
    return ["", head, "|---" * (len(table) + 1) + "|", *rows]


def _number(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
