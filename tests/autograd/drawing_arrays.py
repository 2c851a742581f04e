"""Hypothesis strategies for arrays of awkward shapes and strides, in float64."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

sides = st.integers(1, 4)
shapes = st.lists(sides, min_size=0, max_size=3).map(tuple)
matrix_shapes = st.tuples(sides, sides)
seeds = st.integers(0, 2**32 - 1)


def strided(rng, shape, kind):
    """Normal values of this shape, laid out in memory in one of several ways."""
    shape = tuple(shape)
    if kind == "transposed":
        return rng.standard_normal(shape[::-1]).transpose()
    if kind == "every other":
        return rng.standard_normal([2 * n for n in shape])[
            tuple(slice(None, None, 2) for _ in shape)
        ]
    if kind == "reversed":
        return rng.standard_normal(shape)[tuple(slice(None, None, -1) for _ in shape)]
    return rng.standard_normal(shape)


layouts = st.sampled_from(["plain", "transposed", "every other", "reversed"])


@st.composite
def arrays(draw, shape=shapes, low=None):
    """One array; with `low`, all entries lie at least that far above 0."""
    found = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    x = strided(np.random.default_rng(draw(seeds)), found, draw(layouts))
    return np.asarray(x) if low is None else np.abs(np.asarray(x)) + low


@st.composite
def broadcast_pairs(draw, count=2):
    """Several arrays whose shapes broadcast together."""
    found = draw(mutually_broadcastable_shapes(num_shapes=count, max_dims=3, max_side=3))
    return [draw(arrays(shape)) for shape in found.input_shapes]


@st.composite
def array_and_axes(draw):
    """An array with an axis, several axes, or None."""
    x = draw(arrays(st.lists(sides, min_size=1, max_size=3).map(tuple)))
    axis = draw(
        st.none()
        | st.integers(-x.ndim, x.ndim - 1)
        | st.permutations(range(x.ndim)).map(lambda order: tuple(order[: 1 + len(order) // 2]))
    )
    return x, axis


def apart(x, gap=1e-3):
    """Push entries away from 0, where |x|, relu and the like have a kink."""
    return x + np.where(x >= 0, gap, -gap)
