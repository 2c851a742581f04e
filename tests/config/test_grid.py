"""The numbers of the quantised grid stand in one file, and nowhere a second time."""

import ast
from pathlib import Path

import numpy as np
import pytest

import tinyternary
from tinyternary.config import grid

ROOT = Path(tinyternary.__file__).parent
NUMBERS = {
    1e-5, 127, 63, grid.TWN_FRACTION, grid.SEQ_CLIP, grid.SEQ_HALF, grid.TERNARY_THRESHOLD,
    grid.TERNARY_LEVEL, grid.SMALLEST_DIVISOR,
}  # fmt: skip
OTHER_MEANINGS = {
    ("compiled/elementary.py", 127): "bias of the exponent in a float32's bits",
    ("deploy/c/source.py", 127): "one more than the last printable character of ASCII",
    ("deploy/onnx/exact.py", 127): "a table of the powers 2^0 to 2^-126",
    ("deploy/fixed_point.py", 63): "the widest shift of an int64",
    ("kernels/simd/driver.py", 63): "rounds up to whole lines of 64 bytes",
    ("kernels/simd/tables_driver.py", 63): "rounds up to whole tables of 64",
}


def copies(folder: str) -> set[tuple[str, float]]:
    """Literals of a package that are numbers of the grid, with the file that holds each."""
    found = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            number = isinstance(node, ast.Constant) and type(node.value) in (int, float)
            if number and node.value in NUMBERS:
                found.add((str(path.relative_to(ROOT)), node.value))
    return found


@pytest.mark.parametrize("folder", ["quant", "kernels", "compiled", "deploy"])
def test_no_number_of_the_grid_is_written_a_second_time(folder):
    assert copies(folder) - set(OTHER_MEANINGS) == set(), "import it from tinyternary.config.grid"


def test_what_is_excused_is_still_there():
    everywhere = set().union(*(copies(p) for p in ("quant", "kernels", "compiled", "deploy")))
    assert set(OTHER_MEANINGS) <= everywhere


def test_largest_codes_are_those_of_so_many_bits():
    for name, most in grid.MOST.items():
        bits = {"ternary": 2}.get(name) or int(name.removeprefix("int"))
        assert most == 2 ** (bits - 1) - 1
    assert grid.FLOOR.dtype == np.float32
