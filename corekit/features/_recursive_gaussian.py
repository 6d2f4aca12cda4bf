"""The coefficients of libjxl's recursive Gaussian, in which SSIMULACRA 2 blurs; no picture is touched.

Source: libjxl ``lib/jxl/gauss_blur.cc`` (BSD-3-Clause); D. Charalampidis, "Recursive Implementation of the Gaussian Filter Using
Truncated Cosine Functions", IEEE TSP 2016.
"""

from __future__ import annotations

import math

import numpy as np

F = np.float32
SIGMA = 1.5


def _recursive_gaussian(sigma: float) -> tuple[int, list[np.float32], list[np.float32]]:
    """Radius, input weights and feedback of three oscillators that together make a truncated-cosine Gaussian.

    The numbers in brackets are Charalampidis's equations.
    """
    radius = round(3.2795 * sigma + 0.2546)  # (57)
    omega = [k * math.pi / (2.0 * radius) for k in (1, 3, 5)]
    p = [sign / math.tan(0.5 * w) for sign, w in zip((1, -1, 1), omega, strict=True)]  # (37)
    r = [sign * q * q / math.sin(w) for sign, q, w in zip((1, -1, 1), p, omega, strict=True)]  # (44)
    rho = [math.exp(-0.5 * sigma * sigma * w * w) / radius for w in omega]  # (50)
    d13, d35, d51 = p[0] * r[1] - r[0] * p[1], p[1] * r[2] - r[1] * p[2], p[2] * r[0] - r[2] * p[0]  # (52)
    z1, z3 = d35 / d13, d51 / d13
    system = np.array([p, r, [z1, z3, 1.0]])
    beta = np.linalg.solve(system, [1.0, radius * radius - sigma * sigma, z1 * rho[0] + z3 * rho[1] + rho[2]])  # (55)
    weights = [F(-b * math.cos(w * (radius + 1.0))) for b, w in zip(beta, omega, strict=True)]  # (33)
    return radius, weights, [F(-2.0 * math.cos(w)) for w in omega]


RADIUS, (IN1, IN3, IN5), (BACK1, BACK3, BACK5) = _recursive_gaussian(SIGMA)
