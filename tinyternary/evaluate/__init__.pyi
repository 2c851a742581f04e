from .evaluation import evaluate as evaluate, predict_logits as predict_logits
from .judged import Judged as Judged, decide as decide, judge as judge, scores as scores
from .metrics import accuracy as accuracy, auc as auc, evaluate_scores as evaluate_scores
from .thresholds import choose_threshold as choose_threshold
