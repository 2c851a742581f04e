"""Every number of the quantised grid, once, with its source (lessons 01 and 06).

Training, the integer engine, the compiled kernels and the ONNX graph have to round alike, to
the last bit. So they all read their constants here.
"""

from __future__ import annotations

import numpy as np

FLOOR = np.float32(1e-5)
"""Least that a magnitude counts for when a scale is made of it: of a row of activations, of a
matrix of weights. A row of zeros must not divide by zero. BitNet b1.58's for both, in "The Era of
1-bit LLMs: Training Tips, Code and FAQ", Microsoft, 2024."""

MOST = {"int8": 127, "int7": 63, "int4": 7, "ternary": 1}
"""Largest code of each kind of integers, 2^(bits - 1) - 1: the grid is symmetric, Q_b of BitNet,
arXiv 2310.11453, equation 4. The table lookups of the kernels take int7, for an entry is a sum of
two codes and has to fit int8. Clipping lets -MOST - 1 through, which rounding never reaches."""

BITLINEAR_EPS = 1e-5
"""Epsilon of the RMSNorm inside a BitLinear (arXiv 2510.13760)."""

TWN_FRACTION = 0.7
"""Threshold of TWN as a fraction of mean |W| (arXiv 1605.04711, equation 6)."""

TTQ_FRACTION = 0.05
"""Threshold of TTQ as a fraction of max |W| (arXiv 1612.01064, equation 9)."""

SEQ_CLIP = 0.99
"""Where ParetoQ clips W / alpha, so that no rounding leaves the grid (arXiv 2502.02631)."""

SEQ_HALF = 1.5
"""Half the levels of ParetoQ's ternary grid: levels stand at round(1.5 W / alpha) / 1.5 alpha
(arXiv 2502.02631, equation 5)."""

TERNARY_THRESHOLD = 0.767
"""Threshold of ternary activations in units of mean |x|.

A Gaussian is best cut at 0.612 deviations (Max, "Quantizing for minimum distortion", 1960,
three levels); mean |x| is sqrt(2 / pi) deviations.
"""

TERNARY_LEVEL = 1.534
"""Level of ternary activations in units of mean |x|: 1.224 deviations of a Gaussian (Max, 1960)."""

SMALLEST_DIVISOR = 1e-12
"""Least of a learned threshold or level that a gradient is divided by: it may reach zero."""
