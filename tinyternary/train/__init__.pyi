from ._starting import calibrate_norms as calibrate_norms
from ._starting import start_from as start_from
from .checkpoints import (
    Checkpoint as Checkpoint,
)
from .checkpoints import (
    load_checkpoint as load_checkpoint,
)
from .checkpoints import (
    save_checkpoint as save_checkpoint,
)
from .distill import distill as distill
from .ema import WeightAverage as WeightAverage
from .fit import fit as fit
from .history import History as History
from .optimizers import SGD as SGD
from .optimizers import AdamW as AdamW
from .optimizers import Optimizer as Optimizer
from .optimizers import ParameterGroup as ParameterGroup
from .optimizers import clip_gradients as clip_gradients
from .optimizers import gradient_norm as gradient_norm
from .optimizers import parameter_groups as parameter_groups
from .pretrain import Pretraining as Pretraining
from .pretrain import pretrain as pretrain
from .recipe import Recipe as Recipe
from .recipe import make_recipe as make_recipe
from .run import Run as Run
from .run import build_model as build_model
from .run import load_run as load_run
from .schedules import Schedule as Schedule
