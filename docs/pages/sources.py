"""Every Python file of the library as a page, with line numbers to point at.

The reading guide leads to these pages, and "[source]" beside a name of the API does. They are
no documents: they are in no table of contents, and a search finds the API and not its source.
"""

from __future__ import annotations

import ast
import html
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import ReferenceRole

from pages.links import ROOT

PACKAGE = ROOT / "tinyternary"


def page_of_source(path: str) -> str:
    """Return the page of a file or folder of the library.

    Examples
    --------
    >>> page_of_source("tinyternary/nn/layers.py"), page_of_source("tinyternary/nn")
    ('source/tinyternary/nn/layers', 'source/tinyternary/nn/index')
    """
    if path.endswith(".py"):
        return f"source/{path.removesuffix('.py')}"
    return f"source/{path.rstrip('/')}/index"


class SourceRole(ReferenceRole):
    """A link to a file or folder of the library, by its path in the repository."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Make the link, relative to the page that it stands on."""
        if not (ROOT / self.target).exists():
            message = self.inliner.reporter.error(f"no such file: {self.target}", line=self.lineno)
            return [nodes.literal(self.rawtext, self.title)], [message]
        uri = self.env.app.builder.get_relative_uri(self.env.docname, page_of_source(self.target))
        link = nodes.reference("", "", internal=True, refuri=uri, classes=["source-link"])
        link += nodes.literal(self.title, self.title)
        return [link], []


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Return where the page of an API name finds its source, for `sphinx.ext.linkcode`."""
    if domain != "py" or not info["module"]:
        return None
    found: Any = sys.modules.get(info["module"])
    for part in info["fullname"].split("."):
        found = getattr(found, part, None)
    if isinstance(found, property):
        found = found.fget
    try:
        file = Path(inspect.getsourcefile(inspect.unwrap(found)) or "")
        line = inspect.getsourcelines(inspect.unwrap(found))[1]
    except (TypeError, OSError):  # a constant has no line to show
        return None
    if not file.is_relative_to(PACKAGE):
        return None
    path = file.relative_to(ROOT).as_posix()
    return f"../{page_of_source(path)}.html#L-{line}"  # pages of the API lie in `api/`


def collect_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Make the page of each file, and one of each folder that lists what is in it."""
    highlighter = app.builder.highlighter  # type: ignore[attr-defined]
    texts = {
        file.relative_to(ROOT): file.read_text("utf-8") for file in sorted(PACKAGE.rglob("*.py"))
    }
    for path, text in texts.items():
        colored = highlighter.highlight_block(
            text, "python", linenos="inline", lineanchors="L", anchorlinenos=True
        )
        body = f'{_title(path)}<div class="highlight-python notranslate">{colored}</div>'
        yield page_of_source(path.as_posix()), {"title": path.name, "body": body}, "page.html"
    for folder in sorted({path.parent for path in texts}):
        about = _first_line(texts.get(folder / "__init__.py", ""))
        body = f"{_title(folder)}<p>{html.escape(about)}</p>{_listing(folder, texts)}"
        yield page_of_source(folder.as_posix()), {"title": folder.name, "body": body}, "page.html"


def _listing(folder: Path, texts: dict[Path, str]) -> str:
    """Make the table of what lies in a folder: its folders, then its files."""
    rows = [
        (f"{path.parent.name}/", f"{path.parent.name}/index.html", text)
        for path, text in texts.items()
        if path.name == "__init__.py" and path.parent.parent == folder
    ] + [
        (path.name, f"{path.stem}.html", text)
        for path, text in texts.items()
        if path.parent == folder
    ]
    lines = [
        f'<tr><td><a href="{link}"><code>{name}</code></a></td>'
        f"<td>{html.escape(_first_line(text))}</td></tr>"
        for name, link, text in rows
    ]
    return f'<table class="table source-files">{"".join(lines)}</table>'


def _title(path: Path) -> str:
    """Write a path as a heading whose folders are links to their pages."""
    parts = path.parts
    depth = len(parts) - (path.suffix == ".py")  # folders from the library's to the page's own
    links = [
        f'<a href="{"../" * (depth - level)}index.html">{part}</a>/'
        for level, part in enumerate(parts[:-1], 1)
    ]
    return f'<h1 class="source-title"><code>{"".join(links)}{parts[-1]}</code></h1>'


def _first_line(text: str) -> str:
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def setup(app: Sphinx) -> None:
    """Add the role and the pages to a build."""
    app.add_role("source", SourceRole())
    app.connect("html-collect-pages", collect_pages)
