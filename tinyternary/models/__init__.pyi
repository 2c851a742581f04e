from .position_grid import (
    resize_positions as resize_positions,
    sinusoidal_positions as sinusoidal_positions,
)
from .pretrained import (
    PretrainedReport as PretrainedReport,
    load_pretrained as load_pretrained,
)
from .small_conv import SmallConvNet as SmallConvNet
from .vit import PRESETS as PRESETS, ViT as ViT, list_models as list_models, preset as preset
