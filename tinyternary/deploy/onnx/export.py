"""Export to ONNX, for runtimes that are not this one (lesson 10)."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from tinyternary.config import Task
from tinyternary.deploy import int8_attention
from tinyternary.deploy.any_model import packed_file
from tinyternary.deploy.onnx.exact import Exact, check
from tinyternary.deploy.onnx.graph import OPSET, Graph, Native
from tinyternary.deploy.plain import forward
from tinyternary.errors import ConfigError, PackedFileError
from tinyternary.files import replace_content
from tinyternary.strict_json import to_json
from tinyternary.text import USE


def to_onnx(
    model: Any, path: str | os.PathLike[str], *, exact: bool = False, **options: Any
) -> Path:
    """Write a model as an ONNX file of standard operators.

    Parameters
    ----------
    model : ViT, PackedModel, Engine or path of a packed file
        Float or ternary. A ViT is packed first.
    path : path-like
        The ``.onnx`` file.
    exact : bool
        Write the compiled encoder's own arithmetic, operation by operation: onnxruntime then
        gives the engine's logits bit for bit where both multiply and add in one instruction.
        It is a check of the engine by another runtime, 2 to 5 times as slow. What cannot be
        equal is refused: layers that the encoder does not know, and sums of more than 1,024
        floats (the inputs of a float layer and its bias, tokens, a head's dimension).
    **options
        For a ViT: the arguments of `pack` (`preprocessing`, `task`, `class_names`, ...).

    Returns
    -------
    Path
        The file. Its input "images" is (batch, S, S, C) uint8, its outputs are "logits"
        (batch, classes) float32, "labels" (batch,) int64, or (batch, classes) of 0 and 1
        for a multi-label task, and "probabilities" (batch, classes) float32: at the temperature
        of the packed file, and decided with its thresholds. Its whole header lies as JSON among
        the metadata. Opset 17. Trits and int8 weights are int8
        initialisers read by MatMulInteger.

    Notes
    -----
    Without ``exact`` the graph is made of the operators that runtimes are fast at, and floats
    differ from the engine's in their last bit. That is 1e-6 in the logits, until the bit tips
    an activation into the next int8 code. On 600 images of BloodMNIST (four blocks, width 64)
    it does so for 31 % of them; their logits then differ by up to .011 (99 % of images: .004),
    and no prediction changed. Part by part the engine's arithmetic brings little: images that
    agree to 1e-5 are 69 % without, 75 % with its norms and quantisers, 85 % with its softmax
    too, 83 % with its GELU instead, and 100 % only with all of it.

    Raises
    ------
    ConfigError
        If the package `onnx` is not installed, or `exact` cannot be kept.
    PackedFileError
        If a packed file cannot be read, or the ONNX file not written.

    Examples
    --------
    >>> model = tt.models.ViT(tt.models.preset("tiny"))
    >>> tt.deploy.to_onnx(model, "model.onnx").name
    'model.onnx'
    """
    try:
        onnx: Any = importlib.import_module("onnx")
    except ImportError:
        raise ConfigError(
            "ONNX export needs the package onnx: pip install tinyternary[parity]"
        ) from None
    packed = packed_file(model, options)
    header = packed.header
    config = header.config
    int8_attention.refuse(header, "ONNX export")
    if exact:
        check(packed)
    graph = Graph(onnx)
    logits = forward((Exact if exact else Native)(graph, packed), config, "images")
    logits = graph.reshape(logits, -1, config.num_classes)
    graph.nodes.append(onnx.helper.make_node("Identity", [logits], ["logits"], name="logits"))
    for name, value in (
        ("labels", graph.labels(header)),
        ("probabilities", graph.probabilities(header)),
    ):
        graph.nodes.append(onnx.helper.make_node("Identity", [value], [name], name=name))
    size = config.image_size
    kinds = onnx.TensorProto
    decided = ["batch", config.num_classes] if header.task is Task.MULTI_LABEL else ["batch"]
    made = onnx.helper.make_graph(
        graph.nodes,
        "tinyternary",
        [onnx.helper.make_tensor_value_info("images", kinds.UINT8,
                                            ["batch", size, size, config.channels])],
        [onnx.helper.make_tensor_value_info("logits", kinds.FLOAT,
                                            ["batch", config.num_classes]),
         onnx.helper.make_tensor_value_info("labels", kinds.INT64, decided),
         onnx.helper.make_tensor_value_info("probabilities", kinds.FLOAT,
                                            ["batch", config.num_classes])],
        list(graph.initializers.values()),
    )  # fmt: skip
    exported = onnx.helper.make_model(
        made,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        producer_name="tinyternary",
        producer_version=header.library_version,
        ir_version=8,  # that of opset 17: older runtimes read it
    )
    onnx.helper.set_model_props(
        exported,
        {
            "task": str(header.task),
            "class_names": "\n".join(header.class_names),
            "header": to_json(header.to_dict(), compact=True),
            "use": USE,
        },
    )
    onnx.checker.check_model(exported, full_check=True)
    replace_content(path, exported.SerializeToString(), PackedFileError)
    return Path(path)
