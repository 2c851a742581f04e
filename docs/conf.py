"""How the site is built: ``python -m sphinx -W docs build/site``, without a network.

Nothing is executed: lessons and notebooks show what their runs left in them. Pages that come
from elsewhere in the repository are written into ``docs/`` first, and never committed.
"""

from __future__ import annotations

import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from pages import api, lessons, links, sources  # noqa: E402

import tinyternary  # noqa: E402

project = "tinyternary"
author = "The tinyternary authors"
version = release = tinyternary.__version__
extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.linkcode",
    "sphinx.ext.mathjax",
    "sphinx_design",
]
exclude_patterns = ["_static/**"]
default_role = "py:obj"  # a docstring's `name` is a link where there is such a name

nb_execution_mode = "off"
nb_number_source_lines = False
myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say shapes and units, which types cannot
numpydoc_show_class_members = False
numpydoc_xref_param_type = True  # the library's own classes, and no other word of a type
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = api.classes()
linkcode_resolve = sources.linkcode_resolve

# MathJax comes with a package of its own, so that formulas need no network
mathjax_path = "mathjax/tex-chtml.js"

html_theme = "pydata_sphinx_theme"
html_title = "tinyternary"
html_logo = html_favicon = "_static/logo.svg"
templates_path = ["_templates"]
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system is
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_theme_options = {
    "logo": {"text": "tinyternary"},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button-field"],
    "header_links_before_dropdown": 8,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["clinical"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {"index": [], "READING": [], "ARCHITECTURE": [], "MEASUREMENTS": []}


def generate(app: Any) -> None:
    """Write the pages that are made from the repository, and drop those that it no longer has."""
    made = {links.write(page, text) for page, text in (lessons.pages() | api.pages()).items()}
    for folder in links.GENERATED:
        for path in (HERE / folder).rglob("*"):
            if path.is_file() and path not in made:
                path.unlink()


def only_ours(app: Any, config: Any) -> None:
    """Let types of docstrings lead to the library's classes: numpydoc adds some of other sites."""
    config.numpydoc_xref_aliases_complete = config.numpydoc_xref_aliases


def read_source(app: Any, docname: str, content: list[str]) -> None:
    """Turn the links of the documents that lie in ``docs/``."""
    if app.env.doc2path(docname).suffix == ".md" and docname.split("/")[0] not in links.GENERATED:
        folder = f"docs/{docname}".rpartition("/")[0]
        content[0] = links.rewrite(content[0], folder)


def copy_mathjax(app: Any, error: Exception | None) -> None:
    """Copy what typesets TeX on the page: a script and its fonts."""
    if error:
        return
    package = Path(str(files("sphinx-mathjax-offline"))) / "static/mathjax"
    target = Path(app.outdir, "_static/mathjax")
    fonts = "output/chtml/fonts/woff-v2"
    shutil.copytree(package / fonts, target / fonts, dirs_exist_ok=True)
    shutil.copy(package / "tex-chtml.js", target)


def setup(app: Any) -> None:
    """Connect the parts to the build."""
    sources.setup(app)
    app.connect("config-inited", only_ours, priority=900)  # after numpydoc
    app.connect("builder-inited", generate)
    app.connect("source-read", read_source)
    app.connect("missing-reference", api.resolve)
    app.connect("autodoc-process-docstring", api.finish)
    app.connect("build-finished", copy_mathjax)
