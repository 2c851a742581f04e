"""`tinyternary bench` and `warmup`: measure again what the README says, on this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tinyternary.cli import console
from tinyternary.cli.app import app
from tinyternary.cli.following import follow
from tinyternary.cli.options import AsJson, Quiet

bench = typer.Typer(
    help="Time kernels, training and inference against the peers that are installed.",
    no_args_is_help=True,
)
app.add_typer(bench, name="bench")

_MOST = 1 << 20
"""Most rows, images or threads that a benchmark can be asked for."""
Threads = Annotated[str, typer.Option(help="Thread counts, comma-separated.")]
Seconds = Annotated[float, typer.Option(min=0.01, help="Seconds to spend on each contender.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for the numbers, written as they come.", show_default=False),
]
OutWithFigures = Annotated[
    Path | None,
    typer.Option(
        help="Folder for the numbers, written as they come, and the figures.", show_default=False
    ),
]
Peers = r"Peers count if installed (pip install -e '.\[parity]')."


@bench.command(epilog=f"Example: tinyternary bench kernels --rows 1,64 --out figures. {Peers}")
def kernels(
    rows: Annotated[str, typer.Option(help="Rows M of the input, comma-separated.")] = "1,64,1024",
    threads: Annotated[int, typer.Option(min=1, help="Threads for every contender.")] = 1,
    seconds: Seconds = 0.25,
    out: OutWithFigures = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time a ternary layer, and every rung of the ladder, against NumPy, PyTorch, onnxruntime."""
    from tinyternary.bench.kernels import bench_kernels

    sizes = _counts(rows)
    result = follow(
        "bench-kernels",
        lambda watch: bench_kernels(rows=sizes, threads=threads, seconds=seconds, watch=watch),
        console.print_json if as_json else _show_kernels,
        out=out, quiet=quiet,
    )  # fmt: skip
    if out is not None:
        from tinyternary.report.ladder import kernel_roofline, ladder_bars
        from tinyternary.report.style import save

        for name, draw in (("ladder", ladder_bars), ("roofline", kernel_roofline)):
            console.note(str(save(draw(result), out / f"{name}.png")))


def _show_kernels(result: dict[str, Any]) -> None:
    from tinyternary.bench.kernels import OURS

    shapes = result["shapes"]
    names = [f"{shape['m']}, {shape['k']}, {shape['n']}" for shape in shapes]
    peers = list(shapes[0]["ratios"]) if shapes else []
    console.print_table(
        ["M, K, N", "µs", "GOP/s", "of the peak"],
        [
            [
                name,
                f"{shape['times'][OURS]['median']:.1f}",
                f"{shape['times'][OURS]['gops']:.0f}",
                _number(shape["share"], ".0%"),
            ]
            for name, shape in zip(names, shapes, strict=True)
        ],
        title="A ternary layer, float32 in and out",
        caption=_where(result),
    )
    console.print_table(
        ["M, K, N", *peers],
        [
            [name, *(f"{shape['ratios'][peer]:.2f}" for peer in peers)]
            for name, shape in zip(names, shapes, strict=True)
        ],
        title="How many times as fast as",
    )
    console.print_table(
        ["rung", "GOP/s", "times the first"],
        [
            [rung["rung"], f"{rung['gops']:.2f}", f"{rung['times_first']:.1f}"]
            for rung in result["ladder"]
        ],
        title="The ladder, int8 in and int32 out",
    )


@bench.command(epilog=f"Example: tinyternary bench train --shapes tiny,small,deit-tiny. {Peers}")
def train(
    shapes: Annotated[
        str, typer.Option(help="Networks, comma-separated: tiny, small, deit-tiny.")
    ] = "tiny,small",
    threads: Threads = "1,2",
    batch: Annotated[int, typer.Option(min=1, max=_MOST, help="Images per step.")] = 64,
    seconds: Seconds = 3.0,
    compiled: Annotated[
        bool,
        typer.Option("--compile", help="Against torch.compile too, which takes minutes to start."),
    ] = False,
    out: Out = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time a training step, float and W2A8, against PyTorch eager and torch.compile."""
    from tinyternary.bench.train import bench_train

    names, counts = _names(shapes), _counts(threads)
    follow(
        "bench-train",
        lambda watch: bench_train(
            names, counts, batch=batch, seconds=seconds, compiled=compiled, watch=watch
        ),
        console.print_json if as_json else partial(_show_train, batch),
        out=out, quiet=quiet,
    )  # fmt: skip


def _note_skipped(result: dict[str, Any]) -> None:
    for name, why in result["skipped"].items():
        console.note(f"{name} is left out: {why}")


def _show_train(batch: int, result: dict[str, Any]) -> None:
    _note_skipped(result)
    name = ["network, layers, threads"]
    named = [f"{row['shape']}, {row['layers']}, {row['threads']}" for row in result["rows"]]
    console.print_table(
        [*name, "ms", "quartiles", "PyTorch ms", "quartiles", "ratio"],
        [
            [
                point,
                *_milliseconds(row["ours_ms"]),
                *_milliseconds(row["pytorch_ms"]),
                _number(row["ratio"], ".2f"),
            ]
            for point, row in zip(named, result["rows"], strict=True)
        ],
        title=f"One training step at batch {batch}",
        caption=_where(result),
    )
    console.print_table(
        [*name, "in products", "MiB", "PyTorch MiB"],
        [
            [
                point,
                _number(row["products"], ".0%"),
                _number(row["peak_mib"], ".0f"),
                _number(row["peer_peak_mib"], ".0f"),
            ]
            for point, row in zip(named, result["rows"], strict=True)
        ],
        title="Share of matrix products in our step, and peak memory",
    )
    if any(row["compiled_ms"] for row in result["rows"]):
        console.print_table(
            [*name, "torch.compile ms", "ratio", "first step, s", "ours, s"],
            [
                [
                    point,
                    _milliseconds(row["compiled_ms"])[0],
                    _number(row["compiled_ratio"], ".2f"),
                    _number(row["first_s"].get("torch.compile"), ".1f"),
                    f"{row['first_s']['ours']:.1f}",
                ]
                for point, row in zip(named, result["rows"], strict=True)
            ],
            title="Against torch.compile, and the first step of both",
        )


@bench.command(
    epilog="Example: tinyternary bench infer --presets small,bitmedvit. "
    r"Peers count if installed (pip install -e '.\[peers]')."
)
def infer(
    presets: Annotated[
        str, typer.Option(help="Networks, comma-separated: small, deit-tiny, bitmedvit.")
    ] = "small,deit-tiny",
    threads: Threads = "1,2",
    batches: Annotated[
        str | None, typer.Option(help="Batch sizes, comma-separated; by default 1 and 64 (8).")
    ] = None,
    seconds: Seconds = 2.0,
    out: Out = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time whole networks against PyTorch, onnxruntime, OpenVINO, LiteRT; memory and start-up."""
    from tinyternary.bench.infer import bench_infer

    names, counts = _names(presets), _counts(threads)
    sizes = None if batches is None else _counts(batches)
    follow(
        "bench-infer",
        lambda watch: bench_infer(
            names, batches=sizes, threads=counts, seconds=seconds, watch=watch
        ),
        console.print_json if as_json else _show_infer,
        out=out, quiet=quiet,
    )  # fmt: skip


def _show_infer(result: dict[str, Any]) -> None:
    _note_skipped(result)
    console.print_table(
        ["network, batch, threads", "runtime", "p50 ms", "p95 ms", "images / s"],
        [
            [
                f"{p['preset']}, {p['batch']}, {p['threads']}",
                p["contender"],
                f"{p['p50_ms']:.2f}",
                f"{p['p95_ms']:.2f}",
                f"{p['images_per_s']:.1f}",
            ]
            for p in result["points"]
        ],
        text=2,
        title="Inference",
        caption=_where(result),
    )
    console.print_table(
        [
            "network, batch, threads",
            "best peer",
            "times as fast",
            "with int8 attention",
            "times PyTorch",
        ],
        [
            [
                f"{r['preset']}, {r['batch']}, {r['threads']}",
                r["best_peer"],
                f"{r['times_best_peer']:.2f}",
                _number(r["times_int8_attention"], ".2f"),
                _number(r["times_pytorch"], ".2f"),
            ]
            for r in result["ratios"]
        ],
        text=2,
        title="The ternary engine against the others",
    )
    console.print_table(
        ["network, batch", "runtime", "peak MB", "first answer after, s"],
        [
            [
                f"{p['preset']}, {p['batch']}",
                p["contender"],
                f"{p['peak_mb']:.0f}",
                f"{p['start_s']:.2f}",
            ]
            for p in result["processes"]
        ],
        text=2,
        title="Each in a process of its own",
    )


@bench.command(epilog="Example: tinyternary bench scale --axes tokens,width --out figures.")
def scale(
    axes: Annotated[
        str, typer.Option(help="What grows, comma-separated: tokens, width, depth, batch, threads.")
    ] = "tokens,width,depth,batch,threads",
    seconds: Seconds = 1.0,
    out: OutWithFigures = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time growing networks, and fit how an answer and a training step grow with their sizes."""
    from tinyternary.bench.scale import bench_scale

    names = _names(axes)
    result = follow(
        "bench-scale",
        lambda watch: bench_scale(names, seconds=seconds, watch=watch),
        console.print_json if as_json else _show_scale,
        out=out, quiet=quiet,
    )  # fmt: skip
    if out is not None:
        from tinyternary.report.scaling import scaling
        from tinyternary.report.style import save

        console.note(str(save(scaling(result), out / "scaling.png")))


def _show_scale(result: dict[str, Any]) -> None:
    console.print_table(
        ["work, axis", "size", "ms", "quartiles", "MMACs"],
        [
            [
                f"{row['work']}, {row['axis']}",
                str(row["size"]),
                *_milliseconds(row["ms"]),
                f"{row['macs'] / 1e6:,.0f}",
            ]
            for row in result["rows"]
        ],
        title="Time by size; millions of MACs, of all images and of one thread",
        caption=_where(result),
    )
    console.print_table(
        ["work, axis", "slope", "95 %", "counted", "limit"],
        [
            [
                f"{fit['work']}, {fit['axis']}",
                f"{fit['slope']:.2f}",
                "none" if fit["low"] is None else f"{fit['low']:.2f}..{fit['high']:.2f}",
                f"{fit['counted']:.2f}",
                f"{fit['limit']:g}",
            ]
            for fit in result["fits"]
        ],
        title="Slopes p of time = c size^p",
    )


def _names(text: str) -> list[str]:
    from tinyternary.errors import ConfigError
    from tinyternary.text import quoted

    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError(f"expected names or numbers with commas between them, got {quoted(text)}")
    return names


def _counts(text: str) -> list[int]:
    from tinyternary.errors import ConfigError
    from tinyternary.text import quoted

    try:
        counts = [int(part) for part in _names(text)]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1 or max(counts) > _MOST:
        raise ConfigError(f"expected numbers from 1 to {_MOST:,} like 1,2, got {quoted(text)}")
    return counts


def _number(value: float | None, style: str) -> str:
    return "none" if value is None else format(value, style)


def _milliseconds(times: dict[str, Any] | None) -> tuple[str, str]:
    """Return the median, and the quartiles with a dash between them, in ms."""
    if times is None:
        return "none", ""
    return f"{times['median']:.1f}", f"{times['low']:.1f}-{times['high']:.1f}"


def _where(result: dict[str, Any]) -> str:
    machine = result["machine"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores; contenders take turns in one process; "
        "medians."
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
