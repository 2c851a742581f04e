"""load_pretrained: a float ViT's file from timm or transformers into ours (lesson 05)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.container import Rules, open_container
from tinyternary.errors import CheckpointError
from tinyternary.models.naming import Renamed, rename
from tinyternary.models.position_grid import resize_positions
from tinyternary.models.vit import ViT

Array = NDArray[Any]
_RULES = Rules(CheckpointError, "a safetensors file with weights of a ViT")


@dataclass
class PretrainedReport:
    """What of a file went into the model; printing it shows the list.

    Attributes
    ----------
    naming : {"timm", "transformers"}
    matched : dict of str to str
        The model's parameter to the file's array(s).
    adapted : dict of str to str
        Which of them were changed on the way, and how.
    mismatched : dict of str to str
        Parameters whose array in the file has another shape: left as they were.
    missing : list of str
        Parameters that the file says nothing about: left as they were.
    unused : list of str
        The file's arrays that the model has no place for.
    """

    naming: str
    matched: dict[str, str] = field(default_factory=dict)
    adapted: dict[str, str] = field(default_factory=dict)
    mismatched: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        total = len(self.matched) + len(self.mismatched) + len(self.missing)
        lines = [f"{self.naming} names: {len(self.matched)} of {total} parameters loaded"]
        lines += [f"  adapted     {name}: {note}" for name, note in self.adapted.items()]
        lines += [f"  not loaded  {name}: {note}" for name, note in self.mismatched.items()]
        lines += [f"  not in file {name}" for name in self.missing]
        lines += [f"  not used    {name}" for name in self.unused]
        return "\n".join(lines)


def load_pretrained(model: ViT, path: str | os.PathLike[str]) -> PretrainedReport:
    """Load a float ViT's weights, in timm's or in transformers' naming.

    Positions are interpolated where the grid differs (bicubic), a class token's
    position is left out or kept as the model pools; colour channels are summed for
    a model with one. A head for other classes, or attention with other heads, is
    left as it was and reported.

    Parameters
    ----------
    model : ViT
    path : path-like
        A ``.safetensors`` file with float32, float16 or bfloat16 arrays.

    Returns
    -------
    PretrainedReport
        What matched, what was adapted, and what did not match.

    Raises
    ------
    CheckpointError
        If the file cannot be read, has a number that is not finite, or nothing in
        it fits. The model is then as it was.

    Examples
    --------
    >>> from safetensors.numpy import save_file
    >>> model = tt.models.ViT(tt.models.preset("tiny"))
    >>> save_file(dict(model.state_dict()), "vit.safetensors")
    >>> report = tt.models.load_pretrained(model, "vit.safetensors")
    >>> report.missing
    []
    """
    arrays = read_safetensors(path)
    renamed = rename(arrays)
    _fit_to(model, renamed)
    report = PretrainedReport(renamed.naming)
    state = model.state_dict()
    for name, own in state.items():
        if name not in renamed.arrays:
            report.missing.append(name)
            continue
        array, source = renamed.arrays.pop(name), renamed.sources[name]
        if array.shape != own.shape:
            report.mismatched[name] = (
                f"{source} has shape {array.shape}, the model's is {own.shape}"
            )
            continue
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path}: {source} has entries that are NaN or infinite")
        report.matched[name] = source
        if name in renamed.adapted:
            report.adapted[name] = renamed.adapted[name]
        renamed.arrays[name] = array
    report.unused = [renamed.sources[name] for name in renamed.arrays if name not in state]
    if not report.matched:
        some = ", ".join(sorted(arrays)[:3])
        raise CheckpointError(
            f"{path}: none of its {len(arrays)} arrays fits this ViT (it has {some}, ...); "
            "expected timm's or transformers' names for a ViT"
        )
    for name in report.matched:
        state[name][...] = renamed.arrays[name]
    return report


def _fit_to(model: ViT, renamed: Renamed) -> None:
    """Reshape and resize what is the same thing in another form."""
    c = model.config
    arrays = renamed.arrays
    patch = arrays.get("patch_embed.proj.weight")
    if patch is not None and patch.ndim == 4:  # (D, C, p, p)
        if c.channels == 1 and patch.shape[1] > 1:
            note = f"{patch.shape[1]} colour channels summed"
            patch = patch.sum(axis=1, keepdims=True)
            renamed.adapted["patch_embed.proj.weight"] = note
        arrays["patch_embed.proj.weight"] = patch.reshape(patch.shape[0], -1)
    positions = arrays.get("pos_embed")
    if c.positions != "learned" or positions is None or positions.ndim != 3:
        return
    # class and distillation tokens come first; what is left is a square
    extra = positions.shape[1] - int(np.sqrt(positions.shape[1])) ** 2
    tokens, grid = positions[0, :extra], positions[0, extra:]
    notes = []
    if len(grid) != c.grid**2:
        side = int(np.sqrt(len(grid)))
        grid = resize_positions(grid, c.grid)
        notes.append(f"grid {side} x {side} interpolated to {c.grid} x {c.grid}")
    wanted = c.tokens - c.grid**2
    if extra > wanted:
        notes.append(f"position of {extra - wanted} extra token(s) left out")
    if extra < wanted:
        own = model.state_dict()["pos_embed"][0, :wanted]
        tokens, notes = own, [*notes, "the class token keeps its own position"]
    arrays["pos_embed"] = np.concatenate([tokens[:wanted], grid])[None]
    if notes:
        renamed.adapted["pos_embed"] = "; ".join(notes)


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read every float array of a safetensors file as float32; nothing is executed.

    Raises
    ------
    CheckpointError
        If the file is missing, no safetensors file, or damaged; it names the file.
    """
    tensors = open_container(path, _RULES).tensors
    with np.errstate(over="ignore", invalid="ignore"):  # who needs finite numbers looks for them
        return {n: a.astype(np.float32) for n, a in tensors.items() if a.dtype.kind == "f"}
