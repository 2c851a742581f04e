"""The inference engine: a packed file in, answers out (lesson 10).

NumPy and the kernels are all that it needs: importing this module imports
neither autograd nor the trainer. ``load(path)`` maps the file and checks it;
the engine then answers for batches of any size.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled.threads import check_threads, using_threads
from tinyternary.config import decide, scores
from tinyternary.deploy.encoder.kept import encoder
from tinyternary.deploy.format.reader import PackedFile, read_packed
from tinyternary.deploy.images import as_input
from tinyternary.deploy.packed_layers import has_encoder, unfusable
from tinyternary.deploy.plain import Network
from tinyternary.kernels import dispatch
from tinyternary.kernels.simd.tile_shapes import shape_of

if TYPE_CHECKING:
    from tinyternary.deploy.encoder.network import FusedNetwork

F32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Answers for B images.

    Attributes
    ----------
    labels : (B,) int64, or (B, L) int64 of 0 and 1 for a multi-label task
    probabilities : (B, classes) float64
        Softmax over classes; for a multi-label task one sigmoid per label. `labels` follow
        from exactly these: see `tinyternary.evaluate.decide`.
    class_names : tuple of str
    logits : (B, classes) float32
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    class_names: tuple[str, ...]
    logits: F32

    @property
    def names(self) -> list[str]:
        """The labels in words; several labels of one image are joined by ``", "``."""
        if self.labels.ndim == 1:
            return [self.class_names[label] for label in self.labels]
        return [
            ", ".join(name for name, on in zip(self.class_names, row) if on) for row in self.labels
        ]


class Engine:
    """A packed model ready to answer.

    Made by `load`. Calls may come from several threads at once.

    Parameters
    ----------
    packed : PackedFile
    threads : int, optional
        Threads that share a batch, or a single image; by default what
        `tinyternary.get_threads` says at each call. The answers are the same bits for any number.
    fused : bool
        False runs every layer by itself, also where the compiled encoder could run
        the network: slower, and what the tests compare with.

    Attributes
    ----------
    packed : PackedFile
        Header and arrays as the file has them.
    plain_because : str
        Why the compiled encoder cannot run this network here; empty if it does.
    numba_because : str
        Why the compiled encoder needs Numba here; empty if its machine code has been kept
        (`tinyternary.deploy.machine_code`), or if there is no compiled encoder.
    fused : FusedNetwork, optional
        What the compiled encoder runs.

    Examples
    --------
    >>> model = tt.models.ViT(tt.models.preset("tiny", num_classes=2))
    >>> path = tt.deploy.pack(model, class_names=("well", "ill")).save("model.safetensors")
    >>> answer = tt.deploy.load(path).predict(np.zeros((1, 28, 28, 3), np.uint8))
    >>> answer.probabilities.shape, answer.names[0] in ("well", "ill")
    ((1, 2), True)
    """

    def __init__(
        self, packed: PackedFile, threads: int | None = None, *, fused: bool = True
    ) -> None:
        self.packed = packed
        self.header = packed.header
        self.threads = None if threads is None else check_threads(threads)
        self.plain_because = unfusable(packed) if fused else "it was asked not to"
        self.fused: FusedNetwork | None = None
        if not self.plain_because:
            from tinyternary.deploy.encoder.network import FusedNetwork

            self.fused = FusedNetwork(packed, self.threads)
        self.numba_because = self.fused.compiled.because if self.fused else ""

    @functools.cached_property
    def _network(self) -> Network:
        # made when first needed: beside the compiled encoder only attention maps need it
        return Network(self.packed)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        return self.header.class_names

    def __call__(self, images: NDArray[np.uint8]) -> F32:
        """Return logits.

        Parameters
        ----------
        images : (B, H, W, C) or (B, H, W) uint8
            Grey (no last axis, or C = 1) or RGB. Images of another size are
            resized, and grey turned into RGB or back, with a warning.

        Returns
        -------
        (B, classes) float32

        Raises
        ------
        ShapeError
            If the array is not a batch of byte images.
        """
        return self._run(images, None)

    def predict(self, images: NDArray[np.uint8]) -> Prediction:
        """Return labels, probabilities and logits for images as `__call__` takes them.

        A decision threshold in the file (chosen on validation data) is applied; without
        one a label or the second of two classes is taken above one half, and of more
        classes the likeliest.
        """
        return self.decide(self(images))

    def decide(self, logits: F32) -> Prediction:
        """Turn logits (B, classes) into a `Prediction`."""
        header = self.header
        probabilities = scores(logits, header.task)
        labels = decide(probabilities, header.task, header.threshold)
        return Prediction(labels, probabilities, header.class_names, logits)

    def features(self, images: NDArray[np.uint8]) -> F32:
        """Return what the head reads: pooled, normalised tokens (B, width) float32."""
        if self.fused is not None:
            return self.fused(as_input(images, self.header.preprocessing))[1]
        record: dict[str, Any] = {}
        self._run(images, record)
        features: F32 = record["features"][:, 0]
        return features

    def attention(self, images: NDArray[np.uint8]) -> F32:
        """Return the attention maps of all blocks: (B, depth, heads, T, T) float32."""
        record: dict[str, Any] = {}
        self._run(images, record)
        maps = [record[f"blocks.{i}.attn"] for i in range(self.header.config.depth)]
        return np.stack(maps, axis=1)

    def _run(self, images: NDArray[np.uint8], record: dict[str, Any] | None) -> F32:
        prepared = as_input(images, self.header.preprocessing)
        if self.fused is not None and record is None:
            return self.fused(prepared)[0]
        with using_threads(self.threads) if self.threads else contextlib.nullcontext():
            return self._network(self.header.preprocessing(prepared), record)


def load(path: str | os.PathLike[str], threads: int | None = None) -> Engine:
    """Map a packed model into memory, check it, and make it ready to answer.

    Parameters
    ----------
    path : path-like
        A file written by `tinyternary.deploy.pack(model).save(path)`.
    threads : int, optional
        By default what `tinyternary.get_threads` says at each call.

    Returns
    -------
    Engine

    Raises
    ------
    PackedFileError
        If the file is missing, damaged, foreign or of a newer version; the
        message names the file, the field and what was expected.

    Examples
    --------
    >>> model = tt.models.ViT(tt.models.preset("tiny", num_classes=8))
    >>> path = tt.deploy.pack(model).save("model.safetensors")
    >>> engine = tt.deploy.load("model.safetensors")
    >>> engine(np.zeros((2, 28, 28, 3), np.uint8)).shape  # logits
    (2, 8)
    """
    return Engine(read_packed(path), threads)


def warmup() -> dict[str, float]:
    """Compile, or load from the cache, what the engine runs on this processor.

    Returns
    -------
    dict
        Seconds by function; empty where nothing is compiled.
    """
    chosen = dispatch.choose()
    if not has_encoder(chosen):
        return {}
    start = time.perf_counter()
    encoder(shape_of(chosen.name))
    return {"encoder": time.perf_counter() - start}


def numba_because() -> str:
    """Return why the compiled encoder needs Numba at every start here; empty if it does not."""
    chosen = dispatch.choose()
    return encoder(shape_of(chosen.name)).because if has_encoder(chosen) else ""
