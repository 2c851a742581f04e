"""Walk over a built site: every link leads somewhere, and nothing is fetched from elsewhere.

    python docs/pages/check.py build/site

Addresses that a reader may follow out of the site are counted, not opened.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FETCHED = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
}
"""Attributes whose file a browser fetches by itself."""
_FETCHED_LINKS = {"stylesheet", "preload", "prefetch", "modulepreload", "icon", "preconnect"}
_IN_CSS = re.compile(r"@import\s+(?:url\()?[\"']?([^\"')\s;]+)|url\(\s*[\"']?([^\"')]+)")


@dataclass
class Found(HTMLParser):
    """What a page has: names to point at, links out of it, and files that it fetches."""

    names: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one element says."""
        given = {name: value or "" for name, value in attrs}
        self.names.update(given[name] for name in ("id", "name") if name in given)
        if tag in ("a", "area") and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and "href" in given:
            kinds = set(given.get("rel", "").split())
            (self.fetched if kinds & _FETCHED_LINKS else self.links).append(given["href"])
        for name in _FETCHED.get(tag, ()):
            if given.get(name):
                self.fetched.append(given[name].split()[0])
        self.fetched += _in_css(given.get("style", ""))


def _in_css(text: str) -> list[str]:
    return [one or other for one, other in _IN_CSS.findall(text)]


@dataclass
class Report:
    """What the walk found."""

    pages: int = 0
    links: int = 0
    outside: int = 0
    errors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.pages} pages, {self.links} links and files inside, "
            f"{self.outside} addresses outside, {len(self.errors)} errors"
        )


def check(site: Path) -> Report:
    """Follow every ``href`` and ``src`` of every page, and every file that a style asks for.

    Parameters
    ----------
    site : Path
        Folder of the built site.

    Returns
    -------
    Report
    """
    report = Report()
    pages = {
        page: Found()
        for page in sorted(site.rglob("*.html"))
        if "_static" not in page.parts  # a theme may leave its templates there
    }
    for page, found in pages.items():
        found.feed(page.read_text("utf-8"))
    report.pages = len(pages)
    for page, found in pages.items():
        for address in found.links:
            _follow(address, page, site, pages, report)
        for address in found.fetched:
            _fetch(address, page, site, pages, report)
    for style in sorted(site.rglob("*.css")):
        for address in _in_css(style.read_text("utf-8")):
            _fetch(address, style, site, pages, report)
    if not pages:
        report.errors.append(f"{site}: no page")
    return report


def _fetch(address: str, page: Path, site: Path, pages: dict[Path, Found], report: Report) -> None:
    if address.startswith(("data:", "#")):
        return
    if _is_outside(address):
        report.errors.append(f"{page.relative_to(site)} fetches {address}")
    else:
        _follow(address, page, site, pages, report)


def _is_outside(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.scheme or parts.netloc)


def _follow(address: str, page: Path, site: Path, pages: dict[Path, Found], report: Report) -> None:
    if _is_outside(address):
        report.outside += 1
        return
    report.links += 1
    parts = urlsplit(address)
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if target.is_dir():
        target = target / "index.html"
    where = f"{page.relative_to(site)}: {address}"
    if not target.is_relative_to(site) or not target.is_file():
        report.errors.append(f"{where} is not there")
    elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].names:
        report.errors.append(f"{where}: the page has no such place")


if __name__ == "__main__":
    outcome = check(Path(sys.argv[1]).resolve())
    print(*outcome.errors, outcome, sep="\n")
    sys.exit(bool(outcome.errors))
