from .prepared import PreparedLinear as PreparedLinear
from .registry import register as register, twin as twin, with_twin as with_twin
from .threads import (
    get_threads as get_threads,
    pool_first as pool_first,
    set_threads as set_threads,
)
