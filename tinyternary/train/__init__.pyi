from ._starting import calibrate_norms as calibrate_norms, start_from as start_from
from .checkpoints import (
    Checkpoint as Checkpoint,
    CheckpointWarning as CheckpointWarning,
    load_checkpoint as load_checkpoint,
    save_checkpoint as save_checkpoint,
)
from .distill import distill as distill
from .ema import WeightAverage as WeightAverage
from .fit import fit as fit
from .history import History as History
from .optimizers import (
    SGD as SGD,
    AdamW as AdamW,
    Optimizer as Optimizer,
    ParameterGroup as ParameterGroup,
    clip_gradients as clip_gradients,
    gradient_norm as gradient_norm,
    parameter_groups as parameter_groups,
)
from .pretrain import Pretraining as Pretraining, pretrain as pretrain
from .recipe import Recipe as Recipe, make_recipe as make_recipe
from .run import Run as Run, build_model as build_model, load_run as load_run
from .schedules import Schedule as Schedule
