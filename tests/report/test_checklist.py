"""The checklists are whole, and say of a report what is in it and no more."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from tinyternary.report.checklist import NAMES, Item, checklist_section, read_checklist

KEYS = {
    "data", "accuracy", "mistakes", "strata", "cost", "model", "limits", "calibration", "sets",
    "operating", "robustness", "outliers", "maps",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "main", "all_items"), [("tripod-ai", 27, 52), ("claim-2024", 44, 44)]
)
def test_every_item_is_there_once_and_in_order(name, main, all_items):
    checklist = read_checklist(name)
    numbers = [item.number for item in checklist.items]
    assert len(numbers) == len(set(numbers)) == all_items
    mains = list(dict.fromkeys(int(re.match(r"\d+", number)[0]) for number in numbers))
    assert mains == list(range(1, main + 1)) == list(range(1, checklist.main_items + 1))
    letters: dict[int, str] = {}
    for number in numbers:
        main_number, letter = re.fullmatch(r"(\d+)([a-g]?)", number).groups()
        letters[int(main_number)] = letters.get(int(main_number), "") + letter
    assert all(found == "abcdefg"[: len(found)] for found in letters.values())
    assert re.search(r"doi:10\.\d+/", checklist.citation)


@pytest.mark.parametrize("name", NAMES)
def test_every_item_has_an_answer_a_place_or_a_reason(name):
    for item in read_checklist(name).items:
        assert item.asks, item.number
        assert item.where or item.says or item.why, item.number
        assert set(item.where) <= KEYS, item.number
        if name == "tripod-ai":
            assert item.applies in ("D", "E", "D;E")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_in_a_report_is_not_said_to_answer(name):
    empty = checklist_section(name, {}).table.rows
    assert not any("See " in row[3] for row in empty)
    whole = checklist_section(name, {key: f"<{key}>" for key in KEYS}).table.rows
    assert not any(row[2] == "left out" for row in whole)
    said = sum("See " in row[3] for row in whole)
    assert said == sum(bool(item.where) for item in read_checklist(name).items)


words = st.text("ab.", max_size=3)


@given(st.lists(st.sampled_from(["x", "y"]), max_size=2), words, words, st.booleans())
def test_a_state_follows_from_what_there_is(where, says, why, has_x):
    item = Item("1", "t", "a", where=tuple(where), says=says, why=why)
    titles = {"x": "X"} if has_x else {}
    state, found = item.state(titles), has_x and "x" in where
    assert (state == "answered") == (not why and bool(found or says or not where))
    if state == "left out":
        assert bool(where) > bool(found or says)
    if state == "not available":
        assert bool(why) > bool(found or says)
