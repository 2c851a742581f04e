"""The command itself; each module beside this one adds its commands to `app`."""

from __future__ import annotations

from typing import Annotated

import typer

from tinyternary.text import USE

app = typer.Typer(
    name="tinyternary",
    help=(
        "Train a ternary Vision Transformer, pack it to 2 bits a weight, run it, measure it.\n\n"
        "Start with `tinyternary demo`: three minutes, no network.\n\n" + USE
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from tinyternary import __version__

        typer.echo(f"tinyternary {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Hold the options that stand before a command."""
