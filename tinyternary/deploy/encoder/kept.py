"""The compiled encoder, from kept machine code where there is some (lesson 10_deployment).

Nothing here loads a compiler unless there is something to compile.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from tinyternary.deploy import machine_code
from tinyternary.kernels.simd.tile_shapes import Shape

_SOURCE = Path(__file__).with_name("encoder.py")


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

    return machine_code.function(_name(target), _SOURCE, compiled)


def look(target: Shape) -> tuple[Path | None, str]:
    """Return the file of machine code that `encoder` would load, or None and why; make nothing."""
    return machine_code.look(_name(target), _SOURCE)


def _name(target: Shape) -> str:
    return f"encoder-{target.name}"
