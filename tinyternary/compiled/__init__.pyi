from .adamw import adamw_step as adamw_step
from .add import add as add
from .attention import (
    attention as attention,
)
from .attention import (
    attention_backward as attention_backward,
)
from .attention import (
    attention_forward as attention_forward,
)
from .attention import (
    attention_weights as attention_weights,
)
from .buffers import copy as copy
from .buffers import empty as empty
from .gelu import gelu as gelu
from .gelu import gelu_backward as gelu_backward
from .linear import (
    linear_forward as linear_forward,
)
from .linear import (
    linear_grad_input as linear_grad_input,
)
from .linear import (
    linear_grad_weight as linear_grad_weight,
)
from .normalization import (
    layer_norm as layer_norm,
)
from .normalization import (
    layer_norm_backward as layer_norm_backward,
)
from .normalization import (
    layer_norm_forward as layer_norm_forward,
)
from .normalization import (
    rms_norm as rms_norm,
)
from .normalization import (
    rms_norm_backward as rms_norm_backward,
)
from .normalization import (
    rms_norm_forward as rms_norm_forward,
)
from .prepared import PreparedLinear as PreparedLinear
from .softmax import (
    log_softmax as log_softmax,
)
from .softmax import (
    softmax as softmax,
)
from .softmax import (
    softmax_backward as softmax_backward,
)
from .threads import (
    crew_first as crew_first,
)
from .threads import (
    get_threads as get_threads,
)
from .threads import (
    set_threads as set_threads,
)
