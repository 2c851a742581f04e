"""What a packed file says about itself, and which arrays must follow from that (lesson 10).

`PackedHeader` is the JSON header as data; `tensor_plan` lists every array that
such a model has, with its dtype and shape: the writer fills that list, the
reader accepts nothing else, and the cost model's bytes are held against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinyternary.config import (
    LayerQuant,
    Preprocessing,
    SetLimits,
    Task,
    ViTConfig,
    attention_names,
    logit_limits,
    scores,
    vit_matrices,
)
from tinyternary.container import Rules
from tinyternary.errors import PackedFileError
from tinyternary.kernels.packing import row_bytes

FORMAT_VERSION = 3
"""Version of the header's fields. A reader refuses a newer one.

A file says the least version that has all its fields, so that older readers go on reading what
they understand: 2 has a temperature and limits of prediction sets.
"""
LAYOUT_VERSION = 1
"""Version of the order of trits in the bytes: `tinyternary.kernels.packing` describes it."""
FORMAT_NAME = "tinyternary-packed"
"""What ``__metadata__`` says under ``format``."""
DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
}
"""What the arrays of a packed file can be, by safetensors' names."""
RULES = Rules(
    PackedFileError,
    "a packed model",
    dtypes=tuple(DTYPES),
    max_header_bytes=4 << 20,  # hundreds of times what a ViT needs
    aligned=True,
)
"""What is asked of a packed file before its header is looked at."""

Storage = Literal["ternary", "int8", "int4", "float32", "float16"]
STORAGES: tuple[Storage, ...] = ("ternary", "int8", "int4", "float32", "float16")
REST: tuple[Storage, ...] = ("float32", "float16", "int8")
"""How matrices that no policy quantises can be stored."""
ACTIVATIONS = ("int8", "int4", "ternary", "none")


@dataclass(frozen=True)
class LayerHeader:
    """How one matrix (N, K) is stored and used.

    Attributes
    ----------
    storage : {"ternary", "int8", "int4", "float32", "float16"}
    groups : int
        Scales along a row: 0 for one scale per matrix, 1 per output channel, G for
        G groups of K / G inputs. 0 for float storage, which has no scale.
    two_scales : bool
        Whether -1 stands for a magnitude of its own (trained ternary quantisation).
    activation : {"int8", "int4", "ternary", "none"}
        How the layer's input is quantised, per token.
    norm : bool
        Whether an RMSNorm comes first (BitLinear).
    activation_per : {"token", "tensor"}
        For ternary inputs: whether the two numbers below are in units of the
        token's mean magnitude, or in the units of the input.
    activation_threshold, activation_level : float
        For ternary inputs: magnitudes up to the first become 0, all others
        plus or minus the second.
    """

    storage: Storage = "float32"
    groups: int = 0
    two_scales: bool = False
    activation: Literal["int8", "int4", "ternary", "none"] = "none"
    norm: bool = False
    activation_per: Literal["token", "tensor"] = "token"
    activation_threshold: float = 0.0
    activation_level: float = 0.0

    @property
    def is_float(self) -> bool:
        """Whether the weights are floats: no scale, no quantised input."""
        return self.storage in ("float32", "float16")


@dataclass(frozen=True)
class PackedHeader:
    """Everything that a packed file holds besides its arrays.

    Attributes
    ----------
    config : ViTConfig
    layers : dict of str to LayerHeader
        Every matrix of the network, in the order of `tinyternary.config.vit_matrices`.
    bits : {2, 1.6}
        Bits per trit of the ternary matrices.
    rest : {"float32", "float16", "int8"}
        How the matrices outside the policy are stored.
    policy : dict of str to LayerQuant
        The rules that the model was trained with; float layers are absent.
    preprocessing : Preprocessing
    task : Task
    class_names : tuple of str
    threshold : tuple of float, optional
        Decision thresholds on probabilities, chosen on validation data: one for a
        binary task, one per label for a multi-label task.
    temperature : float, optional
        What logits are divided by before they become probabilities, chosen on validation data;
        1 where it is left out. Thresholds are of probabilities at it.
    prediction_sets : SetLimits, optional
        With which the engine answers by sets of classes, found on validation data: see
        `tinyternary.evaluate.set_limits`. Of probabilities at the temperature, too.
    metrics : dict
        What was measured, as plain JSON.
    dataset : str
        Name of the data the model was trained on, ``""`` where unknown.
    library_version : str
    """

    config: ViTConfig
    layers: dict[str, LayerHeader]
    preprocessing: Preprocessing
    task: Task
    class_names: tuple[str, ...]
    bits: float = 2
    rest: Storage = "float32"
    policy: dict[str, LayerQuant] = field(default_factory=dict)
    threshold: tuple[float, ...] | None = None
    temperature: float | None = None
    prediction_sets: SetLimits | None = None
    metrics: dict[str, Any] = field(default_factory=dict)
    dataset: str = ""
    library_version: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; `header_fields.parse_header` is the inverse."""
        kinds, layers = _numbered(self.layers)
        rules, policy = _numbered(self.policy)
        sets = None if self.prediction_sets is None else self.prediction_sets.to_dict()
        later = {"temperature": self.temperature, "prediction_sets": sets}
        later = {name: value for name, value in later.items() if value is not None}
        version = 2 if later else 1
        if any(self.int8_attention(block) for block in range(self.config.depth)):
            version = 3
        return {
            "format_version": version,
            "layout_version": LAYOUT_VERSION,
            "library_version": self.library_version,
            "bits": self.bits,
            "rest": self.rest,
            "config": self.config.to_dict(),
            "kinds": kinds,
            "layers": layers,
            "rules": rules,
            "policy": policy,
            "preprocessing": self.preprocessing.to_dict(),
            "task": str(self.task),
            "class_names": list(self.class_names),
            "threshold": None if self.threshold is None else list(self.threshold),
            "dataset": self.dataset,
            "metrics": self.metrics,
            **later,
        }

    def scores(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Turn logits (N, C) into the probabilities (N, C) that a file's answers state."""
        return scores(logits, self.task, self.temperature or 1.0)

    def int8_attention(self, block: int) -> bool:
        """Whether both products of a block's attention are of 8-bit integers."""
        return attention_names(self.config)[block] in self.policy

    def logit_limits(self) -> tuple[float, ...]:
        """Return what `decide` compares with, as limits of logits: see `config.logit_limits`."""
        return logit_limits(
            self.task, self.threshold, self.config.num_classes, self.temperature or 1.0
        )


def _numbered(values: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """List each distinct value once, and give every name the number of its own."""
    distinct = list(dict.fromkeys(values.values()))
    numbers = {name: distinct.index(value) for name, value in values.items()}
    return [asdict(value) for value in distinct], numbers


@dataclass(frozen=True)
class TensorPlan:
    """One array of a packed file: its name, dtype (a key of `DTYPES`) and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of entries over all axes; 1 where the shape is ()."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in the file."""
        return self.size * DTYPES[self.dtype].itemsize


def matrix_plan(
    name: str, outputs: int, inputs: int, layer: LayerHeader, bits: float
) -> list[TensorPlan]:
    """List the arrays of one matrix (N, K) without its bias."""
    if layer.storage == "float32":
        return [TensorPlan(f"{name}.weight", "F32", (outputs, inputs))]
    if layer.storage == "float16":
        return [TensorPlan(f"{name}.weight", "F16", (outputs, inputs))]
    if layer.storage == "ternary":
        plan = [TensorPlan(f"{name}.codes", "U8", (outputs, row_bytes(inputs, bits)))]
    elif layer.storage == "int8":
        plan = [TensorPlan(f"{name}.values", "I8", (outputs, inputs))]
    else:
        plan = [TensorPlan(f"{name}.values", "U8", (outputs, -(-inputs // 2)))]
    scale: tuple[int, ...] = (outputs, layer.groups) if layer.groups else ()
    plan.append(TensorPlan(f"{name}.scale", "F32", scale))
    if layer.two_scales:
        plan.append(TensorPlan(f"{name}.scale_negative", "F32", scale))
    return plan


def tensor_plan(
    config: ViTConfig, layers: Mapping[str, LayerHeader], bits: float, rest: Storage
) -> list[TensorPlan]:
    """List every array of a packed model in the order in which a network uses them."""
    width = config.width
    vector = "F16" if rest == "float16" else "F32"
    plan: list[TensorPlan] = []
    for matrix in vit_matrices(config):
        layer = layers[matrix.name]
        plan += matrix_plan(matrix.name, matrix.outputs, matrix.inputs, layer, bits)
        if matrix.bias:
            plan.append(TensorPlan(f"{matrix.name}.bias", vector, (matrix.outputs,)))
        if layer.norm:
            plan.append(TensorPlan(f"{matrix.name}.norm.weight", vector, (matrix.inputs,)))
    for name in norm_names(config):
        plan += [TensorPlan(f"{name}.{part}", vector, (width,)) for part in ("weight", "bias")]
    if config.positions == "learned":
        plan += position_plan(config, rest)
    for name, count in config.front_tokens.items():
        plan.append(TensorPlan(name, vector, (count, width) if name == "reg_token" else (width,)))
    return plan


def position_plan(config: ViTConfig, rest: Storage) -> list[TensorPlan]:
    """List the arrays of a learned position embedding (T, D): stored as the rest is."""
    shape = (config.tokens, config.width)
    if rest == "int8":
        return [
            TensorPlan("pos_embed.values", "I8", shape),
            TensorPlan("pos_embed.scale", "F32", (config.tokens, 1)),
        ]
    return [TensorPlan("pos_embed", "F16" if rest == "float16" else "F32", shape)]


def norm_names(config: ViTConfig) -> list[str]:
    """Names of the LayerNorms: of the embedding, up to two per block, and the last one."""
    names = ["norm_pre"] if config.embed_norm else []
    for i in range(config.depth):
        if config.attn_norm:
            names.append(f"blocks.{i}.norm1")
        if config.mlp_norm:
            names.append(f"blocks.{i}.norm2")
    return [*names, "norm"]
