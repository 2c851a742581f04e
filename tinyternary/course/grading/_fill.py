"""Templates of what a teacher and a learner get to read."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import jinja2


def fill(template: str, values: Mapping[str, object], *, escape: bool = False) -> str:
    """Fill in a template of this package.

    Parameters
    ----------
    template : str
        Name of a file in ``templates/``.
    values : mapping of str to object
        By name; one that is missing is an error.
    escape : bool
        Whether they are text to stand in HTML.
    """
    environment = jinja2.Environment(
        autoescape=escape, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters["repr"] = repr
    text = files("tinyternary.course.grading").joinpath("templates", template).read_text("utf-8")
    return environment.from_string(text).render(values)
