"""Many answers tried in processes of their own, so that one that never ends does end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from tinyternary.course.grading.worker import BLAS_ON_ONE_THREAD, Ran, Worker, worker
from tinyternary.course.judge.verdict import Verdict
from tinyternary.course.lesson.model import Lesson

LONGEST = 120.0
"""Seconds of processor time for a listed answer; a first run may have to compile."""
LEAST = 2.0
TIMES = 10.0
"""A mutant may take `LEAST` seconds and this many times as long as the solution."""
_ONE_THREAD = BLAS_ON_ONE_THREAD | dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Trial:
    """An answer to try.

    Attributes
    ----------
    lesson, exercise : str
    text : str
    mutant : bool
        Whether its time is measured against the solution's.
    """

    lesson: str
    exercise: str
    text: str
    mutant: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a trial: the verdict, and seconds on the clock."""

    verdict: Verdict
    seconds: float


def run_trials(
    lessons: Mapping[str, Lesson],
    trials: Sequence[Trial],
    jobs: int = 2,
    done: Callable[[], object] = lambda: None,
) -> list[Outcome]:
    """Try answers, several at a time.

    Parameters
    ----------
    lessons : mapping of str to Lesson
        By name.
    trials : sequence of Trial
        Those of one lesson, and of one exercise, best follow each other.
    jobs : int
        Processes.
    done : callable
        Called after each.

    Returns
    -------
    list of Outcome
        In the order of `trials`. An answer that ran out of time, or took its process with it,
        has crashed.
    """
    waiting = deque(enumerate(trials))
    outcomes: dict[int, Outcome] = {}

    def serve() -> None:
        with ExitStack() as stack:
            desk = _Desk(lessons, stack)
            while True:
                try:
                    place, trial = waiting.popleft()
                except IndexError:
                    return
                start = time.monotonic()
                verdict = desk.judge(trial)
                outcomes[place] = Outcome(verdict, time.monotonic() - start)
                done()

    threads = max(1, min(jobs, len(trials)))
    with ThreadPoolExecutor(threads) as pool:
        serving = [pool.submit(serve) for _ in range(threads)]
        try:
            for future in serving:
                future.result()
        finally:
            waiting.clear()  # an interrupt, or an error in one, ends the others too
    return [outcomes[place] for place in range(len(trials))]


class _Desk:
    """A process at a time: for the lesson at hand, and a new one after each that has died."""

    def __init__(self, lessons: Mapping[str, Lesson], stack: ExitStack) -> None:
        self._lessons = lessons
        self._stack = stack
        self._lesson = ""
        self._worker: Worker | None = None
        self._limits: dict[str, float] = {}
        self._warm: set[str] = set()

    def judge(self, trial: Trial) -> Verdict:
        process = self._at(trial.lesson)
        limit = LONGEST
        if trial.mutant:
            if trial.exercise not in self._warm:
                self._warm_up(process, trial.exercise)
                process = self._at(trial.lesson)  # another one, if the solution killed it
            limit = self._limits[trial.exercise]
        ran = process.attempt(trial.exercise, trial.text, limit)
        if ran.ending == "done":
            return Verdict.from_dict(ran.reply)
        exercise = self._lessons[trial.lesson].exercise(trial.exercise)
        return Verdict(
            exercise.number, exercise.name, "crashed", _ending(ran), 0.0, exercise.points
        )

    def _at(self, lesson: str) -> Worker:
        if self._worker is None or lesson != self._lesson or not self._worker.alive:
            self._stack.close()
            if lesson != self._lesson:
                self._limits.clear()
            self._warm.clear()
            self._lesson = lesson
            self._worker = self._stack.enter_context(
                worker(self._lessons[lesson], environment=_ONE_THREAD)
            )
        return self._worker

    def _warm_up(self, process: Worker, number: str) -> None:
        """Run the solution: what is compiled once is not counted against a mutant."""
        text = self._lessons[self._lesson].exercise(number).solution.solved(hidden=False)
        ran = process.attempt(number, text, LONGEST)
        took = float(ran.reply.get("seconds", LONGEST))
        if number not in self._limits:
            if process.alive and took > LEAST / TIMES:
                ran = process.attempt(number, text, LONGEST)
                took = float(ran.reply.get("seconds", LONGEST))
            self._limits[number] = LEAST + TIMES * took
        self._warm.add(number)


def _ending(ran: Ran) -> str:
    if ran.ending == "timeout":
        return f"It took more than {ran.limit:.0f} s of processor time."
    return "It ended the process it ran in."
