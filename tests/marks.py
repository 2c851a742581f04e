"""Marks of tests that only some machines or settings can run."""

import pytest

from tinyternary.compiled.switch import jit_enabled

needs_compiled = pytest.mark.skipif(
    not jit_enabled(), reason="TINYTERNARY_JIT=0: nothing is compiled"
)
"""For what compiled code does: with ``TINYTERNARY_JIT=0`` there is none."""
