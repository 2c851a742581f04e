"""`tinyternary bench` and `warmup`: measure again what the README says, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.options import AsJson

bench = typer.Typer(
    help="Time kernels, training and inference against the peers that are installed.",
    no_args_is_help=True,
)
app.add_typer(bench, name="bench")

Threads = Annotated[str, typer.Option(help="Thread counts, comma-separated.")]
Seconds = Annotated[float, typer.Option(min=0.01, help="Seconds to spend on each contender.")]
Peers = "Peers count if installed (pip install -e '.[parity]')."


@bench.command(epilog=f"Example: tinyternary bench kernels --rows 1,64 --out figures. {Peers}")
def kernels(
    rows: Annotated[str, typer.Option(help="Rows M of the input, comma-separated.")] = "1,64,1024",
    threads: Annotated[int, typer.Option(min=1, help="Threads for every contender.")] = 1,
    seconds: Seconds = 0.25,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the figures.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Time a ternary layer, and every rung of the ladder, against NumPy, PyTorch, onnxruntime."""
    from tinyternary.bench.kernels import OURS, bench_kernels

    sizes = _counts(rows)
    folder = None if out is None else console.writable_folder(out)
    result = bench_kernels(rows=sizes, threads=threads, seconds=seconds, progress=console.note)
    if folder is not None:
        from tinyternary.report.ladder import kernel_roofline, ladder_bars
        from tinyternary.report.style import save

        for name, draw in (("ladder", ladder_bars), ("roofline", kernel_roofline)):
            console.note(str(save(draw(result), folder / f"{name}.png")))
    if as_json:
        console.print_json(result)
        return
    peers = list(result["shapes"][0]["ratios"])
    console.print_table(
        ["M, K, N", "µs", "GOP/s", "of the peak", *peers],
        [
            [
                f"{shape['m']}, {shape['k']}, {shape['n']}",
                f"{shape['times'][OURS]['median']:.1f}",
                f"{shape['times'][OURS]['gops']:.0f}",
                _number(shape["share"], ".0%"),
                *(f"{shape['ratios'][peer]:.2f}" for peer in peers),
            ]
            for shape in result["shapes"]
        ],
        title="A ternary layer, float32 in and out",
        caption="Columns of peers: times as fast as they are.\n" + _where(result),
    )
    console.print_table(
        ["rung", "GOP/s", "times the first"],
        [
            [rung["name"], f"{rung['gops']:.2f}", f"{rung['times_first']:.1f}"]
            for rung in result["ladder"]
        ],
        title="The ladder, int8 in and int32 out",
    )


@bench.command(epilog=f"Example: tinyternary bench train --shapes tiny,small. {Peers}")
def train(
    shapes: Annotated[
        str, typer.Option(help="Networks, comma-separated: tiny, small, deit-tiny.")
    ] = "tiny,small,deit-tiny",
    threads: Threads = "1,2",
    batch: Annotated[int, typer.Option(min=1, help="Images per step.")] = 64,
    seconds: Seconds = 3.0,
    as_json: AsJson = False,
) -> None:
    """Time a training step, float and W2A8, against PyTorch eager."""
    from tinyternary.bench.train import bench_train

    result = bench_train(_names(shapes), _counts(threads), batch=batch, seconds=seconds)
    if as_json:
        console.print_json(result)
        return
    console.print_table(
        [
            "network, layers, threads",
            "ms",
            "PyTorch ms",
            "ratio",
            "in products",
            "MiB",
            "PyTorch MiB",
        ],
        [
            [
                f"{row['shape']}, {row['layers']}, {row['threads']}",
                _milliseconds(row["ours_ms"]),
                _milliseconds(row["pytorch_ms"]),
                _number(row["ratio"], ".2f"),
                _number(row["products"], ".0%"),
                _number(row["peak_mib"], ".0f"),
                _number(row["peer_peak_mib"], ".0f"),
            ]
            for row in result["rows"]
        ],
        title=f"One training step at batch {batch}",
        caption=_where(result),
    )


@bench.command(epilog=f"Example: tinyternary bench infer --presets small. {Peers}")
def infer(
    presets: Annotated[
        str, typer.Option(help="Networks, comma-separated: small, deit-tiny, bitmedvit.")
    ] = "small,deit-tiny,bitmedvit",
    threads: Threads = "1,2",
    batches: Annotated[
        str | None, typer.Option(help="Batch sizes, comma-separated; by default 1 and 64 (8).")
    ] = None,
    seconds: Seconds = 2.0,
    as_json: AsJson = False,
) -> None:
    """Time whole networks against PyTorch and onnxruntime; peak memory and start-up."""
    from tinyternary.bench.infer import bench_infer

    sizes = None if batches is None else _counts(batches)
    result = bench_infer(
        _names(presets),
        batches=sizes,
        threads=_counts(threads),
        seconds=seconds,
        progress=console.note,
    )
    if as_json:
        console.print_json(result)
        return
    console.print_table(
        ["network, batch, threads, runtime", "p50 ms", "p95 ms", "images / s"],
        [
            [
                f"{p['preset']}, {p['batch']}, {p['threads']}, {p['contender']}",
                f"{p['p50_ms']:.2f}",
                f"{p['p95_ms']:.2f}",
                f"{p['images_per_s']:.1f}",
            ]
            for p in result["points"]
        ],
        title="Inference",
        caption=_where(result),
    )
    console.print_table(
        ["network, batch, threads", "best peer", "times as fast", "times PyTorch"],
        [
            [
                f"{r['preset']}, {r['batch']}, {r['threads']}",
                r["best_peer"],
                f"{r['times_best_peer']:.2f}",
                _number(r["times_pytorch"], ".2f"),
            ]
            for r in result["ratios"]
        ],
        title="The ternary engine against the others",
    )
    console.print_table(
        ["network, batch, runtime", "peak MB", "first answer after, s"],
        [
            [
                f"{p['preset']}, {p['batch']}, {p['contender']}",
                f"{p['peak_mb']:.0f}",
                f"{p['start_s']:.2f}",
            ]
            for p in result["processes"]
        ],
        title="Each in a process of its own",
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _counts(text: str) -> list[int]:
    from tinyternary.errors import ConfigError

    try:
        counts = [int(part) for part in _names(text)]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise ConfigError(f"expected positive numbers like 1,2, got {text!r}")
    return counts


def _number(value: float | None, style: str) -> str:
    return "not installed" if value is None else format(value, style)


def _milliseconds(times: dict[str, Any] | None) -> str:
    """Median with its quartiles."""
    if times is None:
        return "not installed"
    return f"{times['median']:.1f} ({times['low']:.1f} to {times['high']:.1f})"


def _where(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores; contenders take turns in one process; "
        "medians, quartiles in brackets."
    )


@app.command(epilog="Example: tinyternary warmup")
def warmup(as_json: AsJson = False) -> None:
    """Compile the kernels ahead of time, so that the first answer comes at once."""
    from tinyternary import deploy, kernels

    seconds = {**kernels.warmup(), **deploy.warmup()}
    if as_json:
        console.print_json(seconds)
        return
    console.print_table(
        ["kernel", "seconds"],
        [[name, f"{value:.2f}"] for name, value in seconds.items()],
        caption="Compiled, or loaded from the cache on disk.",
    )
    if deploy.numba_because():
        console.note(f"the encoder needs Numba at every start: {deploy.numba_because()}")
