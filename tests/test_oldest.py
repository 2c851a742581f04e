"""A lower bound is a promise: each is the version that CI runs with, and no other."""

import os
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RUN_WITH_THE_OLDEST = ("dicom", "lessons", "test")
"""Extras that are installed with the oldest versions; others are tools and peers of developers."""


def oldest():
    lines = (ROOT / "tests" / "oldest.txt").read_text("ascii").split()
    found = dict(line.split("==") for line in lines)
    assert len(found) == len(lines)
    return found


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def lower_bounds():
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *(line for name in RUN_WITH_THE_OLDEST for line in extras[name])]  # fmt: skip
    for line in lines:
        wanted = Requirement(line)
        if normal(wanted.name) != PROJECT["name"]:
            (bound,) = wanted.specifier
            assert bound.operator == ">=", line
            yield normal(wanted.name), Version(bound.version)


def test_every_lower_bound_is_the_version_that_ci_runs_with():
    tried = {normal(name): Version(number) for name, number in oldest().items()}
    assert dict(lower_bounds()) == tried


def test_ci_installs_exactly_these():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "-c tests/oldest.txt" in script
    assert "TINYTERNARY_OLDEST=1" in script


@pytest.mark.skipif(
    os.environ.get("TINYTERNARY_OLDEST") != "1",
    reason="only CI's environment of the oldest versions is one",
)
def test_what_is_said_to_be_the_oldest_is_installed():
    assert {name: Version(version(name)) for name in oldest()} == {
        name: Version(number) for name, number in oldest().items()
    }
