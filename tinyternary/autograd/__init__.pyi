from .drawing import Drawing as Drawing
from .drawing import draw_graph as draw_graph
from .function import Context as Context
from .function import Function as Function
from .gradcheck import gradcheck as gradcheck
from .modes import grad_enabled as grad_enabled
from .modes import no_grad as no_grad
from .ops.activations import dropout as dropout
from .ops.activations import gelu as gelu
from .ops.arithmetic import maximum as maximum
from .ops.arithmetic import where as where
from .ops.attention import attention as attention
from .ops.attention import packed_attention as packed_attention
from .ops.elementwise import clip as clip
from .ops.indexing import embedding as embedding
from .ops.losses import (
    bce_with_logits as bce_with_logits,
)
from .ops.losses import (
    cross_entropy as cross_entropy,
)
from .ops.losses import (
    kl_divergence as kl_divergence,
)
from .ops.losses import (
    mse as mse,
)
from .ops.normalization import layer_norm as layer_norm
from .ops.normalization import rms_norm as rms_norm
from .ops.products import linear as linear
from .ops.products import matmul as matmul
from .ops.shapes import (
    concatenate as concatenate,
)
from .ops.shapes import (
    pad as pad,
)
from .ops.shapes import (
    permute as permute,
)
from .ops.shapes import (
    reshape as reshape,
)
from .ops.shapes import (
    split as split,
)
from .ops.shapes import (
    stack as stack,
)
from .ops.shapes import (
    transpose as transpose,
)
from .ops.softmax import log_softmax as log_softmax
from .ops.softmax import softmax as softmax
from .tensor import Tensor as Tensor
