from .bars import Pair as Pair, pair_bars as pair_bars
from .corruption_sheet import corruption_sheet as corruption_sheet
from .cost_figures import (
    bytes_by_layer as bytes_by_layer,
    energy_against_zero_share as energy_against_zero_share,
    energy_bars as energy_bars,
    tornado as tornado,
    write_cost_figures as write_cost_figures,
)
from .curves import schedule_curve as schedule_curve, training_curves as training_curves
from .effects import (
    interaction_lines as interaction_lines,
    main_effects as main_effects,
    size_against as size_against,
)
from .explanations import (
    agreement_bars as agreement_bars,
    deletion_insertion_curves as deletion_insertion_curves,
    gain_over_random as gain_over_random,
    map_grid as map_grid,
    randomization_bars as randomization_bars,
)
from .frontiers import accuracy_against_cost as accuracy_against_cost, frontier as frontier
from .ladder import kernel_roofline as kernel_roofline, ladder_bars as ladder_bars
from .layer_choice import budget_path as budget_path, layer_sensitivity as layer_sensitivity
from .page import Page as Page, Section as Section, Table as Table, Tile as Tile
from .predictions import confusion_matrix as confusion_matrix, prediction_grid as prediction_grid
from .result_figures import (
    against_published as against_published,
    seed_pairs as seed_pairs,
    stage_curves as stage_curves,
)
from .roofline import predicted_against_measured as predicted_against_measured, roofline as roofline
from .scaling import scaling as scaling
from .style import data_uri as data_uri, save as save
from .training_steps import (
    latent_over_time as latent_over_time,
    over_time as over_time,
    shares_over_time as shares_over_time,
)
from .uncertainty import (
    by_similarity as by_similarity,
    half_widths as half_widths,
    missed_by as missed_by,
    reliability_diagram as reliability_diagram,
)
from .weights import (
    latent_histogram as latent_histogram,
    latent_to_bytes as latent_to_bytes,
    trit_shares as trit_shares,
)
