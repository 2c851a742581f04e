"""Other libraries' names for the arrays of a ViT, turned into ours (lesson 05).

timm's names are ours; its patch projection is a convolution, and some of its
models scale each branch (LayerScale). transformers keeps query, key and value
apart. What is left over keeps its own name and is reported.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass
class Renamed:
    """A file's arrays under our names.

    Attributes
    ----------
    naming : {"timm", "transformers"}
    arrays : dict of str to ndarray
        Our name to values.
    sources : dict of str to str
        Our name to the file's name or names.
    adapted : dict of str to str
        Our name to what was done to the values, in words.
    """

    naming: str
    arrays: dict[str, Array] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    adapted: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, array: Array, source: str, note: str = "") -> None:
        """Take an array over under our name."""
        self.arrays[name] = array
        self.sources[name] = source
        if note:
            self.adapted[name] = note


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
]
_QKV = re.compile(
    _LAYER + r"attention\.(?:attention\.)?(query|key|value|q_proj|k_proj|v_proj)\.(\w+)"
)


def rename(arrays: dict[str, Array]) -> Renamed:
    """Bring a file's arrays under our names.

    Parameters
    ----------
    arrays : dict of str to ndarray
        As the file names them; a common prefix such as ``vit.`` is dropped.
    """
    stripped = {_without_prefix(name): (name, a) for name, a in arrays.items()}
    if any(name.startswith("embeddings.") for name in stripped):
        return _from_transformers(stripped)
    return _from_timm(stripped)


def _without_prefix(name: str) -> str:
    return re.sub(r"^(?:module\.|model\.|vit\.|deit\.|backbone\.)+", "", name)


def _from_transformers(arrays: dict[str, tuple[str, Array]]) -> Renamed:
    renamed = Renamed("transformers")
    split: dict[str, dict[str, tuple[str, Array]]] = {}
    for name, (source, array) in arrays.items():
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
        else:  # reported as unused, under the file's own names
            for source, array in parts.values():
                renamed.add(source, array, source)
    return renamed


def _from_timm(arrays: dict[str, tuple[str, Array]]) -> Renamed:
    renamed = Renamed("timm")
    scales: dict[str, tuple[str, Array]] = {}
    for name, (source, array) in arrays.items():
        scale = re.fullmatch(r"blocks\.(\d+)\.(?:ls([12])\.gamma|gamma_([12]))", name)
        if scale:
            branch = "attn.proj" if (scale[2] or scale[3]) == "1" else "mlp.fc2"
            scales[f"blocks.{scale[1]}.{branch}"] = (source, array)
        else:
            # models that pool by the mean call their last norm fc_norm
            renamed.add(name.replace("fc_norm.", "norm."), array, source)
    for layer, (source, gamma) in scales.items():
        for part in ("weight", "bias"):
            ours = f"{layer}.{part}"
            if ours in renamed.arrays:
                array = renamed.arrays[ours]
                scaled = array * gamma.reshape(-1, *[1] * (array.ndim - 1))
                sources = f"{renamed.sources[ours]} + {source}"
                renamed.add(ours, scaled, sources, "LayerScale multiplied in")
    return renamed
