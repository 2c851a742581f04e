"""Attention rollout: the shares of attention, followed from the last block to the first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def rollout(attention: Sequence[F32]) -> F32:
    r"""Return how much of each first token is in each last one, by the attention's shares alone.

    .. math:: R = \hat A_L \cdots \hat A_1, \qquad \hat A_l = \tfrac12 \bar A_l + \tfrac12 I

    with :math:`\bar A_l` the mean over heads and I the residual stream. No class and no value
    occurs in it: it is the same map whatever the head makes of the tokens.

    Parameters
    ----------
    attention : sequence of (B, H, T, T) float32
        Softmax weights, first block first.

    Returns
    -------
    (B, T, T) float32
        Each row sums to 1.

    Notes
    -----
    Abnar and Zuidema, "Quantifying Attention Flow in Transformers", ACL 2020,
    arXiv 2005.00928, section 3.

    Examples
    --------
    >>> half = np.full((1, 1, 2, 2), 0.5, np.float32)  # each token asks both
    >>> rollout([half])
    array([[[0.75, 0.25],
            [0.25, 0.75]]], dtype=float32)
    """
    same = np.eye(attention[0].shape[-1], dtype=np.float32)
    flow = same
    for weights in attention:
        flow = (weights.mean(axis=1) + same) / 2 @ flow  # (B, T, T)
    return flow
