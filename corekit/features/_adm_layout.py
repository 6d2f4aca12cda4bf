"""Where ADM's scales lie, how visible their bands are, and how many binary places each step keeps.

Figures of libvmaf's ``integer_adm.c`` and ``integer_adm.h`` (Netflix, BSD-2-Clause-Patent), for a viewing distance of three
heights of a 1080-line picture.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

BORDER = 0.1
"""Share of each side that is not scored."""

# Watson, Yang, Solomon and Villasenor, Visibility of wavelet quantization noise (1997), tables IV and V
PIXELS_PER_DEGREE = np.float32(3.0 * 1080 * math.pi / 180.0)
THRESHOLD_A, THRESHOLD_K, THRESHOLD_F0 = np.float32(0.495), np.float32(0.466), np.float32(0.401)
THRESHOLD_G = (np.float32(1.0), np.float32(1.0), np.float32(0.534))
AMPLITUDES = (
    (0.67234, 0.67234, 0.72709),
    (0.41317, 0.41317, 0.49428),
    (0.22727, 0.22727, 0.28688),
    (0.11792, 0.11792, 0.15214),
)
"""Basis amplitudes by scale, for horizontal, vertical and diagonal detail."""


def visibility(scale: int, band: int) -> np.float32:
    """One over the just visible step of a wavelet coefficient (dwt_quant_step)."""
    frequency = 2.0 ** (scale + 1) * float(THRESHOLD_F0) * float(THRESHOLD_G[band]) / float(PIXELS_PER_DEGREE)
    octaves = np.float32(math.log10(frequency))
    step = 2.0 * float(THRESHOLD_A) * 10.0 ** float(THRESHOLD_K * octaves * octaves)
    return np.float32(1.0) / np.float32(step / float(np.float32(AMPLITUDES[scale][band])))


class ScaleLayout(NamedTuple):
    """Geometry and fixed-point layout of one scale. Triples hold one entry per band: horizontal, vertical, diagonal."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    """Scored are columns ``[left, right)`` and rows ``[top, bottom)`` of the bands, masked by one more on every side."""
    down_shift: int
    across_shift: int
    weight: tuple[int, int, int]
    weight_round: tuple[int, int, int]
    weight_shift: tuple[int, int, int]
    near: int
    centre: int
    mask_round: int
    mask_shift: int
    centre_bits: int
    """A coefficient is masked by 1/30 of the other part's neighbours and by 1/15 of its centre, which may wrap around."""
    scored_round: int
    scored_shift: int
    threshold_shift: tuple[int, int, int]
    square_shift: tuple[int, int, int]
    cube_shift: tuple[int, int, int]
    row_shift: int
    point: tuple[int, int, int]
    """Binary places left in the pooled cubes."""
    reference_square_round: int
    reference_square_shift: int
    reference_cube_shift: int
    reference_row_shift: int
    reference_point: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)


def scale_layout(scale: int, width: int, height: int, bit_depth: int) -> ScaleLayout:
    """Layout of the scale whose bands have ``width`` x ``height`` coefficients."""
    left, top = int(width * BORDER - 0.5), int(height * BORDER - 0.5)
    right, bottom = width - left, height - top
    row_shift = _ceil_log2(height)
    if scale == 0:
        cube_shift = (_ceil_log2(width, 4), _ceil_log2(width, 4), _ceil_log2(width, 3))
        area_shift = max(_ceil_log2((right - left) * (bottom - top), 20), 0)
        return ScaleLayout(
            width, height, left, right, top, bottom,
            down_shift=bit_depth, across_shift=16,
            weight=(36453, 36453, 49417), weight_round=(1 << 14, 1 << 14, 65535), weight_shift=(15, 15, 17),
            near=4369, centre=8738, mask_round=1 << 11, mask_shift=12, centre_bits=16,
            scored_round=0, scored_shift=0, threshold_shift=(10, 10, 12), square_shift=(29, 29, 30),
            cube_shift=cube_shift, row_shift=row_shift,
            point=(52 - cube_shift[0] - row_shift, 52 - cube_shift[1] - row_shift, 57 - cube_shift[2] - row_shift),
            reference_square_round=0, reference_square_shift=0, reference_cube_shift=0,
            reference_row_shift=area_shift, reference_point=18 - area_shift,
        )  # fmt: skip
    cube = _ceil_log2(width)
    square_shift = (31, 30, 31)[scale - 1]
    reference_cube, reference_row = _ceil_log2(right - left), _ceil_log2(bottom - top)
    return ScaleLayout(
        width, height, left, right, top, bottom,
        down_shift=(0, 16, 16)[scale - 1], across_shift=(15, 16, 15)[scale - 1],
        weight=tuple(int(float(visibility(scale, band)) * 2.0**32) for band in range(3)),  # type: ignore[arg-type]
        weight_round=(1 << 27,) * 3, weight_shift=(28,) * 3,
        # libvmaf keeps this rounding constant, 2**31, in a signed 32-bit integer: it is subtracted
        near=143165577, centre=286331153, mask_round=-(1 << 31), mask_shift=32, centre_bits=32,
        scored_round=1 << 27, scored_shift=28, threshold_shift=(0,) * 3, square_shift=(30,) * 3,
        cube_shift=(cube,) * 3, row_shift=row_shift, point=((45, 39, 36)[scale - 1] - cube - row_shift,) * 3,
        # likewise it adds a whole unit here, where half a unit would round
        reference_square_round=1 << square_shift, reference_square_shift=square_shift,
        reference_cube_shift=reference_cube, reference_row_shift=reference_row,
        reference_point=(32, 27, 23)[scale - 1] - reference_cube - reference_row,
    )  # fmt: skip


def _ceil_log2(value: int, less: int = 0) -> int:
    return math.ceil(math.log2(value) - less)
