"""A packed file into checked arrays, or one clear error (lesson 10).

The order of the checks is the order of trust: sizes first, then the header's
fields, then the list of arrays that must follow from them, then the checksum,
and last the values that a right checksum cannot vouch for (a writer may be
wrong too): codes, scales, numbers that are not finite.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.config import vit_matrices
from tinyternary.config.grid import MOST
from tinyternary.container import Container, check_content, open_container, parse_container
from tinyternary.deploy.format.header import (
    DTYPES,
    FORMAT_NAME,
    RULES,
    PackedHeader,
    TensorPlan,
    tensor_plan,
)
from tinyternary.deploy.format.header_fields import parse_header
from tinyternary.errors import PackedFileError
from tinyternary.kernels import packing
from tinyternary.strict_json import parse_object
from tinyternary.text import quoted


class PackedFile:
    """A packed model's header and arrays, checked.

    Attributes
    ----------
    where : str
        The file's name.
    header : PackedHeader
    tensors : dict of str to ndarray
        Read-only; views of the mapped file.
    checksum : str
        ``"sha256:..."`` over header and arrays.
    header_bytes, data_bytes : int
        Bytes before the arrays, and of the arrays; their sum is the file's size.
    """

    def __init__(self, container: Container) -> None:
        self.where = container.where
        self.header_bytes = container.header_bytes
        self.data_bytes = container.data_bytes
        metadata = container.metadata
        if metadata.get("format") != FORMAT_NAME:
            raise PackedFileError(
                f"{self.where}: format: {quoted(metadata.get('format'))}, expected "
                f"{FORMAT_NAME!r}; this safetensors file is not a packed model "
                "(make one with `tinyternary pack`)"
            )
        for key in ("header", "checksum"):
            if key not in metadata:
                raise PackedFileError(f"{self.where}: {key}: missing from the metadata")
        self.header = parse_header(
            parse_object(metadata["header"], f"{self.where}: header", PackedFileError),
            self.where,
            len(container.tensors),
        )
        plan = plan_of(self.header)
        check_tensors(plan, container.tensors, self.where)
        self.tensors = container.tensors
        self.checksum = metadata["checksum"]
        check_content(container, "header", RULES)
        check_values(plan, self.tensors, self.header, self.where)


def read_packed(path: str | os.PathLike[str]) -> PackedFile:
    """Map a packed model and check every part of it.

    Raises
    ------
    PackedFileError
        Naming the file, the field and what was expected.
    """
    return PackedFile(open_container(path, RULES))


def read_packed_bytes(content: Any, where: str = "packed model") -> PackedFile:
    """Check a packed model that lies in memory (bytes, bytearray or a memory map)."""
    return PackedFile(parse_container(content, RULES, where))


def plan_of(header: PackedHeader) -> list[TensorPlan]:
    """List the arrays that a header asks for."""
    return tensor_plan(header.config, header.layers, header.bits, header.rest)


def check_tensors(plan: list[TensorPlan], tensors: dict[str, NDArray[Any]], where: str) -> None:
    """Refuse arrays that are missing, too many, or of another type or shape."""
    expected = {item.name: item for item in plan}
    for name in sorted(set(expected) - set(tensors)):
        raise PackedFileError(f"{where}: {name}: missing, expected {expected[name].dtype} "
                              f"{expected[name].shape}")  # fmt: skip
    for name in sorted(set(tensors) - set(expected)):
        raise PackedFileError(f"{where}: {quoted(name)}: not an array of this configuration")
    for item in plan:
        array = tensors[item.name]
        if array.dtype != DTYPES[item.dtype] or array.shape != item.shape:
            raise PackedFileError(
                f"{where}: {item.name}: {array.dtype} {array.shape}, expected "
                f"{DTYPES[item.dtype]} {item.shape}"
            )


def check_values(
    plan: list[TensorPlan], tensors: dict[str, NDArray[Any]], header: PackedHeader, where: str
) -> None:
    """Refuse codes that mean nothing, scales that are not positive, NaN and infinity."""
    inputs = {matrix.name: matrix.inputs for matrix in vit_matrices(header.config)}
    for item in plan:
        array = tensors[item.name]
        layer, _, part = item.name.rpartition(".")
        if item.dtype in ("F32", "F16"):
            # min and max carry NaN and infinity through without a temporary of the array's size
            if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
                raise PackedFileError(f"{where}: {item.name}: holds NaN or infinity")
            if part.startswith("scale") and array.size and not array.min() > 0:
                raise PackedFileError(
                    f"{where}: {item.name}: smallest scale {float(array.min()):g}, expected "
                    "positive numbers"
                )
        elif part == "codes":
            try:
                _check_codes(array, inputs[layer], header.bits)
            except PackedFileError as error:
                raise PackedFileError(f"{where}: {item.name}: {error}") from None
        elif item.dtype == "I8":
            if array.size and array.min() < -MOST["int8"]:
                raise PackedFileError(f"{where}: {item.name}: holds -128, expected -127 to 127")
        elif layer in inputs:
            _check_nibbles(array, inputs[layer], f"{where}: {item.name}")


def _check_codes(array: NDArray[np.uint8], inputs: int, bits: float) -> None:
    if array.size == 0:
        return
    packing.check_bytes(array, bits)
    # the last byte of each row: its padding has to be 0-trits
    read = packing.from_codes if bits == 2 else packing.from_base3
    read(array[:, -1:], inputs - (array.shape[1] - 1) * packing.TRITS_PER_BYTE[bits])


def _check_nibbles(array: NDArray[np.uint8], inputs: int, label: str) -> None:
    # value + 8 in four bits: 0 would be -8, which a symmetric quantiser never gives
    if not ((array & 15).all() and (array >> 4).all()):
        raise PackedFileError(f"{label}: code 0000, expected values -7 to 7")
    if inputs % 2 and array.size and (array[:, -1] >> 4 != 8).any():
        raise PackedFileError(f"{label}: padding is not zero")
