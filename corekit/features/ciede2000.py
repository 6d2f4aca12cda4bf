"""ciede2000: colour difference of the two frames as an observer sees it, in dB (more is closer).

Each pixel of both frames is converted from BT.709 Y'CbCr to CIE L*a*b*, the CIEDE2000 difference of the two colours
is averaged over the frame, and the score is 45 - 20 log10 of the mean. Identical frames score infinity.

Sources: G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula", Color Res. Appl. 30(1), 2005;
libvmaf/src/feature/ciede.c (Netflix, BSD-2-Clause-Patent; after av-metrics by Joshua Holmer, MIT), whose weights
(lightness 0.65, hue 4) and rounding of L*, a* and b* to float32 this module follows. libvmaf misreads 4:2:2 chroma,
so the feature is not defined there.

Exactness: within 2e-6 dB of scalar libvmaf. L*a*b* is computed in float64 to about 1e-13, so that its float32 values
are libvmaf's. The difference formula runs in float32 where libvmaf alternates between float64 and float32; what that
does to single pixels (3e-6 of their difference at 8 bits, 1e-5 at 10, 1e-3 at 16) averages out over many. Where few
pixels differ, they are computed once more in libvmaf's own steps, to 1e-9 dB; so are pixels of nearly opposite hues, where the
formula jumps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from corekit.features._ciede2000_model import (
    BLUE_CB,
    EPSILON,
    GREEN_CB,
    GREEN_CR,
    HUE_WEIGHT,
    KAPPA,
    LIGHTNESS_WEIGHT,
    LINEAR_BELOW,
    RED_CR,
    SEVENTH_OF_25,
    WHITE_X,
    WHITE_Z,
    X,
    Y,
    Z,
    score,
)
from corekit.features._jit import kernel
from corekit.features.family import FeatureFamily, Planes, Values
from corekit.model import FrameFormat

_F = np.float32

# A power is a guess from the bits of the float32 argument times (1 - e)**(-1/n), where e is what the n-th power of the
# guess is off. Offset and slope of the guess, and the polynomial in e (least squares for its range, to 1e-13).
_OFFSET_24, _SLOPE_24 = _F(1703852160.0), _F(0.6)
_POLYNOMIAL_24 = (
    0.9999999999999385, 0.2000000000000584, 0.12000000011266752, 0.08800000002153838, 0.07039996690874237,
    0.05913598438650417, 0.051254746598310516, 0.04539615412793026, 0.04068346049623667, 0.03709519754808465,
    0.03800664477325802, 0.034937930024052606,
)  # fmt: skip
_OFFSET_3, _SLOPE_3 = _F(1774892416.0), _F(2.0 / 3.0)
_POLYNOMIAL_3 = (
    1.00000000000011, 0.33333333333312254, 0.22222222184905424, 0.1728395061883481, 0.14403312476600863,
    0.12482861335767281, 0.11092011904824062, 0.10036669849045345, 0.09500735047034592, 0.08760077149773922,
)  # fmt: skip

# Up to so many pixels that differ are computed in libvmaf's own steps, at half a microsecond each.
_FEW = 16384

# atan(x) / x in powers of x**2 for x in [0, 1], to 1e-7; 2**x for x in [-1/2, 1/2], to 1e-7.
_ATAN = tuple(
    _F(c)
    for c in (
        0.9999998977538572, -0.33331959724324633, 0.1996923539479753, -0.14016585042068844, 0.09906096896000724,
        -0.05936710078806383, 0.024166189521282737, -0.004668773307337819,
    )
)  # fmt: skip
_EXP2 = tuple(
    _F(c)
    for c in (
        1.000000071029699, 0.6931469491610633, 0.24022121753561557, 0.055507426160018546, 0.009675459745527595,
        0.0013266970386629667,
    )
)  # fmt: skip

# The formula's constants in float32.
_LIGHTNESS_WEIGHT, _HUE_WEIGHT = _F(LIGHTNESS_WEIGHT), _F(HUE_WEIGHT)
_SEVENTH_OF_25 = _F(SEVENTH_OF_25)
_PI, _HALF_PI = _F(math.pi), _F(math.pi / 2)
_COS_30, _SIN_30 = _F(math.cos(math.pi / 6)), _F(0.5)
_COS_6, _SIN_6 = _F(math.cos(math.pi / 30)), _F(math.sin(math.pi / 30))
_COS_63, _SIN_63 = _F(math.cos(7 * math.pi / 20)), _F(math.sin(7 * math.pi / 20))
_TWENTY_FIVE_DEGREES, _FIVE_DEGREES = _F(math.radians(25)), _F(math.radians(5))
_SIXTY_DEGREES = _F(math.radians(60))
_LOG2_E = _F(1 / math.log(2))
_TINY = _F(1e-30)
# Hues so near to opposite are taken in libvmaf's own steps; dark noise has many of them.
_NEARLY_OPPOSITE = _F(4e-6)
_OPPOSITE = _F(-1)


class Ciede2000(FeatureFamily):
    """CIEDE2000 over frames of 4:2:0 or 4:4:4; subsampled chroma is repeated, not interpolated.

    Keeps L*, a* and b* of the reference in float32: 12 bytes a pixel.
    """

    names = ("ciede2000",)

    def __init__(self, fmt: FrameFormat, rungs: int = 1) -> None:
        self._depth = fmt.bit_depth
        self._shift = 0 if fmt.chroma == "444" else 1
        self._reference = np.zeros((fmt.height, 3, fmt.width), np.float32)
        self._distorted = np.zeros((3, fmt.width), np.float32)
        self._chroma = np.zeros((2, fmt.width), np.float64)
        self._linear = np.zeros((3, fmt.width), np.float64)
        self._differences = np.zeros(fmt.width, np.float32)

    def reference(self, planes: Planes) -> None:
        _convert_frame(*planes, self._depth, self._shift, self._chroma, self._linear, self._reference)

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        mean = _mean_difference(
            *planes, _FEW, self._depth, self._shift, self._chroma, self._linear,
            self._reference, self._distorted, self._differences,
        )  # fmt: skip
        out[0] = score(mean)


@kernel(contract=True)
def _convert_frame(luma: Any, cb: Any, cr: Any, depth: int, shift: int, chroma: Any, linear: Any, lab: Any) -> None:
    """Write L*, a* and b* of each row to ``lab``, shape ``(rows, 3, columns)``."""
    for y in range(luma.shape[0]):
        _convert_row(luma[y], cb[y >> shift], cr[y >> shift], depth, shift, chroma, linear, lab[y])


@kernel(contract=True)
def _mean_difference(
    luma: Any, cb: Any, cr: Any, few: int, depth: int, shift: int, chroma: Any, linear: Any,
    reference: Any, lab: Any, differences: Any,
) -> Any:  # fmt: skip
    total, pixels = 0.0, 0
    for y in range(luma.shape[0]):
        _convert_row(luma[y], cb[y >> shift], cr[y >> shift], depth, shift, chroma, linear, lab)
        _difference_row(reference[y], lab, differences)
        for x in range(len(differences)):
            pixels += differences[x] != _F(0)
            if differences[x] >= _F(0):
                total += np.float64(differences[x])
            else:
                total += _difference_at(reference[y], lab, x)
    if 0 < pixels <= few:
        total = 0.0
        for y in range(luma.shape[0]):
            _convert_row(luma[y], cb[y >> shift], cr[y >> shift], depth, shift, chroma, linear, lab)
            total += _sum_of_few(reference[y], lab)
    return total / luma.size


@kernel()
def _difference_at(reference: Any, distorted: Any, x: int) -> Any:
    return _stepwise_difference(
        reference[0, x], reference[1, x], reference[2, x], distorted[0, x], distorted[1, x], distorted[2, x]
    )


@kernel()
def _sum_of_few(reference: Any, distorted: Any) -> Any:
    l1, a1, b1, l2, a2, b2 = reference[0], reference[1], reference[2], distorted[0], distorted[1], distorted[2]
    total = 0.0
    for x in range(len(l1)):
        if l1[x] != l2[x] or a1[x] != a2[x] or b1[x] != b2[x]:
            total += _stepwise_difference(l1[x], a1[x], b1[x], l2[x], a2[x], b2[x])
    return total


@kernel(contract=True, inline=True)
def _convert_row(luma: Any, cb: Any, cr: Any, depth: int, shift: int, chroma: Any, linear: Any, lab: Any) -> None:
    code = float(1 << (depth - 8))
    _scale_chroma(cb, code, shift, chroma[0])
    _scale_chroma(cr, code, shift, chroma[1])
    _to_linear_light(luma, code, chroma, linear)
    _to_lab(linear, lab)


@kernel(contract=True, inline=True)
def _scale_chroma(samples: Any, code: float, shift: int, out: Any) -> None:
    """Chroma from -0.5 to 0.5 at each pixel."""
    gain, zero = 1.0 / (224.0 * code), 128.0 * code
    if shift == 0:
        for x in range(len(out)):
            out[x] = (np.float64(samples[x]) - zero) * gain
    else:
        for x in range(len(out) // 2):
            out[2 * x] = out[2 * x + 1] = (np.float64(samples[x]) - zero) * gain
        if len(out) & 1:
            out[-1] = (np.float64(samples[len(out) // 2]) - zero) * gain


@kernel(contract=True, inline=True)
def _to_linear_light(luma: Any, code: float, chroma: Any, linear: Any) -> None:
    gain, black = 1.0 / (219.0 * code), 16.0 * code
    cb, cr, red, green, blue = chroma[0], chroma[1], linear[0], linear[1], linear[2]
    for x in range(len(luma)):
        y = (np.float64(luma[x]) - black) * gain
        red[x] = _linearize(y + RED_CR * cr[x])
        green[x] = _linearize(y + GREEN_CB * cb[x] + GREEN_CR * cr[x])
        blue[x] = _linearize(y + BLUE_CB * cb[x])


@kernel(contract=True, inline=True)
def _to_lab(linear: Any, lab: Any) -> None:
    red, green, blue, lightness, a, b = linear[0], linear[1], linear[2], lab[0], lab[1], lab[2]
    for x in range(len(red)):
        fx = _lab_curve((red[x] * X[0] + green[x] * X[1] + blue[x] * X[2]) * (1.0 / WHITE_X))
        fy = _lab_curve(red[x] * Y[0] + green[x] * Y[1] + blue[x] * Y[2])
        fz = _lab_curve((red[x] * Z[0] + green[x] * Z[1] + blue[x] * Z[2]) * (1.0 / WHITE_Z))
        lightness[x] = np.float32(116.0 * fy - 16.0)
        a[x] = np.float32(500.0 * (fx - fy))
        b[x] = np.float32(200.0 * (fy - fz))


@kernel(contract=True, inline=True)
def _linearize(value: Any) -> Any:
    """Linear light of a non-linear component: ``((value + 0.055) / 1.055) ** 2.4`` above the linear part."""
    x = (value + 0.055) * (1.0 / 1.055)
    x = x if x > 0.05 else 0.05
    guess = _guess(x, _OFFSET_24, _SLOPE_24)  # of x**-0.6
    square = guess * guess
    cube = x * x * x
    p = _POLYNOMIAL_24
    e = 1.0 - cube * (square * square * guess)
    tail = p[6] + e * (p[7] + e * (p[8] + e * (p[9] + e * (p[10] + e * p[11]))))
    tail = p[2] + e * (p[3] + e * (p[4] + e * (p[5] + e * tail)))
    power = cube * guess * (p[0] + e * (p[1] + e * tail))
    return power if value > LINEAR_BELOW else value * (1.0 / 12.92)


@kernel(contract=True, inline=True)
def _lab_curve(value: Any) -> Any:
    """CIE's cube root with a linear part near black, rounded to float32."""
    x = value if value > 0.008 else 0.008
    guess = _guess(x, _OFFSET_3, _SLOPE_3)  # of x**(-2/3)
    p = _POLYNOMIAL_3
    e = 1.0 - x * x * (guess * guess * guess)
    tail = p[5] + e * (p[6] + e * (p[7] + e * (p[8] + e * p[9])))
    root = x * guess * (p[0] + e * (p[1] + e * (p[2] + e * (p[3] + e * (p[4] + e * tail)))))
    return np.float64(np.float32(root if value > EPSILON else (KAPPA * value + 16.0) * (1.0 / 116.0)))


@kernel(contract=True, inline=True)
def _guess(x: Any, offset: Any, slope: Any) -> Any:
    """About ``x ** -slope`` to a few percent: a float32's bits are nearly linear in its logarithm."""
    bits = np.float32(x).view(np.int32)
    return np.float64(np.int32(offset - slope * np.float32(bits)).view(np.float32))


@kernel(contract=True, inline=True)
def _difference_row(reference: Any, distorted: Any, out: Any) -> None:
    l1, a1, b1, l2, a2, b2 = reference[0], reference[1], reference[2], distorted[0], distorted[1], distorted[2]
    for x in range(len(out)):
        out[x] = _difference(l1[x], a1[x], b1[x], l2[x], a2[x], b2[x])


@kernel(contract=True, inline=True)
def _difference(l1: Any, a1: Any, b1: Any, l2: Any, a2: Any, b2: Any) -> Any:
    """CIEDE2000 of two colours, in float32; hues as directions in the plane of a' and b, not as angles.

    ``_OPPOSITE`` where the hues are: which of two mean hues holds is then a matter of libvmaf's last bit.
    """
    zero, half, one, two = _F(0), _F(0.5), _F(1), _F(2)
    stretch = _stretch((np.sqrt(a1 * a1 + b1 * b1) + np.sqrt(a2 * a2 + b2 * b2)) * half)
    p1, p2 = a1 + a1 * stretch, a2 + a2 * stretch
    c1, c2 = np.sqrt(p1 * p1 + b1 * b1), np.sqrt(p2 * p2 + b2 * b2)
    mean_chroma = (c1 + c2) * half

    off_middle = (l1 + l2) * half - _F(50)
    off_middle = off_middle * off_middle
    lightness_scale = one + _F(0.015) * off_middle / np.sqrt(_F(20) + off_middle)
    lightness = (l2 - l1) / (_LIGHTNESS_WEIGHT * lightness_scale)
    # Difference of chroma as the difference of squares, free of the roots' rounding.
    dp, db = p2 - p1, b2 - b1
    chroma_difference = (dp * (p1 + p2) + db * (b1 + b2)) / (c1 + c2 + _TINY)
    chroma = chroma_difference / (one + _F(0.045) * mean_chroma)

    product, dot = c1 * c2, p1 * p2 + b1 * b2
    cross = p1 * db - b1 * dp if dp * dp + db * db < product else p1 * b2 - b1 * p2
    near = cross * np.sqrt(two / max(product + dot, _TINY))
    far = np.sqrt(max(two * (product - dot), zero))
    far = far if cross >= zero else -far
    # Grey has no hue.
    hue_difference = (near if dot >= zero else far) if product > _F(1e-9) else zero

    mean_p, mean_b = p1 * c2 + p2 * c1, b1 * c2 + b2 * c1
    inverse = one / np.sqrt(mean_p * mean_p + mean_b * mean_b + _TINY)
    cos1, sin1 = mean_p * inverse, mean_b * inverse
    hue = hue_difference / (_HUE_WEIGHT * (one + _F(0.015) * mean_chroma * _hue_dependence(cos1, sin1)))
    around = (b1 < zero) != (b2 < zero) and cos1 > zero
    rotation = _rotation(mean_chroma, cos1, sin1, around)
    difference = np.sqrt(max(lightness * lightness + chroma * chroma + hue * hue + rotation * chroma * hue, zero))
    return _OPPOSITE if product > _F(1e-9) and product + dot < _NEARLY_OPPOSITE * product else difference


@kernel(contract=True, inline=True)
def _stretch(mean_chroma: Any) -> Any:
    """By how much a* grows near the neutral axis, 0 to 0.5."""
    return _F(0.5) - _F(0.5) * np.sqrt(_saturation(mean_chroma))


@kernel(contract=True, inline=True)
def _saturation(chroma: Any) -> Any:
    """``chroma**7 / (chroma**7 + 25**7)``"""
    square = chroma * chroma
    seventh = square * square * square * chroma
    return seventh / (seventh + _SEVENTH_OF_25)


@kernel(contract=True, inline=True)
def _hue_dependence(cos1: Any, sin1: Any) -> Any:
    """T: four harmonics of the mean hue."""
    one, two = _F(1), _F(2)
    cos2, sin2 = two * cos1 * cos1 - one, two * sin1 * cos1
    cos3, sin3 = cos2 * cos1 - sin2 * sin1, sin2 * cos1 + cos2 * sin1
    cos4, sin4 = two * cos2 * cos2 - one, two * sin2 * cos2
    first = _F(0.17) * (cos1 * _COS_30 + sin1 * _SIN_30)
    third = _F(0.32) * (cos3 * _COS_6 - sin3 * _SIN_6)
    fourth = _F(0.20) * (cos4 * _COS_63 + sin4 * _SIN_63)
    return one - first + _F(0.24) * cos2 + third - fourth


@kernel(contract=True, inline=True)
def _rotation(mean_chroma: Any, cos1: Any, sin1: Any, around: bool) -> Any:
    """R_T: chroma and hue differences of saturated blue interact. ``around``: the hues lie on either side of 0."""
    from_blue = (_angle_from_270(cos1, sin1) - _FIVE_DEGREES) / _TWENTY_FIVE_DEGREES
    turn = _SIXTY_DEGREES * _exp2(max(-from_blue * from_blue * _LOG2_E, _F(-60)))
    # The formula takes a mean hue just above 0 as far from 275 degrees, unless it is the mean of hues around 0.
    if sin1 >= _F(0) and cos1 > _F(0) and not around:
        turn = _F(0)
    square = turn * turn
    tail = _F(1 / 120) + square * (_F(-1 / 5040) + square * _F(1 / 362880))
    sine = turn * (_F(1) + square * (_F(-1 / 6) + square * tail))
    return _F(-2) * np.sqrt(_saturation(mean_chroma)) * sine


@kernel(contract=True, inline=True)
def _angle_from_270(cos1: Any, sin1: Any) -> Any:
    """Angle of a direction from that of 270 degrees, -pi to pi."""
    x, y = abs(cos1), abs(sin1)
    ratio = min(x, y) / (max(x, y) + _TINY)
    s, k = ratio * ratio, _ATAN
    angle = ratio * (k[0] + s * (k[1] + s * (k[2] + s * (k[3] + s * (k[4] + s * (k[5] + s * (k[6] + s * k[7])))))))
    angle = angle if y >= x else _HALF_PI - angle
    angle = angle if sin1 < _F(0) else _PI - angle
    return angle if cos1 >= _F(0) else -angle


@kernel(contract=True, inline=True)
def _exp2(x: Any) -> Any:
    """``2**x`` for x of -126 to 126."""
    whole = np.floor(x + _F(0.5))
    f, k = x - whole, _EXP2
    fraction = k[0] + f * (k[1] + f * (k[2] + f * (k[3] + f * (k[4] + f * k[5]))))
    bits = np.float32(fraction).view(np.int32)
    return np.int32(bits + np.int32(np.int32(whole) << 23)).view(np.float32)


@kernel()
def _stepwise_difference(l1: Any, a1: Any, b1: Any, l2: Any, a2: Any, b2: Any) -> Any:
    """CIEDE2000 of two colours in float64 with each intermediate value rounded to float32 where libvmaf does so."""
    mean_lightness = (l1 + l2) / _F(2)
    chroma1, chroma2 = _length(a1, b1), _length(a2, b2)
    seventh = np.float64((chroma1 + chroma2) / _F(2)) ** 7
    stretch = 1.0 - math.sqrt(seventh / (seventh + 25.0**7))
    p1 = np.float32(np.float64(a1) + np.float64(a1 / _F(2)) * stretch)
    p2 = np.float32(np.float64(a2) + np.float64(a2 / _F(2)) * stretch)
    c1, c2 = _length(p1, b1), _length(p2, b2)
    mean_chroma = (c1 + c2) / _F(2)

    off_middle = np.float64(mean_lightness - _F(50)) ** 2
    lightness_scale = np.float32(1.0 + 0.015 * off_middle / math.sqrt(20.0 + off_middle))
    lightness = (l2 - l1) / (_LIGHTNESS_WEIGHT * lightness_scale)
    chroma = (c2 - c1) / np.float32(1.0 + 0.045 * np.float64(mean_chroma))

    hue1, hue2 = _hue(p1, b1), _hue(p2, b2)
    turn = np.float32(0) if chroma1 == _F(0) or chroma2 == _F(0) else _turn(hue1, hue2)
    hue_difference = np.float32(2.0 * math.sqrt(np.float64(c1 * c2)) * math.sin(np.float64(turn) / 2.0))
    around = 2.0 * math.pi if abs(hue1 - hue2) > math.pi else 0.0
    mean_hue = np.float32((np.float64(hue1 + hue2) + around) / 2.0)
    hue_scale = np.float32(
        1.0 + 0.015 * np.float64(mean_chroma) * np.float64(_stepwise_hue_dependence(np.float64(mean_hue)))
    )
    hue = hue_difference / (_HUE_WEIGHT * hue_scale)

    mixed = _stepwise_rotation(mean_chroma, mean_hue) * chroma * hue
    squares = np.float64(lightness) ** 2 + np.float64(chroma) ** 2 + np.float64(hue) ** 2
    return np.float64(np.float32(math.sqrt(max(squares + np.float64(mixed), 0.0))))


@kernel()
def _length(a: Any, b: Any) -> Any:
    return np.float32(math.sqrt(np.float64(a) ** 2 + np.float64(b) ** 2))


@kernel()
def _hue(a: Any, b: Any) -> Any:
    """Hue angle, 0 to 2 pi."""
    angle = np.float32(math.atan2(np.float64(b), np.float64(a)))
    return angle if angle >= _F(0) else np.float32(np.float64(angle) + 2.0 * math.pi)


@kernel()
def _turn(hue1: Any, hue2: Any) -> Any:
    """The shorter way from one hue to the other, -pi to pi."""
    turn = hue2 - hue1
    if abs(turn) <= math.pi:
        return turn
    return np.float32(np.float64(turn) + (2.0 * math.pi if hue2 <= hue1 else -2.0 * math.pi))


@kernel()
def _stepwise_hue_dependence(hue: float) -> Any:
    first, second = 0.17 * math.cos(hue - math.pi / 6.0), 0.24 * math.cos(2.0 * hue)
    third, fourth = 0.32 * math.cos(3.0 * hue + math.pi / 30.0), 0.20 * math.cos(4.0 * hue - 7.0 * math.pi / 20.0)
    return np.float32(1.0 - first + second + third - fourth)


@kernel()
def _stepwise_rotation(mean_chroma: Any, mean_hue: Any) -> Any:
    degrees = np.float32(np.float64(mean_hue) * (180.0 / math.pi))
    from_blue = np.float32((np.float64(degrees) - 275.0) * (1.0 / 25.0))
    seventh = np.float32(np.float64(mean_chroma) ** 7)
    saturation = math.sqrt(np.float64(seventh / (seventh + _SEVENTH_OF_25)))
    bump = np.float32(60.0 * math.exp(-np.float64(from_blue * from_blue)))
    return np.float32(-2.0 * saturation * math.sin(np.float64(np.float32(np.float64(bump) * (math.pi / 180.0)))))
