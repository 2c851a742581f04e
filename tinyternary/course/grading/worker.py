"""A process that runs a learner's cells, under limits of time and memory, and leaves nothing."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Any, Literal

from tinyternary.course._notebooks import psutil
from tinyternary.course.grading.work import ADDRESS, MESSAGE
from tinyternary.course.learner._sliders import STATIC
from tinyternary.course.lesson.model import Lesson
from tinyternary.course.lesson.pack import pack_text
from tinyternary.errors import LessonError
from tinyternary.text import plain

MEMORY = 4 << 30
"""Bytes that a notebook may ask for, what it starts included."""
PROCESSES = 64
"""Processes that a notebook may have at a time."""
DISK = 1 << 30
"""Bytes that a notebook may keep in its folder."""
REPLY = 1 << 20
"""Bytes that a reply may have: the process could be made to send anything."""
WAITING = 4.0
"""Wall-clock seconds a cell may take for each second of processor time it may."""
_START_LIMIT = 120.0
_LOOK = 0.25  # seconds between looks at what a process has taken
_TOKEN = "TINYTERNARY_WORKER_TOKEN"

_PASSED_ON = (
    "PATH", "HOME", "USERPROFILE", "LANG", "TZ", "VIRTUAL_ENV", "CONDA_PREFIX", "XDG_CACHE_HOME",
    "MPLCONFIGDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "LOCALAPPDATA",
)  # fmt: skip
_PASSED_ON_STARTS = ("LC_", "NUMBA_", "OMP_", "OPENBLAS_", "MKL_", "KMP_", "TINYTERNARY_")
_NEVER = ("TINYTERNARY_OWN_RUN",)
BLAS_ON_ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""Several notebooks run at a time, and BLAS's threads wait for each other by keeping their core
busy: a second of small products became minutes of processor time where another process had it."""

Ending = Literal["done", "error", "timeout", "too much", "died"]


@dataclass
class Ran:
    """How one request ended, and what came back.

    Attributes
    ----------
    ending : {"done", "error", "timeout", "too much", "died"}
    seconds, used, limit : float
        On the clock; of processor time (or a quarter of the clock, if that is more); the
        limit for the latter.
    reply : dict
    """

    ending: Ending
    seconds: float
    used: float
    limit: float
    reply: dict[str, Any] = field(default_factory=dict)
    excess: str = ""
    """What there was too much of, and how much it may be."""

    @property
    def error(self) -> str:
        """Name and value of the exception, on one line; empty if there was none."""
        return str(self.reply.get("error", ""))


class Worker:
    """A running process. Made by `worker`."""

    def __init__(
        self, process: psutil.Popen, connection: Connection, bounds: Bounds, halt: threading.Event
    ) -> None:  # fmt: skip
        self._process = process
        self._connection = connection
        self._bounds = bounds
        self._halt = halt
        self.alive = True

    def run(self, source: str, limit: float) -> Ran:
        """Run a cell.

        Parameters
        ----------
        source : str
        limit : float
            Seconds of processor time, and a quarter of the seconds on the clock: a busy
            machine must not cost a learner points. If a cell takes longer the process is
            killed (`alive` turns false): an interrupt could be caught by the cell, and what
            it left half done would be in the way of the next.
        """
        return self._ask({"run": source}, limit)

    def judge(self, number: str, limit: float) -> Ran:
        """Judge an exercise among the names that the cells made; `limit` as for `run`."""
        return self._ask({"judge": number}, limit)

    def attempt(self, number: str, text: str, limit: float) -> Ran:
        """Judge a text as the answer to an exercise, whatever the cells made.

        The reply is a verdict and the `seconds` of processor time that it took.
        """
        return self._ask({"judge": number, "try": text}, limit)

    def _ask(self, request: dict[str, Any], limit: float) -> Ran:
        start, before = time.monotonic(), self._cpu()
        spent, look = 0.0, start
        ending: Ending = "died"
        reply: dict[str, Any] = {}
        excess = ""
        try:
            self._connection.send_bytes(json.dumps(request).encode())
            while not self._connection.poll(0.05):
                spent = max(self._cpu() - before, (time.monotonic() - start) / WAITING)
                if self._halt.is_set():
                    raise LessonError("grading was interrupted")
                if spent > limit:
                    ending = "timeout"
                    break
                if time.monotonic() - look > _LOOK:
                    look = time.monotonic()
                    excess = self._bounds.excess(self._process)
                    if excess:
                        ending = "too much"
                        break
            else:
                reply = _plain(json.loads(self._connection.recv_bytes(REPLY)))
                ending = "error" if reply.get("error") else "done"
        except (EOFError, OSError, ValueError):  # it hung up, or wrote what is no reply
            ending = "died"
        self.alive = ending in ("done", "error")
        return Ran(ending, time.monotonic() - start, spent, limit, reply, excess)

    def _cpu(self) -> float:
        with suppress(psutil.Error):
            times = self._process.cpu_times()
            return float(times.user + times.system)
        return 0.0


@dataclass(frozen=True)
class Bounds:
    """What a process and all below it may take together.

    The process limits itself too, call by call; this is for what it starts, which inherits
    each limit whole.
    """

    folder: Path
    memory: int

    def excess(self, process: psutil.Process) -> str:
        """Say what there is too much of; empty if nothing."""
        with suppress(psutil.Error):
            family = [process, *process.children(recursive=True)]
            if len(family) > PROCESSES:
                return f"more processes than it may have ({PROCESSES})"
            if sum(_resident(one) for one in family) > self.memory:
                return f"more memory than it may take ({self.memory / (1 << 30):g} GiB)"
        if _kept(self.folder) > DISK:
            return f"more on disk than it may keep ({DISK / (1 << 30):g} GiB)"
        return ""


def _plain(reply: Any) -> Any:
    """Make what a learner's code had said harmless, and short: its text is theirs to choose."""
    if isinstance(reply, dict):
        return {name: _plain(value) for name, value in reply.items()}
    if isinstance(reply, list):
        return [_plain(value) for value in reply]
    return plain(reply, MESSAGE) if isinstance(reply, str) else reply


def _resident(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _kept(folder: Path) -> int:
    """Bytes in a folder, an entry counting as a page at least."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += max(os.lstat(os.path.join(place, name)).st_size, 4096)
        total += 4096
        if total > DISK:
            break
    return total


@contextmanager
def worker(
    lesson: Lesson,
    memory: int = MEMORY,
    environment: Mapping[str, str] | None = None,
    halt: threading.Event | None = None,
) -> Iterator[Worker]:
    """Start a process in an empty folder, and end it, and all it started, with the block.

    Parameters
    ----------
    lesson : Lesson
    memory : int
        Bytes that it may ask for, what it starts included.
    environment : mapping of str to str, optional
        Added to this process's.
    halt : threading.Event, optional
        Ends whatever runs once it is set.

    Raises
    ------
    LessonError
        If it does not start, or `halt` was set.
    """
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "work"
        folder.mkdir()
        with Listener(authkey=bytes.fromhex(token)) as listener:
            process = psutil.Popen(
                # -P: the working folder is no place to import from
                [sys.executable, "-P", "-m", "tinyternary.course.grading.work"],
                cwd=folder,
                env=_environment(scratch, str(listener.address), token) | dict(environment or {}),
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            try:
                process.stdin.write(f"{token}\n".encode())
                process.stdin.close()
                connection = _accept(listener, process)
                with connection:
                    first = {"lesson": pack_text(lesson), "memory": memory, "disk": DISK}
                    connection.send_bytes(json.dumps(first).encode())
                    if not connection.poll(_START_LIMIT):
                        raise LessonError("the process that runs notebooks does not answer")
                    connection.recv_bytes()
                    bounds = Bounds(Path(scratch), memory)
                    yield Worker(process, connection, bounds, halt or threading.Event())
            finally:
                _end(process, token)


def _environment(scratch: str, address: str, token: str) -> dict[str, str]:
    """Choose what a learner's code sees of this process's environment: what programs need."""
    env = {
        name: value for name, value in os.environ.items()
        if (name in _PASSED_ON or name.startswith(_PASSED_ON_STARTS)) and name not in _NEVER
    }  # fmt: skip
    # the library that grades is the one that is graded against, wherever it lies
    own = str(Path(__file__).resolve().parents[3])
    paths = [own, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return BLAS_ON_ONE_THREAD | env | {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "IPYTHONDIR": scratch, STATIC: "1",
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch),
        "MPLBACKEND": "Agg", "TINYTERNARY_GRADING": "1", ADDRESS: address, _TOKEN: token,
    }  # fmt: skip


def _accept(listener: Listener, process: psutil.Popen) -> Connection:
    # accept() knows no time limit: a process that dies first is noticed beside it
    found: list[Connection] = []
    thread = threading.Thread(target=lambda: found.append(listener.accept()), daemon=True)
    thread.start()
    limit = time.monotonic() + _START_LIMIT
    while thread.is_alive() and process.poll() is None and time.monotonic() < limit:
        thread.join(0.02)
    if not found:
        raise LessonError(
            f"the process that runs notebooks did not start (exit status {process.poll()})"
        )
    return found[0]


def _end(process: psutil.Popen, token: str) -> None:
    """Kill a process and what it started, also what left its session.

    What it started is below it while it lives; where it died first, its environment tells.
    All are stopped before any is killed, and looked for again until there is none that runs:
    one that is left running could start more than a single look finds.
    """
    stopped: list[psutil.Process] = []
    found = [process]
    while found:
        for one in found:
            with suppress(psutil.Error):
                one.suspend()
        stopped += found
        found = [one for one in _started(process, token) if one not in stopped]
    for one in stopped:
        with suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(stopped, timeout=10)


def _started(process: psutil.Popen, token: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    with suppress(psutil.Error):
        found += process.children(recursive=True)
    for other in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if other.environ().get(_TOKEN) == token:
                found.append(other)
    return found
