from .ablation import (
    AblationResults as AblationResults,
    ablate as ablate,
    read_ablation as read_ablation,
)
from .collect import collect as collect, write_collected as write_collected
from .cross_validation import cross_validate as cross_validate
from .experiment import (
    Experiment as Experiment,
    experiments as experiments,
    read_experiment as read_experiment,
    read_recipe as read_recipe,
)
from .explained import (
    MapExamples as MapExamples,
    explained as explained,
    map_examples as map_examples,
)
from .factorial import Effects as Effects, factorial_effects as factorial_effects
from .factors import ablations as ablations
from .published import published as published
from .reproduction import reproduce as reproduce, run_experiment as run_experiment
from .results import Results as Results, read_results as read_results
from .searching import search as search
from .seeds import over_seeds as over_seeds
from .subject import Subject as Subject, read_subject as read_subject
from .sweep_plan import Sweep as Sweep, read_sweep as read_sweep, sweeps as sweeps
from .sweep_points import sweep_points as sweep_points
from .sweeping import SweepResults as SweepResults, sweep as sweep
from .trust import measure_trust as measure_trust
