"""What a lesson's demonstrations define, for tests that repeat them with more seeds."""

from __future__ import annotations

import types
from typing import Any

from tests.course.solved import solutions
from tinyternary.course.judge.namespaces import Idle
from tinyternary.course.lesson.model import Lesson


def demonstrated(lesson: Lesson, *holding: str) -> dict[str, Any]:
    """Run the demonstration cells that hold one of these texts; return what they define.

    `my` is the lesson's own solutions, and predictions are not compared.
    """
    solved = solutions(lesson)
    names = solved | {"my": types.SimpleNamespace(**solved), "check": Idle()}
    for text in holding:
        cells = [c for c in lesson.cells if c.role == "demo" and text in c.source]
        if len(cells) != 1:
            raise LookupError(f"{len(cells)} demonstrations of {lesson.name} hold {text!r}")
        exec(compile(cells[0].source, f"<demo with {text!r}>", "exec"), names)
    return names
