"""Text from outside is text: one place that makes it harmless where it is shown.

File names, class names, what a file holds and messages of a learner's code may be anything: codes
that move a terminal's cursor, marks that turn the reading direction, halves of characters,
formulas, a megabyte. For each place there is a rule:

    output of a program     `plain`: as it is, with its lines, but nothing in it acts
    a name, in a terminal,  `visible`: the same, on one line (`tinyternary.cli.console` reads no
      a figure or a page      markup, `tinyternary.report.style` no mathematics, HTML is escaped)
    an error message        `quoted`, `named`: a short cut, whatever the length of what was found
    a CSV cell              `spreadsheet_cell`
"""

from __future__ import annotations

import reprlib
import unicodedata

USE = "For teaching and research, not for clinical use."
"""The sentence beside everything that shows a prediction."""

_MOST = 60
"""Characters of a value that a message quotes."""
_KEPT = "\n\t\u200c\u200d"  # the last two join letters in scripts that need it


def plain(text: str, most: int | None = None) -> str:
    r"""Return text in which nothing acts: what is no visible character is written as its escape.

    Parameters
    ----------
    text : str
    most : int, optional
        Characters after which the rest is left out, with a sign that there was more.

    Returns
    -------
    str
        With its line ends and tabs as they were.

    Examples
    --------
    >>> plain("scan\x1b[2J\u202e.png")
    'scan\\x1b[2J\\u202e.png'
    >>> plain("x" * 1000, most=4)
    'xxxx …'
    """
    shown = "".join(map(_shown, text[:most]))
    return shown if most is None or len(text) <= most else f"{shown} …"


def visible(text: str) -> str:
    r"""Return a name as it can be shown: `plain`, and on one line.

    Examples
    --------
    >>> visible("naïve\n\x1b[31mred")
    'naïve\\n\\x1b[31mred'
    """
    if text.isprintable():
        return text
    return plain(text).replace("\n", r"\n").replace("\t", r"\t")


def is_text(value: str) -> bool:
    """Say whether a string can be written as UTF-8: halves of characters cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Short(reprlib.Repr):
    """`repr`, but of the first entries of the first levels: the rest is never written out."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = self.maxlong = _MOST
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxarray = 4


_short = _Short()


def quoted(value: object) -> str:
    r"""Return the repr of a value, cut to sixty characters: what a message says was found.

    Examples
    --------
    >>> quoted("a\nb")
    "'a\\nb'"
    >>> len(quoted("x" * 10**6)), len(quoted([[["deep"] * 99] * 99] * 99))
    (60, 60)
    """
    text = visible(_short.repr(value))
    return text if len(text) <= _MOST else f"{text[: _MOST - 3]}..."


def named(name: str, most: int = 2 * _MOST) -> str:
    """Return a name as a message begins with it: bare if it is plain and of `most` characters."""
    return name if name.isprintable() and 0 < len(name) <= most else quoted(name)


def no_formula(text: str) -> str:
    r"""Return text that matplotlib draws as it is, dollar signs too.

    Examples
    --------
    >>> print(no_formula("$5 or $6"))
    \$5 or \$6
    """
    return text.replace("$", r"\$")


def spreadsheet_cell(text: str) -> str:
    """Return text that a spreadsheet takes for text where it might take it for a formula.

    Examples
    --------
    >>> spreadsheet_cell("=1+1"), spreadsheet_cell("scan.png")
    ("'=1+1", 'scan.png')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _shown(character: str) -> str:
    # controls, marks of format and direction, surrogates, line and paragraph separators
    acts = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    if not acts or character in _KEPT:
        return character
    return repr(character)[1:-1]
