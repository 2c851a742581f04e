"""Tables of sizes and policies in MEASUREMENTS.md are those of the record.

`python -m tests.docs.test_measurements` prints them anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tinyternary.experiments import over_seeds

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "notebooks" / "results" / "sizes.json"
TITLES = {
    "breastmnist": "BreastMNIST", "pneumoniamnist": "PneumoniaMNIST", "bloodmnist": "BloodMNIST",
}  # fmt: skip


def short(value: float) -> str:
    """An accuracy as the page writes it: .853."""
    return f"{value:.3f}".removeprefix("0")


def mean(values: list[float]) -> str:
    found = over_seeds(values)
    ends = found["interval"]
    about = "" if ends is None else f" ({short(ends[0])} to {short(min(ends[1], 1.0))})"
    return short(found["mean"]) + about


def table(points: list[dict[str, Any]]) -> list[str]:
    """Rows of the page: the smallest files of the students of which every matrix is ternary."""
    groups: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for point in points:
        size = int(point["variant"].removesuffix("kb"))
        groups.setdefault((point["dataset"], size, point["policy"]), []).append(point)
    rows = []
    for name, title in TITLES.items():
        for dataset, size, policy in sorted(groups):
            if (dataset, policy) != (name, "everything"):
                continue
            members = groups[name, size, "everything"]
            small = [member["smallest"] for member in members]
            teachers = groups[name, size, "float32"]
            limits = (max(s[part] for s in small) for part in ("bytes", "flash_bytes", "ram_bytes"))
            rows.append(
                "| " + " | ".join([
                    title, f"{size},000", *(f"{limit:,}" for limit in limits), str(len(members)),
                    mean([s["acc"] for s in small]), mean([s["auc"] for s in small]),
                    mean([t["acc"] for t in teachers]),
                    f"{sum(np.mean([m['seconds'] for m in g]) for g in (members, teachers)) / 60:.0f}",
                ]) + " |"
            )  # fmt: skip
    return rows


def points_of(values: list[float]) -> str:
    """A difference in points with its interval."""
    found = over_seeds([100 * value for value in values])
    ends = found["interval"]
    about = "" if ends is None else f" ({ends[0]:+.1f} to {ends[1]:+.1f})"
    return f"{found['mean']:+.1f}{about}".replace("-", "−")


def policy_table(points: list[dict[str, Any]]) -> list[str]:
    """Rows of the page: policy against policy, students of the same teachers."""
    students: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for point in points:
        if point["variant"] == "100kb":
            key = (point["dataset"], point["policy"])
            students.setdefault(key, {})[point["seed"]] = point
    rows = []
    for name, title in TITLES.items():
        for one in ("everything", "integer-attention"):
            mine, others = students[name, one], students[name, "all-linear"]
            seeds = sorted(mine.keys() & others.keys())
            columns = [
                points_of([mine[s][metric] - others[s][metric] for s in seeds])
                for metric in ("acc", "auc")
            ]
            rows.append(f"| {title} | `{one}` | {len(seeds)} | {columns[0]} | {columns[1]} |")
    return rows


def test_the_tables_are_the_records() -> None:
    page = (ROOT / "docs" / "MEASUREMENTS.md").read_text()
    points = json.loads(RECORD.read_text())["points"]
    sizes, policies = table(points), policy_table(points)
    assert len(sizes) >= 9
    assert len(policies) == 6
    for row in (*sizes, *policies):
        assert row in page, row


def test_every_size_keeps_its_promise() -> None:
    for point in json.loads(RECORD.read_text())["points"]:
        if "smallest" in point and point["policy"] == "everything":
            limit = 1000 * int(point["variant"].removesuffix("kb"))
            assert point["smallest"]["flash_bytes"] <= limit


if __name__ == "__main__":
    recorded = json.loads(RECORD.read_text())["points"]
    print("\n".join([*table(recorded), "", *policy_table(recorded)]))
