"""A C project built with each compiler of this machine, and what it answers."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest

from tests.deploy.small_models import images_for
from tinyternary.deploy import Engine, to_c

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
STRICT = "-O1 -Werror"
SANITIZERS = "-g -fsanitize=address,undefined -fno-sanitize-recover=all"
needs_compiler = pytest.mark.skipif(
    not COMPILERS or not shutil.which("make"), reason="no gcc or clang with make to build C with"
)


def pnm(images):
    """Images (B, S, S, C) as one PGM or PPM stream."""
    _, height, width, channels = images.shape
    head = b"P%d\n# a comment\n%d %d\n255\n" % (5 if channels == 1 else 6, width, height)
    return b"".join(head + image.tobytes() for image in images)


@functools.cache
def flags_for(compiler):
    """Warnings as errors, and sanitizers where a compiler comes with their library."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "one.c").write_text("int main(void) { return 0; }\n")
        done = subprocess.run(
            [compiler, *SANITIZERS.split(), "one.c"], cwd=folder, capture_output=True
        )
    return f"{STRICT} {SANITIZERS}" if done.returncode == 0 else STRICT


def build(folder, compiler, flags=STRICT, **more):
    settings = [f"{name}={value}" for name, value in more.items()]
    subprocess.run(
        ["make", "-s", "clean", "classify", f"CC={compiler}", f"CFLAGS={flags}", *settings],
        cwd=folder, check=True,
    )  # fmt: skip


def said(folder, *arguments):
    """Run a built project; what it printed and how it ended."""
    return subprocess.run(
        ["./classify", *arguments], cwd=folder, capture_output=True, text=True, encoding="utf-8"
    )


def logits_of(printed):
    rows = [line.rpartition("\t")[2].split() for line in printed.splitlines()]
    return np.array([[int(word, 16) for word in row] for row in rows], np.uint32).view(np.float32)


def answers(folder, images):
    """Return the logits (B, classes) of a built project, to the bit."""
    (folder / "images.pnm").write_bytes(pnm(images))
    done = subprocess.run(
        ["./classify", "--bits", "images.pnm"], cwd=folder, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    return logits_of(done.stdout)


def fuses():
    """Whether this processor multiplies and adds in one instruction, as the C does."""
    from llvmlite import binding

    found = binding.get_host_cpu_features()
    return bool(found.get("fma") or found.get("neon"))


def check_equal(engine: Engine, found, images):
    """The engine's bits where its encoder runs the network, else close to its answers."""
    expected = engine(images)
    assert found.shape == expected.shape
    if not engine.plain_because and fuses():
        # compared as floats: 0.0 and -0.0 are the same number
        np.testing.assert_array_equal(found, expected)
    else:
        # a last bit of a norm may tip an integer over: one of 127 levels of a token's largest entry
        spread = float(np.ptp(expected, axis=0).max())
        np.testing.assert_allclose(found, expected, rtol=0, atol=0.05 * spread + 1e-4)


def check_project(packed, model, folder: Path, compilers=None, count=5):
    """Export a packed model, build it with each compiler, and compare it with the engine."""
    engine = Engine(packed.read())
    images = images_for(model, count)
    images[0], images[1] = 0, 255
    to_c(packed, folder)
    for compiler in compilers or COMPILERS:
        build(folder, compiler, flags_for(compiler))
        check_equal(engine, answers(folder, images), images)
    return folder
