"""The report's page holds everything itself, and text cannot break out of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from tinyternary.report.page import Page, Section, Table, Tile
from tinyternary.report.style import data_uri, new_figure, styled


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        fields = dict(attrs)
        self.addresses += [v for k, v in attrs if k in ("src", "href", "srcset") and v]
        if tag == "img":
            self.images.append(fields)


@pytest.fixture
def page() -> Page:
    with styled():
        figure, ax = new_figure(3, 2)
        ax.plot([0, 1], [1, 0])
    return Page(
        title="A <b>bold</b> title",
        lead="lead & more",
        tiles=[Tile("1.0x", "smaller", "note")],
        sections=[
            Section("Table", table=Table(["", "a"], [["row", "<script>1</script>"]], "caption")),
            Section("Figure", "text", figure, "a falling line"),
        ],
        footer="footer",
    )


def test_page_needs_nothing_from_elsewhere(page: Page) -> None:
    links = _Links()
    links.feed(page.render())
    assert links.addresses
    assert all(address.startswith("data:image/svg+xml;base64,") for address in links.addresses)
    assert "script" not in links.tags
    assert not re.search(r"@import|url\(", page.render())


def test_every_image_says_what_it_shows(page: Page) -> None:
    links = _Links()
    links.feed(page.render())
    assert [image["alt"] for image in links.images] == ["a falling line"]


def test_text_is_escaped(page: Page) -> None:
    html = page.render()
    assert "A &lt;b&gt;bold&lt;/b&gt; title" in html
    assert "&lt;script&gt;1&lt;/script&gt;" in html


def test_intervals_may_stand_under_their_numbers_where_a_table_is_wide() -> None:
    cells = ["<i>", "0.5 (0.4 to 0.6)", "0.5 (<b>)", "", "1"]
    html = Page("t", "l", sections=[
        Section("narrow", table=Table(["", *"abcd"], [cells])),
        Section("wide", table=Table(["", *"abcde"], [[*cells, "2"]])),
    ]).render()  # fmt: skip
    narrow, wide = re.findall(r"<tbody>(.*?)</tbody>", html, re.DOTALL)
    assert "<td>0.5 (0.4 to 0.6)</td>" in narrow
    assert '<table class="wide">' in html
    assert re.search(r"<td>\s*<span>0.5</span> <span>\(0.4 to 0.6\)</span>\s*</td>", wide)
    assert "<span>(&lt;b&gt;)</span>" in wide
    assert "<b>" not in html


def test_page_carries_the_clinical_note_unless_told_otherwise(page: Page) -> None:
    assert "not for clinical use" in page.render()


def test_same_figure_gives_same_bytes() -> None:
    def draw() -> str:
        with styled():
            figure, ax = new_figure(3, 2)
            ax.scatter([0, 1], [1, 0], label="x")
            ax.legend()
        return data_uri(figure)

    assert draw() == draw()
