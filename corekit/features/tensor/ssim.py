"""float_ssim and float_ms_ssim over batches: the arithmetic of ``corekit.features.ssim`` on whole frames.

As in libvmaf's ``ssim.c``, ``ms_ssim.c`` and ``iqa/`` (Netflix, BSD-2-Clause-Patent) every filter multiplies in float32, sums in float64
and rounds the sum to float32. What is averaged over a frame is first rounded to a multiple of 2**-39 (fewer bits above 8 million
pixels), as an integer: the sums have no order, and the mean is right to 1e-15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from corekit.features._ssim_model import (
    C1,
    C2,
    C3,
    LAST_SCALE,
    LOW_PASS,
    LOW_PASS_SPAN,
    REACH,
    SPAN,
    WINDOW,
    averaged_shape,
    averaging_factor,
    code_value_scale,
    combined,
    pyramid,
)
from corekit.features.tensor._filters import frame_sum
from corekit.features.tensor.family import Batch, Integers, TensorFamily, Values
from corekit.model import FrameFormat

if TYPE_CHECKING:
    from corekit.features.tensor.kernels.ssim import FusedSsim

_TAPS = tuple(float(WINDOW[min(k, SPAN - 1 - k)]) for k in range(SPAN))
_LOW_PASS_TAPS = tuple(
    tuple(float(LOW_PASS[min(y, LOW_PASS_SPAN - 1 - y), min(x, LOW_PASS_SPAN - 1 - x)]) for x in range(LOW_PASS_SPAN))
    for y in range(LOW_PASS_SPAN)
)
_FIXED_BITS = 39
_PEAK_BYTES = 64
"""Bytes a pixel: pictures, their moments and the float64 sums of a filter."""
_FUSED_BYTES = 40


class FloatSsim(TensorFamily):
    """SSIM at one scale, from luma averaged down so that its shorter side has about 256 pixels."""

    names = ("float_ssim",)

    def __init__(self, fmt: FrameFormat, device: torch.device, *, fused: bool = False) -> None:
        """``fused`` takes the Triton kernels, which give the same sums."""
        self._fmt = fmt
        self._factor = averaging_factor(fmt)
        self._shape = averaged_shape(fmt)
        self._bits = fixed_bits(self._shape)
        self._fused = _kernels() if fused else None

    def sums(self, batch: Batch) -> torch.Tensor:
        scale, shape = code_value_scale(self._fmt), self._shape
        if self._fused is not None:
            pictures = [
                self._fused.averaged(side[0], scale, self._factor, shape) for side in (batch.reference, batch.distorted)
            ]
            terms = self._fused.terms(
                pictures[0], pictures[1], batch.pair_reference, batch.pair_distorted, np.float32(1), self._bits,
                signed=False, luminance=True,
            )  # fmt: skip
            return terms[:, 3:]
        used, pairs = torch.unique(batch.pair_reference, return_inverse=True)
        reference = averaged(batch.reference[0].index_select(0, used), scale, self._factor, shape)
        distorted = averaged(batch.distorted[0].index_select(0, batch.pair_distorted), scale, self._factor, shape)
        return torch.stack(_terms(reference, distorted, pairs, self._bits, whole=True), dim=1)[:, 3:]

    def scores(self, sums: Integers) -> Values:
        return _means(sums, self._shape, self._bits)

    def pair_bytes(self) -> int:
        pixels = self._fmt.width * self._fmt.height
        averages = self._shape[0] * self._shape[1] * (_FUSED_BYTES if self._fused is not None else _PEAK_BYTES)
        return averages + (8 if self._fused is not None else 2 * (4 + 8)) * pixels


class FloatMsSsim(TensorFamily):
    """SSIM at five scales, from luma. The scales of a reference frame are made once for all its pairs."""

    names = ("float_ms_ssim",)

    def __init__(self, fmt: FrameFormat, device: torch.device, *, fused: bool = False) -> None:
        """``fused`` takes the Triton kernels, which give the same sums."""
        self._fmt = fmt
        self._shapes = pyramid(fmt)
        self._fused = _kernels() if fused else None

    def sums(self, batch: Batch) -> torch.Tensor:
        """Contrast and structure of each scale, and luminance of the last one."""
        scale = code_value_scale(self._fmt)
        columns: list[torch.Tensor] = []
        if self._fused is not None:
            reference, distorted = batch.reference[0], batch.distorted[0]
            for level, shape in enumerate(self._shapes):
                if level:
                    reference, distorted = (
                        self._fused.halved(picture, scale, shape) for picture in (reference, distorted)
                    )
                    scale = np.float32(1)
                terms = self._fused.terms(
                    reference, distorted, batch.pair_reference, batch.pair_distorted, scale, fixed_bits(shape),
                    signed=level > 0, luminance=level == LAST_SCALE,
                )  # fmt: skip
                columns.append(terms[:, : _terms_of(level)])
            return torch.cat(columns, dim=1)
        used, pairs = torch.unique(batch.pair_reference, return_inverse=True)
        reference = batch.reference[0].index_select(0, used).to(torch.float32) * float(scale)
        distorted = batch.distorted[0].index_select(0, batch.pair_distorted).to(torch.float32) * float(scale)
        for level, shape in enumerate(self._shapes):
            if level:
                reference, distorted = halved(reference, shape), halved(distorted, shape)
            columns += _terms(reference, distorted, pairs, fixed_bits(shape), whole=level == LAST_SCALE)[
                : _terms_of(level)
            ]
        return torch.stack(columns, dim=1)

    def scores(self, sums: Integers) -> Values:
        scales = [np.zeros((len(sums), 3)) for _ in self._shapes]
        for level, shape in enumerate(self._shapes):
            n = _terms_of(level)
            scales[level][:, :n] = _means(sums[:, 2 * level : 2 * level + n], shape, fixed_bits(shape))
        return np.array([combined([scale[row].tolist() for scale in scales]) for row in range(len(sums))]).reshape(
            -1, 1
        )

    def pair_bytes(self) -> int:
        return 2 * self._fmt.width * self._fmt.height * (_FUSED_BYTES if self._fused is not None else _PEAK_BYTES)


def _terms_of(level: int) -> int:
    """How many terms of a scale count: contrast and structure, at the last one luminance too."""
    return 3 if level == LAST_SCALE else 2


def fixed_bits(shape: tuple[int, int]) -> int:
    """Binary places of a term, so that the sum over a frame (of terms of at most 2) fits 63 bits."""
    return min(_FIXED_BITS, 61 - (shape[0] * shape[1]).bit_length())


def averaged(luma: torch.Tensor, scale: np.float32, factor: int, shape: tuple[int, int]) -> torch.Tensor:
    """Means of ``factor`` by ``factor`` blocks, centred on every ``factor``-th sample (iqa/decimate.c); float32.

    All products of a block have one scale, so that float64 holds their sum exactly, in any order.
    """
    weight = float(scale * (np.float32(1) / np.float32(factor * factor)))
    rows, columns = shape
    device, half = luma.device, factor // 2
    y = _reflected(torch.arange(rows * factor, device=device) - half, luma.shape[-2])
    x = _reflected(torch.arange(columns * factor, device=device) - half, luma.shape[-1])
    weighted = (luma.to(torch.float32) * weight).to(torch.float64)
    down = weighted.index_select(-2, y).view(-1, rows, factor, luma.shape[-1]).sum(2)
    return down.index_select(-1, x).view(-1, rows, columns, factor).sum(3).to(torch.float32)


def halved(x: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Every second sample of every second row of the low-passed picture (ms_ssim.c); float32."""
    rows, columns = shape
    y = _reflected(torch.arange(-REACH, 2 * rows + REACH - 1, device=x.device), x.shape[-2])
    z = _reflected(torch.arange(-REACH, 2 * columns + REACH - 1, device=x.device), x.shape[-1])
    padded = x.index_select(-2, y).index_select(-1, z)
    total: torch.Tensor | None = None
    for dy in range(LOW_PASS_SPAN):
        row = padded[:, dy : dy + 2 * rows - 1 : 2]
        across: torch.Tensor | None = None
        for dx, tap in enumerate(_LOW_PASS_TAPS[dy]):
            product = (row[..., dx : dx + 2 * columns - 1 : 2] * tap).to(torch.float64)
            across = product if across is None else across.add_(product)
        assert across is not None
        total = across if total is None else total.add_(across)
    assert total is not None
    return total.to(torch.float32)


def _terms(
    reference: torch.Tensor, distorted: torch.Tensor, pairs: torch.Tensor, bits: int, *, whole: bool
) -> list[torch.Tensor]:
    """Sums of contrast, structure and, where the ``whole`` is wanted, luminance and the product of the three."""
    mean_r, variance_r = (moment.index_select(0, pairs) for moment in _moments(reference))
    mean_d, variance_d = _moments(distorted)
    covariance = _windowed(reference.index_select(0, pairs) * distorted) - mean_r * mean_d
    # Torch's square root of float32 is not always the nearest one; that of float64, rounded, is.
    deviation = (variance_r * variance_d).to(torch.float64).sqrt().to(torch.float32)
    contrast = (2.0 * deviation.to(torch.float64) + float(C2)) / ((variance_r + variance_d) + float(C2)).to(
        torch.float64
    )
    # Without variance on one side it is rounding alone that makes a covariance negative.
    covariance = torch.where((covariance < 0) & (deviation <= 0), 0.0, covariance)
    structure = ((covariance + float(C3)) / (deviation + float(C3))).to(torch.float64)
    sums = [_fixed(contrast, bits), _fixed(structure, bits)]
    if not whole:
        return sums
    luminance = (2.0 * mean_r.to(torch.float64) * mean_d.to(torch.float64) + float(C1)) / (
        (mean_r * mean_r + mean_d * mean_d) + float(C1)
    ).to(torch.float64)
    return [*sums, _fixed(luminance, bits), _fixed(luminance * contrast * structure, bits)]


def _moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = _windowed(x)
    return mean, (_windowed(x * x) - mean * mean).clamp_min(0.0)


def _windowed(x: torch.Tensor) -> torch.Tensor:
    """Weighted means under the window at each of its positions; float32."""
    return _tapped(_tapped(x, -1), -2)


def _tapped(x: torch.Tensor, dim: int) -> torch.Tensor:
    n = x.shape[dim] - SPAN + 1
    total = (x.narrow(dim, 0, n) * _TAPS[0]).to(torch.float64)
    for k in range(1, SPAN):
        total.add_((x.narrow(dim, k, n) * _TAPS[k]).to(torch.float64))
    return total.to(torch.float32)


def _fixed(term: torch.Tensor, bits: int) -> torch.Tensor:
    """The sum over each frame, in units of ``2**-bits``."""
    return frame_sum((term * float(1 << bits)).round().to(torch.int64))


def _means(sums: Integers, shape: tuple[int, int], bits: int) -> Values:
    """Means over the positions of the window, rounded to float32 as libvmaf does."""
    positions = (shape[0] - SPAN + 1) * (shape[1] - SPAN + 1)
    means: Values = (sums / float(1 << bits) / positions).astype(np.float32).astype(np.float64)
    return means


def _reflected(index: torch.Tensor, size: int) -> torch.Tensor:
    """Indices outside ``[0, size)`` reflected about the edge of the frame, which repeats the edge sample."""
    index = torch.where(index < 0, -1 - index, index)
    return torch.where(index >= size, 2 * size - 1 - index, index)


def _kernels() -> FusedSsim:
    from corekit.features.tensor.kernels.ssim import FusedSsim

    return FusedSsim()
