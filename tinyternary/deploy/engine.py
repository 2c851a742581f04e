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

from tinyternary.brief import Brief
from tinyternary.compiled.locks import made_once
from tinyternary.compiled.threads import check_threads, using_threads
from tinyternary.config import SetLimits, decide
from tinyternary.deploy.encoder.kept import encoder
from tinyternary.deploy.format.reader import PackedFile, read_packed
from tinyternary.deploy.images import as_input
from tinyternary.deploy.memory import LIMIT_BYTES, image_bytes, too_large
from tinyternary.deploy.packed_layers import has_encoder, unfusable
from tinyternary.deploy.plain import Network
from tinyternary.errors import ConfigError, NonFiniteError, PackedFileError
from tinyternary.kernels import dispatch
from tinyternary.kernels.simd.tile_shapes import shape_of
from tinyternary.text import quoted

if TYPE_CHECKING:
    from tinyternary.deploy.encoder.network import FusedNetwork

F32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Brief):
    """Answers for B images.

    Attributes
    ----------
    labels : (B,) int64, or (B, L) int64 of 0 and 1 for a multi-label task
    probabilities : (B, classes) float64
        Softmax over classes; for a multi-label task one sigmoid per label; of logits divided by
        the file's temperature, if it has one. `labels` follow from exactly these: see
        `tinyternary.evaluate.decide`.
    class_names : tuple of str
    logits : (B, classes) float32
        As the network gives them, whatever the temperature.
    sets : (B, classes) bool, optional
        Which classes are in the prediction set of each image, if a coverage was asked for.
    """

    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    class_names: tuple[str, ...]
    logits: F32
    sets: NDArray[np.bool_] | None = None

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Whether the set of each image holds its label and no other class: (B,).

        Raises
        ------
        ConfigError
            If no coverage was asked for.
        """
        if self.sets is None:
            raise ConfigError("sure: ask the engine with a coverage, as predict(images, 0.9)")
        return np.asarray(
            (self.sets.sum(1) == 1) & self.sets[np.arange(len(self.sets)), self.labels]
        )

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

    Made by `load`. Calls may come from several threads at once. It can be pickled and copied: what
    goes along is the packed model, which the other side lays out for its own processor.

    Parameters
    ----------
    packed : PackedFile
    threads : int, optional
        Threads that share a batch, or a single image; by default what
        `tinyternary.get_threads` says at each call. The answers are the same bits for any number.
    limit_bytes : int
        Most memory that one image may take on its way through the network, bytes: the file
        states how large that is.
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
    image_bytes : int
        Most bytes that one image takes on its way through the network.

    Raises
    ------
    PackedFileError
        If that is more than `limit_bytes`.

    Examples
    --------
    >>> model = tt.models.ViT(tt.models.preset("tiny", num_classes=2))
    >>> path = tt.deploy.pack(model, class_names=("well", "ill")).save("model.safetensors")
    >>> answer = tt.deploy.load(path).predict(np.zeros((1, 28, 28, 3), np.uint8))
    >>> answer.probabilities.shape, answer.names[0] in ("well", "ill")
    ((1, 2), True)
    """

    def __init__(
        self,
        packed: PackedFile,
        threads: int | None = None,
        *,
        limit_bytes: int = LIMIT_BYTES,
        fused: bool = True,
    ) -> None:
        self.packed = packed
        self.header = packed.header
        self.threads = None if threads is None else check_threads(threads)
        self._options: dict[str, Any] = {
            "threads": self.threads, "limit_bytes": limit_bytes, "fused": fused,
        }  # fmt: skip
        self.plain_because = unfusable(packed) if fused else "it was asked not to"
        self.image_bytes = image_bytes(self.header.config, fused=not self.plain_because)
        size = self.header.config.image_size
        reason = too_large(f"one image of {size} x {size}", self.image_bytes, limit_bytes)
        if reason:
            raise PackedFileError(f"{packed.where}: image_size: {reason}")
        self.fused: FusedNetwork | None = None
        if not self.plain_because:
            from tinyternary.deploy.encoder.network import FusedNetwork

            self.fused = FusedNetwork(packed, self.threads)
        self.numba_because = self.fused.compiled.because if self.fused else ""

    def __reduce__(self) -> tuple[Any, ...]:
        # not the layout and its addresses, which hold in this process only
        return functools.partial(Engine, **self._options), (self.packed,)

    def __repr__(self) -> str:
        config, packed = self.header.config, self.packed
        size = packed.header_bytes + packed.data_bytes
        how = f"layer by layer: {self.plain_because}" if self.plain_because else "compiled encoder"
        return (
            f"Engine({quoted(packed.where)}, {size:,} bytes: {config.image_size} x "
            f"{config.image_size} x {config.channels} pixels, {self.header.task.value}, "
            f"{len(self.class_names)} classes; {how})"
        )

    @made_once
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
            Grey (no last axis, or C = 1) or RGB; also one image (H, W) or (H, W, C). Images
            of another size are resized, and grey turned into RGB or back, with a warning.

        Returns
        -------
        (B, classes) float32

        Raises
        ------
        ShapeError
            If the array is no byte images, or can be read as one image and as several.
        NonFiniteError
            If a logit is NaN or infinite: the network's numbers are too large for float32.
        """
        return self._run(images, None)

    def predict(self, images: NDArray[np.uint8], coverage: float | None = None) -> Prediction:
        """Return labels, probabilities and logits for images as `__call__` takes them.

        A decision threshold in the file (chosen on validation data) is applied; without
        one a label or the second of two classes is taken above one half, and of more
        classes the likeliest. With a coverage each image also gets the set of classes that
        holds the true one so often, if the file keeps limits of such sets
        (`tinyternary.evaluate.set_limits`).

        Raises
        ------
        ConfigError
            If it keeps none, or none for a coverage so high.
        """
        return self.decide(self(images), coverage)

    def decide(self, logits: F32, coverage: float | None = None) -> Prediction:
        """Turn logits (B, classes) into a `Prediction`."""
        header = self.header
        probabilities = header.scores(logits)
        labels = decide(probabilities, header.task, header.threshold)
        sets = None if coverage is None else self.set_limits().sets(probabilities, coverage)
        return Prediction(labels, probabilities, header.class_names, logits, sets)

    def set_limits(self) -> SetLimits:
        """Return the file's limits of prediction sets.

        Raises
        ------
        ConfigError
            If it keeps none.
        """
        if self.header.prediction_sets is None:
            raise ConfigError(
                f"{self.packed.where}: keeps no limits of prediction sets; `tinyternary pack RUN "
                "--sets` finds them on the run's validation images (one label an image)"
            )
        return self.header.prediction_sets

    def features(self, images: NDArray[np.uint8]) -> F32:
        """Return what the head reads: pooled, normalised tokens (B, width) float32.

        Of a network with a distillation token (B, 2 width).
        """
        if self.fused is not None:
            return self._finite(self.fused(as_input(images, self.header.preprocessing))[1])
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
            return self._finite(self.fused(prepared)[0])
        # what overflows is said once, by `_finite`
        with (
            using_threads(self.threads) if self.threads else contextlib.nullcontext(),
            np.errstate(over="ignore", invalid="ignore", divide="ignore"),
        ):
            answer = self._network(self.header.preprocessing(prepared), record)
            return self._finite(np.asarray(answer, np.float32))

    def _finite(self, answer: F32) -> F32:
        """Refuse to give an answer that is no number: no class would be the likeliest."""
        if not np.isfinite(answer).all():
            bad = int((~np.isfinite(answer).all(axis=1)).sum())
            raise NonFiniteError(
                f"{self.packed.where}: NaN or infinity in the answers for {bad} of {len(answer)} "
                "images: the network's numbers are too large for float32"
            )
        return answer


def load(
    path: str | os.PathLike[str], threads: int | None = None, *, limit_bytes: int = LIMIT_BYTES
) -> Engine:
    """Map a packed model into memory, check it, and make it ready to answer.

    Parameters
    ----------
    path : path-like
        A file written by `tinyternary.deploy.pack(model).save(path)`.
    threads : int, optional
        By default what `tinyternary.get_threads` says at each call.
    limit_bytes : int
        Most memory that one image may take on its way through the network, bytes.

    Returns
    -------
    Engine

    Raises
    ------
    PackedFileError
        If the file is missing, damaged, foreign or of a newer version, or one image
        would take more memory than `limit_bytes`; the message names the file, the field
        and what was expected.

    Examples
    --------
    >>> model = tt.models.ViT(tt.models.preset("tiny", num_classes=8))
    >>> path = tt.deploy.pack(model).save("model.safetensors")
    >>> engine = tt.deploy.load("model.safetensors")
    >>> engine(np.zeros((2, 28, 28, 3), np.uint8)).shape  # logits
    (2, 8)
    """
    return Engine(read_packed(path), threads, limit_bytes=limit_bytes)


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
