from .layers import (
    GELU as GELU,
    Dropout as Dropout,
    DropPath as DropPath,
    LayerNorm as LayerNorm,
    Linear as Linear,
    RMSNorm as RMSNorm,
    Sequential as Sequential,
    truncated_normal as truncated_normal,
    xavier_uniform as xavier_uniform,
)
from .losses import (
    BCEWithLogitsLoss as BCEWithLogitsLoss,
    CrossEntropyLoss as CrossEntropyLoss,
    KLDivergenceLoss as KLDivergenceLoss,
    bce_with_logits as bce_with_logits,
    cross_entropy as cross_entropy,
    kl_divergence as kl_divergence,
    mse as mse,
)
from .module import Module as Module, Parameter as Parameter
from .transformer import (
    ACTIVATIONS as ACTIVATIONS,
    Attention as Attention,
    EncoderBlock as EncoderBlock,
    Mlp as Mlp,
    PatchEmbed as PatchEmbed,
)
