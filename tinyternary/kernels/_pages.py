"""Pages of memory that may hold machine code (lesson 08_packing_and_kernels).

A page is never writable and executable at the same time: who could write to code that runs
could run anything. So pages are filled first and then locked.
"""

from __future__ import annotations

import ctypes
import mmap

from tinyternary.kept_files import NotUsable

READ = mmap.PROT_READ
RUN = mmap.PROT_READ | mmap.PROT_EXEC
CHANGE = mmap.PROT_READ | mmap.PROT_WRITE
PAGE = mmap.PAGESIZE


_FAILED = ctypes.c_void_p(-1).value


class Pages:
    """Fresh pages, filled with zeros.

    They are never given back: a thread may still be running in them when Python ends.
    """

    def __init__(self, size: int) -> None:
        self.size = -(-size // PAGE) * PAGE
        library = ctypes.CDLL(None, use_errno=True)
        kinds = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int)
        get = library.mmap
        get.argtypes, get.restype = (*kinds, ctypes.c_long), ctypes.c_void_p
        self._protect = library.mprotect
        self._protect.argtypes = kinds[:3]
        found = get(None, self.size, CHANGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
        if found is None or found == _FAILED:
            raise NotUsable(f"the system gives no memory (error {ctypes.get_errno()})")
        self.address: int = found

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Copy ``data`` to ``offset``."""
        if not 0 <= offset <= self.size - len(data):
            raise NotUsable("something lies outside of the pages made for it")
        ctypes.memmove(self.address + offset, bytes(data), len(data))

    def allow(self, offset: int, size: int, rights: int) -> None:
        """Set what may be done with ``size`` bytes from ``offset`` (a page's start) on."""
        if size and self._protect(self.address + offset, size, rights):
            raise NotUsable(
                f"the system does not let memory be {'run' if rights == RUN else 'protected'} "
                f"(error {ctypes.get_errno()})"
            )
