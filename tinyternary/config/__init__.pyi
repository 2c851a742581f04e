from . import grid as grid
from .decision import decide as decide
from .decision import scores as scores
from .matrices import MatrixLayer as MatrixLayer
from .matrices import vit_matrices as vit_matrices
from .policy import (
    POLICIES as POLICIES,
)
from .policy import (
    LayerQuant as LayerQuant,
)
from .policy import (
    Policy as Policy,
)
from .policy import (
    resolve_policy as resolve_policy,
)
from .preprocessing import Preprocessing as Preprocessing
from .preprocessing import recolor as recolor
from .presets import PRESETS as PRESETS
from .presets import preset as preset
from .task import Task as Task
from .vit import ViTConfig as ViTConfig
