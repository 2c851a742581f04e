"""The Vision Transformer, its presets, and pretrained weights (lesson 05)."""

from tinyternary.models.positions import resize_positions, sinusoidal_positions
from tinyternary.models.pretrained import PretrainedReport, load_pretrained
from tinyternary.models.vit import ViT
from tinyternary.spec import PRESETS, preset

__all__ = [
    "PRESETS",
    "PretrainedReport",
    "ViT",
    "load_pretrained",
    "preset",
    "resize_positions",
    "sinusoidal_positions",
]
