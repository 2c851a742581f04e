"""Other libraries' names for the arrays of a ViT, turned into ours (lesson 05).

timm's names are ours; its patch projection is a convolution, and some of its
models scale each branch (LayerScale). transformers keeps query, key and value
apart. What has no name here keeps its own, for the loader to refuse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.errors import CheckpointError

Array = NDArray[Any]


@dataclass
class Renamed:
    """A file's arrays under our names.

    Attributes
    ----------
    naming : {"tinyternary", "timm", "transformers"}
    drop : tuple of str
        Patterns of names, the file's or ours, that are not wanted.
    arrays : dict of str to ndarray
        Our name to values.
    sources : dict of str to str
        Our name to the file's name or names.
    adapted : dict of str to str
        Our name to what was done to the values, in words.
    dropped : dict of str to ndarray
        The same as `arrays` for those that are not wanted.
    """

    naming: str
    drop: tuple[str, ...] = ()
    arrays: dict[str, Array] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    adapted: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, Array] = field(default_factory=dict)

    def unwanted(self, *names: str) -> bool:
        """Whether a pattern of `drop` is that of one of these names."""
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.drop)

    def add(self, name: str, array: Array, source: str, note: str = "") -> None:
        """Take an array over under our name.

        Raises
        ------
        CheckpointError
            If another array has that name already: which of the two counts is not ours to say.
        """
        if self.unwanted(name, source):
            self.dropped[name] = array
            return
        if name in self.arrays:
            raise CheckpointError(
                f"{self.sources[name]} and {source} would both be the {name} of a ViT; name the "
                "one that does not count in drop"
            )
        self.arrays[name], self.sources[name] = array, source
        if note:
            self.adapted[name] = note

    def replace(self, name: str, array: Array, note: str) -> None:
        """Put other values in the place of those under `name`, and say what was done."""
        self.arrays[name] = array
        if note:
            self.adapted[name] = "; ".join(filter(None, (self.adapted.get(name), note)))


_LAYER = r"(?:encoder\.)?layers?\.(\d+)\."
# transformers' file names, and after each | those of its modules since version 5
_TRANSFORMERS = [
    (r"embeddings\.cls_token", "cls_token"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"embeddings\.distillation_token", "dist_token"),
    (r"embeddings\.patch_embeddings\.projection\.(\w+)", r"patch_embed.proj.\1"),
    (_LAYER + r"layernorm_before\.(\w+)", r"blocks.\1.norm1.\2"),
    (_LAYER + r"layernorm_after\.(\w+)", r"blocks.\1.norm2.\2"),
    (_LAYER + r"attention\.(?:output\.dense|o_proj)\.(\w+)", r"blocks.\1.attn.proj.\2"),
    (_LAYER + r"(?:intermediate\.dense|mlp\.fc1)\.(\w+)", r"blocks.\1.mlp.fc1.\2"),
    (_LAYER + r"(?:output\.dense|mlp\.fc2)\.(\w+)", r"blocks.\1.mlp.fc2.\2"),
    (r"layernorm\.(\w+)", r"norm.\1"),
    (r"(?:cls_)?classifier\.(\w+)", r"head.\1"),
    (r"distillation_classifier\.(\w+)", r"head_dist.\1"),
]
_QKV = re.compile(
    _LAYER + r"attention\.(?:attention\.)?(query|key|value|q_proj|k_proj|v_proj)\.(\w+)"
)


def rename(arrays: dict[str, Array], drop: tuple[str, ...] = ()) -> Renamed:
    """Bring a file's arrays under our names.

    Parameters
    ----------
    arrays : dict of str to ndarray
        As the file names them; a common prefix such as ``vit.`` is dropped.
    drop : tuple of str
        Patterns of names, the file's or ours, that are not wanted.

    Raises
    ------
    CheckpointError
        If two arrays of the file have one name here.
    """
    stripped = [(_without_prefix(name), name, array) for name, array in arrays.items()]
    if any(name.startswith("embeddings.") for name, _, _ in stripped):
        return _from_transformers(stripped, drop)
    # a convolution's weight has four axes, our patch projection's two
    if any(name == "patch_embed.proj.weight" and a.ndim == 2 for name, _, a in stripped):
        renamed = Renamed("tinyternary", drop)
        for name, source, array in stripped:
            renamed.add(name, array, source)
        return renamed
    return _from_timm(stripped, drop)


def _without_prefix(name: str) -> str:
    return re.sub(r"^(?:module\.|model\.|vit\.|deit\.|backbone\.)+", "", name)


def _from_transformers(arrays: list[tuple[str, str, Array]], drop: tuple[str, ...]) -> Renamed:
    renamed = Renamed("transformers", drop)
    split: dict[str, dict[str, tuple[str, Array]]] = {}
    for name, source, array in arrays:
        part = _QKV.fullmatch(name)
        if part:
            ours = f"blocks.{part[1]}.attn.qkv.{part[3]}"
            split.setdefault(ours, {})[part[2][0]] = (source, array)
            continue
        for pattern, ours in _TRANSFORMERS:
            if re.fullmatch(pattern, name):
                renamed.add(re.sub(pattern, ours, name), array, source)
                break
        else:
            renamed.add(name, array, source)
    for ours, parts in split.items():
        if set(parts) == {"q", "k", "v"}:
            joined = np.concatenate([parts[k][1] for k in "qkv"])
            sources = " + ".join(parts[k][0] for k in "qkv")
            renamed.add(ours, joined, sources, "query, key and value joined")
        else:  # under the file's own names, which no model has
            for source, array in parts.values():
                renamed.add(source, array, source)
    return renamed


def _from_timm(arrays: list[tuple[str, str, Array]], drop: tuple[str, ...]) -> Renamed:
    renamed = Renamed("timm", drop)
    scales: dict[str, tuple[str, Array]] = {}
    for name, source, array in arrays:
        scale = re.fullmatch(r"blocks\.(\d+)\.(?:ls([12])\.gamma|gamma_([12]))", name)
        if scale:
            branch = "attn.proj" if (scale[2] or scale[3]) == "1" else "mlp.fc2"
            scales[f"blocks.{scale[1]}.{branch}"] = (source, array)
        else:
            renamed.add(name, array, source)
    for layer, (source, gamma) in scales.items():
        if f"{layer}.weight" not in renamed.arrays:
            renamed.add(source, gamma, source)  # of a layer that is not there
        for part in ("weight", "bias"):
            ours = f"{layer}.{part}"
            if ours in renamed.arrays:
                array = renamed.arrays[ours]
                scaled = array * gamma.reshape(-1, *[1] * (array.ndim - 1))
                renamed.sources[ours] += f" + {source}"
                renamed.replace(ours, scaled, "LayerScale multiplied in")
    return renamed
