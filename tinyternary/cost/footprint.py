"""Flash and memory that a network takes as C on a microcontroller, from its shape (lesson 10).

Nothing has to be trained to know: the arrays are those of the packed file, the structs around
them and the arena those that `tinyternary.deploy.to_c` writes. One token after the other goes
through the network, so that only what other tokens ask for is kept for all: the stream, and keys
and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinyternary.brief import Brief
from tinyternary.config import LayerQuant, ViTConfig, vit_matrices
from tinyternary.config.policy import Policy
from tinyternary.cost.analyze import analyze
from tinyternary.cost.storage import Rest, StoredArray, weight_kind
from tinyternary.errors import ConfigError

LANES = 16
"""Floats that a row of scores is rounded up to."""
CODE = 9728
"""Bytes of code at most: the network, its runtime and a compiler's floats in software, for a
Cortex-M3 at -Os; with a float unit it is less."""
STACK = 768
"""Bytes of stack at most, the caller's own not counted."""
_FLOAT, _POINTER, _INT = 4, 4, 4
_STORED = 2 * _POINTER
_LAYER = 3 * _INT + 4 + 3 * _POINTER + 3 * _STORED
_TERNARY_INPUTS = 2 * _FLOAT  # of a layer, for the runtime with floats
_NORM = 2 * _STORED
_IMAGES = 6 * _INT + 2 * _POINTER


@dataclass(frozen=True, repr=False)
class Footprint(Brief):
    """Bytes that a network takes on a 32-bit microcontroller.

    Attributes
    ----------
    flash : dict of str to int
        By layer, as `CostReport` names them; then what belongs to none.
    ram : dict of str to int
        The parts of the arena; then the image and its logits, which the caller holds, and the
        stack at most.
    """

    flash: dict[str, int]
    ram: dict[str, int]

    @property
    def weights(self) -> int:
        """Bytes of ``model_weights.c``: arrays, structs and names."""
        return self.flash_bytes - self.flash["code, at most"]

    @property
    def arena(self) -> int:
        """Bytes of the arena of ``model.c``."""
        return self.ram_bytes - self.ram["image and logits"] - self.ram["stack, at most"]

    @property
    def flash_bytes(self) -> int:
        """Bytes of flash in all."""
        return sum(self.flash.values())

    @property
    def ram_bytes(self) -> int:
        """Bytes of memory in all."""
        return sum(self.ram.values())

    def fits(self, flash: int | None, ram: int | None) -> bool:
        """Whether it goes into so many bytes of flash and of memory; None is any number."""
        return (flash is None or self.flash_bytes <= flash) and (
            ram is None or self.ram_bytes <= ram
        )

    def to_dict(self) -> dict[str, Any]:
        """Return totals and parts as plain JSON types."""
        return {
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "weight_bytes": self.weights,
            "arena_bytes": self.arena,
            "flash": self.flash,
            "ram": self.ram,
        }


def footprint(
    network: Any,
    policy: str | Policy | None = None,
    *,
    bits: float = 2,
    rest: Rest | None = None,
    integer: bool = False,
    class_names: Sequence[str] | None = None,
) -> Footprint:
    """Count the bytes of a network as C, before anything is trained.

    Parameters
    ----------
    network, policy, bits, rest
        As `analyze` takes them.
    integer : bool
        Whether it is the C that computes with integers alone.
    class_names : sequence of str, optional
        They are stored too; by default what `pack` calls them.

    Raises
    ------
    ConfigError
        If a name is unknown, or a number impossible.

    Examples
    --------
    >>> found = tt.cost.footprint("lesson", "everything", bits=1.6, rest="int8")
    >>> found.flash_bytes, found.ram_bytes
    (37384, 41920)
    >>> found.fits(flash=100_000, ram=32_768)
    False
    """
    report = analyze(network, policy, bits=bits, rest=rest)
    config, rest = report.config, report.choices.rest
    names = class_names or [f"class {i}" for i in range(config.num_classes)]
    flash = {
        layer.step.name: size
        for layer in report.layers
        if (size := sum(_whole(_in_c(array, integer)) for array in layer.step.arrays))
    }
    flash["scale of pixels"] = 2 * _FLOAT * config.channels
    if config.positions == "sinusoidal":  # a wave for each column, or row, of the grid
        flash["waves of positions"] = _FLOAT * config.grid * (config.width // 2)
    flash["structs"] = _structs(config, rest, integer)
    flash["class names"] = sum(_POINTER + len(name.encode()) + 1 for name in names)
    flash["code, at most"] = CODE
    needs = list(_needs(config, report.choices.rules))
    codes, floats = (max(column) for column in zip(*needs, strict=True))
    ram = arena(config, codes=codes, floats=0 if integer else floats)
    ram["image and logits"] = config.image_size**2 * config.channels + _FLOAT * config.num_classes
    ram["stack, at most"] = STACK
    return Footprint(flash, ram)


def arena(config: ViTConfig, *, codes: int, floats: int) -> dict[str, int]:
    """Return the bytes of each part of the arena that ``model.c`` declares, to the byte.

    Parameters
    ----------
    config : ViTConfig
    codes, floats : int
        Entries of the longest input that a layer turns into integers, and of the longest that it
        normalises as floats; 0 where no layer does.

    Examples
    --------
    >>> parts = arena(ViTConfig(width=32, depth=2, mlp_width=64), codes=64, floats=0)
    >>> parts["stream"], sum(parts.values())
    (6272, 19392)
    """
    c = config
    scores = -(-c.tokens // LANES) * LANES
    longest = max(c.channels * c.patch_size**2, scores, c.mlp_width)
    return {
        "stream": _FLOAT * c.tokens * c.width,
        "keys and values": _FLOAT * c.tokens * 2 * c.key_value_heads * c.head_dim,
        "one token": _FLOAT * (2 * c.width + longest + floats),
        "codes": _whole(codes),
    }


def would_fit(
    network: Any,
    policy: str | Policy | None = None,
    *,
    flash: int | None = None,
    ram: int | None = None,
    bits: float = 2,
    rest: Rest | None = None,
    integer: bool = False,
) -> list[str]:
    """Say what to change for a network to fit: one change where one is enough, else several.

    Parameters
    ----------
    network, policy, bits, rest
        As `analyze` takes them.
    flash, ram : int, optional
        Bytes that there are.
    integer : bool
        Whether it is the C that computes with integers alone.

    Returns
    -------
    list of str
        Each a change that alone is enough, the mildest of its kind; or, where none is, one line
        of several changes that together are. Empty where it fits as it is, or nothing helps.

    Examples
    --------
    >>> tt.cost.would_fit("tiny", "all-linear", ram=40_000)
    ['kv_heads 2', 'patch_size 7', 'width 56']
    """
    report = analyze(network, policy, bits=bits, rest=rest)
    config, rules, rest = report.config, report.choices.rules, report.choices.rest

    def fits(config: ViTConfig, **changes: Any) -> bool:
        own = {m.name: rules[m.name] for m in vit_matrices(config) if m.name in rules}
        options = {"policy": own, "bits": bits, "rest": rest, "integer": integer, **changes}
        try:
            return footprint(config, **options).fits(flash, ram)
        except ConfigError:  # groups of inputs that do not divide another width
            return False

    if fits(config):
        return []
    alone = []
    for name, value in (("bits", 1.6), ("rest", "int8"), ("policy", "everything")):
        if fits(config, **{name: value}):
            alone.append(f"{name} {value}")
    for name, values in _smaller(config).items():
        found = next((v for v in values if fits(_with(config, name, v))), None)
        if found is not None:
            alone.append(f"{name} {found}")
    if alone:
        return alone
    least: dict[str, Any] = {"policy": "everything", "bits": 1.6, "rest": "int8"}
    changes: dict[str, Any] = {}
    for name in ("kv_heads", "patch_size", "width", "depth"):
        for value in _smaller(config)[name]:
            config, changes[name] = _with(config, name, value), value
            if fits(config, **least):
                told = {**least, **changes}
                return [", ".join(f"{name} {value}" for name, value in told.items())]
            if name == "patch_size":  # one step: larger patches see less and less
                break
    return []


def _with(config: ViTConfig, field: str, value: int) -> ViTConfig:
    changes: dict[str, Any] = {field: value}
    return replace(config, **changes)


def _smaller(config: ViTConfig) -> dict[str, list[int]]:
    """Values of each field that make a network smaller, the nearest first."""
    c = config
    room = c.image_size + 2 * c.padding
    four = 4 if c.positions == "sinusoidal" else 1
    return {
        "kv_heads": [n for n in range(c.key_value_heads - 1, 0, -1) if c.heads % n == 0],
        # without overlap, as the field `stride` would have to change too
        "patch_size": []
        if c.stride not in (None, c.patch_size)
        else [n for n in range(c.patch_size + 1, room // 2 + 1) if room % n == 0],
        "width": [
            n
            for n in range(c.width - 1, 7, -1)
            if n % c.heads == 0 and n % 8 == 0 and n % four == 0
        ],
        "depth": list(range(c.depth - 1, 0, -1)),
    }


def _needs(config: ViTConfig, rules: Mapping[str, LayerQuant]) -> Iterator[tuple[int, int]]:
    """Yield for each matrix how many integers and floats it writes to while it works."""
    for matrix in vit_matrices(config):
        rule = rules.get(matrix.name)
        if rule is None:
            yield 0, 0
        elif rule.activation == "none":
            yield 0, matrix.inputs if rule.norm else 0
        else:
            # BitLinear's own kind normalises and rounds in one go, from the floats as they are
            whole = rule.granularity in ("tensor", "channel", matrix.inputs)
            plain = weight_kind(rule) == "ternary" and rule.weight != "ttq" and whole
            joined = plain and rule.activation == "int8"
            yield matrix.inputs, matrix.inputs if rule.norm and not joined else 0


def _structs(config: ViTConfig, rest: Rest, integer: bool) -> int:
    c = config
    layer = _LAYER + (0 if integer else _TERNARY_INPUTS)
    block = 4 * layer + _NORM * (c.attn_norm + c.mlp_norm)
    learned = c.positions == "learned" and rest != "int8"  # those are arrays by themselves
    norms, stored = 1 + c.embed_norm, len(c.front_tokens) + learned
    return c.depth * block + 2 * layer + norms * _NORM + _IMAGES + stored * _STORED


def _in_c(array: StoredArray, integer: bool) -> int:
    """Bytes of an array: without floats they are 16-bit integers, and scales have exponents."""
    if not integer:
        return array.nbytes
    return {"float32": 2, "float16": 2, "scale": 8}.get(
        array.kind, 0
    ) * array.entries or array.nbytes


def _whole(count: int) -> int:
    """Bytes of an array where the next one begins at a word."""
    return -(-count // _FLOAT) * _FLOAT
