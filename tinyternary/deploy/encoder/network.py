"""The packed network as flat arrays for the compiled encoder (lesson 10).

`fuse` lays weights out for this processor, once, at load; `FusedNetwork` runs
batches on workspaces that are made once and used again. What the compiled
encoder does not know, see `engine_layers.unfusable`, runs on
`engine_forward.Network`, which knows everything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled import threads as pool
from tinyternary.config import MatrixLayer, vit_matrices
from tinyternary.deploy.encoder import plan as places
from tinyternary.deploy.encoder.ready import encoder
from tinyternary.deploy.format.reader import PackedFile
from tinyternary.deploy.layers import float_weight, ternary_matrix
from tinyternary.deploy.machine_code import Held
from tinyternary.deploy.plain import positions
from tinyternary.kernels import dispatch
from tinyternary.kernels.simd.layout import interleave, padded
from tinyternary.kernels.simd.shapes import Shape, shape_of

F32 = NDArray[np.float32]
_ACTIVATIONS = {
    "gelu": places.GELU,
    "gelu_tanh": places.GELU_TANH,
    "relu_squared": places.RELU_SQUARED,
}
_CACHE_FLOATS = 65536  # of hidden rows at a time: 256 KiB, a quarter of a second-level cache


class _Flat:
    """One array made of pieces; each starts on a cache line.

    Large pieces are made when their place is there, one after the other: weights are in
    memory once, and not as pieces too.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.pieces: list[tuple[int, Callable[[], NDArray[Any]]]] = []
        self.size = 0

    def add(self, piece: NDArray[Any], length: int | None = None) -> int:
        """Append a piece, filled up with zeros to `length`; return its offset."""
        return self.later(lambda: piece, max(piece.size, length or 0))

    def later(self, make: Callable[[], NDArray[Any]], length: int) -> int:
        """Append a piece that `make` makes when all are joined; return its offset."""
        start = self.size
        self.size += padded(length, 64 // self.dtype.itemsize)
        self.pieces.append((start, make))
        return start

    def join(self) -> NDArray[Any]:
        """Return all pieces as one array that starts on a cache line."""
        out = _aligned(max(self.size, 1), self.dtype)
        for start, make in self.pieces:
            piece = make()
            out[start : start + piece.size].reshape(piece.shape)[...] = piece
        self.pieces.clear()
        return out


def _aligned(count: int, dtype: Any) -> NDArray[Any]:
    kind = np.dtype(dtype)
    raw = np.zeros(count * kind.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + count * kind.itemsize].view(kind)


def _apart(count: int, outputs: int) -> int:
    """Floats from one row to the next: whole blocks and a line more.

    Rows a power of two apart would all want the same few places in the cache.
    """
    return padded(count, outputs) + 16


class FusedNetwork:
    """A packed model laid out for the compiled encoder.

    Parameters
    ----------
    packed : PackedFile
        One for which `engine_layers.unfusable` has nothing to say.
    threads : int, optional
        By default what `get_threads` says at each call.
    """

    def __init__(self, packed: PackedFile, threads: int | None = None) -> None:
        backend = dispatch.choose().name
        self.target: Shape = shape_of(backend)
        self.config = packed.header.config
        self.threads = threads
        self._floats, self._codes = _Flat(np.float32), _Flat(np.uint8)
        matrices = vit_matrices(self.config)
        self.plan = np.array([self._layer(packed, matrix) for matrix in matrices], np.int64)
        c = self.config
        attention = 2 * c.depth * c.tokens**2 * c.width
        self.macs = sum(matrix.macs for matrix in matrices) + attention  # of one image
        self.norms = np.array(self._norms(packed), np.int64)
        self.shape = np.array(self._shape(packed), np.int64)
        self.floats, self.codes = self._floats.join(), self._codes.join()
        self._weights = Held(self.shape, self.plan, self.norms, self.codes, self.floats)
        self.compiled = encoder(self.target)
        self._lock = threading.Lock()
        self._idle: list[_Workspace] = []

    def _layer(self, packed: PackedFile, matrix: MatrixLayer) -> list[int]:
        """Lay one matrix out; return its row of the plan."""
        name, header, tensors = matrix.name, packed.header.layers[matrix.name], packed.tensors
        n, k, outputs = matrix.outputs, matrix.inputs, self.target.outputs
        wide = padded(n, outputs)
        scales = norm = -1
        if header.activation == "none":
            kind = places.FLOAT

            def panels() -> F32:
                rows = np.zeros((wide, k), np.float32)
                rows[:n] = float_weight(packed, name, n, k)
                # (panel, K, outputs): a step along K reads one line of outputs
                return rows.reshape(-1, outputs, k).transpose(0, 2, 1)

            weights = self._floats.later(panels, wide * k)
        else:
            kind = places.TERNARY
            weights = self._codes.later(
                lambda: interleave(ternary_matrix(packed, name, n, k).unpack(), self.target),
                wide * padded(k, 16) // 4,
            )
            scale = np.broadcast_to(tensors[f"{name}.scale"].reshape(-1), (n,))
            scales = self._floats.add(scale, wide)
        if header.norm:
            norm = self._floats.add(tensors[f"{name}.norm.weight"], padded(k, 16))
        bias = tensors.get(f"{name}.bias", np.zeros(n, np.float32))
        biases = self._floats.add(bias, wide)
        return [kind, k, n, padded(k, 16) // 16, wide // outputs, weights, scales, biases, norm]

    def _norms(self, packed: PackedFile) -> list[list[int]]:
        """Offsets of weight and bias of each norm, two per block and the last; -1 for none."""
        rows = []
        for i in range(self.config.depth):
            rows += [f"blocks.{i}.norm1", f"blocks.{i}.norm2"]
        length = padded(self.config.width, 16)
        return [
            [self._floats.add(packed.tensors[f"{name}.{part}"], length)
             for part in ("weight", "bias")]
            if f"{name}.weight" in packed.tensors else [-1, -1]
            for name in [*rows, "norm"]
        ]  # fmt: skip

    def _shape(self, packed: PackedFile) -> list[int]:
        c, target, add = self.config, self.target, self._floats.add
        outputs, length = target.outputs, padded(c.width, 16)
        prepare = packed.header.preprocessing
        std = np.asarray(prepare.std, np.float32)
        table = np.zeros((c.tokens, length), np.float32)
        table[:, : c.width] = positions(packed)
        hidden = padded(c.mlp_width, outputs)
        rows = max(target.rows, min(64, _CACHE_FLOATS // hidden) // target.rows * target.rows)
        first = packed.tensors.get("cls_token", np.zeros(0, np.float32))
        return [
            c.image_size, c.channels, c.patch_size, c.step, c.padding, c.grid, c.tokens, c.width,
            c.depth, c.heads, c.key_value_heads, c.head_dim, c.num_classes, int(c.pool == "cls"),
            _ACTIVATIONS[c.activation], _apart(c.width, outputs), _apart(c.qkv_width, outputs),
            _apart(c.mlp_width, outputs), padded(c.head_dim, target.lanes), rows,
            add(np.float32(1 / 255) / std), add(np.asarray(prepare.mean, np.float32) / std),
            add(table), add(first), add(np.array([c.norm_eps], np.float32)),
        ]  # fmt: skip

    def __call__(self, images: NDArray[np.uint8]) -> tuple[F32, F32]:
        """Return logits (B, classes) and features (B, width) of images (B, S, S, C) uint8."""
        count = len(images)
        logits = np.empty((count, self.config.num_classes), np.float32)
        features = np.empty((count, self.config.width), np.float32)
        if count == 0:
            return logits, features
        worth = count * self.macs >= pool.WORTH_SHARING_NETWORK
        team = self._take((self.threads or pool.get_threads()) if worth else 1)
        try:
            self._answer(images, logits, features, team)
        finally:
            with self._lock:
                self._idle += team
        return logits, features

    def workspace(self) -> _Workspace:
        """Return the arrays that one thread writes to, for a measurement of parts."""
        return self._take(1)[0]

    def _take(self, count: int) -> list[_Workspace]:
        with self._lock:
            taken = [self._idle.pop() for _ in range(min(count, len(self._idle)))]
        return taken + [_Workspace(self) for _ in range(count - len(taken))]

    def _answer(
        self, images: NDArray[np.uint8], logits: F32, features: F32, team: list[_Workspace]
    ) -> None:
        size, count = len(team), len(images)
        # as many images as there are whole rounds for go one to a thread; what is left over is
        # shared image by image
        alone = count // size * size
        # new ones each time: a thread that comes too late must find that nothing is left
        counters = np.zeros(places.counters_for(count - alone, self.config.depth), np.int32)

        def work(member: int) -> None:
            if alone:
                self._draw(images, (0, alone, member, 1), counters, team[member], team[member],
                           features, logits)  # fmt: skip
            if alone < count or (size > 1 and member == 0):
                self._draw(images, (alone, count, member, size), counters, team[member], team[0],
                           features, logits)  # fmt: skip

        call = pool.invite(work, size - 1)
        work(0)
        call.over()

    def _draw(
        self, images: NDArray[np.uint8], part: tuple[int, int, int, int],
        counters: NDArray[np.int32], mine: _Workspace, common: _Workspace, features: F32,
        logits: F32,
    ) -> None:  # fmt: skip
        self.compiled.run(
            self._weights, images, *part, counters, common.shared, mine.own, features, logits
        )


class _Workspace:
    """Everything that one thread writes to while it runs an image."""

    def __init__(self, network: FusedNetwork) -> None:
        c, target = network.config, network.target
        shape = dict(zip(range(places.SETTINGS), network.shape.tolist()))
        rows, wide, hidden = shape[places.CHUNK], shape[places.STREAM], shape[places.HIDDEN]
        tokens = padded(c.tokens, target.rows)
        keys = padded(c.tokens, target.outputs)
        patch = padded(c.channels * c.patch_size**2, 16)
        longest = max(wide, hidden, patch, padded(c.num_classes, target.outputs))
        value = shape[places.VALUE]

        def floats(*extents: int) -> F32:
            return _aligned(int(np.prod(extents)), np.float32)

        self.stream = floats(tokens, wide)
        self.joint = floats(2, tokens, shape[places.JOINT]).reshape(2, -1)
        self.keys = floats(c.key_value_heads * keys * c.head_dim)
        self.values = floats(c.key_value_heads * keys * value)
        self.row_codes = _aligned(rows * longest, np.int8)
        self.sums, self.row_scales = np.zeros(rows, np.int32), np.zeros(rows, np.float32)
        self.normed = floats(rows, longest)
        self.rows_a = floats(rows, wide)
        self.rows_b = floats(rows, longest)
        self.scores = floats(rows, keys + 17)
        self.shared = Held(self.stream, self.joint)
        self.own = Held(
            self.keys, self.values, self.row_codes, self.sums, self.row_scales, self.normed,
            self.rows_a, self.rows_b, self.scores,
        )  # fmt: skip
