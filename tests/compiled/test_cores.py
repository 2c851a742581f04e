"""How many cores there are for us: tied, given by quota, and shared with brothers and sisters."""

import json
import math
import multiprocessing
import os
import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from tinyternary.compiled.cores import available_cores, quota
from tinyternary.compiled.threads import get_threads

HERE = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
LIMITS = ("OMP_NUM_THREADS", "TINYTERNARY_THREADS", "OPENBLAS_NUM_THREADS")


def tree(root, cgroup, files):
    """A folder as /: what the kernel says in ``/proc/self/cgroup`` and below ``/sys/fs/cgroup``."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V1 = "5:memory:/a\n4:cpuacct,cpu:/a/b\n1:name=systemd:/x\n"


@pytest.mark.parametrize(
    ("cgroup", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),  # a container's own root
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "20000 100000\n"}, 1),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
        ("0::/a/b\n", {"a/b/cpu.max": "500000 100000\n", "a/cpu.max": "100000 50000\n"}, 2),
        # the host's path, of which the container sees the topmost folder
        ("0::/docker/0123\n", {"cpu.max": "100000 100000\n"}, 1),
        ("0::/../other\n", {"cpu.max": "400000 100000\n"}, 4),
        (V1, {"cpuacct,cpu/a/b/cpu.cfs_quota_us": "-1\n",
              "cpuacct,cpu/a/b/cpu.cfs_period_us": "100000\n"}, math.inf),
        (V1, {"cpuacct,cpu/a/cpu.cfs_quota_us": "250000\n",
              "cpuacct,cpu/a/cpu.cfs_period_us": "100000\n"}, 3),
        (V1, {"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        (V1, {"memory/a/cpu.cfs_quota_us": "1\n", "memory/a/cpu.cfs_period_us": "1\n"}, math.inf),
        # both versions at once
        (V1 + "0::/c\n", {"unified/c/cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {}, math.inf),
        ("", {}, math.inf),
        ("0::/\n", {"cpu.max": "0 0\n"}, math.inf),
        ("0::/\n", {"cpu.max": "much more\n"}, math.inf),
        ("no line of this kind", {"cpu.max": "1 1"}, math.inf),
    ],
)  # fmt: skip
def test_a_quota_is_found_wherever_it_is_written(tmp_path, cgroup, files, cores):
    assert quota(tree(tmp_path, cgroup, files)) == cores


@given(
    asked=st.lists(st.none() | st.integers(1_000, 10_000_000), min_size=1, max_size=4),
    period=st.integers(1_000, 1_000_000),
    old=st.booleans(),
)
def test_the_least_of_all_quotas_above_counts(tmp_path_factory, asked, period, old):
    root, files = tmp_path_factory.mktemp("root"), {}
    for depth, microseconds in enumerate(asked):
        folder = "/".join("abcd"[:depth])
        if old:
            folder = f"cpu/{folder}"
            files[f"{folder}/cpu.cfs_quota_us"] = f"{microseconds or -1}\n"
            files[f"{folder}/cpu.cfs_period_us"] = f"{period}\n"
        else:
            files[f"{folder}/cpu.max".lstrip("/")] = f"{microseconds or 'max'} {period}\n"
    path = "/" + "/".join("abcd"[: len(asked) - 1])
    found = quota(tree(root, f"1:cpu:{path}\n" if old else f"0::{path}\n", files))
    known = [microseconds / period for microseconds in asked if microseconds]
    assert found == (max(1, math.ceil(min(known))) if known else math.inf)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux's affinity")
def test_a_process_that_is_tied_to_a_core_counts_one():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert available_cores() == min(len(before), quota())


QUOTA = """
import json, math, sys
from pathlib import Path
import tinyternary.compiled.cores as cores
cores_left = cores.quota(Path(sys.argv[1]))
cores.quota = lambda: cores_left  # the root of another system
import tinyternary as tt
from threadpoolctl import threadpool_info
seen = lambda: [tt.get_threads(), *(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")]
found = [seen()]
tt.set_threads(2); found.append(seen())
tt.set_threads(None); found.append(seen())
print(json.dumps(found))
"""


def test_a_quota_holds_for_us_and_for_blas(tmp_path):
    """BLAS starts as many threads as it sees cores, of which a quota takes none away."""
    tree(tmp_path, "0::/\n", {"cpu.max": "100000 100000\n"})
    environment = {name: text for name, text in HERE.items() if name not in LIMITS}
    environment["OPENBLAS_NUM_THREADS"] = "2"  # even if this machine has one core only
    told = subprocess.run([sys.executable, "-c", QUOTA, str(tmp_path)], capture_output=True,
                          text=True, env=environment, check=True)  # fmt: skip
    quiet, said, again = json.loads(told.stdout)
    assert set(quiet) == set(again) == {1}
    assert set(said) == {2}


def counts(_=None):
    """What a worker would use: our threads, then those of each BLAS."""
    from threadpoolctl import threadpool_info

    own = get_threads()
    return [own, *(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")]


@pytest.fixture
def unsaid(monkeypatch):
    """Nothing said about threads, on a machine of eight cores."""
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tinyternary.compiled.threads.available_cores", lambda: 8)
    assert get_threads() == 8


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_brothers_and_sisters_do_not_fight_for_the_cores(method, unsaid, monkeypatch):
    context = multiprocessing.get_context(method)
    with context.Pool(2) as pool:
        for found in pool.map(counts, range(4), chunksize=1):
            assert set(found) == {1}
    if method == "forkserver":
        return  # whose environment is that of its first start
    # what is said in the environment is obeyed by workers as by anybody
    monkeypatch.setenv("TINYTERNARY_THREADS", "2")
    with context.Pool(1) as pool:
        assert set(pool.apply(counts)) == {2}
    assert get_threads() == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_that_nobody_counts_has_one_thread_unless_told(unsaid):
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        from tinyternary.compiled import set_threads

        found = [counts()]
        set_threads(2)
        os.write(theirs, json.dumps([*found, counts()]).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as told:
        quiet, said = json.load(told)
    assert os.waitpid(child, 0)[1] == 0
    assert set(quiet) == {1}
    assert set(said) == {2}
    assert get_threads() == 8


def test_joblib_shares_the_cores_out(monkeypatch):
    joblib = pytest.importorskip("joblib")
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)
    cores = joblib.cpu_count()
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        found = joblib.Parallel()(joblib.delayed(counts)(i) for i in range(2))
    assert all(set(each) == {1} for each in found)
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(counts)(i) for i in range(2))
    assert all(max(each) <= max(1, cores // 2) for each in found)
