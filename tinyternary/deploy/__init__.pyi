from .agreement import Agreement as Agreement, agreement as agreement
from .c.export import to_c as to_c
from .engine import (
    Engine as Engine,
    Prediction as Prediction,
    load as load,
    numba_because as numba_because,
    warmup as warmup,
)
from .format.writer import PackedModel as PackedModel, pack as pack
from .image_files import FilePrediction as FilePrediction, predict_files as predict_files
from .inspect import inspect as inspect
from .model_card import model_card as model_card
from .onnx.export import to_onnx as to_onnx
