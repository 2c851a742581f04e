"""What Numba compiled, kept in files (lesson 08_packing_and_kernels).

Numba has a cache of its own, which this replaces: its key knows the file of a function and not
those of the functions called, it has an index whose damage ends every start in an error, and
processes that start together all compile. Here a function and its types have one file, named
after everything that its machine code depends on; whatever changes, the name is another one, and
the file is not found. Nothing that is wrong with a file does more than cost a compilation.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import logging
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numba.core import serialize
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult

from tinyternary import kept_files
from tinyternary.compiled.source_files import fingerprint
from tinyternary.kept_files import Damaged, NotUsable
from tinyternary.places import cache_folder

KEPT = 6
"""Folders of one module: of its last versions, and of other environments. Older ones go."""
_ENDING = ".loop"
_log = logging.getLogger("tinyternary")


class KeptLoops(_Cache):
    """The compiled forms of one function: what Numba's dispatcher asks for, by types.

    Parameters
    ----------
    function : Python function

    Raises
    ------
    NotUsable
        If its source is in no file, as in a notebook.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        source = Path(inspect.getfile(function))
        self._module = str(function.__module__)
        self._folder = cache_folder() / "loops" / f"{self._module}-{fingerprint(source)[:16]}"
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """The folder, as text."""
        return str(self._folder)

    def enable(self) -> None:
        """Read and write files."""
        self._enabled = True

    def disable(self) -> None:
        """Neither read nor write files."""
        self._enabled = False

    def flush(self) -> None:
        """Forget all compiled forms of this module."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what `save_overload` kept for these types; None if there is nothing to use."""
        target_context.refresh()
        if not self._enabled:
            return None
        path = self._path(sig, target_context.codegen())
        try:
            parts = pickle.loads(kept_files.read(path))
            return CompileResult._rebuild(target_context, *parts)
        except kept_files.Missing:
            return None
        except Damaged as reason:
            _log.warning("%s; it is made anew", reason)
        except NotUsable as reason:
            _log.info("%s", reason)
        except Exception as error:  # whole, and yet not what this version of Numba takes
            _log.warning("%s: cannot be used: %s: %s; it is made anew", path,
                         type(error).__name__, error)  # fmt: skip
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled form; where it cannot be kept, the next start compiles again."""
        if not self._enabled or data.lifted or data.library.has_dynamic_globals:
            return
        path = self._path(sig, data.codegen)
        try:
            kept_files.write(path, serialize.dumps(data._reduce()))
        except NotUsable as reason:
            _log.info("%s", reason)
            return
        versions = self._folder.parent.glob(f"{self._module}-{'?' * 16}")
        for folder in kept_files.oldest(versions, KEPT):
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def one_maker(self, sig: Any, target_context: Any) -> Iterator[None]:
        """Let one process compile for these types, while others wait for its file."""
        path = self._path(sig, target_context.codegen())
        if path.exists():
            yield
            return
        with contextlib.suppress(NotUsable):
            kept_files.check_writable(path.parent)
        with kept_files.one_maker(path):
            yield

    def _path(self, sig: Any, codegen: Any) -> Path:
        """Return the file for these types, named after the code and what it closes over."""
        function = self._function
        closed_over = tuple(cell.cell_contents for cell in function.__closure__ or ())
        what = (str(sig), codegen.magic_tuple(), function.__code__.co_code)
        digest = hashlib.sha256(repr(what).encode() + serialize.dumps(closed_over))
        name = function.__qualname__.replace("<", "").replace(">", "")
        return self._folder / f"{name}-{digest.hexdigest()[:24]}{_ENDING}"
