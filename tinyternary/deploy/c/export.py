"""`to_c`: a packed model as a C99 project that needs no other file (lesson 10)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jinja2

from tinyternary.config import Task, ViTConfig, vit_matrices
from tinyternary.config.decision import HALF
from tinyternary.cost.footprint import Footprint, footprint, would_fit
from tinyternary.deploy import int8_attention
from tinyternary.deploy.any_model import packed_file
from tinyternary.deploy.c.integer import IntegerWeights, curves
from tinyternary.deploy.c.source import Weights, identifiers, work
from tinyternary.deploy.fixed_point import POINT
from tinyternary.deploy.format.reader import PackedFile
from tinyternary.deploy.model_card import model_card
from tinyternary.errors import ConfigError, PackedFileError
from tinyternary.files import replace_content
from tinyternary.text import USE

_HERE = Path(__file__).parent
_AS_THEY_ARE = ("products.h", "main.c", "Makefile")
_RUNTIMES = {False: "runtime.c", True: "integer/runtime.c.j2"}


def to_c(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    integer: bool = False,
    flash: int | None = None,
    ram: int | None = None,
    **options: Any,
) -> Path:
    """Write a model as a self-contained C99 project for a microcontroller, or any machine.

    Parameters
    ----------
    model : ViT, PackedModel, Engine or path of a packed file
        Float or ternary. A ViT is packed first.
    folder : path-like
        Where the files go; made if need be. Files of the same names are replaced.
    integer : bool
        Compute with integers alone, for processors without a float unit: logits are integers
        in units of 2^-16, the same on every machine, and close to the engine's.
    flash, ram : int, optional
        Bytes that there are, see `tinyternary.cost.footprint`: a larger network is refused.
    **options
        For a ViT: the arguments of `pack` (`preprocessing`, `task`, `class_names`, ...).

    Returns
    -------
    Path
        The folder: ``model.h`` with ``int tt_classify(const uint8_t *image, float *logits)``,
        ``model.c`` (the network), ``model_weights.c`` and ``.h``, ``runtime.c`` and ``.h`` (its
        arithmetic), ``main.c`` (a program that classifies PGM and PPM files), ``Makefile`` and
        ``README.md`` with sizes, and ``MODEL.md``, its card.

    Notes
    -----
    The C computes what the engine's compiled encoder does, in the same order, so that logits are
    the same bits wherever that encoder runs the network and fuses multiply-adds. Networks that the
    engine runs layer by layer (`Engine.plain_because`) agree in all integers but for ties that
    tip over: there compiled norms of the engine add in an order that the compiler chose.

    Raises
    ------
    ConfigError
        If the network's inputs are no images of one or three channels, or if it does not fit: the
        message names the largest part and what would fit. With `integer` also if a layer reads
        ternary activations.
    PackedFileError
        If a packed file cannot be read, or a file not written.

    Examples
    --------
    >>> model = tt.models.ViT(tt.models.preset("lesson"))
    >>> folder = tt.deploy.to_c(model, "student")
    >>> sorted(path.name for path in folder.glob("model*"))
    ['model.c', 'model.h', 'model_weights.c', 'model_weights.h']
    """
    packed = packed_file(model, options)
    _check_known(packed.header.config)
    int8_attention.refuse(packed.header, "C export")
    check_fits(packed, flash, ram, integer)
    for name, content in project(packed, integer).items():
        replace_content(Path(folder) / name, content.encode(), PackedFileError, make_folder=True)
    return Path(folder)


def _check_known(config: ViTConfig) -> None:
    if config.channels not in (1, 3):
        raise ConfigError(f"C export: expected images of 1 or 3 channels, got {config.channels}")


def predict(packed: PackedFile, integer: bool = False) -> Footprint:
    """Return the bytes that a packed model takes on its machine."""
    header = packed.header
    found = footprint(header.config, class_names=header.class_names, **_how(packed, integer))
    if header.task is Task.MULTI_LABEL:
        found.flash["limits of labels"] = 8 * header.config.num_classes
    return found


def check_fits(
    packed: PackedFile, flash: int | None, ram: int | None, integer: bool = False
) -> None:
    """Refuse a network that needs more bytes than there are.

    Raises
    ------
    ConfigError
        Naming what is largest, and what would fit.
    """
    found = predict(packed, integer)
    for name, parts, there in (("flash", found.flash, flash), ("ram", found.ram, ram)):
        needed = sum(parts.values())
        if there is None or needed <= there:
            continue
        # code and stack are as they are
        largest = max((part for part in parts if "at most" not in part), key=lambda p: parts[p])
        ways = would_fit(packed.header.config, flash=flash, ram=ram, **_how(packed, integer))
        raise ConfigError(
            f"{name}: the network needs {needed:,} bytes and there are {there:,}; the largest part "
            f"is {largest} with {parts[largest]:,}; "
            + (f"what would fit: {', or '.join(ways)}" if ways else "no smaller one would fit")
        )


def _how(packed: PackedFile, integer: bool) -> dict[str, Any]:
    """How a packed model is stored, as the cost model asks for it."""
    header = packed.header
    policy = {name: header.policy[name] for name in header.layers if name in header.policy}
    return {"policy": policy, "bits": header.bits, "rest": header.rest, "integer": integer}


def project(packed: PackedFile, integer: bool = False) -> dict[str, str]:
    """Return the files of a project by name."""
    header, config = packed.header, packed.header.config
    needs = [work(header.layers[matrix.name], matrix) for matrix in vit_matrices(config)]
    codes, floats = (max(column) for column in zip(*needs, strict=True))
    several = header.task is Task.MULTI_LABEL
    limits = list(header.logit_limits())
    if integer:
        floats = 0
    weights = IntegerWeights(packed) if integer else Weights(packed)
    source = weights.source(limits if several else None)
    values = {
        "use": USE,
        "c": config,
        "header": header,
        "positions": weights.positions(),
        "front": weights.front(),
        "sizes": predict(packed, integer),
        "codes": codes,
        "floats": floats,
        **weights.constants(),
        **(curves() if integer else {}),
        "point": POINT,
        "integer": integer,
        "real": weights.real,
        "wide": weights.wide,
        "factor": weights.factor,
        "class_ids": identifiers(header.class_names, "TT_CLASS_"),
        "multi_label": several,
        "threshold": (header.threshold or (HALF,))[0],
        "temperature": weights.temperature(header.temperature or 1.0),
        "limits": [weights.limit(limit) for limit in limits],
        "weights": source,
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    templates = [f"templates/{path.name}" for path in sorted((_HERE / "templates").glob("*.j2"))]
    files = {name: (_HERE / name).read_text("utf-8") for name in _AS_THEY_ARE}
    for name in (*templates, _RUNTIMES[integer]):
        files[Path(name.removesuffix(".j2")).name] = environment.get_template(name).render(values)
    files["MODEL.md"] = model_card(packed)  # what of the header is no part of the program
    return files
