"""Maps of what a network used: what holds for every network, and for hand-made attention."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tests.evaluate.explanations.networks import CONFIGS, network, photographs
from tinyternary.config import ViTConfig, preset
from tinyternary.errors import ConfigError, DataFileError, ShapeError
from tinyternary.evaluate import explain
from tinyternary.evaluate.explanations.maps import METHODS
from tinyternary.evaluate.explanations.pixels import read_by_head, to_pixels
from tinyternary.evaluate.explanations.relevance import relevance
from tinyternary.evaluate.explanations.rollout import rollout
from tinyternary.evaluate.explanations.trace import trace
from tinyternary.nn import Linear
from tinyternary.quant import ternarize

few = settings(max_examples=20)


def attention(rng, blocks, heads, tokens, causal=False):
    scores = rng.normal(0, 2, (blocks, 2, heads, tokens, tokens)).astype(np.float32)
    if causal:
        scores = np.where(np.tri(tokens), scores, -np.inf)
    shares = np.exp(scores)
    return list(shares / shares.sum(-1, keepdims=True))


drawn = given(
    seed=st.integers(0, 2**32), blocks=st.integers(1, 4), heads=st.integers(1, 4),
    tokens=st.integers(1, 7), causal=st.booleans(),
)  # fmt: skip


@drawn
def test_rollout_gives_shares_and_never_looks_ahead(seed, blocks, heads, tokens, causal):
    layers = attention(np.random.default_rng(seed), blocks, heads, tokens, causal)
    flow = rollout(layers)
    assert (flow >= 0).all()
    np.testing.assert_allclose(flow.sum(-1), 1, rtol=1e-5)
    if causal:
        assert not np.triu(flow, 1).any()


@drawn
def test_relevance_without_gradients_is_the_identity(seed, blocks, heads, tokens, causal):
    rng = np.random.default_rng(seed)
    layers = attention(rng, blocks, heads, tokens, causal)
    same = np.broadcast_to(np.eye(tokens), (2, tokens, tokens))
    for sign in (0, -1):  # and where more attention would only hurt the class
        grads = [sign * np.abs(rng.standard_normal(each.shape)) for each in layers]
        np.testing.assert_array_equal(relevance(layers, grads), same)
    grads = [rng.standard_normal(each.shape) for each in layers]
    assert (relevance(layers, grads) >= same).all()


@drawn
def test_the_order_of_heads_is_nobodys_business(seed, blocks, heads, tokens, causal):
    rng = np.random.default_rng(seed)
    layers = attention(rng, blocks, heads, tokens, causal)
    grads = [rng.standard_normal(each.shape) for each in layers]
    order = rng.permutation(heads)
    moved, moved_grads = ([x[:, order] for x in each] for each in (layers, grads))
    np.testing.assert_allclose(rollout(moved), rollout(layers), atol=1e-6)
    np.testing.assert_allclose(relevance(moved, moved_grads), relevance(layers, grads), atol=1e-5)


def test_the_first_block_stands_at_the_right():
    """Token 0 asks 1 in the last block, 1 asks 2 in the first: 2 reaches 0, not the other way."""
    first, last = np.eye(3)[[0, 2, 2]], np.eye(3)[[1, 1, 2]]
    layers = [each[None, None].astype(np.float32) for each in (first, last)]
    for flow in (rollout(layers), relevance(layers, [np.ones((1, 1, 3, 3))] * 2)):
        assert flow[0, 0, 2] > 0
        assert flow[0, 2, 0] == 0


def test_the_head_reads_the_tokens_that_it_pools():
    flow = np.random.default_rng(0).random((2, 12, 12))
    size = {"image_size": 12, "patch_size": 4, "registers": 2}
    mean = ViTConfig(**size, pool="mean", channels=1)
    np.testing.assert_allclose(read_by_head(flow[:, :11, :11], mean), flow[:, 2:11, 2:11].mean(1))
    cls = ViTConfig(**size, pool="cls", channels=1)
    np.testing.assert_array_equal(read_by_head(flow, cls), flow[:, 0, 3:])


@few
@given(CONFIGS, st.integers(0, 2**32))
def test_a_pixel_is_the_mean_of_the_patches_that_cover_it(config, seed):
    tokens = np.random.default_rng(seed).standard_normal((2, config.grid**2)).astype(np.float32)
    size, total = config.image_size, np.zeros((2, 40, 40))
    covered = np.zeros((40, 40))
    for number in range(config.grid**2):
        y, x = (config.step * each for each in divmod(number, config.grid))
        total[:, y : y + config.patch_size, x : x + config.patch_size] += tokens[:, [number], None]
        covered[y : y + config.patch_size, x : x + config.patch_size] += 1
    inside = slice(config.padding, config.padding + size)
    wanted = total[:, inside, inside] / covered[inside, inside]
    np.testing.assert_allclose(to_pixels(tokens, config), wanted, atol=1e-5)


@few
@given(CONFIGS, st.booleans())
def test_every_network_has_maps_and_stays_as_it_was(config, ternary):
    model = network(config)
    if ternary:
        ternarize(model, "all-linear")
    model.train()
    model.head.weight.grad = kept = np.ones_like(model.head.weight.data)
    model.norm.bias.requires_grad = False
    images, prepare = photographs(config)
    for method in METHODS:
        maps = explain(model, images, prepare, method)
        assert maps.shape == images.shape[:3]
        assert np.isfinite(maps).all()
        # an image's map is its own: neighbours in the batch have no part in it
        alone = explain(model, images[1:2], prepare, method)
        np.testing.assert_allclose(alone[0], maps[1], rtol=1e-3, atol=1e-5 * np.abs(maps).max())
    assert model.training
    assert model.head.weight.grad is kept
    assert [n for n, p in model.named_parameters() if not p.requires_grad] == ["norm.bias"]
    assert [n for n, p in model.named_parameters() if p.grad is not None] == ["head.weight"]
    assert all(block.attn.fused for block in model.blocks)


def test_a_network_that_fails_stays_as_it_was_too():
    model = network(preset("lesson"))
    images, prepare = photographs(model.config)
    model.head = Linear(3, 4)
    with pytest.raises(ShapeError):
        explain(model, images, prepare)
    assert all(block.attn.fused for block in model.blocks)
    assert all(p.requires_grad for p in model.parameters())


def test_gradient_times_input_is_exact_for_a_network_that_is_linear():
    """Without blocks' branches and norms a logit is a sum over patches, and this its terms."""
    model = network(ViTConfig(image_size=8, patch_size=4, channels=1, width=8, heads=2, depth=1))
    for part in (model.blocks[0].attn.proj, model.blocks[0].mlp.fc2, model.patch_embed.proj):
        part.bias.data[...] = 0
        if part is not model.patch_embed.proj:
            part.weight.data[...] = 0
    model.norm.forward = lambda x: x
    model.pos_embed.data[...] = 0
    images, prepare = photographs(model.config)
    found = trace(model, prepare(images))
    terms = METHODS["gradient x input"](model, found)
    logit = found.logits[np.arange(3), found.classes] - model.head.bias.data[found.classes]
    np.testing.assert_allclose(terms.sum(1), logit, rtol=1e-4)


def test_a_class_is_explained_that_somebody_names():
    model = network(preset("lesson"))
    images, prepare = photographs(model.config)
    own = explain(model, images, prepare)
    answers = model(prepare(images)).data.argmax(1)
    np.testing.assert_array_equal(explain(model, images, prepare, classes=answers), own)
    other = explain(model, images, prepare, classes=(answers + 1) % 4)
    assert np.abs(other - own).max() > 1e-4
    rolled = [explain(model, images, prepare, "rollout", c) for c in (answers, (answers + 1) % 4)]
    np.testing.assert_array_equal(*rolled)  # knows no class


def test_what_cannot_be_explained_is_said():
    model = network(preset("lesson"))
    images, prepare = photographs(model.config)
    with pytest.raises(ConfigError, match="method"):
        explain(model, images, prepare, "saliency")
    with pytest.raises(ConfigError, match="Linear"):
        explain(Linear(3, 4), images, prepare)
    with pytest.raises(DataFileError, match="no images"):
        explain(model, images[:0], prepare)
    for wrong in ([0, 1], [0, 1, 4], [0, -1, 1], [0.0, 1.0, 2.0], 1):
        with pytest.raises(ShapeError, match="classes: expected 3 integers from 0 to 3"):
            explain(model, images, prepare, classes=wrong)
