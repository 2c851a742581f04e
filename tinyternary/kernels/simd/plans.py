"""How to go about many rows on this processor: what is known, and a probe (lesson 08).

Codes of two bits can be unpacked in every tile of four rows, which reads a quarter of a byte for
each; or a whole panel once, to a byte a code, for all rows of a chunk, which computes less. Where
unpacking waits for the ports of dot products the second wins, where ports are to spare the first.
The bits are the same. `probe` times both and keeps what it finds where machine code is kept; until
it has run, `KNOWN` counts.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import statistics
import time
from pathlib import Path

import numpy as np

from tinyternary import kept_files
from tinyternary.kept_files import NotUsable
from tinyternary.kernels import processor
from tinyternary.kernels.simd.record import NEVER, Record
from tinyternary.kernels.simd.tile_shapes import Shape
from tinyternary.places import cache_folder

ROWS = 32
"""Rows that share an unpacked panel, from which on it can be worth its making."""
KNOWN = {("AuthenticAMD", "avx2"): ROWS, ("AuthenticAMD", "avx512"): NEVER}
"""By vendor and rung, from how many rows on panels are unpacked: a Zen 3, where loading and not
unpacking is what limits a tile, took 0.94 to 1.02 of the time; a Zen 5 reaches 91 % of its peak
without. Elsewhere never, until a probe says otherwise: an Intel processor has two ports for
512-bit integers, of which unpacking takes a third."""
_SHAPE = 64, 512, 512  # M, K, N of the probe: a fifth of a millisecond a turn
_ROUNDS = 60
_CLEARLY = 0.98  # of the time: what is as fast takes more memory


def unpack_from(target: Shape) -> int:
    """Return from how many rows on panels are unpacked here, for one rung."""
    return _unpack_from(target.name, _place(target))


@functools.cache
def _unpack_from(name: str, place: Path) -> int:
    try:
        found: int = json.loads(kept_files.read(place))["unpack_from"]
    except NotUsable:
        return KNOWN.get((processor.described().get("vendor_id", ""), name), NEVER)
    return found


def probe(name: str) -> dict[str, float]:
    """Time both ways for a rung on this machine, in turns, and keep the answer.

    Parameters
    ----------
    name : str
        Of a rung whose micro-kernel can unpack panels; nothing is to be found out about others.

    Returns
    -------
    dict
        ``unpacked``: time with unpacked panels in units of the other, median of 60 turns;
        ``unpack_from``: rows. Empty for other rungs.
    """
    from tinyternary.kernels.simd import driver
    from tinyternary.kernels.simd.intrinsics import INTEGERS
    from tinyternary.kernels.simd.micro_kernels import MICRO_KERNELS
    from tinyternary.kernels.simd.targets import TARGETS

    target = next((found for found in TARGETS if found.name == name), None)
    if target is None or MICRO_KERNELS[target.index].emit_unpacked_sums is None:
        return {}
    rng = np.random.default_rng(0)
    (m, k, n), most = _SHAPE, target.most
    layout = MICRO_KERNELS[target.index].prepare(rng.integers(-1, 2, (n, k), np.int8), target)
    x, out = rng.integers(-most, most + 1, (m, k), np.int8), np.empty((m, n), np.int32)
    run = driver.kernel(target, INTEGERS)
    packed, unpacked = (Record((n, k), layout, unpack_from=rows) for rows in (NEVER, ROWS))

    def seconds(record: Record) -> float:
        start = time.perf_counter()
        run(record.address, 0, x, out)
        return time.perf_counter() - start

    ratio = statistics.median(seconds(unpacked) / seconds(packed) for _ in range(_ROUNDS))
    found = {"unpacked": ratio, "unpack_from": ROWS if ratio < _CLEARLY else NEVER}
    with contextlib.suppress(NotUsable):  # nowhere to keep it: the next start goes by what is known
        kept_files.write(_place(target), json.dumps(found).encode())
    _unpack_from.cache_clear()
    return found


def _place(target: Shape) -> Path:
    """Return where the answer for this processor and rung is kept."""
    described = json.dumps([sorted(processor.described().items()), target.name])
    name = f"plan-{target.name}-{hashlib.sha256(described.encode()).hexdigest()[:16]}"
    return cache_folder() / name
