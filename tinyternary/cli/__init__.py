"""The command `tinyternary`: thin commands over the library, one file a group.

Every command ends with status 0, with 1 when the job failed and with 2 when it
was asked for wrongly; both failures say in one line what to do.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit."""
    from tinyternary.cli.app import app
    from tinyternary.cli.console import err
    from tinyternary.errors import ConfigError, TinyTernaryError

    try:
        app()
    except TinyTernaryError as error:
        err.print(f"[bold red]error:[/] {_escape(error)}", highlight=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
    except BrokenPipeError:
        # the reader of our output went away (`| head`): not our failure, nothing left to say
        sys.stderr.close()
        sys.exit(1)


def _escape(error: Exception) -> str:
    from rich.markup import escape

    return escape(" ".join(str(error).split()))
