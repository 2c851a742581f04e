"""Whether a network fits a microcontroller, and what would: known before anything is trained."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings, strategies as st

from tests.cli.test_command_line import run as command
from tinyternary import cost
from tinyternary.config import PRESETS, preset


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(PRESETS)),
    st.sampled_from(["float32", "bitmedvit", "all-linear", "everything"]),
    st.integers(10_000, 3_000_000),
    st.integers(5_000, 300_000),
)
def test_what_would_fit_fits(name, policy, flash, ram):
    ways = cost.would_fit(name, policy, flash=flash, ram=ram)
    if cost.footprint(name, policy).fits(flash, ram):
        assert ways == []
    for way in ways:
        told = dict(change.rsplit(" ", 1) for change in way.split(", "))
        options = {key: told.pop(key) for key in ("policy", "rest") if key in told}
        bits = float(told.pop("bits", 2))
        config = preset(name, **{key: int(value) for key, value in told.items()})
        found = cost.footprint(config, options.get("policy", policy), bits=bits,
                               rest=options.get("rest", "float32"))  # fmt: skip
        assert found.fits(flash, ram), way


@pytest.mark.parametrize("bits", [2, 1.6])
@pytest.mark.parametrize("channels", [1, 3])
def test_micro_fits_a_small_microcontroller(bits, channels):
    found = cost.footprint(preset("micro", channels=channels), "everything", bits=bits)
    assert found.fits(flash=100_000, ram=32_768)


def test_each_bound_counts():
    found = cost.footprint("tiny", "all-linear")
    flash, ram = found.flash_bytes, found.ram_bytes
    assert found.fits(flash, ram)
    assert found.fits(None, None)
    assert not found.fits(flash - 1, None)
    assert not found.fits(None, ram - 1)


def test_nothing_fits_into_nothing():
    assert cost.would_fit("tiny", "everything", flash=1000) == []
    assert cost.would_fit("tiny", "everything", ram=1000) == []


def test_where_no_single_change_is_enough_there_may_be_several():
    (way,) = cost.would_fit("small", "bitmedvit", flash=60_000, ram=20_000)
    assert way.startswith("policy everything, bits 1.6, rest int8, kv_heads 1")


def test_the_command_says_what_fits_a_device():
    done = command("cost", "tiny", "--device", "esp32-s3", "--json", "--policy", "everything")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["as_c"]
    assert row["fits"]
    assert row["would_fit"] == []
    assert row["flash_bytes"] == cost.footprint("tiny", "everything").flash_bytes

    small = command("cost", "tiny", "--ram", "30000", "--policy", "everything", "--json")
    (row,) = json.loads(small.stdout)["as_c"]
    assert not row["fits"]
    assert "patch_size 7" in row["would_fit"]
    shown = command("cost", "tiny", "--ram", "30000", "--policy", "everything").stdout
    assert re.search(r"^ *everything .* 42,576 +no *$", shown, re.MULTILINE)


@pytest.mark.parametrize("name", ["esp32-s3", "nrf52840", "stm32f103"])
def test_microcontrollers_say_what_they_have(name):
    found = cost.device(name)
    assert found.flash > found.ram > 0
    assert cost.device("laptop-cpu").flash is None
