from .prepared import PreparedLinear as PreparedLinear
from .registry import register as register
from .registry import twin as twin
from .registry import with_twin as with_twin
from .threads import (
    get_threads as get_threads,
)
from .threads import (
    pool_first as pool_first,
)
from .threads import (
    set_threads as set_threads,
)
