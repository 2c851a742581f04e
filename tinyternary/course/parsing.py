"""Python's own parser, one text at a time (lesson 12).

In Python 3.11 the parser's count of how deeply it stands in a tree is one for all threads
(CPython issue 106905): two that parse at once can end each other with a `SystemError`. Notebooks
are graded in threads, so whatever may run in one parses here.
"""

from __future__ import annotations

import ast

from tinyternary.compiled.locks import Guard

_parser = Guard()


def parse(source: str) -> ast.Module:
    """Parse a program.

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        As `ast.parse` does, on text that is no program or one nested too deeply.
    """
    with _parser.lock:
        return ast.parse(source)
