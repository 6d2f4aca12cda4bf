"""CIEDE2000 fused: one kernel from planes to L*a*b*, one from two frames' colours to the exact sum of their differences.

The steps of ``corekit.features.tensor.ciede2000``, after libvmaf's ``ciede.c`` (Netflix, BSD-2-Clause-Patent), rounded to float32 where it is
there. What is rounded is right to 1e-12, so that nearly all of it becomes the same float32: float64 is slow, so roots, powers and
quotients are guesses in float32 with one step of Newton's in float64, functions are short polynomials, and numbers are
widened by their bits. In ``x > constant`` and ``tl.where`` Triton rounds constants to float32; hence ``tl.full``.
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
"""Pixels of a tile."""
STEPS = 4
"""Tiles of which a program sums the differences."""
# atan(x) / x in powers of x**2 for x in [0, tan(pi / 8)]: least squares for this range, to 3e-16.
_ATAN = (
    0.9999999999999999, -0.33333333333327503, 0.19999999998664927, -0.14285714165824836, 0.111111054929512,
    -0.09090756614160239, 0.07689717704903977, -0.06638170026754218, 0.056775317987353496, -0.043168705669978547,
    0.020755248843096766,
)  # fmt: skip
_T0, _T1, _T2, _T3, _T4, _T5, _T6, _T7, _T8, _T9, _T10 = (tl.constexpr(value) for value in _ATAN)
# sin(x) / x in powers of x**2 up to x = pi / 2, to 5e-14, and cos(x) up to pi / 4, to 6e-14; both through Chebyshev's nodes.
_SINE = (
    0.9999999999999489, -0.16666666666464272, 0.008333333320228831, -0.00019841266657969668, 2.7556950730556233e-06,
    -2.50301818168639e-08, 1.5409948364734907e-10,
)  # fmt: skip
_S0, _S1, _S2, _S3, _S4, _S5, _S6 = (tl.constexpr(value) for value in _SINE)
_COSINE = (
    0.9999999999999437, -0.4999999999934461, 0.04166666654292815, -0.0013888880342838477, 2.479891815008481e-05,
    -2.7172666562783097e-07,
)  # fmt: skip
_K0, _K1, _K2, _K3, _K4, _K5 = (tl.constexpr(value) for value in _COSINE)
# sin(x) / x less 1 in float32.
_R1, _R2, _R3, _R4 = (tl.constexpr(value) for value in (-1 / 6, 1 / 120, -1 / 5040, 1 / 362880))
_PI = tl.constexpr(math.pi)
_TAN_EIGHTH = tl.constexpr(math.tan(math.pi / 8))
_LOG2_E = tl.constexpr(1.0 / math.log(2.0))
_WHOLE = tl.constexpr(12582912.0)
"""Added to a small float32 it leaves the nearest integer in the last bits."""

# Components from samples, as (component + 0.055) / 1.055, for code values of 8 bits.
_LUMA = tl.constexpr(1.0 / 219.0 / 1.055)
_RED_CR = tl.constexpr(model.RED_CR / 224.0 / 1.055)
_GREEN_CB, _GREEN_CR = tl.constexpr(model.GREEN_CB / 224.0 / 1.055), tl.constexpr(model.GREEN_CR / 224.0 / 1.055)
_BLUE_CB = tl.constexpr(model.BLUE_CB / 224.0 / 1.055)
_BLACK = tl.constexpr((0.055 - 16.0 / 219.0) / 1.055)
_LINEAR_BELOW = tl.constexpr((model.LINEAR_BELOW + 0.055) / 1.055)
_LINEAR_SLOPE, _LINEAR_START = tl.constexpr(1.055 / 12.92), tl.constexpr(-0.055 / 12.92)
_X0, _X1, _X2 = (tl.constexpr(value / model.WHITE_X) for value in model.X)
_Y0, _Y1, _Y2 = (tl.constexpr(value) for value in model.Y)
_Z0, _Z1, _Z2 = (tl.constexpr(value / model.WHITE_Z) for value in model.Z)
_EPSILON = tl.constexpr(model.EPSILON)
_CURVE_SLOPE, _CURVE_START = tl.constexpr(model.KAPPA / 116.0), tl.constexpr(16.0 / 116.0)

_LIGHTNESS_WEIGHT, _HUE_WEIGHT = (
    tl.constexpr(float(np.float32(v))) for v in (model.LIGHTNESS_WEIGHT, model.HUE_WEIGHT)
)
_SEVENTH_OF_25 = tl.constexpr(model.SEVENTH_OF_25)
_NEAR_BLUE = tl.constexpr(4.0)
"""In squares of 25 degrees; farther away R_T is below 0.04, and 2e-7 of it nothing."""
# T = 1 - 0.17 cos(h - 30) + 0.24 cos(2h) + 0.32 cos(3h + 6) - 0.20 cos(4h - 63), degrees, in c = cos(h), s = sin(h) and
# c2 = cos(2h): the third harmonics are c * (2 * c2 - 1) and s * (2 * c2 + 1), the fourth 2 * c2 * c2 - 1 and 4 * s * c * c2.
_COS_30, _SIN_30, _COS_6, _SIN_6 = (f(math.radians(d)) for d in (30, 6) for f in (math.cos, math.sin))
_COS_63, _SIN_63 = math.cos(math.radians(63)), math.sin(math.radians(63))
_H0 = tl.constexpr(1.0 + 0.20 * _COS_63)
_HC, _HC2 = tl.constexpr(-0.17 * _COS_30 - 0.32 * _COS_6), tl.constexpr(0.64 * _COS_6)
_HS, _HS2 = tl.constexpr(-0.17 * _SIN_30 - 0.32 * _SIN_6), tl.constexpr(-0.64 * _SIN_6)
_H2, _H22, _H2S = tl.constexpr(0.24), tl.constexpr(-0.40 * _COS_63), tl.constexpr(-0.80 * _SIN_63)
_UNIT, _REST = tl.constexpr(float(1 << UNIT_BITS)), tl.constexpr(float(1 << (REST_BITS - UNIT_BITS)))


@triton.jit
def _plus(k: tl.constexpr, x, y):
    """``k + x * y``, float64, rounded once."""
    return tl.fma(x, y, tl.full(x.shape, k, tl.float64))


@triton.jit
def _times(k: tl.constexpr, x, y):
    """``k * x + y``, float64, rounded once."""
    return tl.fma(x, tl.full(x.shape, k, tl.float64), y)


@triton.jit
def _line(slope: tl.constexpr, x, start: tl.constexpr):
    """``slope * x + start``, float64, rounded once."""
    return tl.fma(x, tl.full(x.shape, slope, tl.float64), tl.full(x.shape, start, tl.float64))


@triton.jit
def _wide(x):
    """A float32 in float64 by its bits: a conversion is as slow as eight operations. 0 becomes 2**-127."""
    bits = x.to(tl.int32, bitcast=True)
    high = ((bits >> 3) & -1879048193) + 939524096
    return ((high.to(tl.int64) << 32) | (bits << 29).to(tl.uint32).to(tl.int64)).to(tl.float64, bitcast=True)


@triton.jit
def _wide_positive(x):
    bits = x.to(tl.int32, bitcast=True)
    high = (bits >> 3) + 939524096
    return ((high.to(tl.int64) << 32) | (bits << 29).to(tl.uint32).to(tl.int64)).to(tl.float64, bitcast=True)


@triton.jit
def _seed(x):
    """About a positive float32 in float64, to 2**-21."""
    return (((x.to(tl.int32, bitcast=True) >> 3) + 939524096).to(tl.int64) << 32).to(tl.float64, bitcast=True)


@triton.jit
def _cut(x):
    """The float32 below a positive float64 in float32's range; of others something."""
    bits = (x.to(tl.int64, bitcast=True) >> 29).to(tl.int32)
    return (bits + 1073741824).to(tl.float32, bitcast=True)


@triton.jit
def _count(sample):
    """An integer of up to 20 bits in float64."""
    bits = (sample.to(tl.int64) << 32) + (0x41300000 << 32)
    return bits.to(tl.float64, bitcast=True) - 1048576.0


@triton.jit
def _linear(x):
    """Linear light of a component, of which ``x`` is ``(component + 0.055) / 1.055``: ``x**2.4`` above the linear part.

    ``x**3 * g`` is right where ``g**5`` is ``x**-3``; ``e`` says by how much it is not. The guess in float32 is one from the bits, which are
    nearly linear in the logarithm, times ``(1 - e)**(-1 / 5)``, a polynomial through Chebyshev's nodes.
    """
    rough = tl.maximum(_cut(x), 0.05)
    g = (1703848760 - tl.umulhi(rough.to(tl.uint32, bitcast=True), 2576980378).to(tl.int32)).to(
        tl.float32, bitcast=True
    )
    square = g * g
    e = tl.fma(-(rough * rough * rough), square * square * g, 1.0)
    tail = tl.fma(e, tl.fma(e, tl.fma(e, 0.062474411, 0.070338629), 0.087931894), 0.12000031)
    g = _wide_positive(tl.fma(g * e, tl.fma(e, tail, 0.20000035), g))
    square = g * g
    power = x * x * x * g
    e = _plus(1.0, -power, square * square)
    power = _times(0.2, power * e, power)
    return tl.where(x > tl.full(x.shape, _LINEAR_BELOW, tl.float64), power, _line(_LINEAR_SLOPE, x, _LINEAR_START))


@triton.jit
def _curve(x):
    """CIE's cube root with a linear part near black, rounded to float32; ``x * g**2`` is the root where ``g**3`` is ``1 / x``."""
    rough = tl.maximum(_cut(x), 0.008)
    g = (1419900275 - tl.umulhi(rough.to(tl.uint32, bitcast=True), 1431655765).to(tl.int32)).to(
        tl.float32, bitcast=True
    )
    e = tl.fma(-rough * g, g * g, 1.0)
    tail = tl.fma(e, tl.fma(e, 0.14581850, 0.17283306), 0.22221509)
    g = _wide_positive(tl.fma(g * e, tl.fma(e, tail, 0.33333334), g))
    root = x * (g * g)
    e = _plus(1.0, -root, g)
    root = _times(2.0 / 3.0, root * e, root)
    return tl.where(x > tl.full(x.shape, _EPSILON, tl.float64), root, _line(_CURVE_SLOPE, x, _CURVE_START)).to(
        tl.float32
    )


@triton.jit
def _upper_half(x):
    return (x.to(tl.int32, bitcast=True) & -4096).to(tl.float32, bitcast=True)


@triton.jit(do_not_specialize=["n_reference", "height", "width", "chroma_height", "chroma_width"])
def _to_lab(
    reference_y, reference_cb, reference_cr, distorted_y, distorted_cb, distorted_cr, out, n_reference,
    height, width, chroma_height, chroma_width, CODE: tl.constexpr, SIDE: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """L*, a* and b* of each frame, the reference's first; float32 of shape ``(n, 3, height, width)``.

    A tile is ROWS by COLUMNS samples of chroma, each of which holds for SIDE by SIDE pixels.
    """
    frame = tl.program_id(2).to(tl.int64)
    i = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None, None, None]
    j = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)[None, None, :, None]
    y = i * SIDE + tl.arange(0, SIDE)[None, :, None, None]
    x = j * SIDE + tl.arange(0, SIDE)[None, None, None, :]
    inside = (y < height) & (x < width)
    covered = (i < chroma_height) & (j < chroma_width)
    size = height.to(tl.int64) * width
    at = y * width + x
    place = i * chroma_width + j
    chroma_size = chroma_height.to(tl.int64) * chroma_width
    if frame < n_reference:
        sample = tl.load(reference_y + frame * size + at, mask=inside, other=0)
        cb = tl.load(reference_cb + frame * chroma_size + place, mask=covered, other=0)
        cr = tl.load(reference_cr + frame * chroma_size + place, mask=covered, other=0)
    else:
        other = frame - n_reference
        sample = tl.load(distorted_y + other * size + at, mask=inside, other=0)
        cb = tl.load(distorted_cb + other * chroma_size + place, mask=covered, other=0)
        cr = tl.load(distorted_cr + other * chroma_size + place, mask=covered, other=0)
    luma, blue, red = _count(sample), _count(cb), _count(cr)
    green = _times(_GREEN_CB / CODE, blue, _line(_GREEN_CR / CODE, red, _BLACK - 128.0 * (_GREEN_CB + _GREEN_CR)))
    red = _line(_RED_CR / CODE, red, _BLACK - 128.0 * _RED_CR)
    blue = _line(_BLUE_CB / CODE, blue, _BLACK - 128.0 * _BLUE_CB)
    slope = tl.full(luma.shape, _LUMA / CODE, tl.float64)
    r, g, b = _linear(tl.fma(luma, slope, red)), _linear(tl.fma(luma, slope, green)), _linear(tl.fma(luma, slope, blue))
    fx = _curve(_times(_X2, b, _times(_X1, g, r * _X0)))
    fy = _curve(_times(_Y2, b, _times(_Y1, g, r * _Y0)))
    fz = _curve(_times(_Z2, b, _times(_Z1, g, r * _Z0)))
    # Halves have 12 bits, so that all but the last addition is exact.
    hx, hy, hz = _upper_half(fx), _upper_half(fy), _upper_half(fz)
    dx, dy, dz = fx - hx, fy - hy, fz - hz
    at += frame * 3 * size
    tl.store(out + at, (hy * 116.0 - 16.0) + dy * 116.0, mask=inside)
    tl.store(out + at + size, (hx - hy) * 500.0 + (dx - dy) * 500.0, mask=inside)
    tl.store(out + at + 2 * size, (hy - hz) * 200.0 + (dy - dz) * 200.0, mask=inside)


@triton.jit
def _root(x):
    """The float32 nearest to the square root of a float64, as good as 0 below 1e-30."""
    rough = tl.maximum(_cut(x), 1e-30)
    inverse = tl.rsqrt(rough)
    root = rough * inverse
    wide = _wide_positive(root)
    return root + tl.fma(-wide, wide, x).to(tl.float32) * (0.5 * inverse)


@triton.jit
def _wide_root(x, inverse):
    """The square root of a float64, to 1e-13, from its inverse in float32."""
    wide = _seed(inverse)
    root = x * wide
    return tl.fma(root * 0.5, _plus(1.0, -root, wide), root)


@triton.jit
def _sixth(x):
    square = x * x
    return square * square * square


@triton.jit
def _hue(a, b, wide_a, wide_b):
    """Hue angle, 0 to 2 pi."""
    x, y = tl.abs(a), tl.abs(b)
    large, small = tl.maximum(tl.maximum(x, y), 1e-30), tl.minimum(x, y)
    wide_x, wide_y = tl.abs(wide_a), tl.abs(wide_b)
    steep = y > x
    wide_large, wide_small = tl.where(steep, wide_y, wide_x), tl.where(steep, wide_x, wide_y)
    far = small > large * _TAN_EIGHTH
    over = tl.where(far, wide_small - wide_large, wide_small)
    under = tl.where(far, wide_small + wide_large, wide_large)
    inverse = _seed(1.0 / tl.where(far, small + large, large))
    t = over * inverse
    t = tl.fma(t, _plus(1.0, -under, inverse), t)
    s = t * t
    tail = _plus(_T6, s, _plus(_T7, s, _plus(_T8, s, _line(_T10, s, _T9))))
    tail = _plus(_T1, s, _plus(_T2, s, _plus(_T3, s, _plus(_T4, s, _plus(_T5, s, tail)))))
    t = t * _plus(_T0, s, tail)
    # Of the eighths of the circle t is on one side or the other of.
    t = tl.where(steep != ((a < 0.0) != (b < 0.0)), -t, t)
    eighths = tl.where(far, 1.0, 0.0)
    eighths = tl.where(steep, 2.0 - eighths, eighths)
    eighths = tl.where(a < 0.0, 4.0 - eighths, eighths)
    eighths = tl.where(b < 0.0, -eighths, eighths)
    angle = _times(_PI / 4, _wide(eighths), t).to(tl.float32)
    return tl.where(angle >= 0.0, angle, (_wide(angle) + 2.0 * _PI).to(tl.float32))


@triton.jit
def _sine(x):
    """Of up to a quarter of the circle."""
    s = x * x
    tail = _plus(_S2, s, _plus(_S3, s, _plus(_S4, s, _line(_S6, s, _S5))))
    return x * _plus(_S0, s, _plus(_S1, s, tail))


@triton.jit
def _hue_dependence(hue, wide_hue):
    """T: four harmonics of the mean hue, from its cosine and sine."""
    quarters = hue * (2.0 / _PI) + _WHOLE
    at = quarters.to(tl.int32, bitcast=True)
    x = tl.fma(_wide(quarters - _WHOLE), tl.full(hue.shape, -_PI / 2, tl.float64), wide_hue)
    s = x * x
    cosine = _plus(_K0, s, _plus(_K1, s, _plus(_K2, s, _plus(_K3, s, _line(_K5, s, _K4)))))
    sine = x * _plus(_S0, s, _plus(_S1, s, _plus(_S2, s, _plus(_S3, s, _line(_S5, s, _S4)))))
    odd = (at & 1) != 0
    c, s = tl.where(odd, sine, cosine), tl.where(odd, cosine, sine)
    c, s = tl.where(((at + 1) & 2) != 0, -c, c), tl.where((at & 2) != 0, -s, s)
    c2 = _plus(-1.0, 2.0 * c, c)
    fourth = _plus(_H2, c2, tl.full(hue.shape, _H22, tl.float64)) + s * c * _H2S
    total = _plus(_H0, c2, fourth)
    total = tl.fma(s, _line(_HS2, c2, _HS), total)
    return tl.fma(c, _line(_HC2, c2, _HC), total).to(tl.float32)


@triton.jit
def _turned(mean_chroma, from_blue):
    """R_T in libvmaf's own steps, for hues near blue."""
    wide = mean_chroma.to(tl.float64)
    seventh = (_sixth(wide) * wide).to(tl.float32)
    saturation = tl.sqrt(tl.div_rn(seventh, seventh + _SEVENTH_OF_25).to(tl.float64))
    bump = (60.0 * tl.exp(-(from_blue * from_blue).to(tl.float64))).to(tl.float32)
    turn = (bump.to(tl.float64) * (_PI / 180.0)).to(tl.float32)
    return (-2.0 * saturation * tl.sin(turn.to(tl.float64))).to(tl.float32)


@triton.jit
def _rotation(mean_chroma, wide_hue):
    """R_T: chroma and hue differences of saturated blue interact. In float32, right to 2e-7, where no pixel of the tile is near blue."""
    degrees = (wide_hue * (180.0 / _PI)).to(tl.float32)
    from_blue = ((_wide_positive(degrees) - 275.0) * 0.04).to(tl.float32)
    distance = from_blue * from_blue
    seventh = _sixth(mean_chroma) * mean_chroma
    saturation = tl.maximum(seventh / (seventh + _SEVENTH_OF_25), 1e-30)
    saturation = saturation * tl.rsqrt(saturation)
    turn = tl.exp2(tl.maximum(distance * -_LOG2_E, -99.0)) * (_PI / 3.0)
    s = turn * turn
    sine = turn * tl.fma(s, tl.fma(s, tl.fma(s, tl.fma(s, _R4, _R3), _R2), _R1), 1.0)
    rotation = -2.0 * saturation * sine
    if tl.min(tl.min(distance, 1), 0) < _NEAR_BLUE:
        rotation = _turned(mean_chroma, from_blue)
    return rotation


@triton.jit
def _difference(l1, a1, b1, l2, a2, b2):
    """CIEDE2000 of two colours, float32."""
    wide_a1, wide_b1, wide_a2, wide_b2 = _wide(a1), _wide(b1), _wide(a2), _wide(b2)
    square1, square2 = wide_b1 * wide_b1, wide_b2 * wide_b2
    chroma1 = _root(tl.fma(wide_a1, wide_a1, square1))
    chroma2 = _root(tl.fma(wide_a2, wide_a2, square2))
    mean = _wide_positive(tl.maximum((chroma1 + chroma2) * 0.5, 1e-3))
    seventh = _sixth(mean) * mean
    product = seventh * (seventh + _SEVENTH_OF_25)
    inverse = _seed(tl.rsqrt(_cut(product)))
    saturation = seventh * inverse
    e = _plus(1.0, -(product * inverse), inverse)
    half = _line(-0.5, _times(0.5, saturation * e, saturation), 0.5)
    p1, p2 = tl.fma(wide_a1, half, wide_a1).to(tl.float32), tl.fma(wide_a2, half, wide_a2).to(tl.float32)
    wide_p1, wide_p2 = _wide(p1), _wide(p2)
    c1, c2 = _root(tl.fma(wide_p1, wide_p1, square1)), _root(tl.fma(wide_p2, wide_p2, square2))
    mean_chroma = (c1 + c2) * 0.5
    wide_chroma = _wide_positive(mean_chroma)

    off_middle = _wide((l1 + l2) * 0.5 - 50.0)
    off_middle = off_middle * off_middle
    shifted = off_middle + 20.0
    inverse = _seed(tl.rsqrt(_cut(shifted)))
    e = _plus(1.0, -(shifted * inverse), inverse)
    off_middle = 0.015 * off_middle * inverse
    lightness_scale = (_times(0.5, off_middle * e, off_middle) + 1.0).to(tl.float32)
    lightness = tl.div_rn(l2 - l1, lightness_scale * _LIGHTNESS_WEIGHT)
    chroma = tl.div_rn(c2 - c1, _line(0.045, wide_chroma, 1.0).to(tl.float32))

    hue1, hue2 = _hue(p1, b1, wide_p1, wide_b1), _hue(p2, b2, wide_p2, wide_b2)
    turn = hue2 - hue1
    wide_turn = _wide(turn)
    apart = tl.abs(wide_turn) - _PI > 0.0
    around = tl.where(apart, tl.full(hue1.shape, 2.0 * _PI, tl.float64), tl.full(hue1.shape, 0.0, tl.float64))
    wrapped = (wide_turn + tl.where(hue2 <= hue1, around, -around)).to(tl.float32)
    turn = tl.where(apart, wrapped, turn)
    turn = tl.where(((a1 == 0.0) & (b1 == 0.0)) | ((a2 == 0.0) & (b2 == 0.0)), 0.0, turn)
    product = tl.maximum(c1 * c2, 1e-30)
    length = _wide_root(_wide_positive(product), tl.rsqrt(product))
    hue_difference = (2.0 * length * _sine(_wide(turn) * 0.5)).to(tl.float32)
    wide_hue = (_wide_positive(hue1 + hue2) + around) * 0.5
    mean_hue = wide_hue.to(tl.float32)
    wide_hue = _wide_positive(mean_hue)
    dependence = _wide_positive(_hue_dependence(mean_hue, wide_hue))
    hue_scale = _plus(1.0, 0.015 * wide_chroma, dependence).to(tl.float32)
    hue = tl.div_rn(hue_difference, hue_scale * _HUE_WEIGHT)

    mixed = _rotation(mean_chroma, wide_hue) * chroma * hue
    wide_l, wide_c, wide_h = _wide(lightness), _wide(chroma), _wide(hue)
    squares = tl.fma(wide_l, wide_l, tl.fma(wide_c, wide_c, tl.fma(wide_h, wide_h, mixed.to(tl.float64))))
    return tl.where(squares - 1e-30 > 0.0, _root(squares), 0.0)


@triton.jit(do_not_specialize=["first_distorted", "height", "width"])
def _sum_differences(
    lab, pair_reference, pair_distorted, first_distorted, out, height, width,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, STEPS: tl.constexpr,
):  # fmt: skip
    """The differences of a pair's pixels, added up in two integers; of STEPS tiles, one below the other."""
    pair = tl.program_id(2)
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    size = height.to(tl.int64) * width
    first = lab + tl.load(pair_reference + pair) * 3 * size
    second = lab + (first_distorted + tl.load(pair_distorted + pair)) * 3 * size
    units = tl.zeros((ROWS, COLUMNS), tl.int64)
    rest = tl.zeros((ROWS, COLUMNS), tl.int64)
    row = tl.program_id(1) * (ROWS * STEPS)
    end = tl.minimum(row + ROWS * STEPS, height)
    while row < end:
        y = row + tl.arange(0, ROWS)[:, None]
        inside = (y < height) & (x < width)
        at = y * width + x
        l1 = tl.load(first + at, mask=inside, other=0.0)
        a1 = tl.load(first + size + at, mask=inside, other=0.0)
        b1 = tl.load(first + 2 * size + at, mask=inside, other=0.0)
        l2 = tl.load(second + at, mask=inside, other=0.0)
        a2 = tl.load(second + size + at, mask=inside, other=0.0)
        b2 = tl.load(second + 2 * size + at, mask=inside, other=0.0)
        scaled = _difference(l1, a1, b1, l2, a2, b2) * _UNIT
        whole = scaled.to(tl.int32)
        units += whole.to(tl.int64)
        rest += ((scaled - whole.to(tl.float32)) * _REST).to(tl.uint32).to(tl.int64)
        row += ROWS
    at = out + pair * 2
    tl.atomic_add(at, tl.sum(tl.sum(units, 1), 0), sem="relaxed")
    tl.atomic_add(at + 1, tl.sum(tl.sum(rest, 1), 0), sem="relaxed")


class FusedCiede2000:
    """The kernels for frames of one format."""

    def __init__(self, fmt: FrameFormat) -> None:
        self._code = float(1 << (fmt.bit_depth - 8))
        self._side = 1 if fmt.chroma == "444" else 2

    def sums(
        self,
        reference: TensorPlanes,
        distorted: TensorPlanes,
        pair_reference: torch.Tensor,
        pair_distorted: torch.Tensor,
    ) -> torch.Tensor:
        """Sums of every pair in units of 2**-16 and, of what is left, of 2**-48: int64 of shape ``(n_pairs, 2)``."""
        n, (height, width), chroma_shape = len(pair_reference), reference[0].shape[-2:], reference[1].shape[-2:]
        n_reference = len(reference[0])
        shared = distorted[0] is reference[0]
        n_frames = n_reference + (0 if shared else len(distorted[0]))
        lab = torch.empty((n_frames, 3, height, width), dtype=torch.float32, device=reference[0].device)
        grid = (triton.cdiv(width, COLUMNS), triton.cdiv(height, ROWS), n_frames)
        _to_lab[grid](
            *reference, *distorted, lab, n_reference, height, width, *chroma_shape,
            CODE=self._code, SIDE=self._side, ROWS=ROWS // self._side, COLUMNS=COLUMNS // self._side,
            enable_fp_fusion=False,
        )  # fmt: skip
        out = torch.zeros((n, 2), dtype=torch.int64, device=lab.device)
        grid = (triton.cdiv(width, COLUMNS), triton.cdiv(height, ROWS * STEPS), n)
        _sum_differences[grid](
            lab, pair_reference, pair_distorted, 0 if shared else n_reference, out, height, width,
            ROWS=ROWS, COLUMNS=COLUMNS, STEPS=STEPS, enable_fp_fusion=False,
        )  # fmt: skip
        return out
