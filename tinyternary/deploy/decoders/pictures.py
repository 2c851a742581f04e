"""PNG, JPEG, TIFF and WebP, through Pillow (lesson 10).

The header alone is read first (`_stated`); pixels are decoded when it has been seen what
they mean and what they take. They are made small while they are read: what is kept of an
image is what the network reads.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import Preprocessing
from tinyternary.deploy.decoders.stated import Read, Stated, check, first_line
from tinyternary.deploy.images import changes, fit
from tinyternary.errors import DataFileError

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")

_COLORS = {"1": "grey", "L": "grey", "LA": "grey", "P": "RGB", "RGB": "RGB", "RGBA": "RGB"}
_ORIENTATION = 0x0112
_SAME_COLORS = 3
"""Levels of 255 by which a colour profile may differ from sRGB and be no other."""
_SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""White, red, green and blue of sRGB, as PNG's cHRM has them."""


def read_picture(file: Path, expected: Preprocessing, limit: int) -> Read:
    """Read an image as the network takes it.

    Raises
    ------
    DataFileError
        If the file is damaged, no such image, too large, or its pixels mean something
        that cannot be applied without a guess.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # of damaged metadata and of large images: both are looked at here
            warnings.simplefilter("ignore")
            with Image.open(file, formats=FORMATS) as opened:
                picture: Image.Image = opened
                check(str(file), _stated(file, picture), limit)
                picture, notes = _upright(picture)
                picture, more = _to_plain_colors(file, picture)
                return _small(str(file), picture, notes + more, expected)
    except UnidentifiedImageError:
        raise DataFileError(f"{file}: not a PNG, 8-bit JPEG, TIFF or WebP image") from None
    except Image.DecompressionBombError:
        raise DataFileError(
            f"{file}: more pixels than Pillow opens ({2 * (Image.MAX_IMAGE_PIXELS or 0):,})"
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError) as error:
        raise DataFileError(f"{file}: damaged image: {first_line(error)}") from None


def _stated(file: Path, picture: Any) -> Stated:
    """Read off the header what the file states; nothing has been decoded yet."""
    mode, (width, height) = picture.mode, picture.size
    bits = {"I": 32, "F": 32}.get(mode, 16 if mode.startswith("I;") else 8)
    colors = "grey" if mode.startswith(("I", "F")) else _COLORS.get(mode, mode)
    other, held = "", 0
    if "transparency" in picture.info:
        other = "has an alpha channel (a transparent colour); flatten it on a background first"
    if picture.format == "PNG":
        bits = max(bits, _png_bits(file)) if mode not in ("1", "P") else bits
        other = other or _png_light(file, picture.info)
    elif picture.format == "TIFF":
        tags = picture.tag_v2
        bits = max(tags.get(258, (1,)))
        other = other or _tiff_meaning(tags, mode)
        rows = min(int(tags.get(278, height)), height)
        held = int(tags.get(322, width)) * int(tags.get(323, rows)) * int(tags.get(277, 1))
    elif picture.format == "WEBP":
        held = 12 * width * height
    else:  # JPEG: libjpeg keeps the coefficients of a progressive one, 2 bytes each
        held = 2 * len(picture.getbands()) * width * height
    return Stated(
        width, height, _memory(picture) + held, colors, bits,
        picture.n_frames if getattr(picture, "is_animated", False) else 1, other,
    )  # fmt: skip


def _memory(picture: Any) -> int:
    """Bytes of the picture as Pillow keeps it, and of the copies that are made of it."""
    decoded = 1 if picture.mode in ("1", "L", "P") else 4
    plain = 1 if _COLORS.get(picture.mode) == "grey" else 4
    pixel = decoded
    if picture.mode not in ("L", "RGB"):
        pixel += plain
    if "icc_profile" in picture.info:
        pixel += 5
    pixel += plain  # to turn it: PNG may say so behind its pixels only
    width, height = (int(side) for side in picture.size)
    # a pointer to each row; and the resampling's first pass, which shortens rows only
    return pixel * width * height + (8 + 8 + 4 * 256) * height


def _png_bits(file: Path) -> int:
    """Bits per channel: Pillow reads 16 of them as 8 and does not say so."""
    with file.open("rb") as stream:
        return stream.read(25)[24]  # the signature, and IHDR up to its depth


def _png_light(file: Path, info: dict[str, Any]) -> str:
    """Name what says that numbers are other light than sRGB's (a profile is applied)."""
    with file.open("rb") as stream:
        if b"cICP" in stream.read(4096).partition(b"IDAT")[0]:
            return "states a colour space of its own (cICP); convert it to sRGB"
    if "srgb" in info or "icc_profile" in info:
        return ""  # both outrank what follows
    if abs(info.get("gamma", 1 / 2.2) - 1 / 2.2) > 0.01:
        return f"states a gamma of {info['gamma']:g}, expected {1 / 2.2:.4f}; convert it to sRGB"
    if not np.allclose(info.get("chromaticity", _SRGB), _SRGB, atol=0.01):
        return "states other primary colours than sRGB's; convert it to sRGB"
    return ""


def _tiff_meaning(tags: Any, mode: str) -> str:
    """Name the tags of TIFF 6.0 that change what numbers mean and that Pillow passes over."""
    if any(kind != 1 for kind in tags.get(339, (1,))):
        return "holds numbers with a sign; convert it to 8-bit grey or RGB"
    if tags.get(_ORIENTATION, 1) in range(5, 9):  # Pillow mixes up rows and columns of some
        return "is stored on its side; save it upright"
    if tags.get(262) == 6 and tags.get(259, 1) not in (6, 7):  # JPEG inside is turned into RGB
        return "YCbCr colours, expected grey or RGB"
    if 338 in tags and mode not in ("RGBA", "LA"):
        return "has a channel besides its colours; leave that out"
    for tag, name in ((291, "grey response curve"), (301, "transfer function")):
        if tag in tags:
            return f"states a {name}; convert it to sRGB"
    return ""


def _upright(picture: Any) -> tuple[Any, tuple[str, ...]]:
    """Decode a picture and turn it as its EXIF orientation says."""
    from PIL import ImageOps

    # Pillow turns a TIFF as it loads it and forgets the tag; a PNG's may stand behind its pixels
    turned = picture.tag_v2.get(_ORIENTATION, 1) if picture.format == "TIFF" else None
    picture.load()
    if turned is None:
        turned = picture.getexif().get(_ORIENTATION, 1)
    picture = ImageOps.exif_transpose(picture)
    if turned not in range(2, 9):  # 1 is upright; what is none of the eight says nothing
        return picture, ()
    return picture, ("turned as the file's EXIF orientation says",)


def _to_plain_colors(file: Path, picture: Any) -> tuple[Any, tuple[str, ...]]:
    """Turn palette, bits, an opaque alpha channel and a colour profile into grey or RGB."""
    if picture.mode in ("RGBA", "LA") and picture.getextrema()[-1] != (255, 255):
        raise DataFileError(
            f"{file}: has an alpha channel that is not opaque; flatten it on a background first"
        )
    profile = picture.info.get("icc_profile")
    plain = "L" if _COLORS[picture.mode] == "grey" else "RGB"
    if picture.mode != plain:
        picture = picture.convert(plain)
    return _to_srgb(file, picture, profile)


def _to_srgb(file: Path, picture: Any, profile: bytes | None) -> tuple[Any, tuple[str, ...]]:
    """Apply a colour profile, unless it says what is taken for granted."""
    if not profile:
        return picture, ()
    from PIL import Image, ImageCms

    try:
        transform = ImageCms.buildTransform(
            io.BytesIO(profile), ImageCms.createProfile("sRGB"), picture.mode, "RGB"
        )
        steps = np.arange(0, 256, 15, dtype=np.uint8)
        levels: NDArray[np.uint8] = steps[None]
        if picture.mode == "RGB":
            levels = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
        seen = np.asarray(ImageCms.applyTransform(Image.fromarray(levels), transform), int)
        before = levels if levels.ndim == 3 else levels[..., None]
        if np.abs(seen - before).max() <= _SAME_COLORS:
            return picture, ()
        shown: Any = ImageCms.applyTransform(picture, transform)
    except (ImageCms.PyCMSError, ImportError) as error:
        raise DataFileError(
            f"{file}: colour profile cannot be applied ({first_line(error)}); convert it to sRGB"
        ) from None
    note = "colours turned to sRGB as the file's colour profile says"
    return shown.convert(picture.mode), (note,)


def _small(where: str, picture: Any, notes: tuple[str, ...], expected: Preprocessing) -> Read:
    """Make a picture small as `images.resize` does, without a copy of it at full size."""
    from PIL import Image

    width, height = picture.size
    size = expected.image_size
    shape = (1, height, width, len(picture.getbands()))
    if (width, height) != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    pixels: NDArray[np.uint8] = np.asarray(picture).reshape(1, size, size, shape[3])
    return Read(where, fit(pixels, expected)[0], (*notes, *changes(shape, expected)))
