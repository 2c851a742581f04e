"""A Jupyter kernel of this interpreter, that runs cells under time limits."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tinyternary.course._notebooks import (
    AsyncKernelManager,
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
    KernelSpec,
    KernelSpecManager,
    NotebookClient,
    make_ipkernel_cmd,
    nbformat,
    new,
)
from tinyternary.course.learner._sliders import STATIC
from tinyternary.course.learner.checks import OWN_RUN

Ending = Literal["done", "error", "timeout", "died"]


@dataclass
class Ran:
    """How one cell ended, and what it left."""

    ending: Ending
    cell: nbformat.NotebookNode
    seconds: float

    @property
    def error(self) -> str:
        """Name and value of the exception, on one line; empty if there was none."""
        for output in self.cell.get("outputs", []):
            if output["output_type"] == "error":
                return f"{output['ename']}: {output['evalue']}".splitlines()[0]
        return ""


class Kernel:
    """A running kernel. Made by `kernel`."""

    def __init__(self, client: NotebookClient) -> None:
        self._client = client
        self.alive = True

    def run(self, cell: nbformat.NotebookNode, limit: float) -> Ran:
        """Run a code cell; its outputs are written into it.

        Parameters
        ----------
        cell : NotebookNode
        limit : float
            Seconds. If a cell takes longer its kernel is killed (`alive` turns false):
            an interrupt could be caught by the cell, and what it left half done
            would be in the way of the next.
        """
        start = time.monotonic()
        ending: Ending
        try:
            ending = self._execute(cell, limit)
        except CellTimeoutError:
            ending = "timeout"
            self.alive = False
            assert self._client.km is not None
            _wait(self._client.km.shutdown_kernel(now=True))
        except (DeadKernelError, RuntimeError):
            # nbclient reports some deaths as RuntimeError("Kernel died before replying")
            ending = "died"
            self.alive = False
        return Ran(ending, cell, time.monotonic() - start)

    def _execute(self, cell: nbformat.NotebookNode, limit: float) -> Ending:
        self._client.timeout = max(1, round(limit))
        self._client.nb.cells = [cell]
        try:
            self._client.execute_cell(cell, 0)
        except CellExecutionError:
            return "error"
        return "done"


@contextmanager
def kernel(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Kernel]:
    """Start a kernel in a folder, and end it with the block.

    Parameters
    ----------
    folder : path
        Its working directory.
    environment : mapping of str to str, optional
        Added to this process's.
    """
    with tempfile.TemporaryDirectory() as scratch:
        env = {name: value for name, value in os.environ.items() if name != "NBGRADER_EXECUTION"}
        # neither a start-up file nor the history of whoever builds
        env |= {"IPYTHONDIR": scratch, STATIC: "1", OWN_RUN: "1", **(environment or {})}
        env.pop("TINYTERNARY_GRADING", None)
        env.pop("MPLBACKEND", None)  # the kernel's own, which draws into the notebook
        specs = _ThisPython()
        manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
        client = NotebookClient(
            new.new_notebook(), km=manager, record_timing=False, coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}}, startup_timeout=60,
        )  # fmt: skip
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with client.setup_kernel(env=env, cleanup_kc=True, **quiet):
            yield Kernel(client)


class _ThisPython(KernelSpecManager):
    """Whatever kernels a user has installed, run this interpreter."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(
            argv=make_ipkernel_cmd(), display_name="Python 3 (ipykernel)", language="python"
        )


def _wait(awaitable: Any) -> Any:
    from jupyter_core.utils import run_sync

    async def inner() -> Any:
        return await awaitable

    return run_sync(inner)()
