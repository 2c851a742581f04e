from .calibration import (
    calibration_by_chance as calibration_by_chance,
    expected_calibration_error as expected_calibration_error,
    reliability as reliability,
)
from .conformal import (
    class_limits as class_limits,
    conformal_limit as conformal_limit,
    conformal_rank as conformal_rank,
    conformal_sets as conformal_sets,
    coverage_interval as coverage_interval,
    judge_sets as judge_sets,
    nonconformity as nonconformity,
    risk_coverage as risk_coverage,
    set_limits as set_limits,
)
from .evaluation import evaluate as evaluate, predict_logits as predict_logits
from .explanations.agreement import map_agreement as map_agreement
from .explanations.faithfulness import faithfulness as faithfulness
from .explanations.maps import explain as explain
from .explanations.sanity import randomization_check as randomization_check
from .intervals import wilson_interval as wilson_interval
from .judged import Judged as Judged, decide as decide, judge as judge, scores as scores
from .metrics import accuracy as accuracy, auc as auc, evaluate_scores as evaluate_scores
from .operating_points import (
    decision_curve as decision_curve,
    operating_point as operating_point,
)
from .outliers import (
    auroc as auroc,
    measure_outliers as measure_outliers,
    strange_images as strange_images,
)
from .robustness import (
    CorruptedAnswers as CorruptedAnswers,
    answers_under_corruption as answers_under_corruption,
    baseline_errors as baseline_errors,
    compare_robustness as compare_robustness,
    robustness as robustness,
)
from .temperature import fit_temperature as fit_temperature
from .thresholds import choose_threshold as choose_threshold
