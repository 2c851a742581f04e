from .ablation import (
    AblationResults as AblationResults,
)
from .ablation import (
    ablate as ablate,
)
from .ablation import (
    read_ablation as read_ablation,
)
from .collect import collect as collect
from .collect import write_collected as write_collected
from .cross_validation import cross_validate as cross_validate
from .experiment import (
    Experiment as Experiment,
)
from .experiment import (
    experiments as experiments,
)
from .experiment import (
    read_experiment as read_experiment,
)
from .experiment import (
    read_recipe as read_recipe,
)
from .factorial import Effects as Effects
from .factorial import factorial_effects as factorial_effects
from .factors import ablations as ablations
from .published import published as published
from .reproduction import reproduce as reproduce
from .reproduction import run_experiment as run_experiment
from .results import Results as Results
from .results import read_results as read_results
from .seeds import over_seeds as over_seeds
