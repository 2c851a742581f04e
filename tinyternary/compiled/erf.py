"""A float32 erf in thirteen multiplications and one division (lesson 08).

erf(z) = z P(z^2) / Q(z^2), with z first clipped to where erf is +-1 in float32: error below 5e-7.
The rational approximation is that of Eigen's and XLA's vector code; coefficients highest power
first. Training's loops, the kernels, the compiled encoder and the ONNX graph take it from here.
"""

from __future__ import annotations

import numpy as np

P = (
    -2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
    -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02,
)  # fmt: skip
Q = (
    -1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
    -1.42647390514189e-02,
)  # fmt: skip
LIMIT = np.float32(3.832506856900711)
