from .activations.absmax import absmax as absmax
from .activations.trits import ternary as ternary
from .analysis.microscope import Microscope as Microscope
from .analysis.search import Proposal as Proposal, search_policy as search_policy
from .analysis.sensitivity import Sensitivity as Sensitivity, sensitivity as sensitivity
from .bitlinear import (
    BitLinear as BitLinear,
    set_activation_bits as set_activation_bits,
    set_sharpness as set_sharpness,
    set_strength as set_strength,
)
from .describe import Description as Description, describe as describe
from .int8_attention import Int8Attention as Int8Attention
from .quantized import Quantised as Quantised, Quantized as Quantized, QuantizedInt as QuantizedInt
from .registry import quantizers as quantizers, weight_quantizer as weight_quantizer
from .rules.absmean import absmean as absmean
from .rules.band import band as band
from .rules.integers import integer as integer
from .rules.seq import seq as seq
from .rules.ttq import ttq as ttq
from .rules.twn import twn as twn
from .ste import STRAIGHT_THROUGH as STRAIGHT_THROUGH
from .ternarize import POLICIES as POLICIES, LayerQuant as LayerQuant, ternarize as ternarize
from .ternary_norm import TernaryNorm as TernaryNorm
