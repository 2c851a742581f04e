from .api import (
    get_threads as get_threads,
)
from .api import (
    linear as linear,
)
from .api import (
    matmul as matmul,
)
from .api import (
    set_threads as set_threads,
)
from .dispatch import Backend as Backend
from .dispatch import backends as backends
from .layer import TernaryLinear as TernaryLinear
from .packed import PackedTernary as PackedTernary
from .packed import pack as pack
from .warmup import warmup as warmup
