from .agreement import Agreement as Agreement
from .agreement import agreement as agreement
from .engine import (
    Engine as Engine,
)
from .engine import (
    Prediction as Prediction,
)
from .engine import (
    load as load,
)
from .engine import (
    numba_because as numba_because,
)
from .engine import (
    warmup as warmup,
)
from .format.writer import PackedModel as PackedModel
from .format.writer import pack as pack
from .image_files import FilePrediction as FilePrediction
from .image_files import predict_files as predict_files
from .inspect import inspect as inspect
from .model_card import model_card as model_card
from .onnx.export import to_onnx as to_onnx
