"""One HTML page that holds everything: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import jinja2
from matplotlib.figure import Figure

from tinyternary.files import replace_content
from tinyternary.report.style import CLINICAL_NOTE, data_uri


@dataclass(frozen=True)
class Tile:
    """One large number at the top of a page."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; the first column names the row."""

    header: list[str]
    rows: list[list[str]]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A heading, a paragraph, and what stands below it.

    Attributes
    ----------
    title, text : str
    figure : matplotlib.figure.Figure, optional
    alt : str
        What the figure shows, in words, for those who cannot see it.
    table : Table, optional
    """

    title: str
    text: str = ""
    figure: Figure | None = None
    alt: str = ""
    table: Table | None = None


@dataclass(frozen=True)
class Page:
    """What `write` turns into HTML.

    Attributes
    ----------
    title, lead : str
        Heading and the sentence under it.
    banner : str
        A warning that has to be seen first ("synthetic phantoms, not patients").
    tiles : list of Tile
    sections : list of Section
    footer : str
        How the numbers came about.
    """

    title: str
    lead: str
    banner: str = CLINICAL_NOTE
    tiles: list[Tile] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    footer: str = ""

    def render(self) -> str:
        """Return the page as HTML."""
        template = jinja2.Environment(
            autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
        ).from_string(
            files("tinyternary.report").joinpath("templates/page.html.j2").read_text("utf-8")
        )
        return template.render(page=self, data_uri=data_uri)

    def write(self, path: Path) -> Path:
        """Write the page to a file and return its path."""
        replace_content(path, self.render().encode())
        return path
