"""Checklists of reporting, item by item: where a report answers each, or why it cannot.

What the items ask, in our words, is data: `checklists/*.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from tinyternary.report.page import Section, Table

NAMES = ("tripod-ai", "claim-2024")
"""Checklists in the package."""
State = Literal["answered", "partly answered", "not available", "left out"]


@dataclass(frozen=True)
class Item:
    """One item of a checklist.

    Attributes
    ----------
    number, topic, asks : str
        As the checklist numbers it; what it asks for, in our words.
    applies : str
        TRIPOD+AI: "D" (development), "E" (evaluation) or "D;E".
    where : tuple of str
        Keys of the sections of a report that answer it.
    says : str
        The answer itself, or what goes with it.
    why : str
        Why there is no answer, or no whole one.
    """

    number: str
    topic: str
    asks: str
    applies: str = ""
    where: tuple[str, ...] = ()
    says: str = ""
    why: str = ""

    def state(self, titles: Mapping[str, str]) -> State:
        """Say how far a report with these sections (key to title) answers it."""
        found = any(key in titles for key in self.where)
        if self.where and not found and not self.says:
            return "left out" if not self.why else "not available"
        if self.why:
            return "partly answered" if found or self.says else "not available"
        return "answered"

    def answer(self, titles: Mapping[str, str]) -> str:
        """Say where it is answered, what the answer is, or why there is none."""
        found = [titles[key] for key in self.where if key in titles]
        words = [f"See {', '.join(f'“{title}”' for title in found)}."] if found else []
        words += [self.says] if self.says else []
        words += [f"Not available: {self.why}"] if self.why else []
        return " ".join(words) or "Its section was left out of this report."


@dataclass(frozen=True)
class Checklist:
    """A published checklist: its name, where it is published, and its items in order."""

    name: str
    title: str
    citation: str
    main_items: int
    caveat: str
    items: tuple[Item, ...]


def read_checklist(name: str) -> Checklist:
    """Read one of `NAMES`.

    Examples
    --------
    >>> from tinyternary.report.checklist import read_checklist
    >>> tripod = read_checklist("tripod-ai")
    >>> tripod.main_items, len(tripod.items)
    (27, 52)
    """
    path = files("tinyternary.report") / "checklists" / f"{name}.toml"
    table = tomllib.loads(path.read_text("utf-8"))
    items = [{**row, "where": tuple(row.get("where", ()))} for row in table.pop("items")]
    return Checklist(items=tuple(Item(**row) for row in items), **table)


def checklist_section(name: str, titles: Mapping[str, str]) -> Section:
    """Key a report to a checklist.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    titles : mapping of str to str
        Key to title of the sections that the report has.
    """
    checklist = read_checklist(name)
    states = [item.state(titles) for item in checklist.items]
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    said = ", ".join(f"{count} {state}" for state, count in counts.items())
    applies = any(item.applies for item in checklist.items)
    rows = [
        [item.number, f"{item.topic}{f' ({item.applies})' if applies else ''}: {item.asks}",
         state, item.answer(titles)]
        for item, state in zip(checklist.items, states)
    ]  # fmt: skip
    return Section(
        checklist.title,
        f"The checklist names what a reader has to be told before a model can be judged. Of its "
        f"{len(rows)} entries: {said}. That an item is answered does not make the answer good.",
        table=Table(
            ["item", "asks for", "", "in this report"], rows, words=True,
            caption=f"{checklist.citation}. {checklist.caveat}",
        ),
    )  # fmt: skip
