"""Independent jobs in processes of this machine: spawned, of one thread, and mortal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import types

import pytest

from tests.experiments import crumbs
from tests.patience import PATIENCE
from tinyternary.errors import ConfigError, TrainingError
from tinyternary.experiments.jobs import HERE, LIVES, Job, run_jobs, run_together


def collected(jobs, where):
    return {job.name: outcome for job, outcome in run_jobs(jobs, where)}


def test_jobs_run_here_in_order():
    jobs = [Job(str(n), crumbs.facts, {"number": n}) for n in range(3)]
    outcomes = [outcome for _, outcome in run_jobs(jobs, HERE)]
    assert [found["number"] for found in outcomes] == [0, 1, 2]
    assert {found["process"] for found in outcomes} == {os.getpid()}


def test_processes_are_spawned_and_have_one_thread(monkeypatch):
    monkeypatch.setenv("TINYTERNARY_THREADS", "3")
    name = "tests.experiments.only_in_the_parent"  # a forked child would have it, too
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    found = collected([Job(str(n), crumbs.facts, {"number": n}) for n in range(2)], "processes:2")
    assert {name: each["number"] for name, each in found.items()} == {"0": 0, "1": 1}
    assert os.getpid() not in {each["process"] for each in found.values()}
    for each in found.values():
        assert each["threads"] == 1
        assert each["main"]  # where Python delivers signals: training saves its state at one
        assert not each["inherited"]


def test_who_is_killed_is_begun_again_and_at_last_given_up(tmp_path):
    for name, times in (("once", 1), ("always", LIVES)):
        (tmp_path / name).mkdir()
        job = Job(name, crumbs.die, {"marks": str(tmp_path / name), "times": times})
        outcome = collected([job], "processes:1")[name]
        if name == "once":
            assert outcome == "lived after 1"
        else:
            assert isinstance(outcome, TrainingError)
            assert f"killed {LIVES} times" in str(outcome)


@pytest.mark.parametrize("where", [HERE, "processes:2"])
def test_an_error_of_ours_is_an_outcome_and_a_bug_is_raised(where):
    jobs = [Job("bad", crumbs.fail, {"how": "ours"}), Job("good", crumbs.facts, {"number": 7})]
    found = collected(jobs, where)
    assert str(found["bad"]) == "no such thing"
    assert found["good"]["number"] == 7
    with pytest.raises(ZeroDivisionError, match="a bug"):
        collected([Job("bug", crumbs.fail, {"how": "bug"})], where)


def test_together_gives_all_in_order_or_raises():
    jobs = [Job(str(n), crumbs.facts, {"number": n}) for n in (3, 1, 2)]
    assert list(run_together(jobs, 2, progress=False)) == ["3", "1", "2"]
    with pytest.raises(ConfigError, match="no such thing"):
        run_together([*jobs[:1], Job("bad", crumbs.fail, {"how": "ours"})], 2, progress=False)


@pytest.mark.parametrize(
    "where", ["", "tcp:host", "local:none", "processes:0", "ssh://there", "local"]
)
def test_what_says_no_place_is_refused(where):
    with pytest.raises(ConfigError, match=r"scheduler|number of workers"):
        collected([], where)


def test_a_worker_of_another_version_is_told_so():
    job = Job("old", crumbs.facts, {"number": 0})
    object.__setattr__(job, "library", "0.0.1")
    assert "expected 0.0.1" in str(collected([job], HERE)["old"])


@pytest.mark.slow
def test_processes_end_with_a_parent_that_is_killed(tmp_path):
    mark = tmp_path / "child"
    code = (
        "from tests.experiments import crumbs\nfrom tinyternary.experiments.jobs import *\n"
        f"list(run_jobs([Job('a', crumbs.wait_for_ever, {{'mark': {str(mark)!r}}})], 'processes:1'))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    child = int(eventually(lambda: mark.is_file() and mark.read_text()))
    parent.kill()
    parent.wait()
    eventually(lambda: not alive(child))


def eventually(ask, seconds=PATIENCE):
    """Wait until something is so; gives what it is."""
    for _ in range(seconds * 10):
        found = ask()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it never came")


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
