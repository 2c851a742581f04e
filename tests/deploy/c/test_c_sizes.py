"""Bytes of flash and memory: predicted from the shape, and as compilers count them."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import assume, given, settings, strategies as st

from tests.cli.test_command_line import run as command
from tests.deploy.c.test_c_cortex_m import MACHINES, STRICT, pytestmark as needs_arm
from tests.deploy.c.test_c_networks import policies, shapes
from tests.deploy.small_models import make_model
from tests.deploy.test_engine import CASES, POLICIES
from tinyternary import cost
from tinyternary.config import vit_matrices
from tinyternary.cost.footprint import CODE, STACK, arena
from tinyternary.deploy import pack, to_c
from tinyternary.deploy.c.export import predict
from tinyternary.deploy.c.source import Weights, work
from tinyternary.errors import ConfigError

LARGE = {"activation": "gelu_tanh", "pool": "cls", "num_classes": 3}


@settings(max_examples=40)
@given(st.data(), st.sampled_from([2, 1.6]), st.sampled_from(["float32", "float16", "int8"]))
def test_the_prediction_holds_the_arrays_that_are_written(data, bits, rest):
    shape = data.draw(shapes())
    named = st.sampled_from([None, "bitmedvit", "all-linear", "everything"])
    policy = data.draw(st.one_of(named, policies(shape)))
    model = make_model(policy or None, **shape)
    try:
        packed = pack(model, bits=bits, rest=rest).read()
    except ConfigError:  # a learned scale that noise made negative
        assume(False)
    found = predict(packed)
    weights = Weights(packed)
    weights.source(None)
    names = ("structs", "class names", "code, at most")
    written = sum(-(-size // 4) * 4 for size in weights.nbytes.values())
    assert written == found.flash_bytes - sum(found.flash[name] for name in names)
    needs = [work(packed.header.layers[m.name], m) for m in vit_matrices(model.config)]
    codes, floats = (max(column) for column in zip(*needs, strict=True))
    assert found.arena == sum(arena(model.config, codes=codes, floats=floats).values())
    # and the same from the plain description, without a model
    plain = cost.footprint(model.config, policy or "float32", bits=bits, rest=rest)
    assert plain == found


def compiled(folder, machine, *more):
    flags = f"{MACHINES[machine]} {STRICT} -Os".split()
    subprocess.run(
        ["arm-none-eabi-gcc", *flags, *more, "-c", "model.c", "model_weights.c", "runtime.c"],
        cwd=folder, check=True,
    )  # fmt: skip
    return flags


def sections(folder, name):
    done = subprocess.run(
        ["arm-none-eabi-size", name], cwd=folder, check=True, capture_output=True, text=True
    )
    text, data, bss = map(int, done.stdout.splitlines()[1].split()[:3])
    return text, data, bss


@needs_arm
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("policy", "changes", "options"),
    [
        ("everything", {"kv_heads": 1}, {"bits": 1.6}),
        ("bitmedvit", LARGE, {"rest": "float16"}),
        ("all-linear", CASES["odd sizes"], {"bits": 1.6, "rest": "int8"}),
        (POLICIES["groups"], {"positions": "sinusoidal"}, {"task": "multi-label"}),
        ("everything", {"pool": "distilled", "registers": 3, "embed_norm": True}, {}),
    ],
    ids=["everything", "bitmedvit", "odd sizes", "groups", "tokens in front"],
)
@pytest.mark.parametrize("integer", [False, True], ids=["floats", "integers"])
def test_size_says_what_was_predicted(policy, changes, options, machine, integer, tmp_path):
    if integer and options.get("rest") == "int8":
        options = {**options, "rest": "float16"}  # it knows no int8 weights with float inputs
    packed = pack(make_model(policy, **changes), **options)
    to_c(packed, tmp_path, integer=integer)
    found = predict(packed.read(), integer)
    flags = compiled(tmp_path, machine, "-fstack-usage")
    assert sections(tmp_path, "model_weights.o") == (found.weights, 0, 0)
    assert sections(tmp_path, "model.o")[2] == found.arena

    (tmp_path / "firmware.c").write_text(
        '#include "model.h"\nextern uint8_t image[];\nextern tt_logit logits[];\n'
        "int answer(void);\nint answer(void) { return tt_classify(image, logits); }\n"
    )
    given = "-Wl,--defsym=image=0x20000000,--defsym=logits=0x20010000,-eanswer,--gc-sections"
    objects = ["model.o", "model_weights.o", "runtime.o"]
    subprocess.run(
        ["arm-none-eabi-gcc", *flags, "-nostartfiles", given, "firmware.c", *objects, "-lm",
         "-o", "firmware"],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    text, data, _ = sections(tmp_path, "firmware")
    assert data == 0
    assert text - found.weights <= CODE < 3 * (text - found.weights)
    # the longest chain of calls: the network, one of the runtime's functions, which do not call
    # each other, and what is inside of those; and floats in software
    usage = (tmp_path / "runtime.su").read_text() + (tmp_path / "model.su").read_text()
    stacks = {name: int(size) for name, size in re.findall(r":(\w+)\t(\d+)\tstatic", usage)}
    network = stacks.pop("tt_classify")
    outside = [size for name, size in stacks.items() if name.startswith("tt_")]
    inside = sorted(size for name, size in stacks.items() if not name.startswith("tt_"))
    assert network + max(outside) + sum(inside[-2:]) + 128 <= STACK


def test_what_does_not_fit_is_refused_with_what_would(packed_path, tmp_path):
    folder = tmp_path / "firmware"
    done = command("export", str(packed_path), "--c", str(folder), "--ram", "16000")
    assert done.returncode == 2
    assert re.search(
        r"error: ram: the network needs [\d,]+ bytes and there are 16,000; the largest part is "
        r"keys and values with 12,544; what would fit: .*patch_size 7",
        done.stderr,
    )
    assert not folder.exists()
    with pytest.raises(ConfigError, match=r"flash: .*largest part is patch_embed.proj with 6,272"):
        to_c(str(packed_path), folder, flash=20_000)
    with pytest.raises(ConfigError, match="no smaller one would fit"):
        to_c(str(packed_path), folder, flash=1000)
    assert to_c(str(packed_path), folder, flash=40_000, ram=40_000) == folder
