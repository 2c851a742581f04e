"""Files made by hand, byte by byte: what Pillow reads but cannot write."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def chunk(kind, data):
    body = kind + data
    return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def png(width, height, *, depth=8, color=2, extra=b"", content=b""):
    """A PNG; without content only its header, which may claim any size."""
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra
        + chunk(b"IDAT", zlib.compress(content) if content else b"") + chunk(b"IEND", b"")
    )  # fmt: skip


def whole_png(pixels, *, depth, color, extra=b""):
    """A PNG of an array (H, W, C), 8 or 16 bits."""
    height, width = pixels.shape[:2]
    kind = ">u2" if depth == 16 else "u1"
    rows = b"".join(b"\0" + row.astype(kind).tobytes() for row in pixels)
    return png(width, height, depth=depth, color=color, extra=extra, content=rows)


def tiff(pixels, *, bits, photometric, extra=()):
    """An uncompressed little-endian TIFF of an array (H, W, C) of one strip.

    `extra` are further tags as (tag, type, values); types are 3 (16 bits) and 4 (32 bits).
    """
    height, width, samples = pixels.shape
    data = pixels.astype("<u2" if bits > 8 else "u1").tobytes()
    if bits == 12:  # two samples in three bytes, each row by itself
        packed = bytearray()
        for row in pixels.reshape(height, -1):
            for a, b in row.reshape(-1, 2).tolist():
                packed += bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255])
        data = bytes(packed)
    tags = sorted(
        [
            (256, 4, [width]), (257, 4, [height]), (258, 3, [bits] * samples), (259, 3, [1]),
            (262, 3, [photometric]), (273, 4, [8]), (277, 3, [samples]), (278, 4, [height]),
            (279, 4, [len(data)]), *extra,
        ]
    )  # fmt: skip
    data += b"\0" * (len(data) % 2)
    entries, behind, at = b"", b"", 8 + len(data) + 2 + 12 * len(tags) + 4
    for tag, kind, values in tags:
        content = struct.pack(f"<{len(values)}{'HI'[kind - 3]}", *values)
        if len(content) > 4:
            place, behind = struct.pack("<I", at + len(behind)), behind + content
        else:
            place = content.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, len(values)) + place
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + behind


def icc_profile(gamma):
    """A profile with sRGB's primaries (adapted to D50) and a power for its curve."""

    def fixed(*values):
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    def xyz(*values):
        return b"XYZ \0\0\0\0" + fixed(*values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    parts = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.4361, 0.2225, 0.0139),
        b"gXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
        b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
    }  # fmt: skip
    table, body, at = b"", b"", 128 + 4 + 12 * len(parts)
    for name, part in parts.items():
        part += bytes(-len(part) % 4)
        table += name + struct.pack(">II", at + len(body), len(part))
        body += part
    content = struct.pack(">I", len(parts)) + table + body
    head = struct.pack(">I4xI4s4s4s", 128 + len(content), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += (
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    )
    return head.ljust(128, b"\0") + content


def levels(height, width, channels, top=256, seed=0):
    return np.random.default_rng(seed).integers(0, top, (height, width, channels))
