"""Exceptions that users meet: each message is one line that says what to do.

The command line turns them into that line and an exit status: 2 for bad usage
(`ConfigError`), 1 for a job that failed (all others).
"""

from __future__ import annotations

from collections.abc import Iterable

from tinyternary.text import quoted


class TinyTernaryError(Exception):
    """Base of every error that tinyternary raises on purpose."""


class ConfigError(TinyTernaryError, ValueError):
    """A name, option or combination of options that cannot be used."""


class ShapeError(TinyTernaryError, ValueError):
    """Arrays whose shapes or dtypes do not fit an operation."""


class NonFiniteError(TinyTernaryError, ValueError):
    """An array with NaN or infinity where only finite numbers make sense."""


class DataFileError(TinyTernaryError):
    """A data set or image that is missing, damaged or not what was expected."""


class CheckpointError(TinyTernaryError):
    """A file of a run that is damaged, cannot be written, or belongs to another model or run."""


class PackedFileError(TinyTernaryError):
    """A packed model file that is damaged, foreign, of an unknown version or not written."""


class TrainingError(TinyTernaryError):
    """Training that cannot go on (a loss that is not finite, say)."""


class LessonError(TinyTernaryError):
    """A lesson, a learner's notebook or a source of one that cannot be used as it is."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> ConfigError:
    """Build the error for a name that does not exist, with the nearest one that does.

    Parameters
    ----------
    kind : str
        What the name was meant to name, in words: ``"preset"``, ``"device"``.
    name : object
        What the user gave.
    known : iterable of str
        The names that exist.

    Returns
    -------
    ConfigError
        To be raised by the caller.
    """
    names = list(known)
    import difflib  # only to say something helpful: not loaded by every start

    near = difflib.get_close_matches(str(name)[:100], names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ConfigError(f"unknown {kind} {quoted(name)}.{hint} Known: {', '.join(names)}.")
