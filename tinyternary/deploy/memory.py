"""How many bytes one image may take, and how many it takes in a network (lesson 10).

A file of a kilobyte can state an image of gigabytes, and a packed model of a megabyte an
image size that makes any image take gigabytes. Both are worked out from what a header
states, before anything of that size is allocated.
"""

from __future__ import annotations

from tinyternary.config import ViTConfig

LIMIT_BYTES = 512 << 20
"""Most memory that one image may take unless a caller allows more (a PNG of 8,000 x 8,000 RGB)."""


def too_large(what: str, needed: int, limit: int) -> str:
    """Return the reason why `what` is refused, or "" where `needed` bytes are within the limit."""
    if needed <= limit:
        return ""
    return (
        f"{what} takes {needed:,} bytes of memory, expected at most {limit:,}; allow more with "
        "limit_bytes (on the command line: --memory)"
    )


def image_bytes(config: ViTConfig, *, fused: bool) -> int:
    """Most bytes that one image takes on its way through a network.

    Parameters
    ----------
    config : ViTConfig
    fused : bool
        Whether the compiled encoder runs it, which never holds a T x T table.

    Returns
    -------
    int
        Bytes in the image, in its patches, and in the widest block; T tokens.
    """
    c = config
    rows = max(c.tokens, 64)  # the compiled encoder works on so many at once
    pixels = c.image_size**2 * c.channels
    patches = rows * c.patch_size**2 * c.channels
    # streams, norms and codes, each beside what it is made of
    block = rows * (12 * c.width + 2 * c.qkv_width + 4 * c.mlp_width)
    # scores, their exponentials and what NumPy keeps between them
    attention = 0 if fused else 7 * c.heads * c.tokens**2
    # the image in bytes and in floats; all else in floats of 4 bytes
    return 5 * pixels + 4 * (2 * patches + block + attention)
