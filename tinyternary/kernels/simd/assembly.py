"""The emitters compiled for any processor, without running anything (lesson 08).

`assembly(target)` gives the machine code of a target's tile and one-row kernel as text, for a
processor of that family, wherever it is called: how paths that this machine cannot run are
looked at and tested for the instructions that they must contain.
"""

from __future__ import annotations

from dataclasses import dataclass

import llvmlite.binding as llvm
from llvmlite import ir

from tinyternary.kernels.simd import epilogue, quantize
from tinyternary.kernels.simd.gemm import emit_tile
from tinyternary.kernels.simd.gemv import emit_gemv
from tinyternary.kernels.simd.micro_kernels import MICRO_KERNELS
from tinyternary.kernels.simd.targets import F32, I8, I32, I64, TARGETS, Target


@dataclass(frozen=True)
class Processor:
    """A processor to compile for.

    Attributes
    ----------
    triple, cpu, features : str
        As LLVM names them.
    """

    triple: str
    cpu: str
    features: str = ""


PROCESSORS = {
    "avx512": Processor("x86_64-unknown-linux-gnu", "icelake-server"),
    "five": Processor("x86_64-unknown-linux-gnu", "znver4"),
    "avxvnni": Processor("x86_64-unknown-linux-gnu", "alderlake"),
    "avx2": Processor("x86_64-unknown-linux-gnu", "haswell"),
    "neon": Processor("aarch64-unknown-linux-gnu", "cortex-a76"),
    "vector": Processor("x86_64-unknown-linux-gnu", "x86-64"),
    "vector-arm": Processor("aarch64-unknown-linux-gnu", "cortex-a53"),
    "vector-riscv": Processor("riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d"),
}
"""A typical processor of each path, and others that only the portable path serves."""

_BYTES = I8.as_pointer()


def module(target: Target) -> ir.Module:
    """Return IR with the functions ``tile``, ``row`` and ``quantise`` of ``target``.

    ``tile(codes, stride, weights, blocks, sums, out, out_stride)``,
    ``row(codes, weights, blocks, sum, out)``: int32 accumulators to ``out``;
    ``quantise(x, k, codes, scale) -> sum``; and ``unpack(packed, blocks, panel)``, if its weights
    have to be unpacked.
    """
    made = ir.Module(name=f"tinyternary_{target.name}")
    void = ir.VoidType()

    def function(name: str, result: ir.Type, *kinds: ir.Type) -> tuple[ir.IRBuilder, ir.Function]:
        defined = ir.Function(made, ir.FunctionType(result, kinds), name)
        return ir.IRBuilder(defined.append_basic_block("entry")), defined

    builder, tile = function("tile", void, _BYTES, I64, _BYTES, I64, _BYTES, _BYTES, I64)
    codes, stride, weights, blocks, sums, out, out_stride = tile.args
    sums = builder.bitcast(sums, I32.as_pointer())
    start = [
        builder.neg(builder.load(builder.gep(sums, [ir.Constant(I64, row)])))
        for row in range(target.rows)
    ]
    done = emit_tile(builder, target, target.rows, codes, stride, weights, blocks, start)
    epilogue.store_integers(builder, target, done, out, out_stride)
    builder.ret_void()

    builder, row = function("row", void, _BYTES, _BYTES, I64, I32, _BYTES)
    codes, weights, blocks, total, out = row.args
    single = emit_gemv(builder, target, codes, weights, blocks, builder.neg(total))
    epilogue.store_integers(builder, target, [single], out, ir.Constant(I64, 0))
    builder.ret_void()

    builder, quantizing = function("quantize", I32, _BYTES, I64, _BYTES, F32.as_pointer())
    x, k, codes, scale_out = quantizing.args
    floats = quantize.Row(builder, x, k)
    scale = quantize.scale_of(builder, quantize.largest_bits(builder, floats))
    builder.store(scale, scale_out)
    builder.ret(quantize.emit_codes(builder, floats, scale, codes))

    emit_unpack = MICRO_KERNELS[target.index].emit_unpack
    if emit_unpack is not None:
        builder, unpack = function("unpack", void, _BYTES, I64, _BYTES)
        emit_unpack(builder, *unpack.args)
        builder.ret_void()
    return made


def compile_for(target: Target, processor: Processor) -> tuple[str, bytes]:
    """Return the assembly and the object file of ``target`` for ``processor``."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    parsed = llvm.parse_assembly(str(module(target)))
    parsed.triple = processor.triple
    parsed.verify()
    machine = llvm.Target.from_triple(processor.triple).create_target_machine(
        cpu=processor.cpu, features=processor.features, opt=3, reloc="pic"
    )
    parsed.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    return machine.emit_assembly(parsed), machine.emit_object(parsed)


def assembly(name: str) -> str:
    """Return the machine code of a path of `PROCESSORS` as text."""
    target = next(target for target in TARGETS if target.name == name.split("-")[0])
    return compile_for(target, PROCESSORS[name])[0]
