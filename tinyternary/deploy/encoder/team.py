"""How threads share images, and the rows of one image, without waiting for a late one (lesson 10).

Work is drawn from counters, piece by piece: a thread that wakes up late, or whose core is
taken by somebody else, finds less left to do or nothing, and the others do not notice. Only
a piece that has been drawn is waited for. Pieces grow smaller towards the end of a phase, so
that threads finish it together. Which thread computes a row changes none of its bits.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from numba import types

from tinyternary.deploy.encoder.intrinsics import fetch_add, load_counter
from tinyternary.deploy.encoder.records import FIRST, TAKEN
from tinyternary.deploy.encoder.steps import step

_PATIENCE = 60_000
"""Looks at a counter, about 60 us, before a thread goes to sleep.

A sleep costs twice as much, so it must be rare. Spinning for long takes the core from the very
thread that is waited for, if the system has put both on one.
"""
_REST = 50
"""Microseconds of such a sleep: what a timer can tell apart; waking up takes as long again."""

_sleep: Any
if os.name == "posix":
    _sleep = types.ExternalFunction("usleep", types.int32(types.uint32))
else:
    _sleep = step(lambda microseconds: 0)


class Team(NamedTuple):
    """Threads that share images from ``first`` on, or (``size`` 1) a thread by itself.

    ``member`` is this thread's number, ``counters`` what all of a call have in common.
    """

    member: int
    size: int
    counters: Any
    first: int


@step
def next_image(team: Team, image: int) -> int:
    """Return the image after ``image``: a single thread takes one that no other has."""
    if team.size > 1:
        return image + 1
    taken: int = fetch_add(team.counters, TAKEN, 1)
    return team.first + taken


@step
def next_piece(team: Team, place: int, number: int) -> int:
    """Return the number of the piece after ``number``, which no other has either."""
    return fetch_add(team.counters, place, 1) if team.size > 1 else number + 1


@step
def finish(team: Team, place: int, tiles: int) -> None:
    """Tell the others that ``tiles`` of a phase are done."""
    if team.size > 1:
        fetch_add(team.counters, place + 1, tiles)


@step
def wait_for_all(team: Team, place: int, tiles: int) -> None:
    """Wait until all ``tiles`` of a phase are done."""
    if team.size > 1:
        wait_for(team.counters, place + 1, tiles)


@step
def place_of(image: int, phase: int, depth: int) -> int:
    """Return where the counters of one phase of a shared image stand (``depth + 1``: its end)."""
    return FIRST + image * (2 * depth + 3) + 2 * phase


@step
def wait_for(counters: Any, at: int, count: int) -> None:
    """Wait until a counter has come to ``count``."""
    turns = 0
    while load_counter(counters, at) < count:
        turns += 1
        if turns > _PATIENCE:
            _sleep(_REST)


@step
def piece(number: int, tiles: int, team: int, most: int) -> tuple[int, int]:
    """Return first tile and tiles of piece ``number``: none if all ``tiles`` are in earlier ones.

    One thread takes ``most`` at a time. Several take a share of what is left, so that the last
    pieces are single tiles.
    """
    first = 0
    size = most
    for i in range(number + 1):
        left = tiles - first
        if team > 1:
            size = min(most, max(left // (2 * team), 1))
        size = min(size, left)
        if i < number:
            first += size
    return first, size
