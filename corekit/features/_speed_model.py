"""SpEED's filter and sizes on every backend; no pixel is touched. Figures of libvmaf's ``speed.c`` (BSD-2-Clause-Patent)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

DECIMATION = 16
BLOCK = 5
MIN_SIDE = DECIMATION * BLOCK


def gaussian(size: int, sigma: float) -> npt.NDArray[np.float32]:
    """Taps of libvmaf's float32 Gaussian, normalised to a sum of 1."""
    deviation = np.float32(sigma)
    den = np.float32(1.0 / (float(deviation) * math.sqrt(2.0 * math.pi)))
    taps = [
        np.float32(math.exp(-0.5 * x / float(deviation) * x / float(deviation))) / den
        for x in range(-(size // 2), size // 2 + 1)
    ]
    total = np.float32(0)
    for tap in taps:
        total += tap
    return np.array([tap / total for tap in taps], np.float32)


ANTIALIAS = gaussian(9, 3.6)
TAPS = len(ANTIALIAS)
REACH = TAPS // 2
