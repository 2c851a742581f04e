"""What one step of a network is, and what decides its cost besides its shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tinyternary.config import LayerQuant
from tinyternary.cost.blocking import Gemm
from tinyternary.cost.storage import Rest, StoredArray

Arithmetic = Literal["float32", "float16", "int8", "ternary"]


@dataclass(frozen=True)
class Trits:
    """How many weights of a matrix are +1, -1 and 0."""

    plus: int
    minus: int
    zeros: int

    @classmethod
    def assumed(cls, weights: int, zero_share: float) -> Trits:
        """Split a matrix into zeros and equally many +1 and -1 (one more +1 if odd)."""
        zeros = round(weights * zero_share)
        minus = (weights - zeros) // 2
        return cls(weights - zeros - minus, minus, zeros)


@dataclass(frozen=True)
class Step:
    """One step of the forward pass, per image.

    Attributes
    ----------
    name : str
        ``"blocks.0.mlp.fc1"``, or what it does: ``"blocks.0.attn.softmax"``.
    kind : {"linear", "attention", "norm", "softmax", "activation", "add", "pool"}
    ops : Counter
        Operations by kind (ops, not MACs), those of the product included.
    product_ops : Counter
        Those of the product alone.
    gemm : Gemm, optional
        Its matrix product, if it is one.
    arithmetic : {"float32", "float16", "int8", "ternary"}, optional
        What the product is done in.
    arrays : tuple of StoredArray
        What it stores.
    reads, writes : float
        Bytes of activations that a pass over them reads and writes (the operands of the
        product are in `gemm` instead).
    fused : bool
        Whether that pass happens while its input is still in the nearest memory, so that
        nothing moves further out.
    outer_gemm : Gemm, optional
        What the product moves beyond the nearest memory, where that differs: fused
        attention never sends its weights out.
    """

    name: str
    kind: str
    ops: Counter[str]
    product_ops: Counter[str] = field(default_factory=Counter)
    gemm: Gemm | None = None
    arithmetic: Arithmetic | None = None
    arrays: tuple[StoredArray, ...] = ()
    reads: float = 0.0
    writes: float = 0.0
    fused: bool = False
    outer_gemm: Gemm | None = None

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the product (MACs), 0 where there is none."""
        return 0 if self.gemm is None else self.gemm.macs

    @property
    def other_ops(self) -> int:
        """Operations outside the product: norms, rounding, scales, biases."""
        return sum(self.ops.values()) - sum(self.product_ops.values())


@dataclass(frozen=True)
class Choices:
    """What decides the cost besides the network's shape.

    Attributes
    ----------
    rules : mapping
        Layer name to quantiser; float layers are absent.
    bits : {2, 1.6}
        Storage of a trit.
    rest : {"float32", "float16", "int8"}
        Storage of what is not quantised.
    floats : {"float32", "float16"}
        Arithmetic of float products, and type of activations in memory.
    attention : {"float32", "float16", "int8"}
        Arithmetic of the two attention products.
    fused : bool
        Whether attention runs tile by tile and non-linearities in the epilogue of the
        product before them, so that their results stay in the nearest memory.
    execution : str
        What stands for one ternary MAC, see `operations.ternary_matmul`.
    trits : mapping
        Layer name to the counts of its trits, real or assumed.
    """

    rules: Mapping[str, LayerQuant]
    bits: float = 2
    rest: Rest = "float32"
    floats: Literal["float32", "float16"] = "float32"
    attention: Literal["float32", "float16", "int8"] = "float32"
    fused: bool = True
    execution: str = "skip"
    trits: Mapping[str, Trits] = field(default_factory=dict)

    @property
    def float_bytes(self) -> float:
        """Bytes of one activation in memory."""
        return 2.0 if self.floats == "float16" else 4.0
