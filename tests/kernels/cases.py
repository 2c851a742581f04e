"""Shapes, matrices and backends that the kernel tests draw from."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tinyternary import kernels

LIMITS = {"int8": (-128, 127), "int7": (-63, 63), "ternary": (-1, 1)}
RUNNABLE = [backend for backend in kernels.backends() if backend.available]
NAMES = [backend.name for backend in RUNNABLE]
LIMIT = {backend.name: LIMITS[backend.activations] for backend in RUNNABLE}


def trits(rng: np.random.Generator, n: int, k: int) -> np.ndarray:
    return rng.integers(-1, 2, (n, k)).astype(np.int8)


def codes(rng: np.random.Generator, m: int, k: int, name: str) -> np.ndarray:
    low, high = LIMIT[name]
    return rng.integers(low, high + 1, (m, k)).astype(np.int8)


def exact(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The product in int64 through a route that shares no code with the library."""
    return np.einsum("mk,nk->mn", x.astype(np.int64), w.astype(np.int64))


sizes = st.one_of(st.integers(0, 70), st.sampled_from([127, 128, 129, 192, 255, 256, 257, 300]))
