from .amounts import Range as Range
from .analyze import (
    BASELINES as BASELINES,
)
from .analyze import (
    analyze as analyze,
)
from .analyze import (
    gaussian_zero_share as gaussian_zero_share,
)
from .blocking import (
    Blocking as Blocking,
)
from .blocking import (
    Gemm as Gemm,
)
from .blocking import (
    Traffic as Traffic,
)
from .blocking import (
    choose_blocking as choose_blocking,
)
from .blocking import (
    traffic as traffic,
)
from .claims import (
    Claim as Claim,
)
from .claims import (
    bitmedvit_parameters as bitmedvit_parameters,
)
from .claims import (
    claims as claims,
)
from .compare import Comparison as Comparison
from .compare import compare as compare
from .device import (
    Device as Device,
)
from .device import (
    device as device,
)
from .device import (
    devices as devices,
)
from .device import (
    least_kernel_seconds as least_kernel_seconds,
)
from .device import (
    load_device as load_device,
)
from .energy import (
    EnergyTable as EnergyTable,
)
from .energy import (
    energy_table as energy_table,
)
from .energy import (
    load_energy_table as load_energy_table,
)
from .evaluate import StepCost as StepCost
from .report import CostReport as CostReport
from .swings import (
    Swing as Swing,
)
from .swings import (
    sensitivity as sensitivity,
)
from .swings import (
    zero_share_energy as zero_share_energy,
)
