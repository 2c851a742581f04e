"""Networks as C: the engine's bits, whatever the network, under sanitizers."""

from __future__ import annotations

import math
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import assume, find, given, settings, strategies as st

from tests.deploy.c.building import check_project, needs_compiler
from tests.deploy.small_models import make_model
from tests.deploy.test_engine import CASES, POLICIES
from tinyternary.config import LayerQuant, ViTConfig
from tinyternary.deploy import pack
from tinyternary.errors import ConfigError

pytestmark = needs_compiler


@st.composite
def shapes(draw):
    heads = draw(st.integers(1, 4))
    head_dim = draw(st.integers(1, 20))
    positions = draw(st.sampled_from(["learned", "sinusoidal"]))
    if positions == "sinusoidal":
        head_dim *= 4 // math.gcd(4, heads)
    patch = draw(st.integers(1, 6))
    step = draw(st.integers(1, patch))
    size = (draw(st.integers(1, 5)) - 1) * step + patch - 2 * ((patch - step) // 2)
    pool = draw(st.sampled_from(["mean", "cls", "distilled"]))
    return {
        "width": heads * head_dim, "heads": heads, "positions": positions, "image_size": size,
        "patch_size": patch, "stride": step, "channels": draw(st.sampled_from([1, 3])),
        "depth": draw(st.integers(1, 3)), "mlp_width": draw(st.integers(1, 70)),
        "kv_heads": draw(st.sampled_from([n for n in range(1, heads + 1) if heads % n == 0])),
        "num_classes": draw(st.integers(1, 5)), "pool": pool, "registers": draw(st.integers(0, 3)),
        "embed_norm": draw(st.booleans()), "token_norm": pool == "mean" and draw(st.booleans()),
        "activation": draw(st.sampled_from(["gelu", "gelu_tanh", "relu_squared"])),
        "attention_bias": draw(st.booleans()), "mlp_bias": draw(st.booleans()),
        "attn_norm": draw(st.booleans()), "mlp_norm": draw(st.booleans()),
        "causal": draw(st.booleans()),
    }  # fmt: skip


@st.composite
def policies(draw, shape):
    """What a policy can say of the layers of a block, of the embedding and of the head."""
    common = math.gcd(shape["width"], shape["mlp_width"])
    group = draw(st.sampled_from([n for n in range(1, common + 1) if common % n == 0]))
    rules = {}
    for pattern in ("patch_embed.proj", "blocks.*.attn.*", "blocks.*.mlp.*", "head"):
        if draw(st.booleans()):
            inside = pattern.startswith("blocks")
            grains = ["tensor", "channel", group] if inside else ["tensor", "channel"]
            rules[pattern] = LayerQuant(
                weight=draw(st.sampled_from(["absmean", "twn", "ttq", "seq", "int8", "int4"])),
                granularity=draw(st.sampled_from(grains)),
                activation=draw(
                    st.sampled_from(["int8", "int8", "int4", "ternary", "ternary-tensor", "none"])
                ),
                norm=draw(st.booleans()),
            )
    return rules


def test_every_field_of_a_network_is_drawn():
    """A field that the C does not know of would be left out without a word."""
    told = {field.name for field in fields(ViTConfig)} - {"dropout", "drop_path", "norm_eps"}
    find(shapes(), lambda shape: set(shape) == told)


@pytest.mark.slow
@settings(max_examples=20)
@given(st.data(), st.integers(0, 99), st.sampled_from([2, 1.6]),
       st.sampled_from(["float32", "float16", "int8"]))  # fmt: skip
def test_any_network_gives_the_engines_logits(data, seed, bits, rest):
    shape = data.draw(shapes())
    named = st.sampled_from([None, "bitmedvit", "all-linear", "everything"])
    policy = data.draw(st.one_of(named, policies(shape)))
    model = make_model(policy or None, seed, **shape)
    try:
        packed = pack(model, bits=bits, rest=rest)
    except ConfigError:  # a learned scale that noise made negative
        assume(False)
    with tempfile.TemporaryDirectory() as folder:
        check_project(packed, model, Path(folder))


@pytest.mark.parametrize(
    ("policy", "changes", "options"),
    [
        ("all-linear", {"pool": "cls", "kv_heads": 1, "activation": "gelu_tanh"}, {"bits": 1.6}),
        ("everything", {**CASES["odd sizes"], "causal": True}, {"rest": "float16"}),
        (POLICIES["groups"], {"image_size": 16, "positions": "sinusoidal"}, {}),
        ("bitmedvit", {"pool": "distilled", "registers": 2, "embed_norm": True}, {}),
        ("everything", {"registers": 1, "token_norm": True}, {"rest": "int8"}),
    ],
    ids=["1.6 bits", "odd sizes, causal", "groups", "distillation token", "registers"],
)
def test_some_networks(policy, changes, options, tmp_path):
    model = make_model(policy, **changes)
    check_project(pack(model, **options), model, tmp_path, count=3)


@pytest.mark.slow
@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_shapes(changes, tmp_path):
    model = make_model(**changes)
    check_project(pack(model), model, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_policies(policy, tmp_path):
    model = make_model(policy)
    check_project(pack(model, bits=1.6), model, tmp_path)
