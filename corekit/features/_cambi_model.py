"""What CAMBI is on every backend: its constants, the geometry of its windows, where steps are visible; no pixel is touched.

Source: libvmaf ``cambi.c`` and ``luminance_tools.c`` (3.2.0, BSD-2-Clause-Patent).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

Eotf = Literal["bt1886", "pq"]

SCALE_WEIGHTS = (16, 8, 4, 2, 1)
STEPS = 4  # contrast steps of 1..4 luma levels at 10 bits (max_log_contrast = 2), each weighted by its size
TOP_SHARE = 0.6
VISIBLE_CONTRAST = 0.019
LUMA_FOOT, LUMA_HEAD, LUMA_MAX = 64, 940, 1023  # limited range at 10 bits
MASK_SIZE = 7
WINDOW_4K = 65  # one degree of vision on a 3840x2160 display
WINDOW_MAX = 65  # libvmaf refuses wider windows: its table of reciprocals ends there
# 1 / n as libvmaf's table has it, which was printed with 9 digits: 42 entries are one ulp off 1.0f / n.
RECIPROCALS = np.array([0.0] + [float(f"{1.0 / n:.9g}") for n in range(1, WINDOW_MAX**2 + 1)], np.float32)


def window_size(width: int, height: int) -> int:
    """Side of the square window in pixels, odd, at every scale of a ``width`` x ``height`` frame."""
    return (WINDOW_4K * (width + height) // 375 >> 4) | 1


def mask_threshold(width: int, height: int) -> int:
    """Number of flat pixels in the 7x7 neighbourhood that a pixel of a smooth area has to exceed."""
    blocks = (width >> 6) * (height >> 6)
    log = (blocks - 1).bit_length() if blocks else 0
    return (MASK_SIZE * MASK_SIZE + 3 * (log - 11) - 1) >> 1


def visibility_thresholds(eotf: Eotf) -> tuple[int, ...]:
    """For each step of 1..4 levels the highest 10-bit luma at which it is visible; 0 where it never is."""
    return tuple(_threshold(step, {"bt1886": _bt1886, "pq": _pq}[eotf]) for step in range(1, STEPS + 1))


def _threshold(step: int, eotf: Callable[[float], float]) -> int:
    """Bisect for the last luma at which ``step`` is visible, in libvmaf's order of evaluation."""

    def luminance(luma: int) -> float:
        return eotf((min(max(luma, LUMA_FOOT), LUMA_HEAD) - LUMA_FOOT) / (LUMA_HEAD - LUMA_FOOT))

    def visible(luma: int) -> bool:
        return luminance(luma + step) - luminance(luma) > VISIBLE_CONTRAST * luminance(luma)

    low, high = LUMA_FOOT, LUMA_HEAD - step - 1
    if not visible(low):
        return 0
    if not visible(low + 1):
        return low
    if visible(high):
        return LUMA_MAX if visible(high + 1) else high
    while True:
        middle = low + (high - low) // 2
        if not visible(middle):
            high = middle
        elif visible(middle + 1):
            low = middle
        else:
            return middle


def _bt1886(signal: float) -> float:
    """Luminance in cd/m2 of a display with 300 cd/m2 white and 0.01 cd/m2 black (ITU-R BT.1886)."""
    gamma = 2.4
    white, black = 300.0 ** (1.0 / gamma), 0.01 ** (1.0 / gamma)
    return float((white - black) ** gamma * max(signal + black / (white - black), 0.0) ** gamma)


def _pq(signal: float) -> float:
    """Luminance in cd/m2 (SMPTE ST 2084)."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = signal ** (1.0 / m2)
    return float(10000.0 * (max(root - c1, 0.0) / (c2 - c3 * root)) ** (1.0 / m1))


def pyramid(height: int, width: int) -> list[tuple[int, int]]:
    """``(rows, columns)`` of the five scales."""
    shapes = [(height, width)]
    for _ in SCALE_WEIGHTS[1:]:
        height, width = (height + 1) // 2, (width + 1) // 2
        shapes.append((height, width))
    return shapes
