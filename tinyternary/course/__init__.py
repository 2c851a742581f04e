"""Lessons: the checks that learners' cells call, building notebooks, grading, variants.

``course.checks("01_ternary_basics")`` is what a lesson's first cell asks for; the
rest is for authors and teachers. Each part loads when it is first used, because a
learner's kernel needs none of the notebook machinery.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyternary.course.building import (
        Built,
        build,
        check_built,
        instructor_notebook,
        validate_notebook,
        write_instructor,
    )
    from tinyternary.course.checking import Checks, checks
    from tinyternary.course.grades import ExerciseGrade, GradeReport
    from tinyternary.course.grading import grade
    from tinyternary.course.sliders import slider
    from tinyternary.course.source import Lesson, find_lessons, list_lessons, read_lesson
    from tinyternary.course.variants import VariantReport, run_variants

_NAMES = {
    "Built": "building",
    "Checks": "checking",
    "ExerciseGrade": "grades",
    "GradeReport": "grades",
    "Lesson": "source",
    "VariantReport": "variants",
    "build": "building",
    "check_built": "building",
    "checks": "checking",
    "find_lessons": "source",
    "grade": "grading",
    "instructor_notebook": "building",
    "list_lessons": "source",
    "read_lesson": "source",
    "run_variants": "variants",
    "slider": "sliders",
    "validate_notebook": "building",
    "write_instructor": "building",
}

__all__ = [
    "Built",
    "Checks",
    "ExerciseGrade",
    "GradeReport",
    "Lesson",
    "VariantReport",
    "build",
    "check_built",
    "checks",
    "find_lessons",
    "grade",
    "instructor_notebook",
    "list_lessons",
    "read_lesson",
    "run_variants",
    "slider",
    "validate_notebook",
    "write_instructor",
]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'tinyternary.course' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tinyternary.course.{_NAMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
