"""The packed network as records and flat arrays for the compiled encoder (lesson 10).

`FusedNetwork` lays weights out for this processor, once, at load, and runs batches in memory
that is made once and used again. What the compiled encoder does not know
(`tinyternary.deploy.packed_layers.unfusable`) runs on `tinyternary.deploy.plain.Network`, which
knows everything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyternary.compiled import threads as pool
from tinyternary.config import MatrixLayer, vit_matrices
from tinyternary.deploy.encoder import records
from tinyternary.deploy.encoder.kept import encoder
from tinyternary.deploy.format.reader import PackedFile
from tinyternary.deploy.packed_layers import float_weight, ternary_matrix
from tinyternary.deploy.plain import positions
from tinyternary.kernels import dispatch
from tinyternary.kernels.simd.layout import interleave, padded
from tinyternary.kernels.simd.tile_shapes import Shape, shape_of

F32 = NDArray[np.float32]
_ACTIVATIONS = {
    "gelu": records.GELU,
    "gelu_tanh": records.GELU_TANH,
    "relu_squared": records.RELU_SQUARED,
}
_CACHE_FLOATS = 65536  # of hidden rows at a time: 256 KiB, a quarter of a second-level cache


class _Flat:
    """One array made of pieces; each starts on a cache line.

    Pieces are made when their place is there, one after the other: weights are in memory once,
    and not as pieces too.
    """

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)
        self.pieces: list[tuple[int, Callable[[], NDArray[Any]], NDArray[Any], str]] = []
        self.size = 0

    def add(
        self, record: NDArray[Any], field: str, make: Callable[[], NDArray[Any]], length: int
    ) -> None:
        """Append what `make` makes, filled up with zeros to `length`; `field` gets its address."""
        self.pieces.append((self.size, make, record, field))
        self.size += padded(length, 64 // self.dtype.itemsize)

    def join(self) -> NDArray[Any]:
        """Return all pieces as one array that starts on a cache line."""
        out = _aligned(max(self.size, 1), self.dtype)
        for start, make, record, field in self.pieces:
            piece = make()
            out[start : start + piece.size].reshape(piece.shape)[...] = piece
            record[field] = out[start:].ctypes.data
        self.pieces.clear()
        return out


def _aligned(count: int, dtype: Any) -> NDArray[Any]:
    kind = np.dtype(dtype)
    raw = np.zeros(count * kind.itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + count * kind.itemsize].view(kind)


class FusedNetwork:
    """A packed model laid out for the compiled encoder.

    Parameters
    ----------
    packed : PackedFile
        One for which `tinyternary.deploy.packed_layers.unfusable` has nothing to say.
    threads : int, optional
        By default what `get_threads` says at each call.

    Attributes
    ----------
    record : (1,) array of `records.NETWORK`
    address : int
        Of the record.
    blocks : (depth,) array of `records.BLOCK`
    """

    def __init__(self, packed: PackedFile, threads: int | None = None) -> None:
        self.target: Shape = shape_of(dispatch.choose().name)
        self.config = packed.header.config
        self.threads = threads
        self.record = np.zeros(1, records.NETWORK)
        self.address: int = self.record.ctypes.data
        self.blocks = np.zeros(self.config.depth, records.BLOCK)
        self.blocks["int8"] = [packed.header.int8_attention(i) for i in range(len(self.blocks))]
        self._packed, self._floats, self._codes = packed, _Flat(np.float32), _Flat(np.uint8)
        matrices = vit_matrices(self.config)
        c = self.config
        attention = 2 * c.depth * c.tokens**2 * c.width
        self.macs = sum(matrix.macs for matrix in matrices) + attention  # of one image
        self._describe()
        for matrix in matrices:
            self._layer(self._of(matrix.name), matrix)
        for name in ("norm", *(f"blocks.{i}.norm{j}" for i in range(c.depth) for j in (1, 2))):
            if f"{name}.weight" in packed.tensors:
                for part in ("weight", "bias"):
                    self._add(self._of(name), part, packed.tensors[f"{name}.{part}"])
        self._kept = self._floats.join(), self._codes.join()
        del self._packed, self._floats, self._codes
        self.compiled = encoder(self.target)
        self._idle: list[_Memory] = []

    def _describe(self) -> None:
        """Fill in what is no layer."""
        c, net, prepare = self.config, self.record, self._packed.header.preprocessing
        hidden = padded(c.mlp_width, self.target.outputs)
        tall = self.target.rows
        sizes = {
            "size": c.image_size, "channels": c.channels, "patch": c.patch_size, "step": c.step,
            "padding": c.padding, "grid": c.grid, "tokens": c.tokens, "cls": c.pool == "cls",
            "depth": c.depth, "width": c.width, "vectors": padded(c.width, 16) // 16,
            "heads": c.heads, "kv_heads": c.key_value_heads, "head_width": c.head_dim,
            "value_width": padded(c.head_dim, self.target.lanes), "classes": c.num_classes,
            "causal": c.causal,
            "chunk": max(tall, min(64, _CACHE_FLOATS // hidden) // tall * tall),
            "blocks": self.blocks.ctypes.data, "eps": c.norm_eps,
            "attention_scale": np.log2(np.e) / np.sqrt(c.head_dim),
        }  # fmt: skip
        for name, value in sizes.items():
            net[name] = value
        std, mean = (np.asarray(values, np.float32) for values in (prepare.std, prepare.mean))
        self._add(net, "gain", np.float32(1 / 255) / std)
        self._add(net, "offset", mean / std)
        table = np.zeros((c.tokens, padded(c.width, 16)), np.float32)
        table[:, : c.width] = positions(self._packed)
        self._add(net, "positions", table)
        if c.pool == "cls":
            self._add(net, "cls_token", self._packed.tensors["cls_token"])

    def _of(self, name: str) -> NDArray[Any]:
        """Return the part of the records that stands for a layer or norm of a model."""
        if name.startswith("blocks."):
            block, part = name.split(".")[1], name.split(".")[-1]
            return self.blocks[int(block) : int(block) + 1][part]
        return self.record["embedding" if name == "patch_embed.proj" else name]

    def _add(self, record: NDArray[Any], field: str, piece: NDArray[Any], length: int = 0) -> None:
        self._floats.add(record, field, lambda: piece, max(piece.size, length))

    def _layer(self, layer: NDArray[Any], matrix: MatrixLayer) -> None:
        """Lay one matrix out and describe it."""
        packed, name = self._packed, matrix.name
        header, tensors = packed.header.layers[name], packed.tensors
        n, k, outputs = matrix.outputs, matrix.inputs, self.target.outputs
        wide = padded(n, outputs)
        layer["inputs"], layer["outputs"] = k, n
        layer["blocks"], layer["panels"] = padded(k, 16) // 16, wide // outputs
        if name.endswith("fc1"):
            layer["activation"] = _ACTIVATIONS[self.config.activation]
        if header.activation == "none":

            def panels() -> F32:
                rows = np.zeros((wide, k), np.float32)
                rows[:n] = float_weight(packed, name, n, k)
                # (panel, K, outputs): a step along K reads one line of outputs
                return rows.reshape(-1, outputs, k).transpose(0, 2, 1)

            self._floats.add(layer, "weights", panels, wide * k)
        else:
            layer["ternary"] = 1

            def codes() -> NDArray[Any]:
                return interleave(ternary_matrix(packed, name, n, k).unpack(), self.target)

            self._codes.add(layer, "weights", codes, wide * padded(k, 16) // 4)
            scale = np.broadcast_to(tensors[f"{name}.scale"].reshape(-1), (n,))
            self._add(layer, "scales", scale, wide)
        if header.norm:
            self._add(layer, "norm", tensors[f"{name}.norm.weight"], padded(k, 16))
        self._add(layer, "biases", tensors.get(f"{name}.bias", np.zeros(n, np.float32)), wide)

    def __call__(self, images: NDArray[np.uint8]) -> tuple[F32, F32]:
        """Return logits (B, classes) and features (B, width) of images (B, S, S, C) uint8."""
        count = len(images)
        logits = np.empty((count, self.config.num_classes), np.float32)
        features = np.empty((count, self.config.width), np.float32)
        if count == 0:
            return logits, features
        worth = count * self.macs >= pool.WORTH_SHARING_NETWORK
        team = self._take((self.threads or pool.get_threads()) if worth else 1)
        self._answer(images, logits, features, team)
        # not after an exception: then it is nobody's, and goes with the last thread that has it
        self._idle.extend(team)
        return logits, features

    def memory(self) -> _Memory:
        """Return what one thread writes to, for a measurement of parts."""
        return self._take(1)[0]

    def _take(self, count: int) -> list[_Memory]:
        # no lock: a list gives each of its items to one thread only
        team: list[_Memory] = []
        while len(team) < count:
            try:
                team.append(self._idle.pop())
            except IndexError:
                team.append(_Memory(self))
        return team

    def _answer(
        self, images: NDArray[np.uint8], logits: F32, features: F32, team: list[_Memory]
    ) -> None:
        size, count = len(team), len(images)
        # as many images as there are whole rounds for go one to a thread; what is left over is
        # shared image by image
        alone = count // size * size
        # new ones each time: a thread that comes too late must find that nothing is left
        counters = np.zeros(records.counters_for(count - alone, self.config.depth), np.int32)

        def work(member: int) -> None:
            # `self` and `team` stay alive while a thread is at it: all that it has are addresses
            network, run = self.address, self.compiled.run
            mine, first = team[member].address, team[0].address
            if alone:
                run(network, mine, mine, images, 0, alone, member, 1, counters, features, logits)
            if alone < count or (size > 1 and member == 0):
                run(network, mine, first, images, alone, count, member, size, counters, features,
                    logits)  # fmt: skip

        def stop() -> None:
            # as if all were drawn and finished: who waits for somebody else goes on and ends
            counters.fill(count + self.config.tokens)

        # when this thread has come to the end, all images are answered
        pool.share(work, size - 1, stop, lambda: True)


class _Memory:
    """Everything that one thread writes to while it runs an image.

    Attributes
    ----------
    record : (1,) array of `records.MEMORY`
    address : int
        Of the record.
    """

    def __init__(self, network: FusedNetwork) -> None:
        c, target = network.config, network.target
        net = network.record[0]
        chunk = int(net["chunk"])
        tokens, keys = padded(c.tokens, target.rows), padded(c.tokens, target.outputs)
        patch, classes = (
            padded(net["embedding"]["inputs"], 16),
            padded(c.num_classes, target.outputs),
        )
        # whole panels and a line more: rows a power of two apart would all want the same few
        # places in the cache
        wide, joint, hidden = (
            padded(width, target.outputs) + 16 for width in (c.width, c.qkv_width, c.mlp_width)
        )
        longest = max(wide, hidden, patch, classes)
        self.record = np.zeros(1, records.MEMORY)
        self.address: int = self.record.ctypes.data
        self._kept: list[NDArray[Any]] = []
        for field, count, dtype in (
            ("keys", c.key_value_heads * keys * padded(c.head_dim, 16), np.float32),
            ("values", c.key_value_heads * keys * padded(c.head_dim, 16), np.float32),
            ("key_scales", c.key_value_heads * keys, np.float32),
            ("key_starts", c.key_value_heads * keys, np.int32),
            ("key_faults", c.key_value_heads * keys, np.float32),
            ("value_scales", c.key_value_heads, np.float32),
            ("codes", chunk * longest, np.int8),
            ("sums", chunk, np.int32),
            ("scales", chunk, np.float32),
            ("floats", chunk * longest, np.float32),
        ):
            self.record[field] = self._new(count, dtype)
        for field, count, width in (
            ("stream", tokens, wide), ("qkv", 2 * tokens, joint),
            ("scores", chunk, padded(keys, 32) + 16),
        ):  # fmt: skip
            self.record[field] = (4 * width, self._new(count * width, np.float32))
        left, right = (self._new(chunk * width, np.float32) for width in (longest, wide))
        for field, width in (
            ("patches", patch), ("attention_out", wide), ("hidden", hidden), ("logits", classes),
        ):  # fmt: skip
            self.record[field] = (4 * width, left)
        for field in ("attended", "normed", "mlp_out", "pooled"):
            self.record[field] = (4 * wide, right)

    def _new(self, count: int, dtype: Any) -> int:
        array = _aligned(count, dtype)
        self._kept.append(array)
        return array.ctypes.data
