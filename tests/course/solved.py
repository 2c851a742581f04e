"""The solutions of a lesson as functions, for tests of what its prose claims."""

from __future__ import annotations

from typing import Any

from tinyternary.course.judge.judging import Judge
from tinyternary.course.learner.mine import assemble
from tinyternary.course.lesson.model import Lesson


def solutions(lesson: Lesson) -> dict[str, Any]:
    """Names that a lesson's set-up and solutions make."""
    return assemble(lesson, Judge(lesson).names, {})
