"""Jobs on the workers of a Dask scheduler: of this machine, or of a cluster (lesson 12).

Dask keeps the queue, gives the jobs of a worker that is gone to another, and shows all of it on its
dashboard. Here is what it does not know: data files reach workers that do not see them, and a
worker that finished a job for a client that is gone is asked for it first.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from tinyternary.data.medmnist.archives import md5_of
from tinyternary.errors import ConfigError, DataFileError, TrainingError
from tinyternary.experiments.jobs import LIVES, Job, attempt_with_one_thread, killed

PATIENCE = 20
"""Seconds after which a scheduler that does not answer is not there."""


def on_cluster(
    jobs: Sequence[Job], where: str, files: Sequence[Path], tidy: Callable[[], Any] | None
) -> Iterator[tuple[Job, Any]]:
    """Run jobs on Dask workers; see `run_jobs`."""
    try:
        from distributed import KilledWorker, as_completed
    except ImportError:
        raise ConfigError(
            f"{where}: needs Dask; install it with `pip install tinyternary[cluster]`"
        ) from None
    with _client(where) as client:
        try:
            with _scheduler_at(where):
                for path in files:
                    _send(client, path)
                holders = _ask(client, _which_are_done, list(jobs))
        except ModuleNotFoundError as error:
            raise ConfigError(f"{where}: a worker has no {error.name}; install it there") from None
        if not holders:
            warnings.warn(f"{where}: no workers yet; waiting for them", stacklevel=2)
        place = {name: worker for worker, names in holders.items() for name in names}
        futures = {
            client.submit(
                attempt_with_one_thread, job, key=job.name, pure=False,
                workers=[place[job.name]] if job.name in place else None,
                allow_other_workers=job.name in place,
            ): job
            for job in jobs
        }  # fmt: skip
        for future in as_completed(list(futures), loop=client.loop):
            job = futures.pop(future)
            with _scheduler_at(where):
                problem = future.exception()
                outcome = None if problem else future.result()
            if isinstance(problem, KilledWorker):
                outcome = killed(problem.allowed_failures + 1)
            elif problem is not None:
                raise problem
            yield job, outcome
            future.release()
        if tidy is not None:
            with contextlib.suppress(OSError):  # who is gone has a cache that nobody reads
                client.run(tidy)


@contextlib.contextmanager
def _scheduler_at(where: str) -> Iterator[None]:
    """Say in one way that a scheduler is lost, of which Dask tells in several."""
    try:
        yield
    except (OSError, CancelledError):  # a connection that broke while we asked, or before
        raise TrainingError(f"{where}: the scheduler is lost; the same command goes on") from None


@contextlib.contextmanager
def _client(where: str) -> Iterator[Any]:
    """Connect to a scheduler, or start one with its workers."""
    import dask
    from distributed import Client, LocalCluster

    here = int(where.removeprefix("local:")) if where.startswith("local:") else 0
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": LIVES - 1}))
        address: Any = where
        if here:
            address = LocalCluster(
                n_workers=here, threads_per_worker=1, processes=True, memory_limit=None,
                host="127.0.0.1", silence_logs=logging.ERROR,
            )  # fmt: skip
            stack.callback(_close, address)
        try:
            client = Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"scheduler {where}: not there ({reason[:200]})") from None
        yield stack.enter_context(client)
        if here:  # Dask closes badly while it starts anew who was just killed
            with contextlib.suppress(TimeoutError):
                client.wait_for_workers(here, timeout=PATIENCE)


def _close(cluster: Any) -> None:
    """End a scheduler and workers of this machine; what is done is not lost if Dask fails."""
    from distributed.core import Status

    pids = {nanny.pid for nanny in cluster.workers.values()}
    processes = [child for child in multiprocessing.active_children() if child.pid in pids]
    try:
        cluster.close()
    except AssertionError:  # its own: "can only join a started process", and others of that kind
        for process in processes:
            process.kill()
        cluster.sync(cluster.scheduler.close)
        cluster.status = Status.closed  # or it is tried again when Python ends, for ever


def _ask(client: Any, question: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """Ask every worker that is there: worker's address to its answer."""
    answers: dict[str, Any] = client.run(question, *arguments, on_error="return")
    for answer in answers.values():
        if isinstance(answer, ModuleNotFoundError):
            raise answer
    # who went away while it was asked has nothing to say
    return {w: answer for w, answer in answers.items() if not isinstance(answer, BaseException)}


def _which_are_done(jobs: Sequence[Job]) -> list[str]:
    return [job.name for job in jobs if job.done is not None and job.done(**job.arguments)]


def _send(client: Any, path: Path) -> None:
    """Send a file to all workers, those to come as well, unless all see it where it is."""
    from distributed.diagnostics.plugin import UploadFile

    md5 = md5_of(path)
    seen = _ask(client, _sees, path, md5)
    if not seen or not all(seen.values()):
        client.register_plugin(UploadFile(str(path), load=False), name=f"{path.name}-{md5}")


def _sees(path: Path, md5: str) -> bool:
    return path.is_file() and md5_of(path) == md5


def folder_with(files: dict[str, str], folder: Path) -> Path:
    """Find the folder in which a job's data files are: where the client has them, or sent.

    Parameters
    ----------
    files : dict
        File name to MD5 sum.
    folder : Path
        The client's.

    Raises
    ------
    DataFileError
        If a file is in neither, or is another one.
    """
    folders = [folder, *_sent()]
    for each in folders:
        if all(_sees(each / name, md5) for name, md5 in files.items()):
            return each
    places = " or ".join(map(str, folders))
    wanted = ", ".join(f"{name} (MD5 {md5})" for name, md5 in files.items())
    raise DataFileError(f"expected {wanted} in {places}")


def _sent() -> list[Path]:
    """Folder into which a Dask worker gets files sent, if this is one."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return []
    try:
        return [Path(distributed.get_worker().local_directory)]
    except ValueError:
        return []
