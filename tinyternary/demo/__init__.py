"""The whole story at once: teacher, ternary student, packed file, engine, numbers, report."""

from tinyternary.demo.story import run_demo
from tinyternary.demo.table import comparison_rows, summary

__all__ = ["comparison_rows", "run_demo", "summary"]
