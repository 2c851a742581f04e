from .prepared import PreparedLinear as PreparedLinear
from .threads import (
    get_threads as get_threads,
    pool_first as pool_first,
    set_threads as set_threads,
)
from .twins import register as register, twin as twin, with_twin as with_twin
