"""The packed file behind whatever a user calls a model: exports take any of them."""

from __future__ import annotations

import os
from typing import Any

from tinyternary.deploy.engine import Engine
from tinyternary.deploy.format.reader import PackedFile, read_packed
from tinyternary.deploy.format.writer import PackedModel, pack
from tinyternary.errors import ConfigError


def packed_file(model: Any, options: dict[str, Any]) -> PackedFile:
    """Return the checked file of a model; a ViT is packed first, with `options` for `pack`."""
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
