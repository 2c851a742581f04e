"""What a network is, as plain data: no arrays, no arithmetic, no NumPy engine.

The models build themselves from a `ViTConfig`, the cost model counts one, the
packed file carries one and the inference engine runs one: all read it here.
"""

from tinyternary.spec.layers import MatrixLayer, vit_matrices
from tinyternary.spec.policy import POLICIES, LayerQuant, Policy, resolve_policy
from tinyternary.spec.preprocessing import Preprocessing, recolour
from tinyternary.spec.presets import PRESETS, preset
from tinyternary.spec.task import Task
from tinyternary.spec.vit import ViTConfig

__all__ = [
    "POLICIES",
    "PRESETS",
    "LayerQuant",
    "MatrixLayer",
    "Policy",
    "Preprocessing",
    "Task",
    "ViTConfig",
    "preset",
    "recolour",
    "resolve_policy",
    "vit_matrices",
]
