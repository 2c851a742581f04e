"""Coefficients of the encoder's polynomials, highest power first (lesson 08)."""

EXP2 = (
    1.3266975143925064e-3, 9.6754645763239555e-3, 5.5507426457872239e-2,
    2.4022121664787216e-1, 6.9314694911506236e-1, 1.0000000710474555,
)  # fmt: skip
"""2^f on [-1/2, 1/2], least squares in relative error at Chebyshev points: within 8e-8."""
