"""One HTML page that holds everything: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from tinyternary.brief import Brief
from tinyternary.errors import CheckpointError
from tinyternary.files import replace_content
from tinyternary.report.style import CLINICAL_NOTE, data_uri
from tinyternary.text import visible


@dataclass(frozen=True)
class Tile:
    """One large number at the top of a page."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, repr=False)
class Table(Brief):
    """Rows under a header; the first column names the row.

    Attributes
    ----------
    header, rows, caption
    words : bool
        The cells hold sentences, not numbers: they are set to the left, and may break.
    """

    header: list[str]
    rows: list[list[str]]
    caption: str = ""
    words: bool = False


@dataclass(frozen=True, repr=False)
class Section(Brief):
    """A heading, a paragraph, and what stands below it.

    Attributes
    ----------
    title, text : str
    figure : matplotlib.figure.Figure, optional
    alt : str
        What the figure shows, in words, for those who cannot see it.
    table : Table, optional
    parts : list of Section
        What belongs to it, each under a smaller heading.
    """

    title: str
    text: str = ""
    figure: Figure | None = None
    alt: str = ""
    table: Table | None = None
    parts: list[Section] = field(default_factory=list)


@dataclass(frozen=True, repr=False)
class Page(Brief):
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
    contents : bool
        Begin with a list of the sections, for a page that is long.
    """

    title: str
    lead: str
    banner: str = CLINICAL_NOTE
    tiles: list[Tile] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    footer: str = ""
    contents: bool = False

    def render(self) -> str:
        """Return the page as HTML."""
        template = jinja2.Environment(
            autoescape=True,
            finalize=_harmless,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        ).from_string(
            files("tinyternary.report").joinpath("templates/page.html.j2").read_text("utf-8")
        )
        return template.render(page=self, data_uri=data_uri)

    def write(self, path: Path) -> Path:
        """Write the page to a file and return its path.

        Raises
        ------
        CheckpointError
            If it cannot be written.
        """
        replace_content(path, self.render().encode(), CheckpointError)
        return path


def _harmless(value: object) -> object:
    """Let nothing in a text act, also beside what HTML escapes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
