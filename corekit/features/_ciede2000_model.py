"""What CIEDE2000 is on every backend: libvmaf's colour conversion and weights, and the score; no pixel is touched.

Figures of libvmaf's ``ciede.c`` (Netflix, BSD-2-Clause-Patent; after av-metrics by Joshua Holmer, MIT) and of G. Sharma, W. Wu, E. N. Dalal,
"The CIEDE2000 color-difference formula", Color Res. Appl. 30(1), 2005.
"""

from __future__ import annotations

import math

# BT.709 Y'CbCr to R'G'B', linear light to XYZ, and the white point's X and Z.
RED_CR, GREEN_CB, GREEN_CR, BLUE_CB = 1.28033, -0.21482, -0.38059, 2.12798
X = (0.4124564390896921, 0.357576077643909, 0.18043748326639894)
Y = (0.21267285140562248, 0.715152155287818, 0.07217499330655958)
Z = (0.019333895582329317, 0.119192025881303, 0.9503040785363677)
WHITE_X, WHITE_Z = 0.95047, 1.08883
LINEAR_BELOW = 10.0 / 255.0
EPSILON, KAPPA = 216.0 / 24389.0, 24389.0 / 27.0
LIGHTNESS_WEIGHT, HUE_WEIGHT = 0.65, 4.0
SEVENTH_OF_25 = 25.0**7


def score(mean: float) -> float:
    """dB of a frame's mean difference; infinite for none."""
    return 45.0 - 20.0 * math.log10(mean) if mean > 0.0 else math.inf
