"""The project that `to_c` writes: names, decisions, counts, sizes, and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.cli.test_command_line import run as command
from tests.deploy.c.building import COMPILERS, answers, build, needs_compiler, pnm, said
from tests.deploy.small_models import images_for, make_model
from tinyternary.compiled import erf
from tinyternary.config.grid import BITLINEAR_EPS, FLOOR, MOST
from tinyternary.deploy import Engine, load, pack, to_c
from tinyternary.deploy.c import export
from tinyternary.deploy.encoder.polynomials import EXP2
from tinyternary.deploy.format.writer import PackedModel
from tinyternary.errors import ConfigError, NonFiniteError
from tinyternary.text import USE

SMALL = {"image_size": 8, "depth": 1, "width": 16, "heads": 2, "mlp_width": 20}
ODD = ["", 'say "no"', "a\\b??/", "\u00e9\u00e9n\n", "int", "int ", "*/ //", "9%d"]


def project(tmp_path, model, flags="-O1 -Werror", **options):
    packed = pack(model, **options)
    to_c(packed, tmp_path)
    build(tmp_path, COMPILERS[0], flags)
    return Engine(packed.read())


@needs_compiler
def test_odd_class_names_are_printed_and_compile(tmp_path):
    model = make_model(**{**SMALL, "num_classes": len(ODD)})
    engine = project(tmp_path, model, class_names=ODD)
    images = images_for(model, 30)
    (tmp_path / "images.ppm").write_bytes(pnm(images))
    printed = said(tmp_path, "images.ppm").stdout
    found = re.findall(r"^images\.ppm: (.*?)\t", printed, re.MULTILINE | re.DOTALL)
    assert found == engine.predict(images).names
    assert len(set(found)) > 1
    header = (tmp_path / "model.h").read_text()
    ids = re.findall(r"^    (\w*) = \d+,?$", header, re.MULTILINE)
    assert len(set(ids)) == len(ODD)


@needs_compiler
@pytest.mark.parametrize("threshold", [None, 0.3, 0.0, 1.0])
def test_two_classes_are_decided_at_the_threshold(threshold, tmp_path):
    model = make_model(**SMALL, num_classes=2)
    engine = project(tmp_path, model, threshold=threshold, class_names=["no", "yes"])
    images = images_for(model, 40)
    (tmp_path / "images.ppm").write_bytes(pnm(images))
    found = re.findall(r": (no|yes)\t", said(tmp_path, "images.ppm").stdout)
    assert found == engine.predict(images).names


@needs_compiler
@pytest.mark.parametrize("threshold", [None, [0.2, 0.5, 1.0]])
def test_several_labels_may_be_true(threshold, tmp_path):
    model = make_model(**SMALL, num_classes=3)
    names = ["a", "b", "c"]
    engine = project(tmp_path, model, task="multi-label", threshold=threshold, class_names=names)
    images = images_for(model, 40)
    (tmp_path / "images.ppm").write_bytes(pnm(images))
    lines = said(tmp_path, "images.ppm").stdout.splitlines()
    found = [", ".join(re.findall(r" (\w);", line)) for line in lines]
    counts = [int(re.search(r"\((\d) labels\)", line)[1]) for line in lines]
    answer = engine.predict(images)
    assert found == answer.names
    assert counts == answer.labels.sum(1).tolist()
    assert len(set(found)) > 1


@needs_compiler
@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
def test_no_class_is_named_where_a_logit_is_no_number(task, tmp_path):
    model = make_model(**SMALL)
    sound = pack(model, task=task)  # `pack` itself refuses the other
    tensors = {**sound.read().tensors}
    # each product overflows for itself: in whatever order they are added, the sum is no number
    for name, value in (("norm.weight", 1e3), ("head.weight", 3e38)):
        tensors[name] = np.full_like(tensors[name], value)
    packed = PackedModel(sound.header, tensors)
    to_c(packed, tmp_path)
    build(tmp_path, COMPILERS[0], "-O1 -Werror")
    engine, images = Engine(packed.read()), images_for(model, 1)
    (tmp_path / "images.ppm").write_bytes(pnm(images))
    assert said(tmp_path, "images.ppm").stdout.startswith("images.ppm: no answer, ")
    with pytest.raises(NonFiniteError):
        engine(images)


@needs_compiler
@pytest.mark.parametrize("bits", [2, 1.6])
def test_ternary_products_add_subtract_and_skip(bits, tmp_path):
    model = make_model("everything", **SMALL)
    packed = pack(model, bits=bits)
    to_c(packed, tmp_path)
    (tmp_path / "count.c").write_text(
        '#include "model.h"\n#include "runtime.h"\n#include <stdio.h>\n'
        "int main(void)\n{\n"
        "    static uint8_t image[TT_IMAGE_SIZE * TT_IMAGE_SIZE * TT_CHANNELS];\n"
        "    float logits[TT_CLASSES];\n    tt_classify(image, logits);\n"
        '    printf("%llu %llu %llu %llu", tt_count.adds, tt_count.subtracts, tt_count.skips,\n'
        "           tt_count.multiplies);\n    return 0;\n}\n"
    )
    sources = ["count.c", "model.c", "model_weights.c", "runtime.c"]
    subprocess.run(
        [COMPILERS[0], "-std=c99", "-DTT_COUNT", *sources, "-lm", "-o", "count"],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    done = subprocess.run(["./count"], cwd=tmp_path, check=True, capture_output=True, text=True)
    found = list(map(int, done.stdout.split()))

    tokens = model.config.tokens
    expected = np.zeros(3, int)
    for name, module in model.named_modules():
        if hasattr(module, "quantized") and "norm" not in name.rpartition(".")[2]:
            trits = module.quantized().trits
            rows = 1 if name == "head" else tokens
            expected += rows * np.array([(trits == t).sum() for t in (1, -1, 0)])
    assert found == [*expected, 0]


@needs_compiler
@pytest.mark.parametrize("task", ["multi-class", "multi-label"])
@pytest.mark.parametrize("integer", [False, True], ids=["floats", "integers"])
def test_the_example_of_a_firmware_compiles(task, integer, tmp_path):
    to_c(pack(make_model(**SMALL), task=task), tmp_path, integer=integer)
    (code,) = re.findall(r"```c\n(.*?)```", (tmp_path / "README.md").read_text(), re.DOTALL)
    (tmp_path / "example.c").write_text(f"void show(const char *text);\n{code}")
    warnings = "-std=c99 -Wall -Wextra -Wconversion -pedantic -Werror"
    for compiler in COMPILERS:
        subprocess.run(
            [compiler, *warnings.split(), "-c", "example.c"], cwd=tmp_path, check=True
        )  # fmt: skip


KERNELS = {"": "blocks", "-DTT_ADD_ONLY": "additions", "-DTT_COUNT": "additions"}


@needs_compiler
@pytest.mark.parametrize("bits", [2, 1.6])
@pytest.mark.parametrize("integer", [False, True], ids=["floats", "integers"])
def test_every_kernel_gives_the_same_bits(bits, integer, tmp_path):
    """Rows of less than a block, of several, and of some and a rest."""
    sizes = {"image_size": 12, "depth": 1, "width": 36, "heads": 2, "mlp_width": 203}
    model = make_model("everything", **sizes)
    to_c(pack(model, bits=bits), tmp_path, integer=integer)
    (tmp_path / "kernel.c").write_text(
        '#include "runtime.h"\n#include "products.h"\n#ifdef TT_BLOCKS\nblocks\n'
        "#elif defined TT_PAIRS\npairs\n#else\nadditions\n#endif\n"
    )
    found = []
    for flag, kernel in KERNELS.items():
        build(tmp_path, COMPILERS[0], f"-O2 -Werror {flag}")
        found.append(answers(tmp_path, images_for(model, 5)).view(np.int32))
        done = subprocess.run(
            [COMPILERS[0], "-E", *flag.split(), "kernel.c"], cwd=tmp_path, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.stdout.split()[-1] == (kernel if sys.maxsize > 2**32 else "additions")
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_the_runtimes_numbers_are_the_engines():
    text = (export._HERE / "runtime.c").read_text()

    def floats(name):
        body = re.search(rf"{name}\[\] = {{(.*?)}}", text, re.DOTALL)[1]
        return [np.float32(word.strip().rstrip("f")) for word in body.split(",")]

    for name, values in (("EXP2", EXP2), ("P", erf.P), ("Q", erf.Q)):
        assert floats(name) == [np.float32(value) for value in values]
    for name, value in (("FLOOR", FLOOR), ("BITLINEAR_EPS", BITLINEAR_EPS), ("LIMIT =", erf.LIMIT)):
        written = re.search(rf"{name} ([\d.e-]+)f", text)[1]
        assert np.float32(written) == np.float32(value), name
    assert f"/ {MOST['int8']}.0f" in text


@needs_compiler
@pytest.mark.parametrize("how", [[], ["-D__SOFTFP__"]], ids=["in double", "in integers"])
def test_multiply_add_is_rounded_once(how, tmp_path):
    """Ties of the first rounding, tiny numbers and cancellation, beside the C library's fmaf."""
    (tmp_path / "fma.c").write_text(
        '#include "runtime.c"\n#include <stdio.h>\n'
        "static uint32_t state = 1;\n"
        "static uint32_t next(void) { return state = state * 1664525u + 1013904223u; }\n"
        "static float draw(void)\n{\n"
        "    uint32_t few = next() >> 8 & 3u ? ~0u : ~0xFFFu << (next() >> 28);\n"
        "    return float_of((next() & few & 0x807FFFFFu) | (next() >> 24) % 250u << 23);\n}\n"
        "int main(void)\n{\n    long wrong = 0;\n"
        "    for (long i = 0; i < 3000000; i++) {\n"
        "        float a = draw(), b = draw(), c = draw();\n"
        "        if (i % 2) c = -(a * b) * (1.0f + (float)(next() >> 30));\n"
        "        if (i % 5 == 0) c = float_of((bits_of(a * b) & 0xFF800000u) + (24u << 23));\n"
        "        float x = multiply_add(a, b, c), y = fmaf(a, b, c);\n"
        "        wrong += bits_of(x) != bits_of(y) && !(x == 0 && y == 0) && !(x != x && y != y);\n"
        '    }\n    printf("%ld", wrong);\n    return 0;\n}\n'
    )
    to_c(make_model(**SMALL), tmp_path)
    subprocess.run(
        [COMPILERS[0], "-std=c99", "-O2", "-ffp-contract=off", *how, "fma.c", "-lm", "-o", "fma"],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    done = subprocess.run(["./fma"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout == "0"


@needs_compiler
def test_what_is_no_image_is_one_line(tmp_path):
    model = make_model(**SMALL)
    project(tmp_path, model)
    good = pnm(images_for(model, 1))
    for name, content in {
        "empty-of-pixels.ppm": good[:-1],
        "grey.pgm": good.replace(b"P6", b"P5"),
        "large.ppm": good.replace(b"8 8", b"9 8"),
        "deep.ppm": good.replace(b"255", b"65535"),
        "text.ppm": b"P6 # and no end",
    }.items():
        (tmp_path / name).write_bytes(content)
        done = said(tmp_path, name)
        assert done.returncode == 1, name
        problem = f"{name}: cannot be read as binary PPM (P6) of 8 x 8 pixels"
        assert done.stderr.splitlines() == [USE, problem]
    assert said(tmp_path, "none.ppm").returncode == 1
    assert said(tmp_path).returncode == 2


def test_channels_that_no_image_has_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="1 or 3 channels, got 2"):
        to_c(make_model(**SMALL, channels=2), tmp_path)


def test_the_arena_is_checked_when_it_is_compiled(tmp_path):
    to_c(make_model(**SMALL), tmp_path)
    header = tmp_path / "model.h"
    found = re.search(r"TT_ARENA_BYTES (\d+)", header.read_text())
    header.write_text(header.read_text().replace(found[0], f"TT_ARENA_BYTES {int(found[1]) - 4}"))
    if not COMPILERS:
        pytest.skip("no gcc or clang to build C with")
    done = subprocess.run(
        [COMPILERS[0], "-std=c99", "-c", "model.c"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "tt_arena_is_as_stated" in done.stderr


def test_every_way_to_name_a_model(model, packed, packed_path, tmp_path):
    def files(folder):
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    expected = files(to_c(packed, tmp_path / "a"))
    assert files(to_c(str(packed_path), tmp_path / "b")) == expected
    assert files(to_c(load(packed_path), tmp_path / "c")) == expected
    with pytest.raises(ConfigError, match="bits: only for a model"):
        to_c(packed, tmp_path / "d", bits=2)


@needs_compiler
def test_the_command_writes_a_project_that_answers(model, packed_path, tmp_path):
    folder = tmp_path / "firmware"
    done = command("export", str(packed_path), "--c", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["c"]
    assert result["ram_bytes"] == sum(result["ram"].values()) > result["arena_bytes"]
    build(folder, COMPILERS[0], "-O2")
    images = images_for(model, 2)
    assert answers(folder, images).shape == (2, 3)
    assert "not for clinical use" in (folder / "README.md").read_text()
