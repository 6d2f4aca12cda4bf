"""CIEDE2000 fused: one kernel from planes to L*a*b*, one from two frames' colours to the exact sum of their differences.

The steps of ``corekit.features.tensor.ciede2000``, after libvmaf's ``ciede.c`` (Netflix, BSD-2-Clause-Patent): float64, rounded to float32 where
it is there. The arc tangent is a polynomial, so that Triton's interpreter computes what a GPU does. Differences are compared with 0: in
``x > constant`` Triton rounds the constant to float32.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import triton
import triton.language as tl

from corekit.features import _ciede2000_model as model
from corekit.features.tensor.ciede2000 import REST_BITS, UNIT_BITS
from corekit.features.tensor.family import TensorPlanes
from corekit.model import FrameFormat

ROWS, COLUMNS = 2, 128
# atan(x) / x in powers of x**2 for x in [0, tan(pi / 8)]: least squares for this range, to 3e-16.
_ATAN = (
    0.9999999999999999, -0.33333333333327503, 0.19999999998664927, -0.14285714164825836, 0.111111054929512,
    -0.09090756614160239, 0.07689717704903977, -0.06638170026754218, 0.056775317987353496, -0.043168705669978547,
    0.020755248843096766,
)  # fmt: skip
_T0, _T1, _T2, _T3, _T4, _T5, _T6, _T7, _T8, _T9, _T10 = (tl.constexpr(value) for value in _ATAN)
_PI = tl.constexpr(math.pi)
_TAN_EIGHTH = tl.constexpr(math.tan(math.pi / 8))
_COS_30, _SIN_30 = tl.constexpr(math.cos(math.pi / 6)), tl.constexpr(0.5)
_COS_6, _SIN_6 = tl.constexpr(math.cos(math.pi / 30)), tl.constexpr(math.sin(math.pi / 30))
_COS_63, _SIN_63 = tl.constexpr(math.cos(7 * math.pi / 20)), tl.constexpr(math.sin(7 * math.pi / 20))
_RED_CR, _GREEN_CB = tl.constexpr(model.RED_CR), tl.constexpr(model.GREEN_CB)
_GREEN_CR, _BLUE_CB = tl.constexpr(model.GREEN_CR), tl.constexpr(model.BLUE_CB)
_X0, _X1, _X2 = (tl.constexpr(value) for value in model.X)
_Y0, _Y1, _Y2 = (tl.constexpr(value) for value in model.Y)
_Z0, _Z1, _Z2 = (tl.constexpr(value) for value in model.Z)
_WHITE_X, _WHITE_Z = tl.constexpr(model.WHITE_X), tl.constexpr(model.WHITE_Z)
_LINEAR_BELOW, _EPSILON, _KAPPA = (tl.constexpr(v) for v in (model.LINEAR_BELOW, model.EPSILON, model.KAPPA))
_LIGHTNESS_WEIGHT, _HUE_WEIGHT = (
    tl.constexpr(float(np.float32(v))) for v in (model.LIGHTNESS_WEIGHT, model.HUE_WEIGHT)
)
_SEVENTH_OF_25 = tl.constexpr(model.SEVENTH_OF_25)
_UNIT, _REST = tl.constexpr(float(1 << UNIT_BITS)), tl.constexpr(float(1 << (REST_BITS - UNIT_BITS)))


@triton.jit
def _linear(value):
    """Linear light of a non-linear component."""
    power = tl.exp(2.4 * tl.log(tl.maximum((value + 0.055) / 1.055, 0.05)))
    return tl.where(value - _LINEAR_BELOW > 0.0, power, value / 12.92)


@triton.jit
def _curve(value):
    """CIE's cube root with a linear part near black, rounded to float32; float64."""
    root = tl.exp(tl.log(tl.maximum(value, 0.008)) / 3.0)
    return tl.where(value - _EPSILON > 0.0, root, (_KAPPA * value + 16.0) / 116.0).to(tl.float32).to(tl.float64)


@triton.jit
def _to_lab(
    luma, cb, cr, out, code, height, width, chroma_height, chroma_width,
    SHIFT: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """L*, a* and b* of each frame, float32 of shape ``(n, 3, height, width)``."""
    frame = tl.program_id(2).to(tl.int64)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < height) & (x < width)
    size = height.to(tl.int64) * width
    sample = tl.load(luma + frame * size + y * width + x, mask=inside, other=0).to(tl.float64)
    lightness = (sample - 16.0 * code) / (219.0 * code)
    place = frame * chroma_height * chroma_width + (y >> SHIFT) * chroma_width + (x >> SHIFT)
    blue = (tl.load(cb + place, mask=inside, other=0).to(tl.float64) - 128.0 * code) / (224.0 * code)
    red = (tl.load(cr + place, mask=inside, other=0).to(tl.float64) - 128.0 * code) / (224.0 * code)
    r = _linear(lightness + _RED_CR * red)
    g = _linear(lightness + _GREEN_CB * blue + _GREEN_CR * red)
    b = _linear(lightness + _BLUE_CB * blue)
    fx = _curve((r * _X0 + g * _X1 + b * _X2) / _WHITE_X)
    fy = _curve(r * _Y0 + g * _Y1 + b * _Y2)
    fz = _curve((r * _Z0 + g * _Z1 + b * _Z2) / _WHITE_Z)
    at = out + frame * 3 * size + y * width + x
    tl.store(at, (116.0 * fy - 16.0).to(tl.float32), mask=inside)
    tl.store(at + size, (500.0 * (fx - fy)).to(tl.float32), mask=inside)
    tl.store(at + 2 * size, (200.0 * (fy - fz)).to(tl.float32), mask=inside)


@triton.jit
def _length(a, b):
    wide_a, wide_b = a.to(tl.float64), b.to(tl.float64)
    return tl.sqrt(wide_a * wide_a + wide_b * wide_b).to(tl.float32)


@triton.jit
def _seventh(value):
    wide = value.to(tl.float64)
    square = wide * wide
    return square * square * square * wide


@triton.jit
def _hue(a, b):
    """Hue angle, 0 to 2 pi; 0 of grey."""
    x, y = tl.abs(a.to(tl.float64)), tl.abs(b.to(tl.float64))
    large = tl.maximum(x, y)
    t = tl.minimum(x, y) / tl.where(large > 0.0, large, 1.0)
    far = t > _TAN_EIGHTH
    t = tl.where(far, (t - 1.0) / (t + 1.0), t)
    s = t * t
    tail = _T6 + s * (_T7 + s * (_T8 + s * (_T9 + s * _T10)))
    angle = t * (_T0 + s * (_T1 + s * (_T2 + s * (_T3 + s * (_T4 + s * (_T5 + s * tail))))))
    angle = tl.where(far, angle + _PI / 4, angle)
    angle = tl.where(y > x, _PI / 2 - angle, angle)
    angle = tl.where(a < 0.0, _PI - angle, angle)
    angle = tl.where(b < 0.0, -angle, angle).to(tl.float32)
    return tl.where(angle >= 0.0, angle, (angle.to(tl.float64) + 2.0 * _PI).to(tl.float32))


@triton.jit
def _hue_dependence(hue):
    """T: four harmonics of the mean hue, from its cosine and sine."""
    c, s = tl.cos(hue), tl.sin(hue)
    c2, s2 = 2.0 * c * c - 1.0, 2.0 * s * c
    c3, s3 = c2 * c - s2 * s, s2 * c + c2 * s
    c4, s4 = 2.0 * c2 * c2 - 1.0, 2.0 * s2 * c2
    first = 0.17 * (c * _COS_30 + s * _SIN_30)
    third = 0.32 * (c3 * _COS_6 - s3 * _SIN_6)
    fourth = 0.20 * (c4 * _COS_63 + s4 * _SIN_63)
    return (1.0 - first + 0.24 * c2 + third - fourth).to(tl.float32)


@triton.jit
def _rotation(mean_chroma, mean_hue):
    """R_T: chroma and hue differences of saturated blue interact."""
    degrees = (mean_hue.to(tl.float64) * (180.0 / _PI)).to(tl.float32)
    from_blue = ((degrees.to(tl.float64) - 275.0) * 0.04).to(tl.float32)
    seventh = _seventh(mean_chroma).to(tl.float32)
    saturation = tl.sqrt(tl.div_rn(seventh, seventh + _SEVENTH_OF_25).to(tl.float64))
    bump = (60.0 * tl.exp(-(from_blue * from_blue).to(tl.float64))).to(tl.float32)
    turn = (bump.to(tl.float64) * (_PI / 180.0)).to(tl.float32)
    return (-2.0 * saturation * tl.sin(turn.to(tl.float64))).to(tl.float32)


@triton.jit
def _sum_differences(
    reference, distorted, pair_reference, pair_distorted, out, height, width, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """The differences of a pair's pixels, added up in two integers."""
    pair = tl.program_id(2)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < height) & (x < width)
    size = height.to(tl.int64) * width
    first = reference + tl.load(pair_reference + pair) * 3 * size + y * width + x
    second = distorted + tl.load(pair_distorted + pair) * 3 * size + y * width + x
    l1 = tl.load(first, mask=inside, other=0.0)
    a1 = tl.load(first + size, mask=inside, other=0.0)
    b1 = tl.load(first + 2 * size, mask=inside, other=0.0)
    l2 = tl.load(second, mask=inside, other=0.0)
    a2 = tl.load(second + size, mask=inside, other=0.0)
    b2 = tl.load(second + 2 * size, mask=inside, other=0.0)

    chroma1, chroma2 = _length(a1, b1), _length(a2, b2)
    seventh = _seventh((chroma1 + chroma2) * 0.5)
    stretch = 1.0 - tl.sqrt(seventh / (seventh + _SEVENTH_OF_25))
    p1 = (a1.to(tl.float64) + (a1 * 0.5).to(tl.float64) * stretch).to(tl.float32)
    p2 = (a2.to(tl.float64) + (a2 * 0.5).to(tl.float64) * stretch).to(tl.float32)
    c1, c2 = _length(p1, b1), _length(p2, b2)
    mean_chroma = (c1 + c2) * 0.5

    off_middle = ((l1 + l2) * 0.5 - 50.0).to(tl.float64)
    off_middle = off_middle * off_middle
    lightness_scale = (1.0 + 0.015 * off_middle / tl.sqrt(20.0 + off_middle)).to(tl.float32)
    lightness = tl.div_rn(l2 - l1, lightness_scale * _LIGHTNESS_WEIGHT)
    chroma = tl.div_rn(c2 - c1, (1.0 + 0.045 * mean_chroma.to(tl.float64)).to(tl.float32))

    hue1, hue2 = _hue(p1, b1), _hue(p2, b2)
    turn = hue2 - hue1
    whole = tl.where(hue2 <= hue1, 1.0, -1.0).to(tl.float64) * (2.0 * _PI)
    apart = tl.abs(turn).to(tl.float64) - _PI > 0.0
    turn = tl.where(apart, (turn.to(tl.float64) + whole).to(tl.float32), turn)
    turn = tl.where((chroma1 == 0.0) | (chroma2 == 0.0), 0.0, turn)
    hue_difference = (2.0 * tl.sqrt((c1 * c2).to(tl.float64)) * tl.sin(turn.to(tl.float64) * 0.5)).to(tl.float32)
    around = apart.to(tl.float64) * (2.0 * _PI)
    mean_hue = (((hue1 + hue2).to(tl.float64) + around) * 0.5).to(tl.float32)
    dependence = _hue_dependence(mean_hue.to(tl.float64)).to(tl.float64)
    hue_scale = (1.0 + 0.015 * mean_chroma.to(tl.float64) * dependence).to(tl.float32)
    hue = tl.div_rn(hue_difference, hue_scale * _HUE_WEIGHT)

    mixed = _rotation(mean_chroma, mean_hue) * chroma * hue
    wide_l, wide_c, wide_h = lightness.to(tl.float64), chroma.to(tl.float64), hue.to(tl.float64)
    squares = wide_l * wide_l + wide_c * wide_c + wide_h * wide_h
    difference = tl.sqrt(tl.maximum(squares + mixed.to(tl.float64), 0.0)).to(tl.float32)
    scaled = tl.where(inside, difference, 0.0).to(tl.float64) * _UNIT
    units = scaled.to(tl.int64)
    rest = ((scaled - units.to(tl.float64)) * _REST).to(tl.int64)
    at = out + pair * 2
    tl.atomic_add(at, tl.sum(tl.sum(units, 1), 0), sem="relaxed")
    tl.atomic_add(at + 1, tl.sum(tl.sum(rest, 1), 0), sem="relaxed")


class FusedCiede2000:
    """The kernels for frames of one format."""

    def __init__(self, fmt: FrameFormat) -> None:
        self._code = float(1 << (fmt.bit_depth - 8))
        self._shift = 0 if fmt.chroma == "444" else 1

    def sums(
        self,
        reference: TensorPlanes,
        distorted: TensorPlanes,
        pair_reference: torch.Tensor,
        pair_distorted: torch.Tensor,
    ) -> torch.Tensor:
        """Sums of every pair in units of 2**-16 and, of what is left, of 2**-48: int64 of shape ``(n_pairs, 2)``."""
        own = self._lab(reference)
        other = own if distorted[0] is reference[0] else self._lab(distorted)
        n, (height, width) = pair_reference.shape[0], reference[0].shape[-2:]
        out = torch.zeros((n, 2), dtype=torch.int64, device=reference[0].device)
        grid = (triton.cdiv(width, COLUMNS), triton.cdiv(height, ROWS), n)
        _sum_differences[grid](
            own, other, pair_reference, pair_distorted, out, height, width,
            ROWS=ROWS, COLUMNS=COLUMNS, enable_fp_fusion=False,
        )  # fmt: skip
        return out

    def _lab(self, planes: TensorPlanes) -> torch.Tensor:
        luma, cb, cr = planes
        n, height, width = luma.shape
        out = torch.empty((n, 3, height, width), dtype=torch.float32, device=luma.device)
        grid = (triton.cdiv(width, COLUMNS), triton.cdiv(height, ROWS), n)
        _to_lab[grid](
            luma, cb, cr, out, self._code, height, width, *cb.shape[-2:],
            SHIFT=self._shift, ROWS=ROWS, COLUMNS=COLUMNS, enable_fp_fusion=False,
        )  # fmt: skip
        return out
