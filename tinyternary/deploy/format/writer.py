"""From a trained model to a packed file (lessons 08 and 10).

Latent weights stay behind: of a quantised layer only codes and scales are kept.
What is written is the file that `tinyternary.deploy.load` runs, and its bytes
are those that the cost model predicts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary import __version__, kernels
from tinyternary.config import (
    LayerQuant,
    MatrixLayer,
    Preprocessing,
    SetLimits,
    Task,
    ViTConfig,
    vit_matrices,
)
from tinyternary.config.grid import FLOOR
from tinyternary.container import checksum, render_container
from tinyternary.deploy.format.header import (
    DTYPES,
    FORMAT_NAME,
    REST,
    RULES,
    LayerHeader,
    PackedHeader,
    Storage,
)
from tinyternary.deploy.format.header_fields import parse_header
from tinyternary.deploy.format.pack_options import (
    metrics_for,
    names_for,
    preprocessing_for,
    task_named,
    temperature_for,
    thresholds_for,
)
from tinyternary.deploy.format.reader import (
    PackedFile,
    check_tensors,
    check_values,
    plan_of,
    read_packed_bytes,
)
from tinyternary.deploy.packed_layers import pack_nibbles
from tinyternary.deploy.plain import Network
from tinyternary.errors import ConfigError, PackedFileError, ShapeError, unknown_name
from tinyternary.files import replace_content
from tinyternary.kernels.packed_ternary import check_bits
from tinyternary.quant import Quantized, QuantizedInt, integer
from tinyternary.quant.quantized import spread
from tinyternary.strict_json import to_json

_INT8_REST = LayerHeader("int8", 1)


class PackedModel:
    """A packed model in memory: what `save` will write.

    Attributes
    ----------
    header : PackedHeader
    content : bytes
        The whole file.

    Raises
    ------
    PackedFileError
        If a reader would refuse it.

    Examples
    --------
    >>> packed = tt.deploy.pack(tt.models.ViT(tt.models.preset("tiny")))
    >>> packed.save("model.safetensors").stat().st_size == len(packed.content)
    True
    """

    def __init__(self, header: PackedHeader, tensors: dict[str, NDArray[Any]]) -> None:
        self.header = header
        fields, where = header.to_dict(), "model"
        # the reader's own checks: what is written can be read
        parse_header(fields, where, len(tensors))
        check_tensors(plan_of(header), tensors, where)
        check_values(plan_of(header), tensors, header, where)
        text = to_json(fields, compact=True)
        metadata = {"format": FORMAT_NAME, "header": text, "checksum": checksum(text, tensors)}
        self.content = render_container(tensors, metadata, RULES)

    @property
    def nbytes(self) -> int:
        """Bytes of the file."""
        return len(self.content)

    @property
    def tensor_bytes(self) -> int:
        """Bytes of the arrays alone: what the cost model predicts."""
        return sum(item.nbytes for item in plan_of(self.header))

    def read(self) -> PackedFile:
        """Return the model as a reader of the file sees it."""
        return read_packed_bytes(self.content)

    def save(self, path: str | os.PathLike[str], *, card: bool = False) -> Path:
        """Write the file; a crash leaves the old one, or the new one, whole.

        Parameters
        ----------
        path : path-like
            Usually ends in ``.safetensors``.
        card : bool
            Also write a model card beside it, with the suffix ``.md``.

        Raises
        ------
        PackedFileError
            If the file cannot be written.
        """
        target = Path(path)
        replace_content(target, self.content, PackedFileError)
        if card:
            from tinyternary.deploy.model_card import model_card

            text = model_card(self.read(), target.name)
            replace_content(target.with_suffix(".md"), text.encode(), PackedFileError)
        return target

    def __repr__(self) -> str:
        quantized = sum(not layer.is_float for layer in self.header.layers.values())
        return (
            f"PackedModel({quantized} of {len(self.header.layers)} matrices quantised, "
            f"{self.header.bits:g} bits per trit, {self.nbytes:,} bytes)"
        )


def pack(
    model: Any,
    *,
    bits: float = 2,
    rest: Storage = "float32",
    preprocessing: Preprocessing | None = None,
    task: Task | str = Task.MULTI_CLASS,
    class_names: Sequence[str] | None = None,
    threshold: float | Sequence[float] | None = None,
    temperature: float | None = None,
    prediction_sets: SetLimits | None = None,
    metrics: Mapping[str, Any] | None = None,
    dataset: str = "",
) -> PackedModel:
    """Pack a model: ternary layers as codes and scales, the rest as told.

    Parameters
    ----------
    model : ViT
        Float, or ternarised by `tinyternary.quant.ternarize`.
    bits : {2, 1.6}
        Bits per trit in the file; the engine runs both alike.
    rest : {"float32", "float16", "int8"}
        How everything outside the policy is stored. "int8" quantises the float
        matrices per output channel (their inputs stay floats) and the position
        embedding per token, and leaves vectors in float32.
    preprocessing : Preprocessing, optional
        What the model was trained with. Without it the mean and the deviation
        are one half, on the [0, 1] scale.
    task : Task or str
    class_names : sequence of str, optional
        By default "class 0", "class 1", ...
    threshold : float or sequence of float, optional
        Decision threshold(s) on probabilities chosen on validation data: one for
        a binary task, one per label for a multi-label task. Of probabilities at the
        temperature, if there is one.
    temperature : float, optional
        What divides logits before they become probabilities, chosen on validation data: see
        `tinyternary.evaluate.fit_temperature`. Logits stay what they are.
    prediction_sets : SetLimits, optional
        With which the engine answers by sets of classes: see `tinyternary.evaluate.set_limits`.
    metrics : mapping, optional
        Plain JSON; what is not finite is stored as null.
    dataset : str
        Name of the training data, for the model card.

    Returns
    -------
    PackedModel

    Raises
    ------
    ConfigError
        If an option does not exist, a name is missing, or the model holds what a
        file must not: a weight that is not finite, or weights so large that the answer to a
        grey image is not.

    Examples
    --------
    >>> model = tt.quant.ternarize(tt.models.ViT(tt.models.preset("tiny")), policy="all-linear")
    >>> packed = tt.deploy.pack(model, bits=1.6)
    >>> len(packed.content) < 110_000  # bytes; as floats the network takes 830,000
    True
    """
    config: ViTConfig = model.config
    if rest not in REST:
        raise unknown_name("storage of the rest", rest, REST)
    bits = check_bits(bits)
    policy: dict[str, LayerQuant] = dict(getattr(model, "policy", None) or {})
    modules = dict(model.named_modules())
    state: dict[str, NDArray[Any]] = model.state_dict()
    for name, module in modules.items():
        if hasattr(module, "effective_weight"):  # a norm whose scale is ternary: not the latent one
            state[f"{name}.weight"] = module.effective_weight()
    layers: dict[str, LayerHeader] = {}
    tensors: dict[str, NDArray[Any]] = {}
    for matrix in vit_matrices(config):
        name = matrix.name
        if name in policy:
            layers[name], arrays = _quantized(modules[name], matrix, policy[name], bits)
            if layers[name].norm:
                arrays["norm.weight"] = state.get(f"{name}.norm.weight", np.ones(matrix.inputs))
        elif rest == "int8":
            layers[name], arrays = _INT8_REST, _int8(state[f"{name}.weight"])
        else:
            layers[name] = LayerHeader(rest)
            arrays = {"weight": state[f"{name}.weight"]}
        if matrix.bias:
            # BitMedViT's code allocates biases that it never adds: those are zeros here
            arrays["bias"] = state.get(f"{name}.bias", np.zeros(matrix.outputs))
        tensors |= {f"{name}.{part}": array for part, array in arrays.items()}
    header = PackedHeader(
        config=config,
        layers=layers,
        preprocessing=preprocessing_for(preprocessing, config),
        task=task_named(task),
        class_names=names_for(class_names, config),
        bits=bits,
        rest=rest,
        policy=policy,
        threshold=thresholds_for(threshold),
        temperature=temperature_for(temperature),
        prediction_sets=prediction_sets,
        metrics=metrics_for(metrics),
        dataset=str(dataset),
        library_version=__version__,
    )
    if "pos_embed" in state:
        embedding = state["pos_embed"].reshape(config.tokens, config.width)
        if rest == "int8":
            tensors |= {f"pos_embed.{part}": a for part, a in _int8(embedding).items()}
        else:
            tensors["pos_embed"] = embedding
    try:
        packed = PackedModel(header, _as_planned(header, tensors, state))
    except PackedFileError as error:  # what cannot be packed is a matter of what was asked for
        raise ConfigError(str(error)) from None
    _check_answer(packed)
    return packed


def _check_answer(packed: PackedModel) -> None:
    """Refuse a network whose finite weights overflow, by its answer to a grey image."""
    config = packed.header.config
    grey = np.full((1, config.image_size, config.image_size, config.channels), 128, np.uint8)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        logits = Network(packed.read())(packed.header.preprocessing(grey))
    if not np.isfinite(logits).all():
        raise ConfigError(
            "the model cannot be packed: its answer to a grey image is NaN or infinity; a weight "
            "is damaged, or too large for float32"
        )


def _as_planned(
    header: PackedHeader, tensors: dict[str, NDArray[Any]], state: dict[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return the arrays of the plan, each with the dtype and shape it must have."""
    ready: dict[str, NDArray[Any]] = {}
    for item in plan_of(header):
        found = tensors[item.name] if item.name in tensors else state[item.name]
        with np.errstate(over="ignore"):  # what float16 cannot hold is reported below
            array = np.ascontiguousarray(found, DTYPES[item.dtype])
        if item.dtype in ("F32", "F16") and not np.isfinite(array).all():
            raise ConfigError(f"{item.name}: cannot be packed as {item.dtype}: NaN or infinity")
        ready[item.name] = array.reshape(item.shape)
    return ready


def _quantized(
    module: Any, matrix: MatrixLayer, rule: LayerQuant, bits: float
) -> tuple[LayerHeader, dict[str, NDArray[Any]]]:
    """Return how a quantised layer is stored, and its arrays by the last part of their names."""
    found: Quantized | QuantizedInt = module.quantized()
    scale = np.asarray(found.scale, np.float32)
    storage: Storage
    if isinstance(found, Quantized):
        storage = "ternary"
        trits, scale, negative = _positive_scales(found)
        arrays: dict[str, NDArray[Any]] = {"codes": kernels.pack(trits, bits).data, "scale": scale}
        if negative is not None:
            arrays["scale_negative"] = negative
    else:
        storage = "int8" if found.bits == 8 else "int4"
        values = found.values if found.bits == 8 else pack_nibbles(found.values)
        arrays = {"values": values, "scale": scale}
    groups = 0 if scale.ndim == 0 else scale.shape[1]
    if found.dequantize().shape != (matrix.outputs, matrix.inputs):
        raise ShapeError(f"{matrix.name}: expected ({matrix.outputs}, {matrix.inputs}) weights")
    layer = LayerHeader(
        storage=storage,
        groups=groups,
        two_scales="scale_negative" in arrays,
        norm=rule.norm,
        **_activation(module, rule),
    )
    return layer, arrays


def _activation(module: Any, rule: LayerQuant) -> dict[str, Any]:
    if not rule.activation.startswith("ternary"):
        return {"activation": rule.activation}
    quantizer = module.activation
    return {
        "activation": "ternary",
        "activation_per": quantizer.per,
        "activation_threshold": float(quantizer.threshold.data[0]),
        "activation_level": float(quantizer.level.data[0]),
    }


def _positive_scales(
    found: Quantized,
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32] | None]:
    """Move the sign of a learned scale into its trits: a file's scales are positive."""
    scale = np.asarray(found.scale, np.float32)
    if found.scale_negative is not None or (scale > 0).all():
        negative = found.scale_negative
        for values in (scale, negative):
            if values is not None and not (values > 0).all():
                raise ConfigError("a learned scale is not positive: the layer cannot be packed")
        return found.trits, scale, negative
    sign = np.sign(spread(scale, found.trits.shape))
    return (found.trits * sign).astype(np.int8), np.maximum(abs(scale), FLOOR), None


def _int8(weight: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Quantise a matrix to int8 per row: largest magnitude over 127."""
    matrix = np.asarray(weight, np.float32).reshape(len(weight), -1)
    if not np.isfinite(matrix).all():
        raise ConfigError("a weight is NaN or infinite: the model cannot be packed")
    q = integer(matrix)
    return {"values": q.values, "scale": q.scale}
