from . import grid as grid
from .decision import (
    decide as decide,
    is_threshold as is_threshold,
    logit_limits as logit_limits,
    scores as scores,
)
from .matrices import (
    MatrixLayer as MatrixLayer,
    attention_names as attention_names,
    vit_matrices as vit_matrices,
)
from .policy import (
    POLICIES as POLICIES,
    LayerQuant as LayerQuant,
    Policy as Policy,
    resolve_policy as resolve_policy,
)
from .preprocessing import (
    Preprocessing as Preprocessing,
    Standardization as Standardization,
    read_preprocessing as read_preprocessing,
    recolor as recolor,
)
from .presets import PRESETS as PRESETS, preset as preset
from .set_limits import SetLimits as SetLimits
from .task import Task as Task
from .vit import ViTConfig as ViTConfig
