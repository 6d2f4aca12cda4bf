"""CIEDE2000 over batches: every pixel in libvmaf's own steps, float64 with each intermediate value rounded to float32 where it is there.

Definition: ``corekit.features.ciede2000`` and libvmaf's ``ciede.c`` (Netflix, BSD-2-Clause-Patent). The float32 differences are added up
exactly, as integers; functions of the C library differ in the last bit of float64 between devices, which moves a score by 1e-9 dB.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

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
from corekit.features.tensor._filters import frame_sum
from corekit.features.tensor.family import Batch, Integers, TensorFamily, TensorPlanes, Values
from corekit.model import FrameFormat

if TYPE_CHECKING:
    from corekit.features.tensor.kernels.ciede2000 import FusedCiede2000

UNIT_BITS, REST_BITS = 16, 48
"""A difference is so many 2**-16 and, of what is left, so many 2**-48."""
_PEAK_BYTES = 260
_FUSED_BYTES = 28
_HALF_TURN = math.pi
Lab = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Ciede2000(TensorFamily):
    """CIEDE2000 over frames of 4:2:0 or 4:4:4; subsampled chroma is repeated, not interpolated."""

    names = ("ciede2000",)

    def __init__(self, fmt: FrameFormat, device: torch.device, *, fused: bool = False) -> None:
        """``fused`` takes the Triton kernels, which give the same sums but for the last bits of a device's functions."""
        self._fmt = fmt
        self._fused: FusedCiede2000 | None = None
        if fused:
            from corekit.features.tensor.kernels.ciede2000 import FusedCiede2000

            self._fused = FusedCiede2000(fmt)

    def sums(self, batch: Batch) -> torch.Tensor:
        if self._fused is not None:
            return self._fused.sums(batch.reference, batch.distorted, batch.pair_reference, batch.pair_distorted)
        used, pairs = torch.unique(batch.pair_reference, return_inverse=True)
        reference = _lab(self._fmt, batch.reference, used)
        distorted = _lab(self._fmt, batch.distorted, batch.pair_distorted)
        l1, a1, b1 = (component.index_select(0, pairs) for component in reference)
        difference = _difference((l1, a1, b1), distorted).to(torch.float64)
        units = (difference * float(1 << UNIT_BITS)).floor()
        rest = (difference * float(1 << UNIT_BITS) - units) * float(1 << (REST_BITS - UNIT_BITS))
        return torch.stack([frame_sum(units.to(torch.int64)), frame_sum(rest.to(torch.int64))], dim=1)

    def scores(self, sums: Integers) -> Values:
        pixels = self._fmt.width * self._fmt.height
        totals = sums[:, 0] / float(1 << UNIT_BITS) + sums[:, 1] / float(1 << REST_BITS)
        return np.array([[score(float(total) / pixels)] for total in totals]).reshape(-1, 1)

    def pair_bytes(self) -> int:
        return 2 * self._fmt.width * self._fmt.height * (_FUSED_BYTES if self._fused is not None else _PEAK_BYTES)


def _lab(fmt: FrameFormat, planes: TensorPlanes, frames: torch.Tensor) -> Lab:
    """L*, a* and b* of some frames, float32."""
    code = float(1 << (fmt.bit_depth - 8))
    luma = (planes[0].index_select(0, frames).to(torch.float64) - 16.0 * code) / (219.0 * code)
    cb, cr = (_spread(fmt, plane.index_select(0, frames), code) for plane in planes[1:])
    red = _linear(luma + RED_CR * cr)
    green = _linear(luma + GREEN_CB * cb + GREEN_CR * cr)
    blue = _linear(luma + BLUE_CB * cb)
    fx = _curve((red * X[0] + green * X[1] + blue * X[2]) / WHITE_X)
    fy = _curve(red * Y[0] + green * Y[1] + blue * Y[2])
    fz = _curve((red * Z[0] + green * Z[1] + blue * Z[2]) / WHITE_Z)
    return _single(116.0 * fy - 16.0), _single(500.0 * (fx - fy)), _single(200.0 * (fy - fz))


def _spread(fmt: FrameFormat, plane: torch.Tensor, code: float) -> torch.Tensor:
    """Chroma from -0.5 to 0.5 at each pixel."""
    chroma = (plane.to(torch.float64) - 128.0 * code) / (224.0 * code)
    if fmt.chroma == "444":
        return chroma
    whole = chroma.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
    return whole[..., : fmt.height, : fmt.width]


def _linear(value: torch.Tensor) -> torch.Tensor:
    """Linear light of a non-linear component."""
    power = ((value + 0.055) / 1.055).clamp_min(0.05) ** 2.4
    return torch.where(value > LINEAR_BELOW, power, value / 12.92)


def _curve(value: torch.Tensor) -> torch.Tensor:
    """CIE's cube root with a linear part near black, rounded to float32; float64."""
    root = value.clamp_min(0.008) ** (1.0 / 3.0)
    return _single(torch.where(value > EPSILON, root, (KAPPA * value + 16.0) / 116.0)).to(torch.float64)


def _single(value: torch.Tensor) -> torch.Tensor:
    return value.to(torch.float32)


def _double(value: torch.Tensor) -> torch.Tensor:
    return value.to(torch.float64)


def _length(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return _single((_double(a) ** 2 + _double(b) ** 2).sqrt())


def _seventh(value: torch.Tensor) -> torch.Tensor:
    """The seventh power, float64."""
    wide = _double(value)
    square = wide * wide
    return square * square * square * wide


def _difference(reference: Lab, distorted: Lab) -> torch.Tensor:
    """CIEDE2000 of two colours, float32."""
    l1, a1, b1 = reference
    l2, a2, b2 = distorted
    chroma1, chroma2 = _length(a1, b1), _length(a2, b2)
    seventh = _seventh((chroma1 + chroma2) / 2.0)
    stretch = 1.0 - (seventh / (seventh + SEVENTH_OF_25)).sqrt()
    p1 = _single(_double(a1) + _double(a1 / 2.0) * stretch)
    p2 = _single(_double(a2) + _double(a2 / 2.0) * stretch)
    c1, c2 = _length(p1, b1), _length(p2, b2)
    mean_chroma = (c1 + c2) / 2.0

    off_middle = _double((l1 + l2) / 2.0 - 50.0) ** 2
    lightness_scale = _single(1.0 + 0.015 * off_middle / (20.0 + off_middle).sqrt())
    lightness = (l2 - l1) / (_weight(LIGHTNESS_WEIGHT) * lightness_scale)
    chroma = (c2 - c1) / _single(1.0 + 0.045 * _double(mean_chroma))

    hue1, hue2 = _hue(p1, b1), _hue(p2, b2)
    grey = (chroma1 == 0) | (chroma2 == 0)
    turn = torch.where(grey, 0.0, _turn(hue1, hue2))
    hue_difference = _single(2.0 * _double(c1 * c2).sqrt() * (_double(turn) / 2.0).sin())
    around = _double(_double((hue1 - hue2).abs()) > _HALF_TURN) * (2.0 * _HALF_TURN)
    mean_hue = _single((_double(hue1 + hue2) + around) / 2.0)
    hue_scale = _single(1.0 + 0.015 * _double(mean_chroma) * _double(_hue_dependence(_double(mean_hue))))
    hue = hue_difference / (_weight(HUE_WEIGHT) * hue_scale)

    mixed = _rotation(mean_chroma, mean_hue) * chroma * hue
    squares = _double(lightness) ** 2 + _double(chroma) ** 2 + _double(hue) ** 2
    return _single((squares + _double(mixed)).clamp_min(0.0).sqrt())


def _weight(value: float) -> float:
    """A weight as the float32 that it is in libvmaf."""
    return float(np.float32(value))


def _hue(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Hue angle, 0 to 2 pi."""
    angle = _single(torch.atan2(_double(b), _double(a)))
    return torch.where(angle >= 0, angle, _single(_double(angle) + 2.0 * _HALF_TURN))


def _turn(hue1: torch.Tensor, hue2: torch.Tensor) -> torch.Tensor:
    """The shorter way from one hue to the other, -pi to pi."""
    turn = hue2 - hue1
    whole = (2.0 * _double(hue2 <= hue1) - 1.0) * (2.0 * _HALF_TURN)
    return torch.where(_double(turn.abs()) <= _HALF_TURN, turn, _single(_double(turn) + whole))


def _hue_dependence(hue: torch.Tensor) -> torch.Tensor:
    """T: four harmonics of the mean hue."""
    first, second = 0.17 * (hue - _HALF_TURN / 6.0).cos(), 0.24 * (2.0 * hue).cos()
    third = 0.32 * (3.0 * hue + _HALF_TURN / 30.0).cos()
    fourth = 0.20 * (4.0 * hue - 7.0 * _HALF_TURN / 20.0).cos()
    return _single(1.0 - first + second + third - fourth)


def _rotation(mean_chroma: torch.Tensor, mean_hue: torch.Tensor) -> torch.Tensor:
    """R_T: chroma and hue differences of saturated blue interact."""
    degrees = _single(_double(mean_hue) * (180.0 / _HALF_TURN))
    from_blue = _single((_double(degrees) - 275.0) * (1.0 / 25.0))
    seventh = _single(_seventh(mean_chroma))
    saturation = _double(seventh / (seventh + _weight(SEVENTH_OF_25))).sqrt()
    bump = _single(60.0 * (-_double(from_blue * from_blue)).exp())
    return _single(-2.0 * saturation * _double(_single(_double(bump) * (_HALF_TURN / 180.0))).sin())
