"""Policies: which layers a pattern reaches, and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from tinyternary.config import (
    POLICIES,
    LayerQuant,
    preset,
    resolve_policy,
    vit_matrices,
)
from tinyternary.config.policy import INT8_PRODUCTS
from tinyternary.errors import ConfigError

NAMES = [layer.name for layer in vit_matrices(preset("tiny"))]
NORMS = ["norm", *(f"blocks.{i}.norm{j}" for i in range(4) for j in (1, 2))]


def test_named_policies_reach_what_their_names_say():
    mlp = [n for n in NAMES if ".mlp." in n]
    encoder = [n for n in NAMES if n.startswith("blocks.")]
    assert list(resolve_policy("bitmedvit", NAMES)) == mlp
    assert list(resolve_policy("bit-attention", NAMES)) == encoder
    assert list(resolve_policy("all-linear", NAMES)) == encoder
    integers = resolve_policy("integer-attention", NAMES + ATTENTIONS)
    assert integers == {
        **resolve_policy("all-linear", NAMES),
        **dict.fromkeys(ATTENTIONS, INT8_PRODUCTS),
    }
    assert list(resolve_policy("everything", NAMES)) == NAMES
    assert list(resolve_policy("everything", NAMES + NORMS)) == NAMES + NORMS
    everything = resolve_policy("everything", NAMES)
    assert everything["patch_embed.proj"].granularity == "channel"
    assert not everything["patch_embed.proj"].norm


def test_the_first_pattern_that_matches_counts():
    rules = {"blocks.0.*": "float", "blocks.*.mlp.*": LayerQuant("twn"), "blocks.*": "int8"}
    chosen = resolve_policy(rules, NAMES)
    assert not any(name.startswith("blocks.0.") for name in chosen)
    assert chosen["blocks.1.mlp.fc1"].weight == "twn"
    assert chosen["blocks.1.attn.qkv"] == LayerQuant("int8")
    assert list(chosen) == [n for n in NAMES if n in chosen], "in the order of the layers"


@pytest.mark.parametrize("pattern", ["blocks.*", "*", "blocks.0.*"])
def test_a_pattern_reaches_norms_only_when_it_says_so(pattern):
    assert not set(resolve_policy({pattern: "absmean"}, NAMES + NORMS)) & set(NORMS)
    chosen = resolve_policy({"blocks.*.norm1": "twn"}, NAMES + NORMS)
    assert list(chosen) == [f"blocks.{i}.norm1" for i in range(4)]


ATTENTIONS = [f"blocks.{i}.attn" for i in range(4)]


@pytest.mark.parametrize("pattern", ["blocks.*", "*", "blocks.0.*", "blocks.*.attn.*"])
def test_a_pattern_reaches_the_products_of_attention_only_when_it_says_so(pattern):
    assert not set(resolve_policy({pattern: "absmean"}, NAMES + ATTENTIONS)) & set(ATTENTIONS)


@pytest.mark.parametrize("rule", ["int8", INT8_PRODUCTS, INT8_PRODUCTS.to_dict()])
def test_products_of_attention_have_one_rule(rule):
    chosen = resolve_policy({"blocks.0.attn": "float", "blocks.*.attn": rule}, NAMES + ATTENTIONS)
    assert chosen == dict.fromkeys(ATTENTIONS[1:], INT8_PRODUCTS)
    assert resolve_policy({"blocks.*.attn": rule}, NAMES) == {}, "where none are listed"


@pytest.mark.parametrize("rule", ["absmean", "int4", LayerQuant("int8"), {"weight": "int8"}, 3])
def test_other_rules_for_products_are_refused(rule):
    with pytest.raises(ConfigError, match=r"can be 'int8' or 'float'.*'blocks\.\*\.attn\.\*'"):
        resolve_policy({"blocks.*.attn": rule}, NAMES + ATTENTIONS)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("bitmedvitt", "Did you mean 'bitmedvit'"),
        ({"block.*": "twn"}, r"'block\.\*' matches no layer; layers: patch_embed"),
        ({"blocks.*": "twn", "nothing": "float"}, "'nothing' matches no layer"),
        ({"head": {"wieght": "twn"}}, "Did you mean 'weight'"),
        ({"head": 3}, "expected a quantiser"),
        (["head"], "expected a name or a mapping"),
    ],
)
def test_what_does_not_exist_is_refused(policy, message):
    with pytest.raises(ConfigError, match=message):
        resolve_policy(policy, NAMES)


def test_a_norm_pattern_that_matches_no_norm_is_refused_where_norms_are_listed():
    with pytest.raises(ConfigError, match="'norm9' matches no layer"):
        resolve_policy({"norm9": "twn"}, NAMES + NORMS)
    assert resolve_policy({"norm9": "twn"}, NAMES) == {}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"granularity": "row"}, "granularity"),
        ({"granularity": 0}, "granularity"),
        ({"granularity": True}, "granularity"),
        ({"activation": "int9"}, "activation quantiser 'int9'. Did you mean 'int"),
        ({"ste": "identty"}, "Did you mean 'identity'"),
        ({"norm": 1}, "norm"),
        ({"threshold": -1.0}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
    ],
)
def test_impossible_rules_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        LayerQuant(**fields)


@given(
    st.builds(
        LayerQuant,
        weight=st.sampled_from(["absmean", "twn", "int8"]),
        granularity=st.one_of(st.sampled_from(["tensor", "channel"]), st.integers(1, 512)),
        activation=st.sampled_from(["int8", "int4", "ternary", "none"]),
        norm=st.booleans(),
        ste=st.sampled_from(["identity", "clipped", "soft", "scaled"]),
        threshold=st.one_of(st.none(), st.floats(0, 10)),
    )
)
def test_rules_survive_json(rule):
    assert LayerQuant(**json.loads(json.dumps(rule.to_dict()))) == rule
    assert resolve_policy({"head": rule.to_dict()}, NAMES) == {"head": rule}


@pytest.mark.parametrize("name", POLICIES)
def test_a_resolved_policy_resolves_to_itself(name):
    every = NAMES + NORMS + ATTENTIONS
    once = resolve_policy(name, every)
    assert resolve_policy(once, every) == once
