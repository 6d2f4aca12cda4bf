"""psnr_y, psnr_cb, psnr_cr: peak signal-to-noise ratio of each plane, in dB.

Ten times the logarithm of the squared peak code value over the mean squared error of the plane, capped at 6 dB a bit
plus 12 dB (60 dB at 8 bits, 72 dB at 10), which is also the value of identical planes.

Source: libvmaf/src/feature/integer_psnr.c (Netflix, BSD-2-Clause-Patent).
Exactness: equal to scalar libvmaf to the last bit; the squared error is summed in integers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from corekit.features._jit import kernel
from corekit.features.family import FeatureFamily, Planes, Values
from corekit.model import FrameFormat


class Psnr(FeatureFamily):
    """PSNR of the three planes, each over its own samples.

    Keeps a copy of the reference frame: 1.5 bytes a pixel for 4:2:0 of 8 bits, 3 above.
    """

    names = ("psnr_y", "psnr_cb", "psnr_cr")

    def __init__(self, fmt: FrameFormat, rungs: int = 1) -> None:
        stored = np.uint8 if fmt.bit_depth == 8 else np.uint16
        self._reference: list[Any] = [np.zeros(rows * columns, stored) for rows, columns in fmt.shapes]
        self._peak = (1 << fmt.bit_depth) - 1
        self._cap = 6 * fmt.bit_depth + 12
        # Squared differences are below 2**(2 * depth), so that many of them fit 32 bits.
        self._run = max(1, 1 << (32 - 2 * fmt.bit_depth))

    def reference(self, planes: Planes) -> None:
        for kept, plane in zip(self._reference, planes, strict=True):
            np.copyto(kept, plane.reshape(-1))

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        for index, (kept, plane) in enumerate(zip(self._reference, planes, strict=True)):
            squared_error = _squared_error(kept, plane.reshape(-1), self._run)
            out[index] = self._decibels(squared_error / kept.size)

    def _decibels(self, mean_squared_error: float) -> float:
        if mean_squared_error == 0.0:
            return float(self._cap)
        return min(10.0 * math.log10(self._peak * self._peak / mean_squared_error), self._cap)


@kernel()
def _squared_error(reference: Any, distorted: Any, run: int) -> Any:
    """Sum of squared differences of two flat planes, taken in 32 bits over ``run`` samples at a time."""
    total = np.uint64(0)
    for start in range(0, len(reference), run):
        a, b = reference[start : start + run], distorted[start : start + run]
        part = np.uint32(0)
        for x in range(len(a)):
            error = np.int32(a[x]) - np.int32(b[x])
            part = np.uint32(part + np.uint32(error * error))
        total += np.uint64(part)
    return np.int64(total)
