from .attention import Attention as Attention
from .block import EncoderBlock as EncoderBlock
from .dropout import Dropout as Dropout
from .dropout import DropPath as DropPath
from .init import truncated_normal as truncated_normal
from .init import xavier_uniform as xavier_uniform
from .linear import Linear as Linear
from .losses import (
    BCEWithLogitsLoss as BCEWithLogitsLoss,
)
from .losses import (
    CrossEntropyLoss as CrossEntropyLoss,
)
from .losses import (
    KLDivergenceLoss as KLDivergenceLoss,
)
from .losses import (
    bce_with_logits as bce_with_logits,
)
from .losses import (
    cross_entropy as cross_entropy,
)
from .losses import (
    kl_divergence as kl_divergence,
)
from .losses import (
    mse as mse,
)
from .mlp import ACTIVATIONS as ACTIVATIONS
from .mlp import Mlp as Mlp
from .module import Module as Module
from .module import Parameter as Parameter
from .normalization import LayerNorm as LayerNorm
from .normalization import RMSNorm as RMSNorm
from .patch_embed import PatchEmbed as PatchEmbed
