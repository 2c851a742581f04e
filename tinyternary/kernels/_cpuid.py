"""The processor's own list of what it can do (lesson 08_packing_and_kernels).

Two instructions, called through a page of machine code written by hand: CPUID gives words of
feature bits; XGETBV says which registers the system saves when it switches between programs,
without which the wide ones must not be used. LLVM asks the same questions, but loading LLVM to
ask costs 40 MB. Bits: Intel's Software Developer's Manual, volume 2A, CPUID.
"""

from __future__ import annotations

import ctypes
import functools

from tinyternary.kernels._pages import PAGE, RUN, Pages

_CODE = bytes.fromhex(
    "53"  # push rbx: belongs to who calls
    "49 89 d0"  # mov r8, rdx: CPUID overwrites rdx
    "89 f8 89 f1"  # mov eax, edi; mov ecx, esi: leaf and part
    "0f a2"  # cpuid
    "41 89 00"  # mov [r8], eax
    "41 89 58 04"  # mov [r8 + 4], ebx
    "41 89 48 08"  # mov [r8 + 8], ecx
    "41 89 50 0c"  # mov [r8 + 12], edx
    "5b c3"  # pop rbx; ret
)
_SAVED = bytes.fromhex(
    "31 c9"  # xor ecx, ecx
    "0f 01 d0"  # xgetbv: the low half of what is saved is in eax
    "c3"  # ret
)
_EAX, _EBX, _ECX = range(3)
_OSXSAVE = 27  # bit of leaf 1, ecx: XGETBV may be asked
_AVX, _AVX512 = 0b110, 0b11100110  # registers that have to be saved

FEATURES = {
    "avx2": (0, _EBX, 5, _AVX),
    "avxvnni": (1, _EAX, 4, _AVX),
    "avx512bw": (0, _EBX, 30, _AVX512),
    "avx512vl": (0, _EBX, 31, _AVX512),
    "avx512vnni": (0, _ECX, 11, _AVX512),
    "avx512vbmi": (0, _ECX, 1, _AVX512),
}
"""LLVM's name: part of leaf 7, register, bit, and what the system has to save for it."""


@functools.cache
def features() -> frozenset[str]:
    """Return what of `FEATURES` this x86-64 processor has.

    Raises
    ------
    NotUsable
        If the system lets no machine code be run.
    """
    pages = Pages(PAGE)
    pages.write(0, _CODE)
    pages.write(64, _SAVED)
    pages.allow(0, PAGE, RUN)
    word, words = ctypes.c_uint32, ctypes.c_uint32 * 4
    ask = ctypes.CFUNCTYPE(None, word, word, ctypes.c_void_p)(pages.address)

    def leaf(number: int, part: int = 0) -> list[int]:
        found = words()
        ask(number, part, ctypes.addressof(found))
        return list(found)

    if leaf(0)[_EAX] < 7 or not leaf(1)[_ECX] >> _OSXSAVE & 1:
        return frozenset()
    saved = ctypes.CFUNCTYPE(word)(pages.address + 64)()
    parts = [leaf(7)]
    parts.append(leaf(7, 1) if parts[0][_EAX] >= 1 else [0] * 4)
    return decode(parts, saved)


def decode(parts: list[list[int]], saved: int) -> frozenset[str]:
    """Return the features that two parts of leaf 7 name, as far as the system saves registers."""
    return frozenset(
        name
        for name, (part, register, bit, needed) in FEATURES.items()
        if parts[part][register] >> bit & 1 and saved & needed == needed
    )
