"""What float_ssim and float_ms_ssim are on every backend: windows, constants and the score of a frame; no pixel is touched.

Figures of libvmaf's ``ssim.c``, ``ms_ssim.c`` and ``iqa/`` (Netflix, BSD-2-Clause-Patent).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from corekit.model import FrameFormat

# The Gaussian window of iqa/ssim_tools.h, from its edge to its centre; symmetric.
WINDOW = np.array([0.001028, 0.007599, 0.036001, 0.109361, 0.213006, 0.266012], np.float32)
SPAN = 11

# Stabilizing constants, (0.01 * 255)**2 and (0.03 * 255)**2 in float32, and half the second.
C1 = (np.float32(0.01) * np.float32(255)) * (np.float32(0.01) * np.float32(255))
C2 = (np.float32(0.03) * np.float32(255)) * (np.float32(0.03) * np.float32(255))
C3 = C2 / np.float32(2)

# ms_ssim.c: the 9/7 wavelet's low-pass filter in two dimensions, rounded to six digits, so not separable; its upper
# left quarter with the middle row and column. It is symmetric.
LOW_PASS = np.array(
    [
        [0.000714, -0.000450, -0.002090, 0.007132, 0.016114],
        [-0.000450, 0.000283, 0.001316, -0.004490, -0.010146],
        [-0.002090, 0.001316, 0.006115, -0.020867, -0.047149],
        [0.007132, -0.004490, -0.020867, 0.071207, 0.160885],
        [0.016114, -0.010146, -0.047149, 0.160885, 0.363505],
    ],
    np.float32,
)
LOW_PASS_SPAN = 9
REACH = LOW_PASS_SPAN // 2

# ms_ssim.c: the weights of luminance (last scale only), contrast and structure.
SCALE_WEIGHTS = tuple(float(np.float32(weight)) for weight in (0.0448, 0.2856, 0.3001, 0.2363, 0.1333))
LAST_SCALE = len(SCALE_WEIGHTS) - 1


def code_value_scale(fmt: FrameFormat) -> np.float32:
    """What brings a sample to the range of 8 bits."""
    return np.float32(1.0 / (1 << (fmt.bit_depth - 8)))


def averaging_factor(fmt: FrameFormat) -> int:
    """By how much float_ssim averages a frame down, so that its shorter side has about 256 pixels."""
    return max(1, int(min(fmt.width, fmt.height) / 256 + 0.5))


def averaged_shape(fmt: FrameFormat) -> tuple[int, int]:
    """Rows and columns of the frame that is compared; where libvmaf averages down it counts an odd side one up."""
    factor = averaging_factor(fmt)
    if factor == 1:
        return fmt.height, fmt.width
    return fmt.height // factor + (fmt.height & 1), fmt.width // factor + (fmt.width & 1)


def pyramid(fmt: FrameFormat) -> list[tuple[int, int]]:
    """Rows and columns of the scales of float_ms_ssim."""
    shapes = [(fmt.height, fmt.width)]
    while len(shapes) < len(SCALE_WEIGHTS):
        rows, columns = shapes[-1]
        shapes.append(((rows + 1) // 2, (columns + 1) // 2))
    return shapes


def combined(means: Sequence[Sequence[float]]) -> float:
    """MS-SSIM of a frame from its mean contrast, structure and luminance at each scale, all rounded to float32.

    NaN where a structure is negative, as libvmaf's pow() has it.
    """
    score = 1.0
    for level, ((contrast, structure, luminance), weight) in enumerate(zip(means, SCALE_WEIGHTS, strict=True)):
        if structure < 0.0:
            return float("nan")
        if level == LAST_SCALE:
            score *= luminance**weight
        score *= contrast**weight * structure**weight
    return score
