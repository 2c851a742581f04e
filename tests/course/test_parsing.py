"""One parser for all threads: in Python 3.11 two that parse at once could end each other."""

from __future__ import annotations

import ast
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import tinyternary
from tinyternary.course.parsing import parse

SOURCE = "\n".join(f"a{i} = [{i}, (b, c * {i})]" for i in range(300))


class Ring:
    """Garbage that only the collector finds, and whose end lets other threads run."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        time.sleep(0)


def parsed_at_once(how) -> None:
    """Parse in threads while the collector interrupts them wherever it can."""

    def work(_):
        for _ in range(10):
            rings = [Ring() for _ in range(50)]
            del rings
            assert len(how(SOURCE).body) == 300

    kept = gc.get_threshold()
    gc.set_threshold(20)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
    finally:
        gc.set_threshold(*kept)


def test_threads_parse_at_once():
    parsed_at_once(parse)


def test_this_would_find_the_fault_in_a_python_that_has_it():
    for _ in range(20):
        try:
            parsed_at_once(ast.parse)
        except SystemError:
            return
    pytest.skip("this version of Python parses in threads")


def test_nothing_of_the_course_parses_beside_it():
    root = Path(tinyternary.__file__).parent
    found = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "ast.parse(" in path.read_text("utf-8")
    ]
    assert found == ["course/parsing.py"]
