"""What a ``config.json`` beside a file of weights says of its network (lesson 05).

Arrays do not tell how many heads they were for, which GELU stood between them, or how large a
norm's epsilon was. transformers and timm write such things beside them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tinyternary.config import ViTConfig
from tinyternary.errors import CheckpointError
from tinyternary.strict_json import parse_object
from tinyternary.text import quoted

_GELU = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}
_POOLS = {"token": ("cls", "distilled"), "avg": ("mean",)}
_MOST_BYTES = 1 << 20


def declared_grid(path: str | os.PathLike[str], config: ViTConfig) -> tuple[int, int] | None:
    """Compare the file beside the weights with a configuration; return the grid that it states.

    Parameters
    ----------
    path : path-like
        The file of weights. Without a ``config.json`` of transformers or timm beside it there
        is nothing to compare.
    config : ViTConfig

    Returns
    -------
    (int, int) or None
        Rows and columns of patches, where they are said.

    Raises
    ------
    CheckpointError
        If the two are not of the same network, or the file is damaged.
    """
    file = Path(path).with_name("config.json")
    try:
        with open(file, "rb") as opened:
            text = opened.read(_MOST_BYTES)
    except OSError:
        return None
    said = parse_object(text, os.fspath(file), CheckpointError)
    if "architecture" in said:
        _compare_timm(said, file, config)
        return None
    if said.get("model_type") not in ("vit", "deit"):
        return None
    act = said.get("hidden_act", "gelu")
    told = {
        "num_attention_heads": ("heads", said.get("num_attention_heads"), config.heads),
        "layer_norm_eps": ("norm_eps", said.get("layer_norm_eps"), config.norm_eps),
        "hidden_act": ("activation", _GELU.get(act, act) if isinstance(act, str) else act,
                       config.activation),
    }  # fmt: skip
    for name, (field, theirs, ours) in told.items():
        if theirs is not None and theirs != ours:
            raise _differs(file, name, said[name], f"{field}={ours!r}")
    image, patch = _two(said.get("image_size")), _two(said.get("patch_size"))
    if image is None or patch is None:
        return None
    return image[0] // patch[0], image[1] // patch[1]


def _compare_timm(said: dict[str, Any], file: Path, config: ViTConfig) -> None:
    name, pool = said["architecture"], said.get("global_pool")
    if isinstance(name, str) and "_rpn_" in name:  # its arrays have the names of any other
        raise CheckpointError(f"{file}: architecture: {quoted(name)} has its norms after attention "
                              "and MLP: the model computes something else")  # fmt: skip
    fitting = _POOLS.get(pool, ()) if isinstance(pool, str) else ()
    if pool is not None and config.pool not in fitting:
        raise _differs(file, "global_pool", pool, f"pool={config.pool!r}")


def _differs(file: Path, name: str, theirs: object, ours: str) -> CheckpointError:
    return CheckpointError(
        f"{file}: {name}: {quoted(theirs)}, the model has {ours}: it would compute something else"
    )


def _two(size: Any) -> tuple[int, int] | None:
    """Height and width, of which one number stands for both."""
    pair = [size, size] if type(size) is int else size
    if type(pair) is list and len(pair) == 2 and all(type(n) is int and n > 0 for n in pair):
        return pair[0], pair[1]
    return None
