"""What is in a packed file: layers, bits, bytes, and what they were as float32 (lesson 10)."""

from __future__ import annotations

import os
from typing import Any

from tinyternary.config import vit_matrices
from tinyternary.deploy.format.header import LAYOUT_VERSION, PackedHeader
from tinyternary.deploy.format.reader import plan_of, read_packed
from tinyternary.deploy.packed_layers import runs_on


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a packed file.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict
        Plain JSON types: the header's fields; ``layers``, one row per matrix and one
        for everything else, with ``name storage shape bits bytes float32_bytes``
        (bytes of codes, scales, bias and norm together; bits per weight are those
        of codes and scales); and the totals ``file_bytes`` (what `stat` says),
        ``header_bytes``, ``tensor_bytes``, ``float32_bytes`` and ``ratio``; ``runs_on``, what
        would answer on this machine, in words.

    Raises
    ------
    PackedFileError
        If the file is damaged, foreign or of a newer version.
    """
    packed = read_packed(path)
    rows = layer_rows(packed.header)
    float_bytes = sum(row["float32_bytes"] for row in rows)
    fields = packed.header.to_dict()
    return {
        **{name: fields[name] for name in fields if name not in ("kinds", "layers", "rules")},
        "policy": {name: rule.to_dict() for name, rule in packed.header.policy.items()},
        "temperature": packed.header.temperature,
        "prediction_sets": fields.get("prediction_sets"),
        "layout_version": LAYOUT_VERSION,
        "checksum": packed.checksum,
        "parameters": float_bytes // 4,
        "layers": rows,
        "file_bytes": packed.header_bytes + packed.data_bytes,
        "header_bytes": packed.header_bytes,
        "tensor_bytes": packed.data_bytes,
        "float32_bytes": float_bytes,
        "ratio": float_bytes / (packed.header_bytes + packed.data_bytes),
        "runs_on": runs_on(packed),
    }


def layer_rows(header: PackedHeader) -> list[dict[str, Any]]:
    """Return one row per matrix in the order of use, and a last one for everything else."""
    sizes = {item.name: item for item in plan_of(header)}
    rows: list[dict[str, Any]] = []
    for matrix in vit_matrices(header.config):
        layer = header.layers[matrix.name]
        mine = {
            part: sizes.pop(name).nbytes
            for part in ("weight", "codes", "values", "scale", "scale_negative", "bias",
                         "norm.weight")
            if (name := f"{matrix.name}.{part}") in sizes
        }  # fmt: skip
        stored = sum(size for part, size in mine.items() if part not in ("bias", "norm.weight"))
        others = matrix.outputs * matrix.bias + matrix.inputs * layer.norm
        rows.append(
            {
                "name": matrix.name,
                "storage": layer.storage,
                "shape": [matrix.outputs, matrix.inputs],
                "bits": 8 * stored / matrix.weights,
                "bytes": sum(mine.values()),
                "float32_bytes": 4 * (matrix.weights + others),
            }
        )
    rest = list(sizes.values())
    count = sum(item.size for item in rest if not item.name.endswith(".scale"))
    rows.append(
        {
            "name": "embeddings and norms",
            "storage": header.rest,
            "shape": [count],
            "bits": 8 * sum(item.nbytes for item in rest) / count,
            "bytes": sum(item.nbytes for item in rest),
            "float32_bytes": 4 * count,
        }
    )
    return rows
