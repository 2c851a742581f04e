from .amounts import Range as Range
from .analyze import (
    BASELINES as BASELINES,
    analyze as analyze,
    gaussian_zero_share as gaussian_zero_share,
)
from .blocking import (
    Blocking as Blocking,
    Gemm as Gemm,
    Traffic as Traffic,
    choose_blocking as choose_blocking,
    traffic as traffic,
)
from .claims import (
    Claim as Claim,
    bitmedvit_parameters as bitmedvit_parameters,
    claims as claims,
)
from .compare import Comparison as Comparison, compare as compare
from .device import (
    Device as Device,
    device as device,
    devices as devices,
    least_kernel_seconds as least_kernel_seconds,
    load_device as load_device,
)
from .energy import (
    EnergyTable as EnergyTable,
    energy_table as energy_table,
    load_energy_table as load_energy_table,
)
from .evaluate import StepCost as StepCost
from .footprint import (
    Footprint as Footprint,
    footprint as footprint,
    would_fit as would_fit,
)
from .report import CostReport as CostReport
from .swings import (
    Swing as Swing,
    sensitivity as sensitivity,
    zero_share_energy as zero_share_energy,
)
