"""The Vision Transformer, its presets, and pretrained weights (lesson 05)."""

from tinyternary.models.positions import sinusoidal_positions
from tinyternary.models.vit import ViT
from tinyternary.spec import PRESETS, preset

__all__ = ["PRESETS", "ViT", "preset", "sinusoidal_positions"]
