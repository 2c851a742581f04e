"""Safetensors files with something wrong in them, for the tests of everything that reads some."""

from __future__ import annotations

import json

from hypothesis import strategies as st

ODD = [
    None, True, -1, 0, 1, 3, 1 << 40, 1 << 61, 10**400, 0.5, "", "F4", "BOOL", "BF16", "I64",
    "\ud800", [], [0], [1, 2], [0, 1 << 61, 1 << 61], [1] * 70, {}, {"a": 1},
]  # fmt: skip
"""What a field of a header may hold in place of what belongs there."""


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bits flipped, bytes missing or too many, or another value somewhere in the header."""
    kind = draw(st.sampled_from(["flip", "cut", "extend", "length", "field", "field", "field"]))
    place = draw(st.integers(0, len(content) - 1))
    if kind == "flip":
        # the header is where a bit can mislead
        place = place if draw(st.booleans()) else place % 400 % len(content)
        flipped = content[place] ^ 1 << draw(st.integers(0, 7))
        return content[:place] + bytes([flipped]) + content[place + 1 :]
    if kind == "cut":
        return content[:place] + content[place + draw(st.integers(1, len(content))) :]
    if kind == "extend":
        return content[:place] + draw(st.binary(min_size=1, max_size=64)) + content[place:]
    if kind == "length":
        length = draw(st.integers(0, 300) | st.sampled_from([1 << 27, 1 << 32, (1 << 64) - 1]))
        return length.to_bytes(8, "little") + content[8:]
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    name = draw(st.sampled_from(sorted(header)))
    odd = draw(st.sampled_from(ODD))
    if draw(st.booleans()):
        header[name] = odd
    else:
        header[name][draw(st.sampled_from(sorted(header[name]) or ["more"]))] = odd
    text = json.dumps(header).encode()
    text += b" " * draw(st.integers(0, 8))  # what follows may no longer be aligned
    return len(text).to_bytes(8, "little") + text + content[8 + length :]
