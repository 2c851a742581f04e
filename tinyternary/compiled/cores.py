"""How many cores this process may use (lesson 08).

Not those that the machine has: a scheduler or ``taskset`` may have tied the process to some of
them, and a container may have been given the time of a few (a quota of its cgroup), which the
number of cores that Python and BLAS see does not say. With more threads than that, all of them
are put to sleep for part of every tenth of a second.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def available_cores() -> int:
    """Cores that this process may keep busy: at least 1."""
    tied = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, int(min(tied or 1, quota())))


@cache
def quota(root: Path = Path("/")) -> float:
    """Cores' worth of time that the process's cgroups leave it, rounded up; else infinity.

    A part of a core is used by a thread of its own: 1.5 cores keep two threads busy three
    quarters of the time, one thread would leave a third of them alone.

    Parameters
    ----------
    root : Path
        What stands for ``/``.
    """
    shares = [share for folder in _cgroups(root) for share in _shares(folder)]
    return max(1, math.ceil(min(shares))) if shares else math.inf


def _cgroups(root: Path) -> Iterator[Path]:
    """Folders of the process's cgroups that can hold a quota, up to the topmost: all of them count.

    A line of ``/proc/self/cgroup`` is ``number:controllers:path``; version 2 has number 0 and
    names no controllers. In a container the path may be the host's, of which only the topmost
    folder is to be seen.
    """
    mounted = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            tops = [mounted, mounted / "unified"]
        elif "cpu" in controllers.split(","):
            tops = [mounted / controllers, mounted / "cpu"]
        else:
            continue
        inner = Path(path.strip("/"))
        for top in tops:
            for part in (inner, *inner.parents):
                yield top / part


def _shares(folder: Path) -> Iterator[float]:
    """Quota of a cgroup in cores, as version 2 (``cpu.max``) or version 1 has it, if it has one."""
    both = _read(folder / "cpu.max").split()
    each = [_read(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
    for numbers in (both, " ".join(each).split()):
        # "max" or -1: without a limit
        if len(numbers) == 2 and all(n.isdigit() and int(n) for n in numbers):
            yield int(numbers[0]) / int(numbers[1])


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""  # another system, or another version
