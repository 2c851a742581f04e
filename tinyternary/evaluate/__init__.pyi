from .judge import evaluate as evaluate
from .judge import predict_logits as predict_logits
from .predictions import decide as decide
from .predictions import scores as scores
from .thresholds import choose_threshold as choose_threshold
