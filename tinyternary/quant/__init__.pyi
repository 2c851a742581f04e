from .activations.absmax import absmax as absmax
from .activations.absmax import ternary as ternary
from .analysis.microscope import Microscope as Microscope
from .analysis.search import Proposal as Proposal
from .analysis.search import search_policy as search_policy
from .analysis.sensitivity import Sensitivity as Sensitivity
from .analysis.sensitivity import sensitivity as sensitivity
from .bitlinear import (
    BitLinear as BitLinear,
)
from .bitlinear import (
    set_activation_bits as set_activation_bits,
)
from .bitlinear import (
    set_sharpness as set_sharpness,
)
from .bitlinear import (
    set_strength as set_strength,
)
from .describe import Description as Description
from .describe import describe as describe
from .integers import integer as integer
from .quantized import Quantized as Quantized
from .quantized import QuantizedInt as QuantizedInt
from .rules.registry import quantizers as quantizers
from .rules.registry import weight_quantizer as weight_quantizer
from .rules.weights import (
    absmean as absmean,
)
from .rules.weights import (
    band as band,
)
from .rules.weights import (
    seq as seq,
)
from .rules.weights import (
    ttq as ttq,
)
from .rules.weights import (
    twn as twn,
)
from .ste import STRAIGHT_THROUGH as STRAIGHT_THROUGH
from .ternarize import POLICIES as POLICIES
from .ternarize import LayerQuant as LayerQuant
from .ternarize import ternarize as ternarize
from .ternary_norm import TernaryNorm as TernaryNorm
