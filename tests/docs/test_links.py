"""Links of documents become links of the site; the check of a built site finds what is wrong."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from pages import links
from pages.check import check

ADDRESS = "https://example.org/x"


def test_the_docstrings_examples_hold() -> None:
    outcome = doctest.testmod(links)
    assert outcome.attempted
    assert not outcome.failed


@pytest.mark.parametrize(
    ("text", "folder", "becomes"),
    [
        ("[a](MEASUREMENTS.md#kernels)", "docs", "[a](/MEASUREMENTS.md#kernels)"),
        ("[`a`](../notebooks/results.ipynb)", "docs", "[`a`](/notebooks/results.ipynb)"),
        ("[a](tinyternary/nn)", "", "{source}`a <tinyternary/nn>`"),
        ("[the licence](LICENSE)", "", "the licence"),
        (f"[a]({ADDRESS}) [b](#here) [c](/API.md)", "", f"[a]({ADDRESS}) [b](#here) [c](/API.md)"),
        ("`x[i](LICENSE)`", "", "`x[i](LICENSE)`"),
        ("```\n[a](LICENSE)\n```", "", "```\n[a](LICENSE)\n```"),
    ],
)
def test_a_link_becomes_one_of_the_site(text: str, folder: str, becomes: str) -> None:
    assert links.rewrite(text, folder) == becomes


def test_a_link_to_nowhere_is_refused() -> None:
    with pytest.raises(FileNotFoundError, match="NOWHERE"):
        links.rewrite("[a](NOWHERE.md)", "docs")


def errors(folder: Path, body: str) -> list[str]:
    (folder / "other.html").write_text('<p id="here">there</p>')
    (folder / "index.html").write_text(body)
    return check(folder).errors


@pytest.mark.parametrize(
    "body",
    [
        '<a href="other.html#here">',
        '<a href="#top"><p id="top">',
        f'<a href="{ADDRESS}">',
        '<img src="data:image/png;base64,AAAA">',
        '<link rel="canonical" href="https://example.org/">',
    ],
)
def test_a_sound_page_passes(tmp_path: Path, body: str) -> None:
    assert errors(tmp_path, body) == []


@pytest.mark.parametrize(
    "body",
    [
        '<a href="nowhere.html">',
        '<a href="other.html#nowhere">',
        '<a href="#nowhere">',
        '<a href="../outside.html">',
        '<img src="nowhere.png">',
        f'<script src="{ADDRESS}.js">',
        '<script src="//example.org/x.js">',
        f'<link rel="stylesheet" href="{ADDRESS}.css">',
        f'<link rel="preload" as="font" href="{ADDRESS}.woff2">',
        f'<img src="{ADDRESS}.png">',
        f'<p style="background: url({ADDRESS}.png)">',
    ],
)
def test_what_is_wrong_with_a_page_is_found(tmp_path: Path, body: str) -> None:
    assert len(errors(tmp_path, body)) == 1


@pytest.mark.parametrize("rule", [f'@import "{ADDRESS}.css";', f"src: url('{ADDRESS}.woff2')"])
def test_what_a_style_fetches_is_found(tmp_path: Path, rule: str) -> None:
    (tmp_path / "site.css").write_text(rule)
    assert len(errors(tmp_path, "<p>")) == 1


def test_a_site_without_pages_is_no_site(tmp_path: Path) -> None:
    assert check(tmp_path).errors
