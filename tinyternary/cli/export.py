"""`tinyternary export`: a packed model as a C project, or as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.deploy import Packed
from tinyternary.cli.options import AsJson


@app.command(epilog="Example: tinyternary export student.safetensors --c firmware")
def export(
    file: Packed,
    c: Annotated[
        Path | None,
        typer.Option("--c", help="Folder for a C99 project, for a microcontroller or any machine."),
    ] = None,
    integer: Annotated[
        bool, typer.Option("--integer", help="C without floats, for a processor without a unit.")
    ] = False,
    onnx: Annotated[
        Path | None, typer.Option(help="ONNX file to write (needs the package onnx).")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="An ONNX graph with the engine's bits, slower.")
    ] = False,
    flash: Annotated[
        int | None, typer.Option(min=1, help="Bytes of flash that the C project has to fit into.")
    ] = None,
    ram: Annotated[
        int | None, typer.Option(min=1, help="Bytes of memory that it has to fit into.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a packed model in a form that runs without Python."""
    from tinyternary import deploy
    from tinyternary.deploy.c.export import predict
    from tinyternary.deploy.format.reader import read_packed
    from tinyternary.errors import ConfigError

    if c is None and (onnx is None or integer):
        raise ConfigError(f"say where to: --c DIR{'' if integer else ' or --onnx FILE'}")
    result: dict[str, Any] = {}
    if c is not None:
        packed = read_packed(file)
        deploy.to_c(packed, c, integer=integer, flash=flash, ram=ram)
        sizes = predict(packed, integer)
        result["c"] = {"folder": str(c), **sizes.to_dict()}
        console.note(
            f"{c}: {sizes.flash_bytes:,} bytes of flash and {sizes.ram_bytes:,} of memory; "
            f"`make -C {c}` builds ./classify, and README.md says how to use it in a firmware"
        )
    if onnx is not None:
        deploy.to_onnx(str(file), onnx, exact=exact)
        result["onnx"] = {"file": str(onnx), "bytes": onnx.stat().st_size}
        console.note(f"{onnx}: {result['onnx']['bytes']:,} bytes")
    if as_json:
        console.print_json(result)
