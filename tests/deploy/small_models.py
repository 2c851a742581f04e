"""Small models to pack, and images for them."""

from __future__ import annotations

import numpy as np

from tinyternary.config import ViTConfig
from tinyternary.models import ViT
from tinyternary.quant import ternarize


def make_model(policy="all-linear", seed=0, **changes):
    """A small ViT whose biases and norms are not at their first values."""
    fields = {"width": 32, "depth": 2, "heads": 4, "mlp_width": 64, "num_classes": 3, **changes}
    model = ViT(ViTConfig(**fields), seed=seed)
    if policy:
        ternarize(model, policy)
    rng = np.random.default_rng(seed + 1)
    for name, parameter in model.named_parameters():
        if name.endswith(("threshold", "level")):
            continue
        parameter.data += rng.normal(0, 0.1, parameter.shape).astype(np.float32)
    return model.eval() or model


def images_for(model, count=8, seed=5):
    c = model.config
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, c.image_size, c.image_size, c.channels), dtype=np.uint8)
