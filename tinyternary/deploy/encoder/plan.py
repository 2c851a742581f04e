"""What the numbers mean by which a compiled encoder knows its network (lesson 10_deployment).

The encoder takes flat arrays; these are the places in them. They stand here, apart from the
code that is compiled, so that an engine whose machine code is ready need not load a compiler.
"""

from __future__ import annotations

import functools
import zlib
from pathlib import Path

from tinyternary.kernels import simd

TERNARY, FLOAT = 0, 1
"""Kinds of a layer."""
KIND, INPUTS, OUTPUTS, BLOCKS, PANELS, WEIGHTS, SCALES, BIASES, NORM, FIELDS = range(10)
"""Columns of a plan, one row per layer: sizes, and offsets into the flat arrays (-1: none)."""
NOTHING, GELU, GELU_TANH, RELU_SQUARED = 0, 1, 2, 3
"""Activations by number."""

(
    SIZE,
    CHANNELS,
    PATCH,
    STEP,
    PADDING,
    GRID,
    TOKENS,
    WIDTH,
    DEPTH,
    HEADS,
    KV_HEADS,
    HEAD,
    CLASSES,
    CLS,
    ACTIVATION,
    STREAM,
    JOINT,
    HIDDEN,
    VALUE,
    CHUNK,
    GAIN,
    OFFSET,
    POSITIONS,
    CLS_TOKEN,
    EPS,
    SETTINGS,
) = range(26)
"""Places in the ``shape`` array: the network's sizes, strides of rows in floats, offsets."""

TAKEN, ANSWERED, FIRST = 0, 1, 2
"""Places in the counters: images drawn and answered by single threads; then, image by image
of those that all threads share, two for each phase: pieces drawn, and rows finished."""


def counters_for(shared: int, depth: int) -> int:
    """Return how many counters a call needs in which threads share some images."""
    return FIRST + shared * (2 * depth + 3)


@functools.cache
def fingerprint() -> int:
    """CRC of both folders' sources: Numba's cache watches one file, machine code depends on all."""
    total = 0
    here = Path(__file__).parent
    for path in sorted([*here.glob("*.py"), *Path(simd.__file__).parent.glob("*.py")]):
        total = zlib.crc32(path.read_bytes(), total)
    return total & 0xFFFFFF
