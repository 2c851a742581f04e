"""Kept machine code where there is some, Numba where there is not (lesson 10_deployment)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tinyternary import kept_files
from tinyternary.deploy.machine_code import cache, linker
from tinyternary.deploy.machine_code.calling import ENTRY, NativeFunction
from tinyternary.kept_files import Damaged, Missing, NotUsable
from tinyternary.kernels import processor


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


def function(name: str, source: Path, compiled: Callable[[], Any]) -> Compiled:
    """Return a compiled function, without loading Numba where its machine code is kept.

    Parameters
    ----------
    name : str
        Of the function and what it is made for, as part of a file's name.
    source : Path
        The file that its machine code is made from, with all that it imports.
    compiled : callable
        Makes the Numba dispatcher, for one signature of int64s and C-contiguous arrays.

    Returns
    -------
    Compiled
        Kept code that is missing, old or damaged is made anew, which takes the compiler's
        seconds once, by one process of those that start together. Where none can be kept or
        run, Numba's dispatcher, and why.
    """
    because = unavailable()
    if not because:
        try:
            return _found_or_made(name, cache.key_of(name, source), compiled)
        except NotUsable as reason:
            because = str(reason)
            _say("info", f"Numba runs {name}: {because}")
    return Compiled(compiled(), None, because)


def look(name: str, source: Path) -> tuple[Path | None, str]:
    """Return the file that `function` would run, or None and why there is none; make nothing."""
    because = unavailable()
    if because:
        return None, because
    try:
        return _kept(name, cache.key_of(name, source)).file, ""
    except NotUsable as reason:
        return None, str(reason)


def unavailable() -> str:
    """Return why no machine code is kept here at all; empty if it is."""
    return processor.unknown() if enabled() else "TINYTERNARY_NATIVE is 0"


def _found_or_made(name: str, key: str, compiled: Callable[[], Any]) -> Compiled:
    path = cache.path_of(name, key)
    try:
        return _kept(name, key)
    except Missing:
        pass
    except Damaged as reason:
        _say("warning", f"{reason}; it is made anew")
    kept_files.check_writable(path.parent)
    with kept_files.one_maker(path):
        try:
            return _kept(name, key)  # made by another process while this one waited
        except (Missing, Damaged):
            _keep(name, key, compiled())
    return _kept(name, key)


def _kept(name: str, key: str) -> Compiled:
    facts, code = cache.read(name, key)
    if "because" in facts:
        raise NotUsable(facts["because"])
    run = NativeFunction(linker.load(code, ENTRY), facts["arguments"])
    return Compiled(run, cache.path_of(name, key), "")


def _keep(name: str, key: str, dispatcher: Any) -> None:
    """Keep the machine code, or that there can be none: no later start tries again."""
    from tinyternary.deploy.machine_code.emitting import emit

    facts: dict[str, Any]
    try:
        arguments, code = emit(dispatcher)
    except NotUsable as error:
        facts, code = {"because": str(error)}, b""
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        # another version of Numba, whose insides are not those that `emitting` knows
        because = f"no object file can be made: {type(error).__name__}: {error}"
        facts, code = {"because": because}, b""
    else:
        facts = {"name": name, "arguments": arguments}
    cache.write(name, key, facts, code)


def _say(level: str, line: str) -> None:
    import logging  # only when there is something to say: it is not loaded otherwise

    getattr(logging.getLogger("tinyternary"), level)(line)
