"""Kept machine code where there is some, Numba where there is not (lesson 10_deployment)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tinyternary.deploy.machine_code import cache, elf
from tinyternary.deploy.machine_code.calling import ENTRY, NativeFunction
from tinyternary.deploy.machine_code.elf import Damaged
from tinyternary.deploy.machine_code.linking import Linked
from tinyternary.kernels import processor
from tinyternary.kernels._pages import NotUsable


class Compiled(NamedTuple):
    """A compiled function, and who runs it.

    Attributes
    ----------
    run : callable
        Takes int64s and C-contiguous arrays: a `NativeFunction`, or Numba's dispatcher.
    file : Path or None
        The file of machine code that runs; None where it is Numba's dispatcher.
    because : str
        Why it is Numba's; empty if it is not.
    """

    run: Callable[..., None]
    file: Path | None
    because: str


def enabled() -> bool:
    """Whether machine code may be kept and used (``TINYTERNARY_NATIVE`` is not ``0``)."""
    return os.environ.get("TINYTERNARY_NATIVE", "1") != "0"


def function(name: str, sources: Iterable[Path], compiled: Callable[[], Any]) -> Compiled:
    """Return a compiled function, without loading Numba where its machine code is kept.

    Parameters
    ----------
    name : str
        Of the function and what it is made for, as part of a file's name.
    sources : iterable of Path
        All files that its machine code depends on.
    compiled : callable
        Makes the Numba dispatcher, for one signature of int64s and C-contiguous arrays.

    Returns
    -------
    Compiled
        Kept code that is missing, old or damaged is made anew, which takes the compiler's
        seconds once. Where none can be kept or run, Numba's dispatcher, and why.
    """
    because = unavailable()
    if not because:
        try:
            return _found_or_made(name, cache.key_of(name, sources), compiled)
        except NotUsable as reason:
            because = str(reason)
            _say("info", f"Numba runs {name}: {because}")
    return Compiled(compiled(), None, because)


def look(name: str, sources: Iterable[Path]) -> tuple[Path | None, str]:
    """Return the file that `function` would load, or None and why there is none; make nothing."""
    because = unavailable()
    if because:
        return None, because
    try:
        key = cache.key_of(name, sources)
        cache.read(name, key)
    except NotUsable as reason:
        return None, str(reason)
    return cache.path_of(name, key), ""


def unavailable() -> str:
    """Return why no machine code is kept here at all; empty if it is."""
    return processor.unknown() if enabled() else "TINYTERNARY_NATIVE is 0"


def _found_or_made(name: str, key: str, compiled: Callable[[], Any]) -> Compiled:
    try:
        return _kept(name, key)
    except cache.Missing:
        pass
    except Damaged as reason:
        _say("warning", f"{reason}; it is made anew")
    cache.check_writable()
    _keep(name, key, compiled())
    return _kept(name, key)


def _kept(name: str, key: str) -> Compiled:
    path = cache.path_of(name, key)
    facts, code = cache.read(name, key)
    run = NativeFunction(Linked(elf.parse(code)).address(ENTRY), facts["arguments"])
    return Compiled(run, path, "")


def _keep(name: str, key: str, dispatcher: Any) -> None:
    from tinyternary.deploy.machine_code.emitting import emit

    try:
        arguments, code = emit(dispatcher)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        # another version of Numba, whose insides are not those that `emitting` knows
        raise NotUsable(f"no object file can be made: {type(error).__name__}: {error}") from error
    cache.write(name, key, {"name": name, "arguments": arguments}, code)


def _say(level: str, line: str) -> None:
    import logging  # only when there is something to say: it is not loaded otherwise

    getattr(logging.getLogger("tinyternary"), level)(line)
