from .api import (
    get_threads as get_threads,
    linear as linear,
    matmul as matmul,
    set_threads as set_threads,
)
from .dispatch import Backend as Backend, backends as backends
from .layer import TernaryLinear as TernaryLinear
from .packed_ternary import PackedTernary as PackedTernary, pack as pack
from .warmup import warmup as warmup
