"""VIF's filters, constants and table of logarithms, without any arithmetic library: shared by the CPU's and the tensors' VIF.

Figures of libvmaf's ``integer_vif.h`` and ``integer_vif.c`` (Netflix, BSD-2-Clause-Patent).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# vif_filter1d_table, in units of 2**-16
FILTERS = (
    (489, 935, 1640, 2640, 3896, 5274, 6547, 7455, 7784, 7455, 6547, 5274, 3896, 2640, 1640, 935, 489),
    (1244, 3663, 7925, 12590, 14692, 12590, 7925, 3663, 1244),
    (3571, 16004, 26386, 16004, 3571),
    (10904, 43728, 10904),
)
SCALES = len(FILTERS)

NOISE = 1 << 17
"""Variance of the visual noise, 2 in units of 2**-16."""
EPSILON = 65536 * 1.0e-10
GAIN_LIMIT = 100.0


def log2_table() -> npt.NDArray[np.int32]:
    """libvmaf's ``round(2048 * log2(i))`` in float32, for i of [32768, 65535]."""
    log = np.log2(np.arange(1 << 15, 1 << 16, dtype=np.float64)).astype(np.float32)
    table: npt.NDArray[np.int32] = np.floor(log * np.float32(2048) + np.float32(0.5)).astype(np.int32)
    return table
