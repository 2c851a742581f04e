"""From the shell's arguments to an exit status: errors become one line (status 1 or 2)."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer import Typer

INTERRUPTED = 130
"""Status after Ctrl-C, as shells count it."""
_STREAMS = {"stdout": "standard output", "stderr": "standard error"}


def commands() -> Typer:
    """Return the command with everything below it; each part loads what it needs when it runs."""
    # importing a module adds its commands
    from tinyternary.cli import (  # noqa: F401
        bench,
        cost,
        demo,
        deploy,
        experiments,
        export,
        lessons,
        report,
        sweep,
        train,
    )
    from tinyternary.cli.app import app

    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default what the shell gave.
    """
    _prepare_streams()
    status = _run(list(sys.argv[1:] if arguments is None else arguments))
    _lost_streams()  # or Python would complain once more about each when it ends
    sys.exit(status)


def _run(given: list[str]) -> int:
    from typer.exceptions import TyperException

    from tinyternary.errors import ConfigError, TinyTernaryError

    try:
        with _warnings_in_a_line():
            status = commands()(given or ["--help"], prog_name="tinyternary", standalone_mode=False)
        sys.stdout.flush()  # a full disk shows here at the latest
    except TyperException as error:
        return _usage(error)
    except TinyTernaryError as error:
        _say(str(error))
        return 2 if isinstance(error, ConfigError) else 1
    except BrokenPipeError:
        return 1  # the reader of our output went away (`| head`): nobody is left to be told
    except OSError as error:
        _say(_reason(error))
        return 1
    except MemoryError:
        _say("not enough memory for this")
        return 1
    if status == INTERRUPTED:
        _say("interrupted")
    return status if isinstance(status, int) else 0


def _prepare_streams() -> None:
    """Give every name a form that each output can hold, and a closed output an error of its own."""
    if sys.stdout is None:  # the shell's `>&-`
        sys.stdout = _Closed()
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # for as long as we run


class _Closed(io.TextIOBase):
    """What stands in for an output that the shell has closed."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), _STREAMS["stdout"])


def _reason(error: OSError) -> str:
    """Say what an operating system's error was about: files that we know say so for themselves."""
    where = " and ".join(_lost_streams()) or "output"  # a file has a name: it has been opened
    if isinstance(error.filename, str | bytes | os.PathLike):
        where = os.fsdecode(error.filename)
    return f"{where}: {error.strerror or error}"


def _lost_streams() -> list[str]:
    """Name the outputs that take no more, and send to nowhere what is still meant for them."""
    lost = []
    for name, words in _STREAMS.items():
        try:
            getattr(sys, name).flush()
        except OSError:
            lost.append(words)
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    return lost


@contextlib.contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Show each warning as one line, once: which line of ours it came from helps nobody."""
    from tinyternary.cli import console

    seen: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        if str(message) not in seen:
            seen.add(str(message))
            console.warn(str(message))

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _usage(error: Exception) -> int:
    """Report a command line that cannot be read; a group without a command shows its help."""
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if not message.strip():  # a group without a command: its help has been shown
        return 2
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "tinyternary"
    end = "" if message.endswith("?") else "."  # "Did you mean 'train'?"
    _say(f"{message.rstrip('.')}{end} See `{command} --help`.")
    return 2


def _say(message: str) -> None:
    from tinyternary.cli import console

    with contextlib.suppress(OSError):  # nobody is left to be told: the status says it
        console.error(message)
