"""The notebook machinery, from the extra `lessons`: a learner's kernel and the library need none.

Modules that build, run or grade notebooks take these names from here, so that a missing
package is one line that says what to install.
"""

from __future__ import annotations

from typing import Any

from tinyternary.errors import LessonError

try:
    import jupytext as jupytext
    import nbformat as nbformat
    import psutil as psutil  # type: ignore[import-untyped]
    from ipykernel.kernelspec import make_ipkernel_cmd as make_ipkernel_cmd
    from jupyter_client.kernelspec import (
        KernelSpec as KernelSpec,
        KernelSpecManager as KernelSpecManager,
    )
    from jupyter_client.manager import AsyncKernelManager as AsyncKernelManager
    from nbclient import NotebookClient as NotebookClient
    from nbclient.exceptions import (
        CellExecutionError as CellExecutionError,
        CellTimeoutError as CellTimeoutError,
        DeadKernelError as DeadKernelError,
    )
    from nbformat import v4
except ModuleNotFoundError as error:
    raise LessonError(
        f"building and grading lessons needs the package {error.name}: "
        'pip install "tinyternary[lessons]"'
    ) from None

untyped: Any = nbformat  # `reads` and `writes` carry no types
new: Any = v4  # makers of cells, without types too
