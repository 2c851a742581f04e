from .positions import (
    resize_positions as resize_positions,
)
from .positions import (
    sinusoidal_positions as sinusoidal_positions,
)
from .pretrained import (
    PretrainedReport as PretrainedReport,
)
from .pretrained import (
    load_pretrained as load_pretrained,
)
from .vit import PRESETS as PRESETS
from .vit import ViT as ViT
from .vit import list_models as list_models
from .vit import preset as preset
