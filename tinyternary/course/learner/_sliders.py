"""A slider beside a figure where a person can move it, and a line of text where not."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from tinyternary.course.learner._present import show

STATIC = "TINYTERNARY_STATIC"
"""Environment variable: set while notebooks are built or graded, where nobody moves a slider."""


def slider(draw: Callable[..., Any], **ranges: Any) -> None:
    """Redraw a figure as its parameters are moved.

    Parameters
    ----------
    draw : function
        Draws one figure and shows it.
    **ranges
        For each parameter a ``(lowest, highest, step)``, or what else
        `ipywidgets.interact` takes.
    """
    if os.environ.get(STATIC):
        return
    try:
        from ipywidgets import interact
    except ImportError:
        show("note", "A slider would stand here.",
             "Install `ipywidgets` (it is in the extra `notebooks`) to move it.")  # fmt: skip
        return
    interact(draw, **ranges)
