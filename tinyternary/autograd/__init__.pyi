from .drawing import Drawing as Drawing, draw_graph as draw_graph
from .function import Context as Context, Function as Function
from .gradcheck import gradcheck as gradcheck
from .modes import grad_enabled as grad_enabled, no_grad as no_grad
from .ops.activations import dropout as dropout, gelu as gelu
from .ops.attention import attention as attention
from .ops.choosing import maximum as maximum, where as where
from .ops.elementwise import clip as clip
from .ops.indexing import embedding as embedding
from .ops.losses import (
    bce_with_logits as bce_with_logits,
    cross_entropy as cross_entropy,
    kl_divergence as kl_divergence,
    mse as mse,
)
from .ops.normalization import layer_norm as layer_norm, rms_norm as rms_norm
from .ops.packed_attention import packed_attention as packed_attention
from .ops.products import linear as linear, matmul as matmul
from .ops.shapes import (
    concatenate as concatenate,
    pad as pad,
    permute as permute,
    reshape as reshape,
    split as split,
    stack as stack,
    transpose as transpose,
)
from .ops.softmax import log_softmax as log_softmax, softmax as softmax
from .tensor import Tensor as Tensor
