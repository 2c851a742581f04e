"""From a path of the repository, as its documents link to it, to a page of the site.

A document keeps the links that work where its file is read (``../tinyternary/nn/layers.py``);
on its way into the site each becomes a link to the page that shows the same.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

COPIES = {
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "lessons/README.md": "lessons/index.md",
    "notebooks/cost_model.ipynb": "notebooks/cost_model.ipynb",
    "notebooks/results.ipynb": "notebooks/results.ipynb",
}
"""Documents outside ``docs/`` that are pages: path in the repository, and below ``docs/``."""
GENERATED = ("lessons", "notebooks", "api", "project")
"""Folders below ``docs/`` that hold only what is generated."""

_LINK_OR_CODE = re.compile(
    r"^(?P<fence>```+|~~~+).*?^(?P=fence)[ ]*$"
    r"|(?<!!)\[(?P<text>[^\]\[]+)\]\((?P<target>[^()\s]+)\)"
    r"|`[^`\n]+`",
    re.MULTILINE | re.DOTALL,
)


def page_of(path: str) -> str | None:
    """Return the page below ``docs/`` that shows a file or folder of the repository, if one does.

    Examples
    --------
    >>> page_of("notebooks/01_ternary_basics_solved.ipynb")
    'lessons/01_ternary_basics.ipynb'
    >>> page_of("docs/READING.md"), page_of("LICENSE")
    ('READING.md', None)
    """
    lesson = re.fullmatch(r"(?:lessons/(\d\d_\w+)|notebooks/(\d\d_\w+)_solved)\.ipynb", path)
    if lesson:
        return f"lessons/{lesson[1] or lesson[2]}.ipynb"
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/")
    folders = {
        "README.md": "index.md",
        "lessons": "lessons/index.md",
        "notebooks": COPIES["notebooks/results.ipynb"],
    }
    return COPIES.get(path) or folders.get(path)


def rewrite(text: str, folder: str) -> str:
    """Turn the links of a Markdown document into links of the site.

    Parameters
    ----------
    text : str
    folder : str
        Where the document lies in the repository: ``"docs"``, or ``""`` for its root.

    Returns
    -------
    str
        The same text; what a link says stays where its file has no page, such as a licence.

    Raises
    ------
    FileNotFoundError
        If a link leads nowhere in the repository.

    Examples
    --------
    >>> rewrite("see [nn](../tinyternary/nn/layers.py), [guide](READING.md)", "docs")
    'see {source}`nn <tinyternary/nn/layers.py>`, [guide](/READING.md)'
    """

    def turned(found: re.Match[str]) -> str:
        target, _, anchor = (found["target"] or "").partition("#")
        if not target or re.match(r"[a-z]+:|/", target):  # code, an anchor, an address, a page
            return found[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        if not (ROOT / path).exists():
            raise FileNotFoundError(f"{folder}: the link {found[0]} leads nowhere")
        page, says = page_of(path), found["text"]
        if page is not None:
            return f"[{says}](/{page}{'#' + anchor if anchor else ''})"
        if path.startswith("tinyternary"):
            return f"{{source}}`{says.strip('`')} <{path}>`"
        return says

    return _LINK_OR_CODE.sub(turned, text)


def write(page: str, content: str) -> Path:
    """Write a generated page below ``docs/``, unless it is that already; return its path."""
    path = DOCS / page
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text("utf-8") != content:
        path.write_text(content, "utf-8")
    return path
