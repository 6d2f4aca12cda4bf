"""What SSIMULACRA 2 is on every backend: its colour space, scales and score as float32 constants and tables; no pixel is touched.

Source: ``ssimulacra2.c`` of the libvmaf fork lusoris/vmaf (BSD-2-Clause-Patent) and libjxl's ``tools/ssimulacra2.cc`` (BSD-3-Clause).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F = np.float32
N_SCALES = 6
MIN_SIDE = 8
C2 = F(0.0009)

ZERO, HALF, ONE, TWO = F(0), F(0.5), F(1), F(2)
# Y'CbCr to R'G'B', BT.709 limited range on the scale of 8 bits
KR, KG, KB = F(0.2126), F(0.7152), F(0.0722)
CR_R, CB_B = TWO * (ONE - KR), TWO * (ONE - KB)
CB_G, CR_G = -(TWO * KB * (ONE - KB)) / KG, -(TWO * KR * (ONE - KR)) / KG
LUMA_SCALE, CHROMA_SCALE, LUMA_OFFSET = F(255) / F(219), F(255) / F(224), F(16) / F(255)
# linear RGB to mixed cone responses (libjxl opsin_params.h)
M00, M02, M10, M12, M20, M21 = F(0.30), F(0.078), F(0.23), F(0.078), F(0.24342268924547819), F(0.20476744424496821)
M01, M11, M22 = ONE - M00 - M02, ONE - M10 - M12, ONE - M20 - M21
OPSIN_BIAS = F(0.0037930732552754493)
THIRD = ONE / F(3)
CUBE_ROOT_SEED = 0x2A5137A0
X_SCALE, X_OFFSET, Y_OFFSET, B_OFFSET = F(14), F(0.42), F(0.01), F(0.55)
QUARTER = F(0.25)
EOTF_TOP = 1023


def _eotf_table() -> npt.NDArray[np.float32]:
    """The sRGB transfer function at 1024 points; between them the fork interpolates linearly."""
    signal = [i / EOTF_TOP for i in range(EOTF_TOP + 1)]
    return np.array([v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in signal], np.float32)


def _cube_root_of_bias() -> np.float32:
    root = (np.array([OPSIN_BIAS]).view(np.uint32) // np.uint32(3) + np.uint32(CUBE_ROOT_SEED)).view(np.float32)[0]
    for _ in range(2):
        root = (TWO * root + OPSIN_BIAS / (root * root)) * THIRD
    return F(root)


EOTF = _eotf_table()
BIAS_ROOT = _cube_root_of_bias()


def pyramid(height: int, width: int) -> list[tuple[int, int]]:
    """``(rows, columns)`` of the scales, as many as have 8 pixels on either side."""
    shapes: list[tuple[int, int]] = []
    while min(height, width) >= MIN_SIDE and len(shapes) < N_SCALES:
        shapes.append((height, width))
        height, width = (height + 1) // 2, (width + 1) // 2
    return shapes


def score(distance: float) -> float:
    """Map the weighted sum of norms to the scale of the score (fitted by the author of SSIMULACRA 2)."""
    distance *= 0.9562382616834844
    distance = 2.326765642916932 * distance - 0.020884521182843837 * distance**2 + 6.248496625763138e-05 * distance**3
    return 100.0 - 10.0 * distance**0.6276336467831387 if distance > 0.0 else 100.0
