"""The network and the memory of a compiled encoder: records of named fields (lesson 10_deployment).

As llm.c holds pointers into one piece of memory by name (``params.qkvw``, ``acts.preatt``), so
here: a field is a size, or the address of what lies in one of two flat arrays of weights, 0 for
what a network has not. `network` fills them in; Numba reads the same fields by the same names.
They stand apart from compiled code, so that an engine whose machine code is kept loads no
compiler.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NOTHING, GELU, GELU_TANH, RELU_SQUARED = 0, 1, 2, 3
"""Activations by number."""


def _record(sizes: str = "", addresses: str = "", **others: Any) -> np.dtype[Any]:
    numbers = [(name, np.int64) for name in (*sizes.split(), *addresses.split())]
    return np.dtype([*numbers, *others.items()], align=True)


ROWS = _record("step", "at")
"""Rows of float32: where the first begins, and how many bytes lie between one and the next."""

NORM = _record(addresses="weight bias")
"""A LayerNorm; weight 0: there is none."""

LAYER = _record("ternary inputs outputs blocks panels activation", "weights scales biases norm")
"""A matrix and what belongs to it. ``ternary``: 1, or 0 for float32 weights. It reads 16 inputs
times ``blocks`` and gives as many outputs as ``panels`` are wide, both filled up with zeros.
``norm``: weight of the RMSNorm before it."""

BLOCK = _record("int8", norm1=NORM, qkv=LAYER, proj=LAYER, norm2=NORM, fc1=LAYER, fc2=LAYER)
"""One block of the network. ``int8``: 1 if its attention multiplies integers, else 0."""

NETWORK = _record(
    "size channels patch step padding grid tokens cls depth width vectors heads kv_heads"
    " head_width value_width classes chunk causal",
    "gain offset cls_token positions blocks",
    eps=np.float32, attention_scale=np.float32, embedding=LAYER, norm=NORM, head=LAYER,
)  # fmt: skip
"""The whole of it. ``cls``: tokens in front of those of patches, 1 or 0. ``vectors``: of 16
floats, in a token. ``value_width``: floats in a row of values. ``chunk``: rows at a time.
``causal``: 1 if a token attends to itself and to those before it only, else 0.
A pixel x becomes x gain - offset, by channel. ``blocks``: address of ``depth`` `BLOCK` s."""

MEMORY = _record(
    "", "keys values key_scales key_starts key_faults value_scales codes sums scales floats",
    stream=ROWS, qkv=ROWS, scores=ROWS,
    patches=ROWS, attention_out=ROWS, hidden=ROWS, logits=ROWS,
    attended=ROWS, normed=ROWS, mlp_out=ROWS, pooled=ROWS,
)  # fmt: skip
"""What is written to. Of a whole image: ``stream``, the tokens between blocks; ``qkv``, joint
rows of queries, keys and values, those of odd blocks after those of even ones; ``keys`` and
``values`` as attention reads them, floats or codes; of codes the scales, where sums with each
key start, and ``key_faults``, NaN from the first key on that is not finite. Of a few rows:
``codes``, ``sums`` and ``scales`` of a layer's quantized inputs, or ``floats`` where its weights
are floats, and meanwhile queries of attention; ``scores`` of attention. The next
four share one place, and the last four another: while one is read, the other is written."""

TAKEN, ANSWERED, FIRST = 0, 1, 2
"""Places in the counters: images drawn and answered by single threads; then, image by image
of those that all threads share, two for each phase: pieces drawn, and rows finished."""


def counters_for(shared: int, depth: int) -> int:
    """Return how many counters a call needs in which threads share some images."""
    return FIRST + shared * (2 * depth + 3)
