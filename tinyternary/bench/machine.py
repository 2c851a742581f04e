"""What a measurement was made on: a number without its machine says little."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from tinyternary.compiled import get_threads
from tinyternary.compiled.cores import available_cores


def cpu_name() -> str:
    """Name of the processor as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux: the platform module knows what there is to know
    return platform.processor() or platform.machine()


def describe_machine(threads: int | None = None) -> dict[str, Any]:
    """Collect what has to stand beside a measurement.

    Parameters
    ----------
    threads : int, optional
        Threads that were used; by default `get_threads()`.

    Returns
    -------
    dict
        Plain JSON types: processor, cores, threads, versions.
    """
    from importlib.metadata import version

    return {
        "cpu": cpu_name(),
        "cores": available_cores(),
        "threads": get_threads() if threads is None else threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "numba": version("numba"),
    }
