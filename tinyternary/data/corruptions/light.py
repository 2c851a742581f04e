"""Light: brightness, contrast, gamma, saturation.

Brightness and contrast are Pillow's ``ImageEnhance``: a straight line from a flat image through the
image and beyond, cut off at 0 and 255, with the fraction dropped.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.data.corruptions.as_grey import as_grey

Bytes = NDArray[np.uint8]


def brightness(x: Bytes, amount: float, rng: np.random.Generator) -> Bytes:
    """Multiply by `amount`: amount x."""
    return _away_from(0, x, amount)


def contrast(x: Bytes, amount: float, rng: np.random.Generator) -> Bytes:
    """Multiply what differs from the mean grey m: m + amount (x - m)."""
    return _away_from(int(as_grey(x).mean() + 0.5), x, amount)


def _away_from(flat: int, x: Bytes, amount: float) -> Bytes:
    line = flat + np.float32(amount) * (x.astype(np.float32) - np.float32(flat))
    return np.asarray(np.clip(line, 0, 255), np.uint8)


def gamma(x: Bytes, amount: float, rng: np.random.Generator) -> Bytes:
    """Raise to a power: 255 (x / 255)^amount, where just below 256 counts as 255."""
    table = (256 - 1e-3) * (np.arange(256) / 255) ** amount
    return table.astype(np.uint8)[x]


def saturate(x: Bytes, amount: float, rng: np.random.Generator) -> Bytes:
    """Add to the saturation, with hue and value as they are.

    Hue h in sixths of a turn, saturation s and value v on [0, 1] (Smith, SIGGRAPH 1978):
    v is the largest channel, s = (v - least) / v, and h says where the middle channel is.
    """
    h, s, v = _hue_saturation_value(x / 255)
    colored = _red_green_blue(h, np.clip(s + amount, 0, 1), v)
    return np.asarray(np.clip(colored, 0, 1) * 255, np.uint8)


def _hue_saturation_value(rgb: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    red, green, blue = np.moveaxis(rgb, -1, 0)
    v, spread = rgb.max(-1), np.ptp(rgb, -1)
    some = np.where(spread > 0, spread, 1)  # a grey has no hue: 0
    h = np.select(
        [blue == v, green == v],  # of equal channels the last decides
        [4 + (red - green) / some, 2 + (blue - red) / some],
        (green - blue) / some,
    )
    h = np.where(spread > 0, h / 6 % 1, 0) * 6
    return h, spread / np.where(v > 0, v, 1), v


def _red_green_blue(h: NDArray[Any], s: NDArray[Any], v: NDArray[Any]) -> NDArray[Any]:
    sixth = np.floor(h)
    part = h - sixth
    low, falling, rising = v * (1 - s), v * (1 - part * s), v * (1 - (1 - part) * s)
    channels = (  # in each sixth of the circle: red, green, blue
        (v, rising, low), (falling, v, low), (low, v, rising),
        (low, falling, v), (rising, low, v), (v, low, falling),
    )  # fmt: skip
    chosen = (sixth.astype(np.int64) % 6)[..., None]
    return np.asarray(np.choose(chosen, [np.stack(each, -1) for each in channels]))
