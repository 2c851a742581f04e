"""Size, energy and speed of both networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinyternary.report.bars import Pair, pair_bars
from tinyternary.report.page import Section, Table
from tinyternary.report.trust.words import names_of, networks


def cost_section(record: Mapping[str, Any]) -> Section:
    """Compare bytes, operations, modelled energy and time."""
    found, who = record["cost"], networks(record)
    each = [found[key] for key in who]
    rows = [
        ["packed file, bytes", *(f"{n['file_bytes']:,}" for n in each)],
        ["parameters", *(f"{n['parameters']:,}" for n in each)],
        ["multiply-accumulates an image", *(f"{n['macs'] / 1e6:.2f} M" for n in each)],
        ["energy an image, modelled", *(_energy(n["energy_uj"]) for n in each)],
    ]
    for device in each[0]["least_ms"]:
        rows.append([f"least time an image, {device}",
                     *(f"{n['least_ms'][device]:.4f} ms" for n in each)])  # fmt: skip
    speed = record.get("speed")
    if speed:
        for batch in speed["latency_ms"]["student"]:
            rows.append([
                f"measured time an image, {batch} together",
                *(_latency(speed["latency_ms"][key][batch]) for key in who),
            ])  # fmt: skip
    return Section(
        "What it costs to run",
        _words(record),
        _bars(found, speed) if len(who) == 2 else None,
        "Bars of file size, energy and time, teacher beside student",
        Table(["", *names_of(record)], rows, caption=_caption(record)),
    )


def _energy(energy: Mapping[str, float]) -> str:
    return f"{energy['middle']:.1f} µJ ({energy['low']:.1f} to {energy['high']:.1f})"


def _latency(times: Mapping[str, float]) -> str:
    return f"{times['median']:.3f} ms ({times['low']:.3f} to {times['high']:.3f})"


def _words(record: Mapping[str, Any]) -> str:
    found = record["cost"]
    text = f"The packed file takes {found['student']['file_bytes']:,} bytes"
    if "teacher" in found:
        ratio = found["teacher"]["file_bytes"] / found["student"]["file_bytes"]
        text += f", {ratio:.1f} times less than the teacher's"
    return text + (
        ". Energy is modelled, not measured: it says what arithmetic and memory would take at "
        "least by published constants, with the range of these."
    )


def _caption(record: Mapping[str, Any]) -> str:
    text = (
        f"Energy: {record['cost']['energy_model']}; in brackets the range of its constants. Least "
        "time: by peak arithmetic and memory bandwidth of the device, a bound that no program "
        "reaches."
    )
    if "speed" in record:
        machine = record["speed"]["machine"]
        text += (
            f" Measured: median and quartiles on {machine['cpu']}, "
            f"{machine['threads']} threads, beside whatever else ran there."
        )
    return text


def _bars(found: Mapping[str, Any], speed: Mapping[str, Any] | None) -> Any:
    teacher, student = found["teacher"], found["student"]
    pairs = [
        Pair("file, KiB", teacher["file_bytes"] / 1024, student["file_bytes"] / 1024),
        Pair("energy per image, µJ (modelled)",
             teacher["energy_uj"]["middle"], student["energy_uj"]["middle"],
             (teacher["energy_uj"]["low"], teacher["energy_uj"]["high"]),
             (student["energy_uj"]["low"], student["energy_uj"]["high"]), style=".1f"),
    ]  # fmt: skip
    if speed:
        a, b = (speed["latency_ms"][who]["1"] for who in ("teacher", "student"))
        pairs.append(Pair("time per image, ms (measured)", a["median"], b["median"],
                          (a["low"], a["high"]), (b["low"], b["high"]), style=".2f"))  # fmt: skip
    return pair_bars(pairs, note="bars: middle value; whiskers: range of constants, or quartiles")
