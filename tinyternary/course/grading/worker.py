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
from tinyternary.course.grading.work import ADDRESS
from tinyternary.course.learner._sliders import STATIC
from tinyternary.course.lesson.model import Lesson
from tinyternary.course.lesson.pack import pack_text
from tinyternary.errors import LessonError

MEMORY = 4 << 30
"""Bytes that a notebook may ask for."""
WAITING = 4.0
"""Wall-clock seconds a cell may take for each second of processor time it may."""
_START_LIMIT = 120.0
_TOKEN = "TINYTERNARY_WORKER_TOKEN"

Ending = Literal["done", "error", "timeout", "died"]


@dataclass
class Ran:
    """How one request ended, and what came back.

    Attributes
    ----------
    ending : {"done", "error", "timeout", "died"}
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

    @property
    def error(self) -> str:
        """Name and value of the exception, on one line; empty if there was none."""
        return str(self.reply.get("error", ""))


class Worker:
    """A running process. Made by `worker`."""

    def __init__(
        self, process: psutil.Popen, connection: Connection, halt: threading.Event
    ) -> None:  # fmt: skip
        self._process = process
        self._connection = connection
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
        spent = 0.0
        ending: Ending = "died"
        reply: dict[str, Any] = {}
        try:
            self._connection.send_bytes(json.dumps(request).encode())
            while not self._connection.poll(0.05):
                spent = max(self._cpu() - before, (time.monotonic() - start) / WAITING)
                if self._halt.is_set():
                    raise LessonError("grading was interrupted")
                if spent > limit:
                    ending = "timeout"
                    break
            else:
                reply = json.loads(self._connection.recv_bytes())
                ending = "error" if reply.get("error") else "done"
        except (EOFError, OSError, ValueError):  # it hung up, or wrote what is no reply
            ending = "died"
        self.alive = ending in ("done", "error")
        return Ran(ending, time.monotonic() - start, spent, limit, reply)

    def _cpu(self) -> float:
        with suppress(psutil.Error):
            times = self._process.cpu_times()
            return float(times.user + times.system)
        return 0.0


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
        Bytes that it may ask for.
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
                    first = {"lesson": pack_text(lesson), "memory": memory}
                    connection.send_bytes(json.dumps(first).encode())
                    if not connection.poll(_START_LIMIT):
                        raise LessonError("the process that runs notebooks does not answer")
                    connection.recv_bytes()
                    yield Worker(process, connection, halt or threading.Event())
            finally:
                _end(process, token)


def _environment(scratch: str, address: str, token: str) -> dict[str, str]:
    env = {
        name: value for name, value in os.environ.items()
        if name not in ("NBGRADER_EXECUTION", "TINYTERNARY_OWN_RUN", "PYTHONSTARTUP")
    }  # fmt: skip
    # the library that grades is the one that is graded against, wherever it lies
    own = str(Path(__file__).resolve().parents[3])
    paths = [own, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    return env | {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "IPYTHONDIR": scratch, STATIC: "1",
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
    """
    doomed = [process]
    with suppress(psutil.Error):
        process.suspend()  # so that it starts no more
        doomed += process.children(recursive=True)
    for other in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if other not in doomed and other.environ().get(_TOKEN) == token:
                doomed.append(other)
    for one in doomed:
        with suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(doomed, timeout=10)
