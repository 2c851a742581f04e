"""The command itself; each module beside this one adds its commands to `app`."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tinyternary.text import USE

PANELS = {
    "Start here": ("demo", "lessons"),
    "Train": ("train", "distill", "evaluate"),
    "Run": ("pack", "inspect", "predict", "export", "warmup"),
    "Measure": ("cost", "bench", "report"),
    "Repeat and compare": ("reproduce", "crossvalidate", "ablate", "sweep", "collect"),
    "Teach": ("grade",),
}
"""Commands in the order of their work, as ``--help`` groups them."""
_PANEL_OF = {command: panel for panel, commands in PANELS.items() for command in commands}


class InPanels(TyperGroup):
    """Lists commands by `PANELS`, wherever their modules stand."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, panel by panel."""
        known = list(_PANEL_OF)
        return sorted(super().list_commands(ctx), key=known.index)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Find a command, which then knows its panel."""
        command: Any = super().get_command(ctx, cmd_name)
        if command is not None:
            command.rich_help_panel = _PANEL_OF[cmd_name]
        return command


app = typer.Typer(
    name="tinyternary",
    cls=InPanels,
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
