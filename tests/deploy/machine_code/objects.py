"""Object files made by LLVM for the tests of our linker."""

from __future__ import annotations

import functools

import llvmlite.binding as llvm
import pytest

from tinyternary.kernels import processor

here = pytest.mark.skipif(bool(processor.unknown()), reason=processor.unknown() or "can run")
"""For tests that run machine code."""


@functools.cache
def object_of(text: str) -> bytes:
    """Compile LLVM's representation to an object file for any x86-64 processor."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    module = llvm.parse_assembly(text)
    module.triple = "x86_64-unknown-linux-gnu"
    module.verify()
    target = llvm.Target.from_triple(module.triple)
    machine = target.create_target_machine(cpu="x86-64", opt=2, reloc="pic", codemodel="small")
    return machine.emit_object(module)


CONSTANTS = """
@table = internal constant [4 x i64] [i64 3, i64 1, i64 4, i64 159]
define i64 @entry(i64 %i) {
  %place = getelementptr [4 x i64], ptr @table, i64 0, i64 %i
  %value = load i64, ptr %place
  ret i64 %value
}"""

CALLS = """
declare double @sqrt(double)
declare double @exp2(double)
define double @entry(double %x) {
  %root = call double @sqrt(double %x)
  %power = call double @exp2(double %root)
  %again = call double @sqrt(double %power)
  ret double %again
}"""

POINTERS = """
define internal i64 @twice(i64 %x) noinline { %y = shl i64 %x, 1
  ret i64 %y }
define internal i64 @square(i64 %x) noinline { %y = mul i64 %x, %x
  ret i64 %y }
@table = internal constant [2 x ptr] [ptr @twice, ptr @square]
define i64 @entry(i64 %which, i64 %x) {
  %place = getelementptr [2 x ptr], ptr @table, i64 0, i64 %which
  %function = load ptr, ptr %place
  %y = call i64 %function(i64 %x)
  ret i64 %y
}"""

TABLE_OF_ADDRESSES = """
declare i32 @usleep(i32)
define ptr @entry() {
  ret ptr @usleep
}"""

VARIABLES = """
@count = internal global i64 0
@start = internal global i64 40
define i64 @entry() {
  %old = load i64, ptr @count
  %new = add i64 %old, 1
  store volatile i64 %new, ptr @count
  %base = load volatile i64, ptr @start
  %sum = add i64 %base, %new
  ret i64 %sum
}"""

STRANGER = """
declare i32 @system(ptr)
define i32 @entry(ptr %command) {
  %status = call i32 @system(ptr %command)
  ret i32 %status
}"""
