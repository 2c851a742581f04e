"""C without floats: the integers of the reference, whatever the network and the machine."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from tests.cli.test_command_line import run as command
from tests.deploy.c import test_c_cortex_m as cortex_m
from tests.deploy.c.building import COMPILERS, answers, build, flags_for, needs_compiler, pnm, said
from tests.deploy.c.test_c_networks import policies, shapes
from tests.deploy.small_models import images_for, make_model
from tests.deploy.test_engine import POLICIES
from tinyternary.deploy import pack, to_c
from tinyternary.deploy.fixed_point import FixedNetwork
from tinyternary.errors import ConfigError

SMALL = {"image_size": 8, "depth": 1, "width": 16, "heads": 2, "mlp_width": 20}
RISC_V = ("riscv64-linux-gnu-gcc", "qemu-riscv64")


def check_project(packed, model, folder: Path, compilers=COMPILERS):
    reference = FixedNetwork(packed.read())
    images = images_for(model, 4)
    images[0], images[1] = 0, 255
    expected = reference(images)
    assert np.abs(expected).max() < 2**31
    to_c(packed, folder, integer=True)
    for compiler in compilers:
        build(folder, compiler, flags_for(compiler))
        np.testing.assert_array_equal(answers(folder, images).view(np.int32), expected)


@needs_compiler
@pytest.mark.slow
@settings(max_examples=20)
@given(st.data(), st.integers(0, 99), st.sampled_from([2, 1.6]),
       st.sampled_from(["float32", "float16", "int8"]), st.sampled_from([0.1, 1.0, 30.0]))  # fmt: skip
def test_any_network_gives_the_references_integers(data, seed, bits, rest, size):
    shape = data.draw(shapes())
    named = st.sampled_from([None, "bitmedvit", "all-linear", "everything"])
    policy = data.draw(st.one_of(named, policies(shape)))
    model = make_model(policy or None, seed, **shape)
    rng = np.random.default_rng(seed)
    for name, parameter in model.named_parameters():  # far from what training would leave
        if name.endswith(("norm1.weight", "norm2.weight", "bias")):
            parameter.data += rng.normal(0, size, parameter.shape).astype(np.float32)
    try:
        packed = pack(model, bits=bits, rest=rest)
        FixedNetwork(packed.read())
    except ConfigError:  # a learned scale that noise made negative, or no form in integers
        assume(False)
    with tempfile.TemporaryDirectory() as folder:
        check_project(packed, model, Path(folder))


@needs_compiler
@pytest.mark.parametrize(
    ("policy", "changes", "options"),
    [
        ("all-linear", {"pool": "cls", "kv_heads": 1, "activation": "gelu_tanh"}, {"bits": 1.6}),
        ("everything", {"activation": "relu_squared", "causal": True}, {"rest": "int8"}),
        (None, {"image_size": 16, "positions": "sinusoidal"}, {}),
        ("bitmedvit", {"pool": "distilled", "registers": 2, "embed_norm": True}, {}),
        ("everything", {"registers": 1, "token_norm": True}, {}),
    ],
    ids=["1.6 bits", "int8 rest, causal", "floats", "distillation token", "registers"],
)
def test_some_networks(policy, changes, options, tmp_path):
    model = make_model(policy, **changes)
    check_project(pack(model, **options), model, tmp_path, COMPILERS[:1])


@needs_compiler
def test_no_float_is_left_in_it(tmp_path):
    to_c(pack(make_model("everything", **SMALL)), tmp_path, integer=True)
    for name in ("model.c", "model.h", "model_weights.c", "model_weights.h", "runtime.c",
                 "runtime.h", "products.h"):  # fmt: skip
        code = re.sub(r"/\*.*?\*/", "", (tmp_path / name).read_text(), flags=re.DOTALL)
        assert not re.search(r"\bfloat\b|\bdouble\b|math\.h|\d\.\d", code), name


@needs_compiler
@pytest.mark.parametrize("threshold", [None, 0.3, 0.0, 1.0])
def test_two_classes_are_decided_at_the_threshold(threshold, tmp_path):
    model = make_model(**SMALL, num_classes=2)
    packed = pack(model, threshold=threshold, class_names=["no", "yes"])
    to_c(packed, tmp_path, integer=True)
    build(tmp_path, COMPILERS[0])
    images = images_for(model, 40)
    (tmp_path / "images.ppm").write_bytes(pnm(images))
    done = said(tmp_path, "images.ppm")
    assert done.returncode == 0, done.stderr
    first, second = FixedNetwork(packed.read())(images).T / 2**16
    above = 1 / (1 + np.exp(first - second)) > (0.5 if threshold is None else threshold)
    assert re.findall(r": (no|yes)\t", done.stdout) == np.where(above, "yes", "no").tolist()


@needs_compiler
def test_several_labels_may_be_true(tmp_path):
    model = make_model(**SMALL, num_classes=3)
    packed = pack(model, task="multi-label", threshold=[0.2, 0.5, 1.0], class_names=["a", "b", "c"])
    to_c(packed, tmp_path, integer=True)
    build(tmp_path, COMPILERS[0])
    images = images_for(model, 40)
    (tmp_path / "images.ppm").write_bytes(pnm(images))
    done = said(tmp_path, "images.ppm")
    assert done.returncode == 0, done.stderr
    logits = FixedNetwork(packed.read())(images) / 2**16
    yes = 1 / (1 + np.exp(-logits)) > np.array([0.2, 0.5, 1.0])
    found = [re.findall(r" (\w);", line) for line in done.stdout.splitlines()]
    assert found == [[name for name, true in zip("abc", row, strict=True) if true] for row in yes]


@pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in RISC_V),
    reason=f"not installed: {' or '.join(RISC_V)} (.ci/run installs them)",
)
def test_risc_v_gives_the_same_integers(tmp_path):
    model = make_model("everything", **SMALL, kv_heads=1)
    packed = pack(model, bits=1.6)
    to_c(packed, tmp_path, integer=True)
    build(tmp_path, RISC_V[0], LDFLAGS="-static")
    images = images_for(model, 20)
    (tmp_path / "images.pnm").write_bytes(pnm(images))
    done = subprocess.run(
        [RISC_V[1], "./classify", "--bits", "images.pnm"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    found = cortex_m.logits_of(done.stdout).view(np.int32)
    np.testing.assert_array_equal(found, FixedNetwork(packed.read())(images))


@pytest.mark.skipif(bool(cortex_m.MISSING), reason="no emulator of a Cortex-M")
def test_a_cortex_m3_gives_the_same_integers_in_fewer_instructions(tmp_path):
    model = make_model("everything", width=16, heads=2, mlp_width=24, depth=1, patch_size=7)
    packed = pack(model)
    images = images_for(model, 20)
    counts = []
    for integer in (True, False):
        folder = tmp_path / str(integer)
        to_c(packed, folder, integer=integer)
        found, taken = cortex_m.emulate(folder, "mps2-an385", images)
        counts.append(np.mean(taken))
        if integer:
            expected = FixedNetwork(packed.read())(images)
            np.testing.assert_array_equal(found.view(np.int32), expected)
    assert counts[0] < counts[1]


def test_the_command(tmp_path):
    file = tmp_path / "model.safetensors"
    pack(make_model("everything", **SMALL)).save(file)
    done = command("export", str(file), "--c", str(tmp_path / "c"), "--integer")
    assert done.returncode == 0, done.stderr
    assert "int32_t" in (tmp_path / "c" / "model.h").read_text()
    done = command("export", str(file), "--onnx", str(tmp_path / "x.onnx"), "--integer")
    assert done.returncode == 2
    assert "--c DIR" in done.stderr


def test_what_has_no_form_in_integers_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected int8"):
        to_c(pack(make_model(POLICIES["ternary activations"])), tmp_path, integer=True)
