"""The lessons, in order: the one table that names them.

"(lesson 05)" in a docstring names a row of it: where a learner builds what stands there. Rows
that are not `written` yet say where their subject will be taught; nothing links to their files.
"""

from __future__ import annotations

from typing import NamedTuple


class Outline(NamedTuple):
    """A row of the table of lessons."""

    name: str
    """``"01_ternary_basics"``: its number and the stem of its files."""
    builds: str
    """What a learner has made at the end."""
    written: bool = False
    """Whether `lessons/source` holds it; the others are planned."""

    @property
    def number(self) -> str:
        """Two digits, as in a docstring's "(lesson 01)"."""
        return self.name[:2]


LESSONS = (
    Outline(
        "01_ternary_basics",
        "trits, thresholds and scales, products without multiplication, four trits in a byte",
        written=True,
    ),
    Outline(
        "02_autograd",
        "reverse mode: the chain rule, a topological order, gradcheck",
        written=True,
    ),
    Outline(
        "03_training",
        "batches, losses, SGD, AdamW, schedules, an accuracy's interval",
        written=True,
    ),
    Outline(
        "04_straight_through",
        "gradients through rounding, learned scales, the microscope",
        written=True,
    ),
    Outline(
        "05_vision_transformer",
        "patches, positions, attention, blocks, a whole ViT",
        written=True,
    ),
    Outline(
        "06_bitlinear",
        "absmax per token, BitLinear, policies, sensitivity of layers",
        written=True,
    ),
    Outline(
        "07_distillation",
        "temperature, feature matching, a teacher and its student",
        written=True,
    ),
    Outline(
        "08_packing_and_kernels",
        "packed codes, the ladder of kernels, a register tile",
        written=True,
    ),
    Outline(
        "09_energy_and_memory",
        "MACs, bytes, picojoules, the roofline, an audit of claims",
        written=True,
    ),
    Outline(
        "10_deployment",
        "a packed file that refuses damage, the engine, ONNX, C for a microcontroller, latency",
        written=True,
    ),
    Outline(
        "11_trust",
        "calibration, thresholds, intervals, corruptions, near-duplicates",
        written=True,
    ),
    Outline(
        "12_capstone",
        "a network within a budget of bytes: trained, packed, defended",
        written=True,
    ),
)
"""Every lesson there is or will be."""
