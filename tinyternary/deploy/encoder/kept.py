"""The compiled encoder, from kept machine code where there is some (lesson 10_deployment).

Nothing here loads a compiler unless there is something to compile.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from tinyternary.compiled.source_files import checksum
from tinyternary.deploy import machine_code
from tinyternary.kernels.simd import sources as simd
from tinyternary.kernels.simd.tile_shapes import Shape


def encoder(target: Shape) -> machine_code.Compiled:
    """Return ``run(network, memory, common, images, ...)`` for ``target``, see `encoder`.

    The first use on a processor compiles, for some seconds; see `machine_code.function`.
    """
    return _encoder(target, machine_code.unavailable(), machine_code.folder())


@functools.cache
def _encoder(target: Shape, because: str, folder: Path) -> machine_code.Compiled:
    del because, folder  # only make the answer depend on them

    def compiled() -> Any:
        from tinyternary.deploy.encoder.encoder import encoder as compile_encoder

        return compile_encoder(target)

    return machine_code.function(_name(target), sources(), compiled)


def look(target: Shape) -> tuple[Path | None, str]:
    """Return the file of machine code that `encoder` would load, or None and why; make nothing."""
    return machine_code.look(_name(target), sources())


def _name(target: Shape) -> str:
    return f"encoder-{target.name}"


def sources() -> list[Path]:
    """Return every file that the encoder's machine code depends on."""
    deploy = Path(__file__).parents[1]
    folders = (deploy / "encoder", deploy / "machine_code")
    return [*(path for folder in folders for path in folder.glob("*.py")), *simd.sources()]


@functools.cache
def fingerprint() -> int:
    """Checksum of the sources: part of the key under which Numba caches the encoder."""
    return checksum(sources())
