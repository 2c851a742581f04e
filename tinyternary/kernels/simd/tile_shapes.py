"""How codes are laid out for each processor family: plain numbers (lesson 08_packing_and_kernels).

What a reader of packed files needs to know of a target, apart from the instructions that
`targets` emits: laying weights out takes no compiler.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinyternary.config.grid import MOST


@dataclass(frozen=True)
class Shape:
    """Vectors and tiles of one family of processors.

    Attributes
    ----------
    index : int
        Number under which compiled code asks for it.
    name : str
        Backend name.
    width : int
        Bytes in a vector of codes. It holds ``width // 4`` outputs x 16 inputs.
    rows, columns : int
        Shape of the GEMM tile: rows of x times vectors of outputs.
    flush : int
        Blocks of 16 inputs after which 16-bit accumulators must be emptied into 32-bit
        ones (0: accumulators are 32 bits wide, nothing to empty).
    shifted : bool
        Whether the one-row kernel can leave codes where they stand in their byte.
    needs : tuple of str
        LLVM feature names that all have to be present.
    """

    index: int
    name: str
    width: int
    rows: int
    columns: int
    flush: int
    shifted: bool
    needs: tuple[str, ...]

    @property
    def lanes(self) -> int:
        """Outputs in one vector of codes."""
        return self.width // 4

    @property
    def outputs(self) -> int:
        """Outputs in one block of the layout: one GEMM tile wide."""
        return self.lanes * self.columns

    @property
    def most(self) -> int:
        """Largest activation code in absolute value."""
        return {"lookup7": MOST["int7"], "ternary": 1}.get(self.name, MOST["int8"])


_AVX512 = ("avx512vnni", "avx512bw", "avx512vl")

SHAPES = (
    Shape(0, "avx512", 64, 4, 4, 0, True, _AVX512),
    Shape(1, "avxvnni", 32, 4, 2, 0, True, ("avxvnni", "avx2")),
    Shape(2, "avx2", 32, 4, 2, 16, False, ("avx2",)),
    Shape(3, "neon", 16, 4, 4, 0, False, ("dotprod", "neon")),
    Shape(4, "vector", 16, 4, 1, 31, False, ()),
    Shape(5, "lookup7", 64, 4, 4, 0, True, (*_AVX512, "avx512vbmi")),
    Shape(6, "ternary", 64, 4, 1, 0, False, ()),
    Shape(7, "five", 64, 4, 4, 0, True, (*_AVX512, "avx512vbmi")),
)
"""By index. "vector" needs nothing but LLVM; "lookup7" is "avx512" for activations of seven bits,
with tiles of its own where there are rows enough (`tinyternary.kernels.simd.tables`); "ternary"
counts bits of words that any vector unit has (`tinyternary.kernels.simd.popcount`); "five" is
"avx512" from panels that lie in memory with five trits in a byte (`tinyternary.kernels.simd.five`).
"""


def shape_of(name: str) -> Shape:
    """Return the shape of the backend called ``name``."""
    return next(shape for shape in SHAPES if shape.name == name)
