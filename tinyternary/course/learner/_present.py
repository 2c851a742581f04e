"""How a check speaks: a coloured box in a notebook, plain lines in a terminal."""

from __future__ import annotations

import html
import re
import sys
from typing import Any

RECORD = "application/vnd.tinyternary.check+json"
"""MIME type under which a check's outcome stands beside its words, for programs."""

_LOOK = {
    "passed": ("✓", "#2f8f4e"),
    "partly": ("◐", "#b7791f"),
    "failed": ("✗", "#c0392b"),
    "crashed": ("✗", "#c0392b"),
    "not attempted": ("○", "#7b8794"),
    "note": ("→", "#3b6fb6"),
}


def show(kind: str, headline: str, body: str = "", record: dict[str, Any] | None = None) -> None:
    """Display an outcome.

    Parameters
    ----------
    kind : {"passed", "partly", "failed", "crashed", "not attempted", "note"}
        Gives sign and colour.
    headline, body : str
        Plain text; text between backquotes is set as code.
    record : dict, optional
        The outcome as data, kept beside the words.
    """
    sign, color = _LOOK[kind]
    text = f"{sign} {headline}" + (f"\n{_indent(body)}" if body else "")
    shell = _shell()
    if shell is None:
        sys.stdout.write(text + "\n")
        return
    bundle: dict[str, Any] = {"text/plain": text, "text/html": _box(sign, color, headline, body)}
    if record is not None:
        bundle[RECORD] = record
    shell.display_pub.publish(bundle)


def _shell() -> Any:
    # only a notebook has loaded IPython by the time a check speaks
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


def _indent(body: str) -> str:
    return "\n".join(f"  {line}" for line in body.splitlines())


def _box(sign: str, color: str, headline: str, body: str) -> str:
    # no background colour: the box has to read well in light and dark notebooks
    style = f"border-left:4px solid {color};padding:.35em .9em;margin:.4em 0;line-height:1.5"
    inner = f'<b style="color:{color}">{sign} {_code(headline)}</b>'
    if body:
        inner += f'<div style="white-space:pre-wrap">{_code(body)}</div>'
    return f'<div style="{style}">{inner}</div>'


def _code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
