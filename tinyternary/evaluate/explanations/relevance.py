"""Gradient-weighted relevance: attention counts as far as the class's logit rises with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def relevance(attention: Sequence[F32], grads: Sequence[F32]) -> F32:
    r"""Return the relevance of each first token for each last one, for one class.

    .. math:: R \leftarrow R + \bar A_l R, \qquad
              \bar A_l = \frac1H \sum_h \big(\nabla A_{lh} \odot A_{lh}\big)^+

    from R = I, first block first.

    Parameters
    ----------
    attention, grads : sequences of (B, H, T, T) float32
        Softmax weights, and the gradient of the class's logit with respect to them.

    Returns
    -------
    (B, T, T) float32
        The identity where no gradient is positive.

    Notes
    -----
    Chefer, Gur and Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal
    and Encoder-Decoder Transformers", ICCV 2021, arXiv 2103.15679, eqs. 5 and 6.

    Examples
    --------
    >>> half = np.full((1, 1, 2, 2), 0.5, np.float32)
    >>> slope = np.array([[[[0, 2], [0, -2]]]], np.float32)  # the first gains by the second
    >>> relevance([half], [slope])
    array([[[1., 1.],
            [0., 1.]]], dtype=float32)
    """
    batch, _, tokens, _ = attention[0].shape
    flow = np.broadcast_to(np.eye(tokens, dtype=np.float32), (batch, tokens, tokens))
    for weights, grad in zip(attention, grads, strict=True):
        flow = flow + np.maximum(grad * weights, 0).mean(axis=1) @ flow  # (B, T, T)
    return flow
