"""One contender in a fresh process: when it first answers, how much memory it took (lesson 10).

Imports nothing that a user's program would not: whatever is loaded here counts.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from tinyternary.bench.infer_peers import start


def probe() -> None:
    """Answer for one image, then for a batch, on one thread; print when, and the peak in MB.

    The command line gives the contender, its folder, and the shape of the batch.
    """
    name, folder, *shape = sys.argv[1:]
    images = np.full([int(side) for side in shape], 100, np.uint8)
    run = start(name, Path(folder), 1)
    run(images[:1])
    answered = time.time()
    run(images)
    print(json.dumps({"answered": answered, "peak_mb": peak_bytes() / 1e6}))


def peak_bytes() -> int:
    """Most memory that this process ever held, bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # not getrusage: its maximum begins with that of the process that started this one
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
