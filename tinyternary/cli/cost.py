"""`tinyternary cost`: operations, bytes and modelled energy of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson


@app.command(
    epilog="Example: tinyternary cost bitmedvit --device jetson-orin-nano "
    "--policy bitmedvit,all-linear,everything --compare float32,int8"
)
def cost(
    network: Annotated[
        str,
        typer.Argument(
            help="A preset: 'lesson', 'tiny', 'micro', 'small', 'deit-tiny' or 'bitmedvit'."
        ),
    ],
    policy: Annotated[
        str, typer.Option(help="Quantisation policies, comma-separated.")
    ] = "bitmedvit,all-linear,everything",
    compare: Annotated[
        str, typer.Option(help="Baselines, comma-separated; the first is the yardstick.")
    ] = "float32,int8",
    device: Annotated[
        str | None,
        typer.Option(
            help="Device for the roofline bound: jetson-orin-nano, this-machine, a TOML file, ..."
        ),
    ] = None,
    table: Annotated[
        str, typer.Option(help="Energy table: '45nm', '7nm', or a TOML file of your own.")
    ] = "45nm",
    batch: Annotated[int, typer.Option(min=1, help="Images processed together.")] = 1,
    bits: Annotated[float, typer.Option(help="Bits per trit: 2 or 1.6.")] = 2.0,
    flash: Annotated[
        int | None,
        typer.Option(min=1, help="Bytes of flash: does it fit as C? By default the device's."),
    ] = None,
    ram: Annotated[int | None, typer.Option(min=1, help="Bytes of memory, likewise.")] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Also show the last policy layer by layer.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the figures.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count operations and bytes, and model energy and time; nothing here is timed."""
    from tinyternary import cost as model

    names = [name for text in (compare, policy) for name in text.split(",") if name]
    machine: str | model.Device | None = device
    if device == "this-machine":
        from tinyternary.bench.peaks import this_machine

        machine = this_machine()
    result = model.compare(network, names, batch=batch, bits=bits, table=table, device=machine)
    chip = result.reports[0].device
    if chip is not None:
        flash, ram = flash or chip.flash, ram or chip.ram
    as_c = _as_c(network, [name for name in policy.split(",") if name], bits, flash, ram)
    if out is not None:
        from tinyternary.report.cost_figures import write_cost_figures

        for path in write_cost_figures(result, console.writable_folder(out)):
            console.note(str(path))
    if as_json:
        console.print_json({**result.to_dict(), "as_c": as_c})
        return
    header, *rows = result.table()
    first = result.reports[0]
    console.print_table(
        header,
        rows,
        title=f"{network}, batch {batch}",
        caption=f"Energy and time bounds are modelled: {first.energy_model.title}.",
    )
    if as_c:
        console.print_table(
            ["policy", "what would fit", "flash", "RAM", "fits"],
            [
                [row["policy"], ", or ".join(row["would_fit"]), f"{row['flash_bytes']:,}",
                 f"{row['ram_bytes']:,}", "yes" if row["fits"] else "no"]
                for row in as_c
            ],
            text=2,
            title=f"As C in {_bytes(flash)} of flash and {_bytes(ram)} of RAM",
            caption="Weights and arena to the byte, code and stack at most: `tinyternary export`.",
        )  # fmt: skip
    if layers:
        last = result.reports[-1]
        header, *rows = last.table()
        console.print_table(header, rows, title=f"{network}, {last.policy}, layer by layer")


def _as_c(
    network: str, policies: list[str], bits: float, flash: int | None, ram: int | None
) -> list[dict[str, Any]]:
    """Say for each policy whether the network fits into a microcontroller."""
    from tinyternary import cost as model

    rows: list[dict[str, Any]] = []
    if flash is None and ram is None:
        return rows
    for policy in policies:
        found = model.footprint(network, policy, bits=bits)
        ways = model.would_fit(network, policy, flash=flash, ram=ram, bits=bits)
        fits = found.fits(flash, ram)
        rows.append({"policy": policy, **found.to_dict(), "fits": fits, "would_fit": ways})
    return rows


def _bytes(count: int | None) -> str:
    return "any number" if count is None else f"{count:,} bytes"
