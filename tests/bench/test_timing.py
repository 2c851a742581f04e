"""Contenders take turns, and what is reported is what was measured."""

from __future__ import annotations

from tinyternary.bench import timing
from tinyternary.bench.machine import describe_machine


class Clock:
    """Time that passes only when a contender says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_contenders_take_turns_and_warm_up_is_not_counted(monkeypatch) -> None:
    clock, calls = Clock(), []
    monkeypatch.setattr(timing, "time", clock)

    def contender(name: str, seconds: float):
        def run() -> None:
            calls.append(name)
            clock.now += seconds if len(calls) > 4 else 100.0  # the first calls compile

        return run

    times = timing.interleave(
        {"a": contender("a", 1.0), "b": contender("b", 3.0)}, seconds=1e9, rounds=(3, 3)
    )
    assert calls == ["a", "b"] * 5
    assert times["a"].median == times["a"].p95 == 1.0
    assert times["b"].median == 3.0
    assert times["b"].calls == 3


def test_time_is_spent_about_as_told(monkeypatch) -> None:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)

    def run() -> None:
        clock.now += 0.1

    assert timing.interleave({"a": run}, seconds=1.0)["a"].calls in (10, 11, 12)


def test_units_divide_every_time_and_no_count() -> None:
    stated = timing.Timing(0.002, 0.001, 0.003, 0.004, 7).to_dict(unit=1e-3)
    assert stated == {"median": 2.0, "low": 1.0, "high": 3.0, "p95": 4.0, "calls": 7}


def test_machine_says_what_was_measured_on() -> None:
    machine = describe_machine(threads=1)
    assert machine["threads"] == 1
    assert machine["cpu"]
    assert machine["cores"] >= 1
