"""Export to ONNX, for runtimes that are not this one (lesson 10)."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from tinyternary.deploy.engine import Engine
from tinyternary.deploy.format.reader import PackedFile, read_packed
from tinyternary.deploy.format.writer import PackedModel, pack
from tinyternary.deploy.onnx.exact import Exact
from tinyternary.deploy.onnx.graph import OPSET, Graph, Native
from tinyternary.deploy.plain import forward
from tinyternary.errors import ConfigError, PackedFileError
from tinyternary.files import replace_content


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
        It is a check of the engine by another runtime, 2 to 5 times as slow.
    **options
        For a ViT: the arguments of `pack` (`preprocessing`, `task`, `class_names`, ...).

    Returns
    -------
    Path
        The file. Its input "images" is (batch, S, S, C) uint8, its output "logits"
        (batch, classes) float32; `tinyternary.evaluate.scores` and `decide`, with the
        threshold of the packed file, turn them into answers. Opset 17. Trits and int8
        weights are int8 initialisers read by MatMulInteger.

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
        If the package `onnx` is not installed.
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
    packed = _packed(model, options)
    header = packed.header
    config = header.config
    graph = Graph(onnx)
    logits = forward((Exact if exact else Native)(graph, packed), config, "images")
    logits = graph.reshape(logits, -1, config.num_classes)
    graph.nodes.append(onnx.helper.make_node("Identity", [logits], ["logits"], name="logits"))
    size = config.image_size
    kinds = onnx.TensorProto
    made = onnx.helper.make_graph(
        graph.nodes,
        "tinyternary",
        [onnx.helper.make_tensor_value_info("images", kinds.UINT8,
                                            ["batch", size, size, config.channels])],
        [onnx.helper.make_tensor_value_info("logits", kinds.FLOAT,
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
            "use": "for teaching and research, not for clinical use",
        },
    )
    onnx.checker.check_model(exported, full_check=True)
    replace_content(path, exported.SerializeToString(), PackedFileError)
    return Path(path)


def _packed(model: Any, options: dict[str, Any]) -> PackedFile:
    if isinstance(model, str | os.PathLike):
        packed = read_packed(model)
    elif isinstance(model, PackedModel):
        packed = model.read()
    elif isinstance(model, Engine):
        packed = model.packed
    elif isinstance(model, PackedFile):
        packed = model
    else:
        return pack(model, **options).read()
    if options:
        raise ConfigError(f"{next(iter(options))}: only for a model that is not packed yet")
    return packed
