"""Networks with names: from one that trains in seconds to BitMedViT's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tinyternary.config.vit import ViTConfig
from tinyternary.errors import unknown_name

PRESETS: dict[str, ViTConfig] = {
    # 49 tokens, two blocks: learns four classes of phantoms in ten seconds; for the lessons
    "lesson": ViTConfig(depth=2, mlp_width=128, num_classes=4),
    # 49 tokens: trains in a minute on a laptop; the demo uses it
    "tiny": ViTConfig(),
    # 49 overlapping patches, one head of keys and values: under the policy "everything" a whole
    # program in at most 100 KB of flash and 32 KB of memory, image and stack included
    "micro": ViTConfig(patch_size=8, stride=4, kv_heads=1),
    # 49 tokens, 2.7 M parameters: results on 28 x 28 images
    "small": ViTConfig(width=192, depth=6, heads=3, mlp_width=768),
    # Touvron et al., "Training data-efficient image transformers", ICML 2021
    "deit-tiny": ViTConfig(
        image_size=224, patch_size=16, width=192, depth=12, heads=3, mlp_width=768,
        num_classes=1000, pool="cls",
    ),
    # arXiv 2510.13760: 1,024 tokens, multi-query attention, no norm before the FFN. Its BitLinear
    # allocates biases that its forward pass never adds, so the network it computes has none. What
    # it computes is causal too, by its attention library's default: causal=True for its weights
    # and its published accuracies; docs/bitmedvit.md has all differences
    "bitmedvit": ViTConfig(
        image_size=224, patch_size=7, width=512, depth=3, heads=8, kv_heads=1, mlp_width=2048,
        num_classes=2, channels=1, mlp_norm=False, mlp_bias=False, dropout=0.1, drop_path=0.1,
        norm_eps=1e-5,
    ),
}  # fmt: skip


def preset(name: str, **changes: Any) -> ViTConfig:
    """Return a named configuration, with some fields changed.

    Parameters
    ----------
    name : {"lesson", "tiny", "micro", "small", "deit-tiny", "bitmedvit"}
    **changes
        Fields of `ViTConfig` to replace: ``preset("tiny", num_classes=2, channels=1)``.

    Raises
    ------
    ConfigError
        If the name is unknown or a field impossible.

    Examples
    --------
    >>> config = tt.models.preset("tiny", num_classes=2, channels=1)
    >>> config.width, config.depth, config.heads
    (64, 4, 4)
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    unknown = sorted(set(changes) - set(PRESETS[name].to_dict()))
    if unknown:
        raise unknown_name("ViT field", unknown[0], PRESETS[name].to_dict())
    return replace(PRESETS[name], **changes)
