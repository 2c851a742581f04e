"""From the shell's arguments to an exit status: errors become one line (status 1 or 2)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer import Typer

_INTERRUPTED = 130
"""Status after Ctrl-C, as shells count it."""


def commands() -> Typer:
    """Return the command with everything below it; each part loads what it needs when it runs."""
    # importing a module adds its commands
    from tinyternary.cli import bench, cost, demo, deploy, experiments, lessons, train  # noqa: F401
    from tinyternary.cli.app import app

    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default what the shell gave.
    """
    from typer.exceptions import TyperException

    from tinyternary.errors import ConfigError, TinyTernaryError

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = commands()(given or ["--help"], prog_name="tinyternary", standalone_mode=False)
    except TyperException as error:
        sys.exit(_usage(error))
    except TinyTernaryError as error:
        _say(" ".join(str(error).split()))
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except BrokenPipeError:
        # the reader of our output went away (`| head`): nobody is left to be told
        sys.stderr.close()
        sys.exit(1)
    if status == _INTERRUPTED:
        _say("interrupted")
    sys.exit(status if isinstance(status, int) else 0)


def _usage(error: Exception) -> int:
    """Report a command line that cannot be read; a group without a command shows its help."""
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    if not message.strip():  # a group without a command: its help has been shown
        return 2
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "tinyternary"
    _say(f"{message.rstrip('.')}. See `{command} --help`.")
    return 2


def _say(message: str) -> None:
    from rich.markup import escape

    from tinyternary.cli.console import err

    err.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
