"""Arrays and structs of C with the weights of a packed model in them (lesson 10)."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import MatrixLayer, vit_matrices
from tinyternary.config.grid import MOST
from tinyternary.config.positions import sinusoidal_positions
from tinyternary.deploy.format.header import LayerHeader
from tinyternary.deploy.format.reader import PackedFile

_TYPES = {
    "float32": "float", "float16": "uint16_t", "uint8": "uint8_t", "int8": "int8_t",
    "int16": "int16_t", "int32": "int32_t", "int64": "int64_t",
}  # fmt: skip
_STORED = {"int8": "TT_INT8", "int4": "TT_INT4", "float32": "TT_PLAIN", "float16": "TT_PLAIN"}
_TRITS = {2: "TT_TRITS_2", 1.6: "TT_TRITS_1_6"}


def number(value: Any) -> str:
    """Return the shortest decimal that a compiler reads as this float32, with its suffix."""
    return f"{np.float32(value)!s}f"


def text(value: str) -> str:
    r"""Return a C string literal of any text: UTF-8, nothing that C would read otherwise.

    Examples
    --------
    >>> print(text('a "b"??/'))
    "a \"b\"\?\?/"
    """
    escaped = {ord(c): f"\\{c}" for c in '"\\?'}  # ??/ is a trigraph
    parts = [
        chr(byte).translate(escaped) if 32 <= byte < 127 else f"\\{byte:03o}"
        for byte in value.encode("utf-8", "replace")
    ]
    return f'"{"".join(parts)}"'


def identifiers(names: Iterable[str], prefix: str) -> list[str]:
    """Return one C identifier a name: letters, digits and underscores, no two the same.

    Examples
    --------
    >>> identifiers(["grade 1", "grade-1", "é"], "TT_")
    ['TT_GRADE_1', 'TT_GRADE_1_2', 'TT_']
    """
    found: list[str] = []
    for name in names:
        plain = prefix + re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
        taken = (f"{plain}_{n}" for n in range(2, len(found) + 3))
        found.append(plain if plain not in found else next(n for n in taken if n not in found))
    return found


class FrontToken(NamedTuple):
    """Tokens in front of those of patches: a name in C, in the file, in words; place, number."""

    name: str
    tensor: str
    what: str
    first: int
    number: int


class Weights:
    """What ``model_weights.c`` defines: arrays of a packed model, and the structs around them."""

    real, factor, wide = "float", "float", "double"
    """C's types: of a number, of a scale, of what has to be exact."""

    def __init__(self, packed: PackedFile) -> None:
        self.packed = packed
        self.config = packed.header.config
        self.matrices = {matrix.name: matrix for matrix in vit_matrices(self.config)}
        self.nbytes: dict[str, int] = {}
        """Bytes of each array, by its name in C."""
        self._parts: list[str] = []

    def source(self, limits: Sequence[float] | None) -> str:
        """Return all definitions; `limits` are those of logits of a task with several labels."""
        header, c = self.packed.header, self.config
        gain, offset = (
            self._array(name, values)
            for name, values in zip(("tt_gain", "tt_offset"), self._pixels(), strict=True)
        )
        self._struct("tt_images tt_input", braces(
            size="TT_IMAGE_SIZE", channels="TT_CHANNELS", patch="TT_PATCH", step=c.step,
            padding=c.padding, grid="TT_GRID", gain=gain, offset=offset,
        ))  # fmt: skip
        self._struct("tt_layer tt_embedding", self._layer("patch_embed.proj"))
        blocks = [self._block(f"blocks.{i}") for i in range(c.depth)]
        joined = textwrap.indent(",\n".join(blocks), "    ")
        self._struct("tt_block tt_blocks[TT_DEPTH]", f"{{\n{joined}}}")
        if c.embed_norm:
            self._struct("tt_norm tt_first_norm", self._norm("norm_pre"))
        self._struct("tt_norm tt_last_norm", self._norm("norm"))
        self._struct("tt_layer tt_head", self._layer("head"))
        for token in self.front():
            self._struct(f"tt_stored {token.name}", self._floats(token.tensor))
        self._positions()
        names = ",\n".join(f"    {text(name)}" for name in header.class_names)
        self._struct("char *const tt_class_names[TT_CLASSES]", f"{{\n{names}}}")
        if limits is not None:
            values = ", ".join(self.limit(limit) for limit in limits)
            self._struct(f"{self.wide} tt_limits[TT_CLASSES]", f"{{{values}}}")
        return "\n".join(self._parts)

    def front(self) -> list[FrontToken]:
        """Return what stands in front of the patches' tokens, in order."""
        names = {"cls_token": ("tt_class_token", "the class token"),
                 "dist_token": ("tt_distillation_token", "the distillation token"),
                 "reg_token": ("tt_registers", "registers")}  # fmt: skip
        found: list[FrontToken] = []
        first = 0
        for tensor, count in self.config.front_tokens.items():
            name, what = names[tensor]
            found.append(FrontToken(name, tensor, what, first, count))
            first += count
        return found

    def limit(self, logit: float) -> str:
        """Return a logit, or a difference of two, that others are compared with."""
        return c_double(logit)

    def temperature(self, value: float) -> str:
        """Return what a logit is divided by, in its own unit."""
        return c_double(value)

    def constants(self) -> dict[str, str]:
        """Return the numbers that stand in the program itself."""
        return {
            "eps": number(self.config.norm_eps),
            "key_scale": number(np.float32(np.log2(np.e) / np.sqrt(self.config.head_dim))),
        }

    def _pixels(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return what multiplies a byte, and what is taken off, for each channel."""
        prepare = self.packed.header.preprocessing
        std, mean = (np.asarray(values, np.float32) for values in (prepare.std, prepare.mean))
        return np.float32(1 / 255) / std, mean / std

    def positions(self) -> str:
        """Return the kind of position embedding: "waves", "int8" or "floats"."""
        if self.config.positions == "sinusoidal":
            return "waves"
        return "int8" if "pos_embed.values" in self.packed.tensors else "floats"

    def _positions(self) -> None:
        tensors, kind = self.packed.tensors, self.positions()
        if kind == "waves":
            # a token's position is the wave of its column beside that of its row
            table = sinusoidal_positions(self.config.grid, self.config.width)
            waves = table[: self.config.grid, : self.config.width // 2]
            self._array("tt_waves", self._waves(waves), "[TT_GRID][TT_WIDTH / 2]")
        elif kind == "int8":
            values, scales = tensors["pos_embed.values"], tensors["pos_embed.scale"]
            self._array("tt_positions", values, "[TT_TOKENS][TT_WIDTH]")
            self._scales("tt_position_scales", scales, "[TT_TOKENS]")
        else:
            self._struct("tt_stored tt_positions", self._floats("pos_embed"))

    def _waves(self, waves: NDArray[np.float32]) -> NDArray[Any]:
        """Return the rows of waves as numbers."""
        return waves

    def _scales(self, name: str, scales: NDArray[np.float32], shape: str = "") -> str:
        """Append an array of scales; return its name."""
        return self._array(name, scales, shape)

    def _block(self, name: str) -> str:
        fields = {
            part: self._layer(f"{name}.{path}")
            for part, path in (("qkv", "attn.qkv"), ("proj", "attn.proj"), ("fc1", "mlp.fc1"),
                               ("fc2", "mlp.fc2"))
        }  # fmt: skip
        for part, there in (("norm1", self.config.attn_norm), ("norm2", self.config.mlp_norm)):
            if there:
                fields[part] = self._norm(f"{name}.{part}")
        return braces(**fields)

    def _norm(self, name: str) -> str:
        return braces(weight=self._floats(f"{name}.weight"), bias=self._floats(f"{name}.bias"))

    def _layer(self, name: str) -> str:
        header, tensors = self.packed.header.layers[name], self.packed.tensors
        matrix = self.matrices[name]
        fields: dict[str, Any] = {
            "outputs": matrix.outputs,
            "inputs": matrix.inputs,
            "storage": _STORED.get(header.storage) or _TRITS[self.packed.header.bits],
            **self._reads(header),
        }
        if header.is_float:
            fields["plain"] = self._floats(f"{name}.weight")
        else:
            part = "codes" if header.storage == "ternary" else "values"
            fields["groups"] = header.groups
            fields["weights"] = self._array(f"{name}.{part}", tensors[f"{name}.{part}"])
            fields["scale"] = self._scales(f"{name}.scale", tensors[f"{name}.scale"])
            if header.two_scales:
                negative = tensors[f"{name}.scale_negative"]
                fields["scale_negative"] = self._scales(f"{name}.scale_negative", negative)
        for field, path in (("norm", "norm.weight"), ("bias", "bias")):
            if f"{name}.{path}" in tensors:
                fields[field] = self._floats(f"{name}.{path}")
        return braces(**fields)

    def _reads(self, header: LayerHeader) -> dict[str, Any]:
        """Return the fields that say what a layer's input is turned into."""
        fields: dict[str, Any] = {"reads": reads(header)}
        if fields["reads"] == "TT_READS_LEVELS":
            fields["most"] = MOST[header.activation]
        if fields["reads"] == "TT_READS_TRITS":
            fields["per_token"] = int(header.activation_per == "token")
            fields["threshold"] = number(header.activation_threshold)
            fields["level"] = number(header.activation_level)
        return fields

    def _floats(self, name: str) -> str:
        array = self.packed.tensors[name]
        kind = "f16" if array.dtype == np.float16 else "f32"
        return braces(**{kind: self._array(name, array)})

    def _array(self, name: str, array: NDArray[Any], shape: str = "") -> str:
        """Append an array, of one axis or of the `shape` that a header declares; return its name.

        What no header declares is seen in this file only.
        """
        known = name.replace(".", "_")
        plain = array.view(np.uint16) if array.dtype == np.float16 else array
        show = number if plain.dtype == np.float32 else str
        if shape.count("[") == 2:
            rows = [f"{{{', '.join(map(show, row))}}}" for row in plain]
        else:
            rows = [show(value) for value in plain.reshape(-1)]
        self._define(_TYPES[str(array.dtype)], known, rows, shape)
        self.nbytes[known] = array.nbytes
        return known

    def _define(self, kind: str, name: str, rows: Sequence[str], shape: str) -> None:
        where = "const" if shape else "static const"
        values = textwrap.indent(lines(rows, 4), "    ")
        self._parts.append(f"{where} {kind} {name}{shape or '[]'} = {{\n{values}}};\n")

    def _struct(self, what: str, value: str) -> None:
        self._parts.append(f"const {what} = {value};\n")


def reads(header: LayerHeader) -> str:
    """Name what a layer's input is turned into, as the runtime calls it."""
    if header.is_float or header.activation == "none":
        return "TT_READS_FLOATS"
    if header.activation == "ternary":
        return "TT_READS_TRITS"
    plain = header.storage == "ternary" and header.groups <= 1 and not header.two_scales
    return "TT_READS_INT8" if plain and header.activation == "int8" else "TT_READS_LEVELS"


def work(header: LayerHeader, matrix: MatrixLayer) -> tuple[int, int]:
    """Return how many integers and floats a layer writes to while it works: see ``tt_work``."""
    kind = reads(header)
    codes = 0 if kind == "TT_READS_FLOATS" else matrix.inputs
    floats = matrix.inputs if header.norm and kind != "TT_READS_INT8" else 0
    return codes, floats


def c_double(value: float) -> str:
    """Return a double as C reads it, infinities too."""
    if np.isinf(value):
        return "HUGE_VAL" if value > 0 else "-HUGE_VAL"
    return repr(float(value))


def braces(**fields: Any) -> str:
    """Return the initialiser of a struct, on one line where it is short."""
    items = [f".{name} = {value}" for name, value in fields.items()]
    flat = f"{{{', '.join(items)}}}"
    if len(flat) < 72 and "\n" not in flat:
        return flat
    return f"{{\n{textwrap.indent(lines(items, 4), '    ')}}}"


def lines(items: Iterable[str], indent: int, width: int = 96) -> str:
    """Join items by commas, as many to a line as fit; later lines get no indent."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) + indent < width:
            lines[-1] += f" {item},"
        else:
            lines.append(f"{item},")
    return "\n".join(lines).rstrip(",")
