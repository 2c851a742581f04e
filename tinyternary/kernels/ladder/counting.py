"""Counting ones in a word: the one instruction that bit planes need (lesson 08)."""

from __future__ import annotations

from typing import Any

from numba import extending, types

intrinsic: Any = extending.intrinsic


@intrinsic
def ones(typingctx: Any, word: Any) -> Any:
    """Return how many bits of a uint64 are 1, as int64."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen
