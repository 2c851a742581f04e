"""What each processor family can do in one instruction (lesson 08_packing_and_kernels).

A `Target` says how wide a vector of codes is, how a tile of accumulators is shaped, and
emits the one step that differs between processors: *multiply unsigned codes by signed
activations, add neighbours into accumulators*. Everything else is the same IR for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from tinyternary.kernels.simd.tile_shapes import SHAPES, Shape

I8, I16, I32, I64, F32 = (
    ir.IntType(8),
    ir.IntType(16),
    ir.IntType(32),
    ir.IntType(64),
    ir.FloatType(),
)


def splat(scalar: int | float, vector: ir.VectorType) -> ir.Constant:
    """Return the constant vector with ``scalar`` in every lane."""
    if isinstance(scalar, int) and scalar >> 31 == 1:
        scalar -= 1 << 32  # the same 32 bits as a signed number, which is how IR is written
    return ir.Constant(vector, [scalar] * vector.count)


@dataclass(frozen=True)
class Target(Shape):
    """One family of processors as the kernels see it: its `Shape` and what it does in a step."""

    @property
    def codes(self) -> ir.VectorType:
        """Vector of code bytes."""
        return ir.VectorType(I8, self.width)

    @property
    def words(self) -> ir.VectorType:
        """The same bytes seen as 32-bit words; also the type of 32-bit accumulators."""
        return ir.VectorType(I32, self.lanes)

    @property
    def partial(self) -> ir.VectorType:
        """Type of the running accumulators: 32 bits, or 16 where they have to be emptied."""
        if not self.flush:
            return self.words
        return ir.VectorType(I16, self.width // 2 if self.name == "avx2" else self.width)

    def dot(self, builder: ir.IRBuilder, total: Any, codes: Any, x: Any) -> Any:
        """Return ``total`` plus products of code bytes (0..2, unsigned) and int8 ``x``.

        ``codes`` and ``x`` are vectors of 32-bit words of four bytes each.
        """
        if self.name in ("avx512", "avxvnni", "lookup7", "five"):
            # vpdpbusd: four u8 x s8 products and one 32-bit accumulator per word
            return call_named(
                builder,
                f"llvm.x86.avx512.vpdpbusd.{self.width * 8}",
                self.words,
                (total, codes, x),
            )
        if self.name == "neon":
            narrow = ir.VectorType(I8, 16)
            return call_named(
                builder,
                "llvm.aarch64.neon.sdot.v4i32.v16i8",
                self.words,
                (total, builder.bitcast(codes, narrow), builder.bitcast(x, narrow)),
            )
        if self.name == "avx2":
            # vpmaddubsw: pairs into 16 bits. One pair adds at most 2 * 2 * 128 = 512, and a
            # block of 16 inputs gives a lane four of them: 16 blocks stay within 16 bits
            pairs = call_named(
                builder,
                "llvm.x86.avx2.pmadd.ub.sw",
                self.partial,
                (builder.bitcast(codes, self.codes), builder.bitcast(x, self.codes)),
            )
            return builder.add(total, pairs)
        # 16-bit lanes: a product is at most 256, a block of 16 inputs adds four of them to a lane
        left = builder.zext(builder.bitcast(codes, self.codes), self.partial)
        right = builder.sext(builder.bitcast(x, self.codes), self.partial)
        return builder.add(total, builder.mul(left, right))

    def _neighbors(self, builder: ir.IRBuilder, products: Any) -> Any:
        """Add neighbouring lanes pairwise: (2 n) lanes to n."""
        count = products.type.count // 2
        index = ir.VectorType(I32, count)
        poison = ir.Constant(products.type, ir.Undefined)
        even = builder.shuffle_vector(
            products, poison, ir.Constant(index, [2 * i for i in range(count)])
        )
        odd = builder.shuffle_vector(
            products, poison, ir.Constant(index, [2 * i + 1 for i in range(count)])
        )
        return builder.add(even, odd)

    def empty(self, builder: ir.IRBuilder, total: Any, partial: Any) -> Any:
        """Return 32-bit ``total`` plus what the running accumulator ``partial`` holds."""
        if not self.flush:
            return builder.add(total, partial)
        if self.name == "avx2":
            ones = splat(1, self.partial)
            pairs = call_named(builder, "llvm.x86.avx2.pmadd.wd", self.words, (partial, ones))
            return builder.add(total, pairs)
        wide = builder.sext(partial, ir.VectorType(I32, partial.type.count))
        pairs = self._neighbors(builder, wide)
        return builder.add(total, self._neighbors(builder, pairs))


def call_named(builder: ir.IRBuilder, name: str, result: ir.Type, args: tuple[Any, ...]) -> Any:
    """Call the function (a target's intrinsic, say) called ``name``, declaring it if need be."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    module = builder.module
    function = module.globals.get(name) or ir.Function(module, kind, name)
    return builder.call(function, args)


TARGETS = tuple(Target(**vars(shape)) for shape in SHAPES)
"""By index, as `SHAPES`."""
AVX512, AVXVNNI, AVX2, NEON, VECTOR, LOOKUP7, TERNARY, FIVE = TARGETS


def cpu_features() -> frozenset[str]:
    """Return the features of the processor that Numba compiles for, by LLVM's names.

    ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` count: code for another processor must not
    use instructions that the other one lacks.
    """
    import llvmlite.binding as llvm
    from numba.core import config as numba_config

    config: Any = numba_config
    if config.CPU_FEATURES is not None:
        listed = config.CPU_FEATURES.split(",")
        return frozenset(f[1:] for f in listed if f.startswith("+"))
    if config.CPU_NAME not in (None, "host"):
        return _KNOWN_CPUS.get(config.CPU_NAME, frozenset())
    try:
        host = llvm.get_host_cpu_features()
    except RuntimeError:
        return frozenset()  # unknown processor: the portable path
    return frozenset(name for name, present in host.items() if present)


_KNOWN_CPUS = {"haswell": frozenset({"avx2"})}
