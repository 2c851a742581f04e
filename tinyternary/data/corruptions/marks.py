"""Marks: stain, bubbles, a dark corner, letters; sized for images of about 224 pixels a side."""

from __future__ import annotations

import string

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Bytes = NDArray[np.uint8]


def stain_deposit(x: Bytes, amount: tuple[int, int], rng: np.random.Generator) -> Bytes:
    """Put black blots on the slide: `amount` is (at most so many, pixels a side)."""
    most, size = amount
    x = x.copy()
    height, width = x.shape[:2]
    for _ in range(rng.integers(1, most + 1) if most > 1 else 1):
        blot = _blot(size, rng)
        column = rng.integers(10, width - size - 9)
        row = rng.integers(10, height - size - 9)
        x[row : row + size, column : column + size][blot] = 0
    return x


def _blot(size: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw a disc with a wavy edge: r(angle) = R (1 + sum_k a_k sin(k angle + phase_k))."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    angle, waves = np.arctan2(y, x), np.arange(2, 7)
    phases, heights = rng.uniform(0, 2 * np.pi, 5), rng.uniform(0, 0.25, 5) / waves
    edge = 1 + (heights * np.sin(waves * angle[..., None] + phases)).sum(-1)
    return np.asarray(np.hypot(x, y) <= 0.44 * size * edge)


def bubble(x: Bytes, amount: tuple[int, int], rng: np.random.Generator) -> Bytes:
    """Lay bright discs with a brighter rim over it: `amount` is (largest radius, at most so many).

    A disc takes 100 / 255 of the way to white, the rim of 2 pixels 130 / 255.
    """
    largest, most = amount
    image = Image.fromarray(x)
    width, height = image.size
    layer = Image.new("RGBA", image.size, (255, 255, 255, 0))
    draw = ImageDraw.Draw(layer)
    for _ in range(rng.integers(7, most + 1)):
        radius = int(rng.integers(3, largest + 1))
        column = int(rng.integers(radius, width - radius + 1))
        row = int(rng.integers(radius, height - radius + 1))
        for reach, opacity in ((radius + 2, 130), (radius, 100)):
            box = (column - reach, row - reach, column + reach, row + reach)
            draw.ellipse(box, fill=(255, 255, 255, opacity))
    image.paste(layer, (0, 0), layer)
    return np.asarray(image)


def black_corner(x: Bytes, amount: float, rng: np.random.Generator) -> Bytes:
    """Leave a disc of `amount` times half the image and black around it, as a dermatoscope does."""
    height, width = x.shape[:2]
    radius = int(min(height // 2, width // 2) * amount)
    down, right = np.arange(height) - height // 2, np.arange(width) - width // 2
    inside = down[:, None] ** 2 + right**2 <= radius**2
    return np.where(inside[..., None], x, 0).astype(np.uint8)


def characters(x: Bytes, amount: tuple[int, int, float], rng: np.random.Generator) -> Bytes:
    """Write words over it: `amount` is (at most so many, of at most so many letters, largest size).

    Sizes are counted as OpenCV counts those of its line fonts, of which 1 has letters of about
    26 pixels; letters are in one random colour a word.
    """
    most_words, most_letters, largest = amount
    image = Image.fromarray(x)
    width, height = image.size
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(1, most_words + 1)):
        count = int(rng.integers(3, most_letters + 1))
        size = rng.integers(14, int(largest * 100) + 1) / 100
        word = "".join(string.ascii_lowercase[rng.integers(0, 26)] for _ in range(count))
        column = int(rng.integers(10, width - 8 * count + 1))
        row = int(rng.integers(10, height - 9))
        red, green, blue = (int(rng.integers(0, 256)) for _ in range(3))
        font = ImageFont.load_default(26 * size)
        draw.text((column, row), word, (red, green, blue), font, anchor="ls")
    return np.asarray(image)
