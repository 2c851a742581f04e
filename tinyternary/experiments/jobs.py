"""Independent jobs, one after the other, in processes of this machine, or on a cluster (lesson 12).

There is one way to run them, `run_jobs`, and a job is a function of a module with its arguments:
what another process or machine can be told in a few bytes. Jobs write their own results in
strokes that a crash cannot halve, so that whoever dies, what is finished is on a disk and the same
call goes on.

A process that was forked has its parent's locks, pools and open files, but not its threads; so
processes here are spawned. Each computes with one thread: N of them keep N cores busy, and bits
do not depend on the number of threads.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tinyternary import __version__
from tinyternary.compiled.cores import available_cores
from tinyternary.compiled.threads import check_threads, using_threads
from tinyternary.errors import ConfigError, TinyTernaryError, TrainingError

HERE = "here"
LIVES = 4
"""How often a job is begun whose process is killed, before it is given up: the job may be why."""


@dataclass(frozen=True)
class Job:
    """A function of a module, and what it is called with.

    Attributes
    ----------
    name : str
        Of its own among the jobs that run together.
    call : callable
    arguments : mapping
        By name; all that can be pickled.
    done : callable, optional
        Of the same arguments: whether the result lies on the machine that asks. A cluster's
        worker that has it is asked first.
    """

    name: str
    call: Callable[..., Any]
    arguments: Mapping[str, Any]
    done: Callable[..., bool] | None = None
    library: str = field(default=__version__, init=False)


def run_jobs(
    jobs: Sequence[Job],
    where: str = HERE,
    files: Sequence[Path] = (),
    tidy: Callable[[], Any] | None = None,
) -> Iterator[tuple[Job, Any]]:
    """Run jobs, and give each with its outcome as soon as it is there.

    Parameters
    ----------
    jobs : sequence of Job
    where : str
        "here": one after the other, with all threads. "processes:4": in so many at a time.
        "local:4": on so many Dask workers of this machine. "tcp://host:8786": on the workers
        of a Dask scheduler (also "tls://...").
    files : sequence of path
        Data files; workers that do not see one get it sent, see `sent_folder`.
    tidy : callable, optional
        Called on each worker of a cluster when all is done.

    Yields
    ------
    (Job, object)
        What the job's function gave, or the `TinyTernaryError` that it ended with. Any other
        exception is raised.

    Raises
    ------
    ConfigError
        If `where` says nothing of these, or the scheduler is not there.
    TrainingError
        If the scheduler is lost.
    """
    kind, count = check_place(where)
    if count > available_cores():
        warnings.warn(
            f"{where}: {count} at a time have {available_cores()} cores between them", stacklevel=2
        )
    if kind == HERE:
        for job in jobs:
            yield job, attempt(job)
    elif kind == "processes":
        yield from _in_processes(jobs, count)
    else:
        from tinyternary.experiments.cluster import on_cluster

        yield from on_cluster(jobs, where, files, tidy)


def run_together(jobs: Sequence[Job], count: int, progress: bool) -> dict[str, Any]:
    """Run jobs in `count` processes at a time; gives what each gave, by name, in their order.

    Raises
    ------
    TinyTernaryError
        If a job ended with one: the first, when the others have ended.
    """
    found: dict[str, Any] = {}
    bar: Any = tqdm(total=len(jobs), unit="job", dynamic_ncols=True, disable=not progress)
    with bar:
        for job, outcome in run_jobs(jobs, f"processes:{count}"):
            found[job.name] = outcome
            bar.set_postfix_str(job.name, refresh=False)
            bar.update()
    for outcome in found.values():
        if isinstance(outcome, TinyTernaryError):
            raise outcome
    return {job.name: found[job.name] for job in jobs}


def check_place(where: str) -> tuple[str, int]:
    """Split where jobs are to run into a kind and a number, as `run_jobs` takes it.

    Raises
    ------
    ConfigError
        If it says nothing that there is.
    """
    kind, _, number = where.partition(":")
    if where == HERE or (kind in ("tcp", "tls") and number.startswith("//")):
        return kind, 0
    if kind in ("processes", "local"):
        return kind, check_threads(number, f"the number of workers in {where!r}")
    raise ConfigError(
        f"scheduler: expected local:N (workers on this machine) or tcp://HOST:PORT, got {where!r}"
    )


def attempt(job: Job) -> Any:
    """Call a job's function; gives what it gives, or the `TinyTernaryError` that it raises."""
    if job.library != __version__:
        return ConfigError(f"a worker has tinyternary {__version__}, expected {job.library}")
    try:
        return job.call(**job.arguments)
    except TinyTernaryError as error:
        return error


def attempt_with_one_thread(job: Job) -> Any:
    """Do what `attempt` does, beside others who want cores as well."""
    with using_threads(1):
        return attempt(job)


def killed(times: int) -> TrainingError:
    """Say that nobody has lived to end a job."""
    return TrainingError(
        f"its process was killed {times} times (not enough memory for so many at a time?)"
    )


def _in_processes(jobs: Sequence[Job], count: int) -> Iterator[tuple[Job, Any]]:
    """Run each job in a process of its own, `count` at a time."""
    spawn = multiprocessing.get_context("spawn")
    waiting, lives = list(jobs), dict.fromkeys((job.name for job in jobs), LIVES)
    at_work: dict[Any, tuple[Any, Job]] = {}
    try:
        while waiting or at_work:
            while waiting and len(at_work) < count:
                job = waiting.pop(0)
                ours, theirs = spawn.Pipe(duplex=False)
                process = spawn.Process(target=_answer, args=(theirs, job), name=job.name)
                process.start()
                theirs.close()
                at_work[ours] = process, job
            for pipe in wait(list(at_work)):
                process, job = at_work[pipe]
                outcome, unexpected = _received(pipe)
                process.join()
                del at_work[pipe]
                if unexpected is not None:
                    raise unexpected
                lives[job.name] -= outcome is _KILLED
                if outcome is not _KILLED:
                    yield job, outcome
                elif lives[job.name]:  # what it had trained is in its folder
                    waiting.insert(0, job)
                else:
                    yield job, killed(LIVES)
    finally:
        for process, _ in at_work.values():
            process.terminate()  # training saves its state first
        for process, _ in at_work.values():
            process.join()


_KILLED = object()


def _received(pipe: Any) -> tuple[Any, Exception | None]:
    """Read what a process says at its end, if it lived to say it."""
    with pipe:
        try:
            outcome, unexpected = pipe.recv()
        except EOFError:
            return _KILLED, None
    return outcome, unexpected


def _answer(pipe: Any, job: Job) -> None:
    """Run a job in a process that was spawned for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, who ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        pipe.send((attempt_with_one_thread(job), None))
    except Exception as error:
        error.add_note(traceback.format_exc())  # of which a pickled exception has nothing
        pipe.send((None, error))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    signal.raise_signal(signal.SIGTERM)
