"""Inside the process that runs a learner's notebook: runs cells, and judges when it is told to.

Started by `worker.Worker`, in an empty folder, with a limit on memory. It needs neither
Jupyter nor the notebook's file: cells come as text, verdicts go back as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from multiprocessing.connection import Client, Connection
from pathlib import Path
from typing import Any

ADDRESS = "TINYTERNARY_WORKER"
"""Environment variable: where the grader listens."""

MESSAGE = 20_000
"""Characters of a message that are sent, enough for what checks say; the rest is left out."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


def main() -> None:
    """Serve the grader until it hangs up."""
    key = bytes.fromhex(sys.stdin.readline().strip())
    with Client(os.environ.pop(ADDRESS), authkey=key) as connection:
        Work(connection).serve()


class Work:
    """The learner's interpreter and the judge beside it."""

    def __init__(self, connection: Connection) -> None:
        # the judge is loaded before any of the learner's code runs
        from IPython.core.interactiveshell import InteractiveShell

        from tinyternary.course.judge.judging import Judge
        from tinyternary.course.lesson.pack import from_pack, keep_at_hand

        first = json.loads(connection.recv_bytes())
        _limit(int(first["memory"]), int(first["disk"]))
        self._connection = connection
        self._process = os.getpid()
        _stay_in_the_family()
        lesson = from_pack(first["lesson"], Path("lesson"))
        keep_at_hand(lesson)
        self._judge = Judge(lesson)
        self._shell = InteractiveShell.instance()
        self._shell.display_pub.publish = lambda *_, **__: None  # type: ignore[method-assign]
        self._shell.colors = "nocolor"
        self._connection.send_bytes(b"{}")

    def serve(self) -> None:
        """Answer one request after another."""
        while True:
            try:
                job = json.loads(self._connection.recv_bytes())
            except EOFError:
                return
            if "run" in job:
                reply = self._run(job["run"])
            elif "try" in job:
                reply = self._attempt(job["judge"], job["try"])
            else:
                reply = self._verdict(job["judge"])
            if os.getpid() != self._process:  # a cell forked: its copy of us has no say
                os._exit(0)
            self._connection.send_bytes(json.dumps(_cut(reply)).encode())

    def _run(self, source: str) -> dict[str, Any]:
        result = self._shell.run_cell(source, store_history=False)  # type: ignore[no-untyped-call]
        error = result.error_before_exec or result.error_in_exec
        if error is None:
            return {"error": ""}
        said = f"{type(error).__name__}: {str(error)[:MESSAGE]}".splitlines()[0]
        if isinstance(error, SystemExit):
            said = "SystemExit: exit() ends the notebook here"
        return {"error": said}

    def _verdict(self, number: str) -> dict[str, Any]:
        names = self._shell.user_ns
        verdict = self._judge.judge(number, names)
        reply = {**verdict.to_dict(), "answer": verdict.answer}
        if verdict.points and not self._still_strict(number):
            reply |= {"status": "tampered", "points": 0.0, "parts": []}
            reply["message"] = "In this notebook the check accepts a wrong answer too."
        return reply

    def _attempt(self, number: str, text: str) -> dict[str, Any]:
        """Judge an answer that stands in no notebook."""
        from tinyternary.course.authoring.variants import try_answer

        start = time.process_time()
        verdict = try_answer(self._judge, number, text)
        return {**verdict.to_dict(), "seconds": time.process_time() - start}

    def _still_strict(self, number: str) -> bool:
        """Whether the same check, in this process, still tells a stub and a wrong answer."""
        from tinyternary.course.judge.namespaces import run_text

        exercise = self._judge.lesson.exercise(number)
        probes: list[tuple[str, tuple[str, ...]]] = [
            (exercise.solution.for_learner(), ("not attempted", "failed", "crashed"))
        ]
        wrong = next((v.source for v in exercise.variants if v.kind == "wrong"), None)
        if wrong is not None:
            probes.append((wrong, ("failed", "partly")))
        for place, (text, expected) in enumerate(probes):
            names = dict(self._shell.user_ns)
            try:
                run_text(text, f"<probe {number} {place}>", names)
            except NotImplementedError:
                continue  # the stub of a cell that is no function stops at once
            if self._judge.judge(number, names).status not in expected:
                return False
        return True


def _stay_in_the_family() -> None:
    """End with the grader, and stay the ancestor of all that is started below, to be found."""
    if sys.platform == "linux":
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _cut(reply: Any) -> Any:
    """Shorten what a learner's code had said; one character more tells that there was more."""
    if isinstance(reply, dict):
        return {name: _cut(value) for name, value in reply.items()}
    if isinstance(reply, list | tuple):
        return [_cut(value) for value in reply]
    return reply[: MESSAGE + 1] if isinstance(reply, str) else reply


def _limit(memory: int, file_size: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    for what, size in (
        (resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        hard = resource.getrlimit(what)[1]
        size = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(what, (size, hard))


if __name__ == "__main__":
    main()
