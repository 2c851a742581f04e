"""Tables of constants: what they say, and what happens to a bad one."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from tinyternary import cost
from tinyternary.cost.energy import BASIC_OPS
from tinyternary.errors import ConfigError

TABLES = files("tinyternary.cost").joinpath("tables")


def _text(name: str) -> str:
    return TABLES.joinpath(name).read_text("utf-8")


@pytest.mark.parametrize("name", ["45nm", "7nm"])
def test_energy_tables_carry_their_source_and_ranges(name: str) -> None:
    table = cost.energy_table(name)
    assert table.source
    for op in BASIC_OPS:
        low, middle, high = table.op(op)
        assert 0 < low < middle < high
    assert table.dram.low < table.dram.middle < table.dram.high


def test_the_points_of_horowitz_and_jouppi() -> None:
    old, new = cost.energy_table("45nm"), cost.energy_table("7nm")
    assert [old.op(op).middle for op in BASIC_OPS] == [0.03, 0.2, 0.1, 3.1, 0.4, 1.1, 0.9, 3.7]
    assert [new.op(op).middle for op in BASIC_OPS] == [
        0.007, 0.07, 0.03, 1.48, 0.16, 0.34, 0.38, 1.31]  # fmt: skip
    assert [old.sram_access(size).middle for size in (8192, 32768, 2**20)] == pytest.approx(
        [10, 20, 100])  # fmt: skip
    assert (old.dram.low, old.dram.high) == (1300, 2600)


def test_sram_between_and_beyond_the_sizes_of_the_table() -> None:
    table = cost.energy_table("45nm")
    assert table.sram_access(100) == table.sram_access(8192)
    between = table.sram_access(2**18).middle
    assert 20 < between < 100
    assert table.sram_access(2**22).middle > 100


def test_skipping_is_free_and_an_unknown_operation_is_an_error() -> None:
    table = cost.energy_table()
    assert table.op("skip") == (0, 0, 0)
    with pytest.raises(ConfigError, match="missing entry 'fp64_add'"):
        table.op("fp64_add")


def test_special_functions_are_sums_of_plain_operations() -> None:
    table = cost.energy_table("45nm")
    assert table.op("fp32_exp").middle == pytest.approx(7 * 3.7 + 7 * 0.9)
    assert table.op("int32_sub") == table.op("int32_add")


def test_a_users_table(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(_text("energy-45nm.toml").replace("int32_add = 0.1", "int32_add = 0.2"))
    mine = cost.analyze("tiny", "all-linear", table=str(path))
    theirs = cost.analyze("tiny", "all-linear")
    added = (mine.ops["int32_add"] + mine.ops["int32_sub"]) * 0.1e-6
    difference = mine.energy_by_source["compute"].middle
    difference -= theirs.energy_by_source["compute"].middle
    assert difference == pytest.approx(added)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("int8_mul = 0.2\n", "", r"misses 'int8_mul'"),
        ("fp32_add = 0.9", "fp32_add = -0.9", "finite and not negative"),
        ("fp32_add = 0.9", "fp32_add = nan", "finite and not negative"),
        ("fp32_add = 0.9", 'fp32_add = "0.9"', "should be a number"),
        ("fp32_add = 0.9", "fp32_add = 0.9\nfp64_add = 1", "unknown 'fp64_add'"),
        ("spread = 1.5", "spread = 0.5", "spread should be at least 1"),
        ("spread = 1.5\n", "", "missing entry 'spread'"),
        ("high = 2600.0", "high = 1000.0", "low <= middle <= high"),
        ("middle = 1950.0\n", "", "missing entry 'middle'"),
        ("picojoules = 20.0", "picojoules = 0", "above zero"),
        ("bytes = 32768", "bytes = 8192", "two .* of one size"),
        ('kind = "energy"', 'kind = "device"', 'expected kind = "energy"'),
        ('source = "M. Horowitz', 'sauce = "M. Horowitz', "missing text 'source'"),
        ("[dram]", "[dream]", r"missing section \[dram\]"),
        ("[picojoules]", "[picojoules", "not valid TOML"),
    ],
)
def test_a_bad_energy_table_names_the_entry(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    text = _text("energy-45nm.toml")
    assert old in text
    path = tmp_path / "bad.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as error:
        cost.load_energy_table(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("int8 = 10.0e12", "", "missing entry 'int8'"),
        ("fp32 = 0.64e12", "fp32 = 0", "above zero"),
        ("bytes_per_second = 68.0e9", "bytes_per_second = -1", "not negative"),
        ("[watts]", "[what]", "missing section"),
        ("[[cache]]", "[[cash]]", "at least one"),
    ],
)
def test_a_bad_device_names_the_entry(old: str, new: str, message: str, tmp_path: Path) -> None:
    text = _text("device-jetson-orin-nano.toml")
    assert old in text
    path = tmp_path / "bad.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        cost.analyze("tiny", device=str(path))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        cost.load_energy_table(tmp_path / "none.toml")


@pytest.mark.parametrize("name", cost.devices())
def test_every_device_is_whole(name: str) -> None:
    device = cost.device(name)
    assert device.peak["int8"] >= device.peak["fp16"] >= device.peak["fp32"] > 0
    assert [c.capacity for c in device.caches] == sorted(c.capacity for c in device.caches)
    report = cost.analyze("tiny", "all-linear", device=name)
    assert report.seconds is not None
    # never less than the products need at the peak
    assert report.seconds >= report.macs / device.peak["int8"]


def test_the_devices_that_are_promised() -> None:
    assert {"jetson-orin-nano", "raspberry-pi-5", "esp32-s3", "laptop-cpu"} <= set(cost.devices())


@pytest.mark.parametrize("name", cost.devices())
def test_each_number_of_a_device_says_where_it_comes_from(name: str) -> None:
    """A remark beside the number, or at the head of its section."""
    told = False
    for line in _text(f"device-{name}.toml").splitlines():
        if line.startswith("["):
            told = "#" in line or (told and line == "[[cache]]")
        elif "=" in line and line.split("=")[1].split("#")[0].strip()[0].isdigit():
            assert told or "#" in line, line


@pytest.mark.parametrize(
    ("name", "clock", "int8_cycles", "fp32_cycles"),
    [("nrf52840", 64e6, 1 / 2, 2), ("stm32f103", 72e6, 2, 57), ("esp32-s3", 2 * 240e6, 1 / 16, 1)],
)
def test_peaks_of_microcontrollers_are_cycles_a_mac(
    name: str, clock: float, int8_cycles: float, fp32_cycles: float
) -> None:
    device = cost.device(name)
    assert device.peak["int8"] == pytest.approx(clock / int8_cycles, rel=0.01)
    assert device.peak["fp32"] == pytest.approx(clock / fp32_cycles, rel=0.01)
    assert device.flash is not None
    assert device.ram == device.caches[-1].capacity
