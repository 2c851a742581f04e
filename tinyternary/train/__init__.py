"""Training: fit, distil, evaluate; optimisers, schedules, checkpoints, metrics, recipes.

Lesson 03 builds the loop, lesson 07 distillation.
"""

from tinyternary.train.ablation import AblationResults, ablate, read_ablation
from tinyternary.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from tinyternary.train.clipping import clip_gradients, gradient_norm
from tinyternary.train.collecting import collect, write_collected
from tinyternary.train.cross_validation import cross_validate
from tinyternary.train.distillation import distill
from tinyternary.train.ema import WeightAverage
from tinyternary.train.evaluation import evaluate, predict_logits, scores
from tinyternary.train.experiment import (
    Experiment,
    experiments,
    read_experiment,
    read_recipe,
)
from tinyternary.train.factorial import Effects, factorial_effects
from tinyternary.train.factors import ablations
from tinyternary.train.fitting import fit
from tinyternary.train.groups import ParameterGroup, parameter_groups
from tinyternary.train.history import History
from tinyternary.train.optim import SGD, AdamW, Optimiser
from tinyternary.train.pretraining import pretrain
from tinyternary.train.published import published
from tinyternary.train.recipe import Recipe, make_recipe
from tinyternary.train.reproduction import reproduce, run_experiment
from tinyternary.train.results import Results, read_results
from tinyternary.train.run import Run, build_model, load_run
from tinyternary.train.schedule import Schedule
from tinyternary.train.seeds import over_seeds
from tinyternary.train.starting import calibrate_norms, start_from
from tinyternary.train.thresholds import choose_threshold

__all__ = [
    "SGD",
    "AblationResults",
    "AdamW",
    "Checkpoint",
    "Effects",
    "Experiment",
    "History",
    "Optimiser",
    "ParameterGroup",
    "Recipe",
    "Results",
    "Run",
    "Schedule",
    "WeightAverage",
    "ablate",
    "ablations",
    "build_model",
    "calibrate_norms",
    "choose_threshold",
    "clip_gradients",
    "collect",
    "cross_validate",
    "distill",
    "evaluate",
    "experiments",
    "factorial_effects",
    "fit",
    "gradient_norm",
    "load_checkpoint",
    "load_run",
    "make_recipe",
    "over_seeds",
    "parameter_groups",
    "predict_logits",
    "pretrain",
    "published",
    "read_ablation",
    "read_experiment",
    "read_recipe",
    "read_results",
    "reproduce",
    "run_experiment",
    "save_checkpoint",
    "scores",
    "start_from",
    "write_collected",
]
