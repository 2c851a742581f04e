"""load_pretrained: a float ViT's file from timm or transformers into ours (lesson 05).

A file holds arrays and no program. What of it decides what a network computes is understood
or refused: an array that has no place, a parameter that the file lacks, a norm in another
place are errors, and nothing keeps its first, random values unless it was asked for.
"""

from __future__ import annotations

import math
import os
import re
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.brief import Brief
from tinyternary.config import ViTConfig, vit_matrices
from tinyternary.container import Rules, open_container
from tinyternary.errors import CheckpointError, ConfigError
from tinyternary.models.declared import declared_grid
from tinyternary.models.naming import Renamed, rename
from tinyternary.models.position_grid import resize_positions
from tinyternary.models.vit import ViT
from tinyternary.quant.ternarize import restart_scales

Array = NDArray[Any]
_RULES = Rules(CheckpointError, "a safetensors file with weights of a ViT")
_FRONT = ("cls_token", "dist_token", "reg_token")
_READ = {"mean": 0, "cls": 1, "distilled": 2}
"""How many tokens in front of the patches' the head reads."""

_REASONS = (
    (r"\.(q_norm|k_norm)\.|\.attn\.(query|key)_norm", "queries and keys are normalised (qk_norm)"),
    (r"attn_pool|attention_pool|\.probe$|map_head", "the head pools by attention"),
    (r"rope|rotary|freqs", "positions are rotations (RoPE)"),
    (r"relative_position|rel_pos", "attention has relative positions"),
    (r"mlp\.(w[123]|w12|fc1_[gx]|gate_proj|up_proj|weights_in)\b", "the MLP is gated (SwiGLU)"),
    (r"mlp\.norm|attn\.norm", "a norm stands inside of attention or MLP"),
    (r"(q|v|k)_bias$|attn\.[qkv]\.", "queries, keys and values are not one layer"),
    (r"patch_embed\.norm", "patches are normalised before their positions are added"),
    (r"ls[12]\.gamma|gamma_[12]|layer_scale", "a branch is scaled (LayerScale)"),
    (r"^norm_pre\.", "a norm follows the embedding: build the model with embed_norm=True"),
    (r"^head_dist\.", "there is a head for a distillation token: build the model with "
                      "pool='distilled'"),
    (r"^pos_embed$", "positions are learned: build the model with positions='learned'"),
    (r"attn\.\w+\.bias$", "attention has biases: build the model with attention_bias=True"),
    (r"mlp\.\w+\.bias$", "the MLP has biases: build the model with mlp_bias=True"),
    (r"^head\.|pooler|decoder|^head_", "it is a head that the model has not"),
)  # fmt: skip
"""What an array says about a network that has one (our name, pattern), in words."""
_HARMLESS = re.compile(r"(embeddings\.)?mask_token")
"""Read in pretraining only."""


@dataclass(repr=False)
class PretrainedReport(Brief):
    """What of a file went into the model; printing it shows the list.

    Attributes
    ----------
    naming : {"tinyternary", "timm", "transformers"}
    matched : dict of str to str
        The model's parameter to the file's array(s).
    adapted : dict of str to str
        Which of them were changed on the way, and how.
    missing : list of str
        Parameters that were left as they were: asked for by `drop`, or a ternary layer's own.
    unused : list of str
        The file's arrays that were dropped, or that change nothing.
    """

    naming: str
    matched: dict[str, str] = field(default_factory=dict)
    adapted: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        total = len(self.matched) + len(self.missing)
        lines = [f"{self.naming} names: {len(self.matched)} of {total} parameters loaded"]
        lines += [f"  adapted     {name}: {note}" for name, note in self.adapted.items()]
        lines += [f"  as it was   {name}" for name in self.missing]
        lines += [f"  not used    {name}" for name in self.unused]
        return "\n".join(lines)


def load_pretrained(
    model: ViT,
    path: str | os.PathLike[str],
    *,
    drop: Iterable[str] = (),
    grid: tuple[int, int] | None = None,
) -> PretrainedReport:
    """Load a float ViT's weights, in timm's or in transformers' naming.

    The model then computes what the file's network computes, or there is an error. Understood
    are: a class token, a distillation token (with timm's average of two heads) and registers,
    with and without positions; the last norm before or after the mean; a norm after the
    embedding; LayerScale, which is multiplied in; other grids (positions are interpolated as
    the file's library does) and other colours (channels are summed for a model with one). The
    configuration says where they are, see `ViTConfig`. Learned scales of a ternary model start
    anew from the weights.

    An array does not tell how many heads it was for, which GELU, epsilon or stride its network
    had, nor, of a class token beside others, which of them the head reads. Of these a
    ``config.json`` of transformers or timm beside the file is compared with the configuration;
    without one they are the configuration's.

    Parameters
    ----------
    model : ViT
    path : path-like
        A ``.safetensors`` file with float32, float16 or bfloat16 arrays.
    drop : iterable of str
        Names, with ``*`` and ``?``, of arrays to be left out and of parameters to be left as
        they are: ``["head.*"]`` for other classes.
    grid : (int, int), optional
        Rows and columns of the file's patches, where they are not the model's: a number of
        positions does not tell. By default what a ``config.json`` says.

    Returns
    -------
    PretrainedReport
        What matched, what was adapted, and what was left.

    Raises
    ------
    CheckpointError
        If the file cannot be read, has a number that is not finite, or is of a network that
        this configuration, or this library, does not compute. The model is then as it was.
    ConfigError
        If a name in `drop` is in neither the file nor the model.

    Examples
    --------
    >>> from safetensors.numpy import save_file
    >>> model = tt.models.ViT(tt.models.preset("tiny"))
    >>> save_file(dict(model.state_dict()), "vit.safetensors")
    >>> report = tt.models.load_pretrained(model, "vit.safetensors")
    >>> report.missing
    []
    """
    drop = tuple(drop)
    arrays = read_safetensors(path)
    state = model.state_dict()
    grid = declared_grid(path, model.config) if grid is None else grid
    try:
        renamed = rename(arrays, drop)
        _check_drop(drop, [*arrays, *renamed.arrays, *renamed.dropped, *state])
        _check_kind(state, renamed)
        _fit_to(model.config, renamed, grid)
        report = _compare(model.config, state, renamed)
    except CheckpointError as error:
        raise CheckpointError(f"{os.fspath(path)}: {error}") from None
    for name in report.matched:
        state[name][...] = renamed.arrays[name]
    for name in restart_scales(model, loaded=set(report.matched)):
        report.missing.remove(name)
        report.matched[name] = "start values for the new weights"
    return report


def _check_kind(state: dict[str, Array], renamed: Renamed) -> None:
    if not set(state) & set(renamed.arrays):
        some = ", ".join(sorted(renamed.sources.values())[:3])
        raise CheckpointError(
            f"none of its {len(renamed.arrays)} arrays is that of a ViT (it has {some}, ...); "
            "expected timm's or transformers' names"
        )


def _compare(config: ViTConfig, state: dict[str, Array], renamed: Renamed) -> PretrainedReport:
    """Match every parameter and every array; what is left on either side must be explained."""
    report = PretrainedReport(renamed.naming, adapted=renamed.adapted)
    arrays, sources = renamed.arrays, renamed.sources
    layers = {layer.name: layer for layer in vit_matrices(config)}
    absent = []
    for name, own in state.items():
        layer, _, part = name.rpartition(".")
        if name in arrays:
            _check_values(name, arrays[name], sources[name], own)
            report.matched[name] = sources[name]
        elif renamed.unwanted(name) or _is_of_quantization(name, layers):
            report.missing.append(name)
        elif part == "bias" and layer in layers and f"{layer}.weight" in arrays:
            arrays[name] = np.zeros_like(own)
            report.matched[name] = "nothing"
            report.adapted[name] = "the file has no bias here: 0"
        else:
            absent.append(name)
    left = [name for name in arrays if name not in state]
    unused = [n for n in left if _changes_nothing(n, arrays[n])]
    report.unused = [*(sources[name] for name in unused), *renamed.dropped]
    if odd := [name for name in left if name not in unused]:
        raise CheckpointError(_refusal(odd, sources))
    if absent:
        more = f" (and {len(absent) - 1} more)" if absent[1:] else ""
        raise CheckpointError(
            f"it has no {absent[0]}{more}, which the model's configuration asks for; change the "
            f"configuration, or leave what the model has by drop=[{absent[0]!r}]"
        )
    return report


def _changes_nothing(name: str, array: Array) -> bool:
    """Whether a network is the same without an array: what only pretraining reads, a bias of 0."""
    is_zero_bias = re.search(r"\.(attn|mlp)\.\w+\.bias$", name) and not array.any()
    return bool(_HARMLESS.fullmatch(name) or is_zero_bias)


def _is_of_quantization(name: str, layers: dict[str, Any]) -> bool:
    """Whether a parameter is a ternary layer's own: its RMSNorm, or a scale that it learns."""
    if ".quantizer." in name:
        return True
    layer, _, part = name.partition(".norm.")
    return (layer in layers and bool(part)) or ".activation." in name


def _check_values(name: str, array: Array, source: str, own: Array) -> None:
    if array.shape != own.shape:
        advice = "; drop=['head.*'] leaves the model's own head" if name.startswith("head.") else ""
        raise CheckpointError(
            f"{source} has shape {array.shape}, the model's {name} {own.shape}{advice}"
        )
    if not np.isfinite(array).all():
        raise CheckpointError(f"{source} has entries that are NaN or infinite")


def _refusal(names: list[str], sources: dict[str, str]) -> str:
    """Say of arrays that have no place what they would be for; the first known reason counts."""
    known = ((name, why) for pattern, why in _REASONS for name in names if re.search(pattern, name))
    name, reason = next(known, (names[0], "the model has no place for it"))
    more = f" (and {len(names) - 1} more)" if names[1:] else ""
    built = "" if "build the model" in reason else ": the model computes something else"
    return f"{sources[name]}{more}: {reason}{built}; name it in drop if another network is wanted"


def _check_drop(drop: tuple[str, ...], names: list[str]) -> None:
    for pattern in drop:
        if not Renamed("", (pattern,)).unwanted(*names):
            raise ConfigError(f"drop: {pattern!r} is no name in the file or the model")


def _fit_to(config: ViTConfig, renamed: Renamed, grid: tuple[int, int] | None) -> None:
    """Bring what is the same thing in another form into the model's."""
    if renamed.naming != "tinyternary":  # ours has one name for both places
        _fit_norm(config, renamed)
    _fit_patches(config, renamed)
    _check_mlp(renamed)
    if config.pool == "distilled":
        _join_heads(renamed)
    tokens = {n: renamed.dropped.get(n, renamed.arrays.get(n)) for n in _FRONT}
    counts: dict[str, int] = {}
    for name, token in tokens.items():
        if token is None:
            continue
        if token.ndim != 3 or len(token) != 1:
            raise CheckpointError(f"{name}: shape {token.shape}, expected (1, tokens, width)")
        counts[name] = token.shape[1]
    kept = [name for name in counts if name in renamed.arrays]
    _check_front(config, renamed, kept)
    _fit_positions(config, renamed, counts, grid)
    _fit_front(config, renamed, kept)


def _fit_norm(config: ViTConfig, renamed: Renamed) -> None:
    """See whether the last norm stands where the model has it; timm has a name for each place."""
    after = [name for name in renamed.arrays if name.startswith("fc_norm.")]
    before = any(name.startswith("norm.") for name in renamed.arrays)
    if after and before:
        raise CheckpointError("it has a norm before pooling ('norm') and another after it "
                              "('fc_norm'); the model has one")  # fmt: skip
    if config.pool == "mean" and (after or before) and config.token_norm == bool(after):
        place, wanted = ("after", False) if after else ("before", True)
        raise CheckpointError(
            f"its last norm stands {place} the mean over tokens; build the model with "
            f"token_norm={wanted}"
        )
    for name in after:
        array, source = renamed.arrays.pop(name), renamed.sources.pop(name)
        renamed.add(name.removeprefix("fc_"), array, source)


def _fit_patches(config: ViTConfig, renamed: Renamed) -> None:
    """Flatten the convolution of the patches (D, C, p, p); sum its colours for grey images."""
    name = "patch_embed.proj.weight"
    patch = renamed.arrays.get(name)
    if patch is None or patch.ndim != 4:
        return
    side = (config.patch_size, config.patch_size)
    if patch.shape[2:] != side:
        raise CheckpointError(f"its patches are {patch.shape[2]} x {patch.shape[3]} pixels, the "
                              f"model's {side[0]} x {side[1]}")  # fmt: skip
    if config.channels == 1 and patch.shape[1] > 1:
        note = f"{patch.shape[1]} colour channels summed"
        patch = patch.sum(axis=1, keepdims=True)
        renamed.replace(name, patch, note)
    renamed.arrays[name] = patch.reshape(patch.shape[0], -1)


def _check_mlp(renamed: Renamed) -> None:
    """See that the first layer of an MLP makes what the second reads, not two factors of it."""
    for name, first in renamed.arrays.items():
        second = renamed.arrays.get(name.replace(".fc1.", ".fc2."))
        if not name.endswith("mlp.fc1.weight") or second is None:
            continue
        if first.shape[0] == 2 * second.shape[-1]:
            raise CheckpointError(f"{renamed.sources[name]}: the MLP is gated (SwiGLU): the model "
                                  "computes something else")  # fmt: skip


def _join_heads(renamed: Renamed) -> None:
    """Average the heads of class and distillation token: one head that reads both."""
    for part, join in (("weight", lambda a, b: np.concatenate((a, b), axis=-1)), ("bias", np.add)):
        names = [f"head.{part}", f"head_dist.{part}"]
        if all(name in renamed.arrays for name in names):
            heads = [renamed.arrays[name] / 2 for name in names]
            renamed.sources[names[0]] += f" + {renamed.sources[names[1]]}"
            renamed.replace(names[0], join(*heads), "the heads of two tokens averaged")
            del renamed.arrays[names[1]]


def _check_front(config: ViTConfig, renamed: Renamed, names: list[str]) -> None:
    """See whether the model has as many tokens in front of the patches', read by its head."""
    read = _READ[config.pool]
    total = sum(renamed.arrays[name].shape[1] for name in names)
    if total != config.front or names[:read] != list(_FRONT[:read]):
        words = {"cls_token": "a class token", "dist_token": "a distillation token"}
        has = [words.get(name, f"{renamed.arrays[name].shape[1]} registers") for name in names]
        ways = [f"pool='mean', registers={total}"]
        if "cls_token" in names:
            ways.insert(0, f"pool='cls', registers={total - 1}")
        if "head_dist.weight" in renamed.arrays or config.pool == "distilled":
            ways.insert(0, "pool='distilled'")
        raise CheckpointError(
            f"in front of its patches it has {' and '.join(has) or 'no token'}, the model "
            f"{', '.join(config.front_tokens) or 'none'} (pool={config.pool!r}, "
            f"registers={config.registers}); build the model with {' or '.join(ways)}"
        )


def _fit_front(config: ViTConfig, renamed: Renamed, names: list[str]) -> None:
    """Hand the tokens in front of the patches' to the model; those that nobody reads, registers."""
    if not names:
        return
    whole = np.concatenate([renamed.arrays.pop(name) for name in names], axis=1)
    sources = " + ".join(renamed.sources.pop(name) for name in names)
    first = 0
    for name, count in config.front_tokens.items():
        renamed.add(name, whole[:, first : first + count], sources)
        first += count
    if "reg_token" in config.front_tokens and names != list(config.front_tokens):
        renamed.adapted["reg_token"] = "tokens that no head reads"


def _fit_positions(
    config: ViTConfig, renamed: Renamed, counts: dict[str, int], grid: tuple[int, int] | None
) -> None:
    """Give each token of the model its position; those in front may have none: then 0."""
    table = renamed.arrays.get("pos_embed")
    if config.positions != "learned" or table is None:
        return
    if renamed.naming == "tinyternary" and table.shape[1:] == (config.tokens, config.width):
        return
    if table.ndim != 3 or len(table) != 1:
        raise CheckpointError(f"{renamed.sources['pos_embed']}: shape {table.shape}, expected "
                              "(1, tokens, width)")  # fmt: skip
    rows, front = table[0], sum(counts.values())
    old, has_front = _old_grid(config, len(rows), front, grid)
    notes = []
    patches = rows[front if has_front else 0 :]
    if old != (config.grid, config.grid):
        patches = resize_positions(
            patches, config.grid, old, antialias=renamed.naming != "transformers"
        )
        notes.append(f"grid {old[0]} x {old[1]} interpolated to {config.grid} x {config.grid}")
    before = rows[:front] if has_front else np.zeros((front, rows.shape[1]), rows.dtype)
    if front and not has_front:
        notes.append("no position for the tokens in front: 0")
    wanted = np.repeat([name in renamed.arrays for name in counts], list(counts.values()))
    found = np.concatenate([before[wanted.astype(bool)], patches])[None]
    renamed.replace("pos_embed", found, "; ".join(notes))


def _old_grid(
    config: ViTConfig, rows: int, front: int, grid: tuple[int, int] | None
) -> tuple[tuple[int, int], bool]:
    """Find the file's grid, and whether the tokens in front have positions too.

    A number of positions is that of several grids. Unless it is said, the grid is the
    model's, or nobody's.
    """
    ways = []
    for has_front in dict.fromkeys((bool(front), False)):
        cells = rows - front * has_front
        side = math.isqrt(max(cells, 0))
        found = grid or (side, side)
        if cells > 0 and found[0] * found[1] == cells:
            ways.append((found, has_front))
    if len(ways) == 1 and (grid or ways[0][0] == (config.grid, config.grid)):
        return ways[0]
    here = f"{rows} positions, {front} tokens in front of the patches'"
    if grid:
        raise CheckpointError(f"pos_embed: {here}: no grid of {grid[0]} x {grid[1]}")
    squares = " or ".join(str(found) for found, _ in ways)
    raise CheckpointError(
        f"pos_embed: {here}: not the model's grid of {config.grid} x {config.grid}; say the file's "
        f"rows and columns of patches by grid={squares or '(rows, columns)'}"
    )


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read every float array of a safetensors file as float32; nothing is executed.

    Raises
    ------
    CheckpointError
        If the file is missing, no safetensors file, damaged, or holds weights as integers; it
        names the file.
    """
    _refuse_pickle(path)
    tensors = open_container(path, _RULES).tensors
    for name, array in tensors.items():
        if array.dtype.kind != "f" and name.endswith(("weight", "bias")):
            raise CheckpointError(
                f"{os.fspath(path)}: {name} is stored as {array.dtype}, expected floats: a "
                "quantised file has to be turned back into floats by what wrote it"
            )
    with np.errstate(over="ignore", invalid="ignore"):  # who needs finite numbers looks for them
        return {n: a.astype(np.float32) for n, a in tensors.items() if a.dtype.kind == "f"}


def _refuse_pickle(path: str | os.PathLike[str]) -> None:
    """Say of a file of torch.save, which reading may run programs of, how to convert it."""
    try:
        with open(path, "rb") as file:
            start = file.read(4)
        names = zipfile.ZipFile(path).namelist() if start == b"PK\x03\x04" else []
    except (OSError, zipfile.BadZipFile):
        return  # whoever opens it says what is wrong
    pickled = len(start) > 1 and start[0] == 0x80 and 2 <= start[1] <= 5
    if pickled or any(name.endswith("/data.pkl") for name in names):
        where = os.fspath(path)
        raise CheckpointError(
            f"{where}: a file of torch.save, which can run programs when it is read; convert it "
            "where PyTorch is: weights = torch.load(file, weights_only=True, map_location='cpu'); "
            "safetensors.torch.save_file(weights.get('model', weights), 'vit.safetensors')"
        )
