"""Small networks of every kind of attention, patch and head, drawn for the tests of maps."""

import numpy as np
from hypothesis import strategies as st

from tinyternary.config import Preprocessing, Task, ViTConfig, preset
from tinyternary.data import phantoms
from tinyternary.models import ViT
from tinyternary.quant import ternarize
from tinyternary.train import History, Recipe, Run

CONFIGS = st.builds(
    ViTConfig,
    image_size=st.just(12),
    channels=st.sampled_from([1, 3]),
    patch_size=st.sampled_from([4, 6]),
    stride=st.sampled_from([None, 2]),
    width=st.sampled_from([8, 16]),
    depth=st.integers(1, 3),
    heads=st.sampled_from([2, 4]),
    kv_heads=st.sampled_from([None, 1, 2]),
    mlp_width=st.just(12),
    num_classes=st.integers(2, 4),
    pool=st.sampled_from(["mean", "cls", "distilled"]),
    registers=st.integers(0, 2),
    causal=st.booleans(),
)


def network(config, seed=0, spread=10.0):
    """Return a network with weights large enough for attention that differs from key to key."""
    model = ViT(config, seed)
    for name, parameter in model.named_parameters():
        if "norm" not in name:
            parameter.data *= spread
    return model.eval()


def photographs(config, count=3, seed=0):
    """Return random images with a preprocessing."""
    shape = (count, config.image_size, config.image_size, config.channels)
    images = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    gray = (0.5,) * config.channels
    return images, Preprocessing(config.image_size, gray, gray)


QUICK = {"images": 6, "orders": 2, "draws": 1, "resamples": 20}
"""Settings of `explained` that take a second."""


def run(seed, ternary):
    """Return a run whose network looks at phantoms and was never trained."""
    model = network(preset("lesson", num_classes=8), seed, spread=5)
    if ternary:
        ternarize(model, "all-linear")
    gray = Preprocessing(28, (0.5,) * 3, (0.25,) * 3)
    names = phantoms("test").class_names
    return Run(model, gray, Task.MULTI_CLASS, names, History(), {}, Recipe(), seed, "phantoms")
