"""Sweeps on real Dask schedulers and workers, which are killed: the bits are the serial run's."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from tests.experiments import crumbs
from tests.experiments.crumbs import weights, write_data, write_plan
from tests.experiments.test_jobs import alive, eventually
from tests.patience import PATIENCE
from tinyternary.errors import ConfigError, TrainingError
from tinyternary.experiments import cluster as module, read_results, sweep, sweeping
from tinyternary.experiments.jobs import Job, run_jobs
from tinyternary.experiments.sweep_runs import is_finished, kept_folder

pytest.importorskip("distributed", reason="needs Dask (extra `cluster`)")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::tinyternary.data.DataFileWarning"),
    pytest.mark.filterwarnings("ignore:.*cores between them"),
]
RUNS = 4
EPOCHS = 4  # long enough to be killed in the middle: the state is saved after each


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        self.address = eventually(self._written)
        self.workers: list[subprocess.Popen[bytes]] = []

    def _written(self) -> str:
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return str(json.loads(self.file.read_text())["address"])
        return ""

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *command, "--host", "127.0.0.1", "--no-dashboard"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def worker(self) -> None:
        """Start one with a scratch folder of its own."""
        place = self.folder / f"worker-{len(self.workers)}"
        self.workers.append(
            self._start(
                "worker", self.address, "--nthreads", "1", "--no-nanny", "--local-directory",
                str(place),
            )
        )  # fmt: skip

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "dask").mkdir()
    made = Cluster(tmp_path / "dask")
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """A plan, its data, and what it gives one run after the other."""
    folder = tmp_path_factory.mktemp("serial")
    root, plan = write_data(folder / "data"), write_plan(folder, EPOCHS)
    found = sweep(plan, root, out=folder / "out", progress=False)
    assert found.finished == RUNS
    return plan, root, folder / "out"


def command(plan, root, out, *more):
    return [
        sys.executable, "-m", "tinyternary", "sweep", str(plan), "--root", str(root),
        "--out", str(out), "--quiet", "--json", *more,
    ]  # fmt: skip


def begun(out: Path) -> list[Path]:
    return list(out.glob("*/seed-*/teacher/history.json"))


def finished(out: Path) -> list[Path]:
    return [folder for folder in out.glob("*/seed-*") if is_finished(folder)]


def same(serial, out: Path) -> bool:
    assert len(weights(out)) == 2 * RUNS
    for arm in out.glob("crumbs-*"):
        (mine, theirs) = (read_results(each / arm.name) for each in (out, serial[2]))
        assert mine.summary() == theirs.summary()
    return weights(out) == weights(serial[2])


def test_workers_are_killed_and_the_bits_are_those_of_the_serial_run(serial, cluster, tmp_path):
    plan, root, _ = serial
    for _ in range(3):
        cluster.worker()
    rng = random.Random(19)
    going = subprocess.Popen(
        command(plan, root, tmp_path / "out", "--scheduler", cluster.address),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for number in (1, 2):  # two of three, while something is being trained
        eventually(lambda least=number: len(begun(tmp_path / "out")) >= least)
        victim = rng.choice([each for each in cluster.workers if each.poll() is None])
        victim.kill()
        victim.wait()
    printed = going.communicate(timeout=PATIENCE)[0]
    assert going.returncode == 0
    assert json.loads(printed)["finished"] == RUNS
    assert sum(each.poll() is None for each in cluster.workers) == 1
    assert same(serial, tmp_path / "out")


def test_a_client_and_a_scheduler_are_killed_and_nothing_finished_is_lost(
    serial, cluster, tmp_path
):
    plan, root, _ = serial
    out = tmp_path / "out"
    asked = command(plan, root, out, "--scheduler", cluster.address)
    cluster.worker()
    going = subprocess.Popen(asked)
    eventually(lambda: finished(out))
    going.kill()
    going.wait()
    kept = {path: path.stat().st_mtime_ns for run in finished(out) for path in run.rglob("*.*")}
    assert kept

    going = subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # the worker goes on with what the first client had asked for; the next one is this client's
    least = min(len(finished(out)) + 2, RUNS)
    eventually(lambda: len(finished(out)) >= least)
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    said = going.communicate(timeout=PATIENCE)[1]
    assert going.returncode in (0, 1)  # 0: that was the last run
    assert going.returncode == 0 or "the same command goes on" in said.splitlines()[-1]
    for worker in cluster.workers:
        worker.kill()

    found = sweep(plan, root, out=out, where="processes:2", progress=False)
    assert found.finished == RUNS
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert same(serial, out)


def test_a_scheduler_may_be_lost_while_it_is_asked_for_a_result(cluster, tmp_path):
    cluster.worker()
    jobs = [Job(f"job {i}", crumbs.leave, {"mark": str(tmp_path / f"mark {i}")}) for i in range(3)]
    outcomes = run_jobs(jobs, cluster.address)
    next(outcomes)
    eventually(lambda: len(list(tmp_path.glob("mark *"))) == len(jobs))
    time.sleep(1)  # the client has heard of it
    cluster.scheduler.send_signal(signal.SIGSTOP)  # connected, and silent
    end = threading.Timer(1, cluster.scheduler.kill)
    end.start()
    with pytest.raises(TrainingError, match="the same command goes on"):
        list(outcomes)
    end.join()


def test_workers_that_see_nothing_get_the_data_and_send_their_runs(
    serial, cluster, tmp_path, monkeypatch
):
    plan, root, _ = serial
    out = tmp_path / "out"
    cluster.worker()
    place, ask = sweeping.place, module._ask

    def far_away(jobs, where, files, tidy):
        """What the workers are told of is not there when they look for it."""
        for job in jobs:
            job.arguments.update(out=Path("/nowhere/out"), root=Path("/nowhere/data"))
        return run_jobs(jobs, where, files, tidy)

    def ask_about_files(client, question, *more):
        return {} if question is module._sees else ask(client, question, *more)

    class Gone(Exception):
        pass

    def leave(folder, content):
        """End the client when it has written nothing and the worker has finished two runs."""
        eventually(lambda: len(finished(kept_folder(token(out)))) >= 2)
        raise Gone

    monkeypatch.setattr(sweeping, "run_jobs", far_away)
    monkeypatch.setattr(module, "_ask", ask_about_files)
    monkeypatch.setattr(sweeping, "place", leave)
    with pytest.raises(Gone):
        sweep(plan, root, out=out, where=cluster.address, progress=False)
    assert not finished(out)
    kept = finished(kept_folder(token(out)))
    before = {run: (run / "student" / "metrics.json").stat().st_mtime_ns for run in kept}

    def placed(folder, content):
        for run, then in before.items():  # asked for, not run again
            assert (run / "student" / "metrics.json").stat().st_mtime_ns == then
        place(folder, content)

    monkeypatch.setattr(sweeping, "place", placed)
    found = sweep(plan, root, out=out, where=cluster.address, progress=False)
    assert (found.finished, found.failed) == (RUNS, {})
    assert same(serial, out)
    assert not kept_folder(token(out)).exists()


def token(out: Path) -> str:
    return str(json.loads((out / "sweep.json").read_text())["token"])


def test_local_workers_give_the_same_bits_and_are_gone_afterwards(serial, tmp_path):
    plan, root, _ = serial
    done = subprocess.run(
        command(plan, root, tmp_path / "out", "--scheduler", "local:2"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert same(serial, tmp_path / "out")


def test_a_scheduler_that_is_not_there_is_said_in_one_line(serial, tmp_path, monkeypatch):
    monkeypatch.setattr("tinyternary.experiments.cluster.PATIENCE", 1)
    plan, root, _ = serial
    with pytest.raises(ConfigError, match="not there") as caught:
        sweep(plan, root, out=tmp_path / "out", where="tcp://127.0.0.1:1", progress=False)
    assert "\n" not in str(caught.value)


def test_a_client_that_is_killed_leaves_no_process(serial, tmp_path):
    plan, root, _ = serial
    going = subprocess.Popen(command(plan, root, tmp_path / "out", "--jobs", "2"))
    eventually(lambda: begun(tmp_path / "out"))
    children = [child.pid for child in psutil.Process(going.pid).children(recursive=True)]
    assert children
    going.kill()
    going.wait()
    eventually(lambda: not any(map(alive, children)))
    found = sweep(plan, root, out=tmp_path / "out", progress=False)
    assert found.finished == RUNS
    assert same(serial, tmp_path / "out")


def test_a_job_that_kills_every_worker_is_given_up(tmp_path):
    job = Job("deadly", crumbs.die, {"marks": str(tmp_path), "times": 99})
    ((_, outcome),) = run_jobs([job], "local:1")
    assert isinstance(outcome, TrainingError)
    assert "killed" in str(outcome)
    assert 1 <= len(list(tmp_path.iterdir())) < 99


def test_nothing_is_lost_and_nobody_left_when_dask_cannot_close(monkeypatch):
    """It asserts that a worker's process has begun, which is not so while it begins anew."""

    async def cannot(self, *arguments, **options):
        raise AssertionError("can only join a started process")

    monkeypatch.setattr("distributed.nanny.Nanny.kill", cannot)
    jobs = [Job(f"job {i}", crumbs.facts, {"number": i}) for i in range(3)]
    found = {outcome["number"]: outcome for _, outcome in run_jobs(jobs, "local:2")}
    assert set(found) == {0, 1, 2}
    eventually(lambda: not any(alive(outcome["process"]) for outcome in found.values()))
