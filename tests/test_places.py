"""Folders to write to: there is always one, and it is the user's own."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tinyternary import places

NOBODY = 54321
"""A user without a name: no line of /etc/passwd has this number."""


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """No home: neither in the environment nor by name; temporary files in `tmp_path`."""
    for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "TINYTERNARY_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: NOBODY)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def net(folder):
    return folder / f"tinyternary-{os.geteuid()}"


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert places.cache_folder() == tmp_path / "numba" / "tinyternary"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert places.cache_folder() == tmp_path / "tinyternary"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert places.cache_folder() == tmp_path / ".cache" / "tinyternary"


def test_without_a_home_everything_is_among_temporary_files(homeless):
    from tinyternary.data.medmnist.archives import data_root

    assert places.home() == net(homeless)
    assert places.cache_folder() == net(homeless) / ".cache" / "tinyternary"
    assert data_root() == net(homeless) / ".medmnist"
    assert data_root("~/sets") == places.expanded("~/sets") == net(homeless) / "sets"
    assert places.expanded("~") == net(homeless)
    assert places.expanded("~nobody-of-this-name/sets") == Path("~nobody-of-this-name/sets")
    assert places.expanded("a/~") == Path("a/~")
    places.give_matplotlib_a_folder()
    assert os.environ["MPLCONFIGDIR"] == str(net(homeless) / "matplotlib")


def test_a_home_that_cannot_be_written_to_is_no_place_for_a_cache(homeless, monkeypatch):
    (homeless / "home").write_text("a file: not even an administrator can write there")
    monkeypatch.setenv("HOME", str(homeless / "home"))
    assert places.cache_folder() == net(homeless) / "tinyternary"
    places.give_matplotlib_a_folder()
    assert os.environ["MPLCONFIGDIR"] == str(net(homeless) / "matplotlib")


def test_where_there_is_a_home_matplotlib_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    places.give_matplotlib_a_folder()
    assert "MPLCONFIGDIR" not in os.environ
    monkeypatch.setenv("MPLCONFIGDIR", "mine")
    monkeypatch.setenv("HOME", "/dev/null")
    places.give_matplotlib_a_folder()
    assert os.environ["MPLCONFIGDIR"] == "mine"


def test_the_net_is_for_this_user_only(homeless):
    folder = places.home()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert places.home() == folder


@pytest.mark.parametrize("laid", ["link", "file", "open to all", "another user's"])
def test_a_net_that_somebody_else_laid_is_not_used(homeless, laid, monkeypatch):
    places._of_this_process.cache_clear()
    if laid == "link":
        (homeless / "trap").mkdir()
        net(homeless).symlink_to(homeless / "trap")
    elif laid == "file":
        net(homeless).write_text("")
    elif laid == "open to all":
        net(homeless).mkdir()
        net(homeless).chmod(0o777)
    else:
        user = os.geteuid()
        net(homeless).mkdir()
        monkeypatch.setattr(os, "geteuid", lambda: user + 1)
        (homeless / f"tinyternary-{user + 1}").mkdir()
    folder = places.home()
    assert folder.parent == homeless
    assert folder.name.startswith("tinyternary-")
    assert folder != net(homeless)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert places.home() == folder
    places._of_this_process.cache_clear()


EVERYTHING = """
import os, sys
import numpy as np
assert os.getuid() == int(sys.argv[1]) and os.path.expanduser("~") == "~", "there is a home"
import tinyternary as tt
from tinyternary import places
packed = tt.kernels.pack(np.ones((8, 8), np.int8))
assert (tt.kernels.TernaryLinear(packed, 1.0)(np.ones((4, 8), np.float32)) == 8).all()
model = tt.models.ViT(tt.models.preset("lesson", num_classes=2))
path = os.path.join(sys.argv[2], "m.safetensors")
tt.deploy.pack(tt.quant.ternarize(model)).save(path)
tt.deploy.inspect(path)
tt.deploy.load(path)
tt.report.roofline
import matplotlib.pyplot
try:
    tt.data.medmnist("breastmnist", "train")
except tt.errors.DataFileError as error:
    assert str(places.home()) in str(error)
assert str(places.cache_folder()).startswith(sys.argv[2])
assert next(places.cache_folder().glob("loops/*/*.loop"))
"""


def as_nobody():
    """How a program is started as a user without a name; skips where that is not allowed."""
    unshare = shutil.which("unshare")
    command = [unshare or "", "--user", f"--map-user={NOBODY}"]
    if unshare is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("this system does not let a process be another user")
    return command


@pytest.mark.slow
def test_a_user_without_a_name_or_a_home_gets_answers(tmp_path):
    done = subprocess.run(
        [*as_nobody(), sys.executable, "-c", EVERYTHING, str(NOBODY), str(tmp_path)],
        capture_output=True, text=True, timeout=PATIENCE, cwd=tmp_path, check=False,
        env={"PATH": os.defpath, "PYTHONPATH": str(Path(places.__file__).parents[1]),
             "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Matplotlib" not in done.stderr
