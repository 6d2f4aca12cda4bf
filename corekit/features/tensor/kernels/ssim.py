"""float_ssim and float_ms_ssim fused: one kernel that halves a picture, one that averages it down, two for windows and terms.

The same integers as ``corekit.features.tensor.ssim``: products in float32, sums in float64, no contraction
(``enable_fp_fusion=False``), square roots and quotients rounded to nearest. Definition: libvmaf's ``ssim.c``, ``ms_ssim.c`` and ``iqa/``
(Netflix, BSD-2-Clause-Patent).
"""

from __future__ import annotations

import numpy as np
import torch
import triton
import triton.language as tl

from corekit.features._ssim_model import C1, C2, C3, LOW_PASS, LOW_PASS_SPAN, SPAN, WINDOW

ROWS, COLUMNS = 2, 128
_SPAN = tl.constexpr(SPAN)
_LOW_PASS_SPAN = tl.constexpr(LOW_PASS_SPAN)
_REACH = tl.constexpr(LOW_PASS_SPAN // 2)
_C1, _C2, _C3 = tl.constexpr(float(C1)), tl.constexpr(float(C2)), tl.constexpr(float(C3))


@triton.jit
def _reflect(i, n):
    i = tl.where(i < 0, -1 - i, i)
    return tl.where(i >= n, 2 * n - 1 - i, i)


@triton.jit
def _halve(
    source, scale, target, taps, height, width, rows, columns, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Every second sample of every second row of ``source * scale``, low-passed in two dimensions."""
    frame = tl.program_id(2).to(tl.int64)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < rows) & (x < columns)
    picture = source + frame * height * width
    total = tl.zeros((ROWS, COLUMNS), tl.float64)
    for dy in tl.static_range(_LOW_PASS_SPAN):
        row = _reflect(2 * y + (dy - _REACH), height) * width
        across = tl.zeros((ROWS, COLUMNS), tl.float64)
        for dx in tl.static_range(_LOW_PASS_SPAN):
            place = row + _reflect(2 * x + (dx - _REACH), width)
            sample = tl.load(picture + place, mask=inside, other=0).to(tl.float32) * scale
            across += (sample * tl.load(taps + (dy * _LOW_PASS_SPAN + dx))).to(tl.float64)
        total += across
    tl.store(target + frame * rows * columns + y * columns + x, total.to(tl.float32), mask=inside)


@triton.jit
def _average(
    source, weight, target, height, width, rows, columns, FACTOR: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Means of blocks of FACTOR by FACTOR samples, each centred on its sample."""
    frame = tl.program_id(2).to(tl.int64)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < rows) & (x < columns)
    picture = source + frame * height * width
    total = tl.zeros((ROWS, COLUMNS), tl.float64)
    for dy in range(FACTOR):
        row = _reflect(y * FACTOR + dy - FACTOR // 2, height) * width
        for dx in range(FACTOR):
            place = row + _reflect(x * FACTOR + dx - FACTOR // 2, width)
            total += (tl.load(picture + place, mask=inside, other=0).to(tl.float32) * weight).to(tl.float64)
    tl.store(target + frame * rows * columns + y * columns + x, total.to(tl.float32), mask=inside)


@triton.jit
def _across(
    reference, distorted, pair_reference, pair_distorted, scale, moments, taps, height, width, positions,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """The window along the rows: of both pictures, of their squares and of their product."""
    pair = tl.program_id(2)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < height) & (x < positions)
    size = height.to(tl.int64) * width
    first = reference + tl.load(pair_reference + pair) * size + y * width + x
    second = distorted + tl.load(pair_distorted + pair) * size + y * width + x
    a = tl.zeros((ROWS, COLUMNS), tl.float64)
    b = tl.zeros((ROWS, COLUMNS), tl.float64)
    aa = tl.zeros((ROWS, COLUMNS), tl.float64)
    bb = tl.zeros((ROWS, COLUMNS), tl.float64)
    ab = tl.zeros((ROWS, COLUMNS), tl.float64)
    for k in tl.static_range(_SPAN):
        tap = tl.load(taps + k)
        r = tl.load(first + k, mask=inside, other=0).to(tl.float32) * scale
        d = tl.load(second + k, mask=inside, other=0).to(tl.float32) * scale
        a += (r * tap).to(tl.float64)
        b += (d * tap).to(tl.float64)
        aa += ((r * r) * tap).to(tl.float64)
        bb += ((d * d) * tap).to(tl.float64)
        ab += ((r * d) * tap).to(tl.float64)
    plane = height.to(tl.int64) * positions
    at = moments + pair.to(tl.int64) * 5 * plane + y * positions + x
    tl.store(at, a.to(tl.float32), mask=inside)
    tl.store(at + plane, b.to(tl.float32), mask=inside)
    tl.store(at + 2 * plane, aa.to(tl.float32), mask=inside)
    tl.store(at + 3 * plane, bb.to(tl.float32), mask=inside)
    tl.store(at + 4 * plane, ab.to(tl.float32), mask=inside)


@triton.jit
def _down(moments, taps, place, plane, positions, inside):
    """The window down the columns of one of the five moments."""
    total = tl.load(moments + place, mask=inside, other=0.0) * tl.load(taps)
    wide = total.to(tl.float64)
    for k in tl.static_range(1, _SPAN):
        wide += (tl.load(moments + place + k * positions, mask=inside, other=0.0) * tl.load(taps + k)).to(tl.float64)
    return wide.to(tl.float32)


@triton.jit
def _fixed(term, unit, inside):
    """The sum of terms in fixed point; ties go to the even neighbour, as everywhere."""
    scaled = term * unit
    shifted = (scaled + 6755399441055744.0) - 6755399441055744.0
    rounded = tl.where(tl.abs(scaled) < 2251799813685248.0, shifted, scaled)
    return tl.sum(tl.sum(tl.where(inside, rounded, 0.0).to(tl.int64), 1), 0)


@triton.jit
def _compare(
    moments, taps, out, unit, height, positions, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """The window down the columns, and sums of contrast, structure, luminance and the product of the three."""
    pair = tl.program_id(2)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < height - _SPAN + 1) & (x < positions)
    plane = height.to(tl.int64) * positions
    of_pair = moments + pair.to(tl.int64) * 5 * plane
    place = y * positions + x
    a = _down(of_pair, taps, place, plane, positions, inside)
    b = _down(of_pair + plane, taps, place, plane, positions, inside)
    variance_a = tl.maximum(_down(of_pair + 2 * plane, taps, place, plane, positions, inside) - a * a, 0.0)
    variance_b = tl.maximum(_down(of_pair + 3 * plane, taps, place, plane, positions, inside) - b * b, 0.0)
    covariance = _down(of_pair + 4 * plane, taps, place, plane, positions, inside) - a * b
    deviation = tl.sqrt_rn(variance_a * variance_b)
    contrast = (2.0 * deviation.to(tl.float64) + _C2) / ((variance_a + variance_b) + _C2).to(tl.float64)
    covariance = tl.where((covariance < 0.0) & (deviation <= 0.0), 0.0, covariance)
    structure = tl.div_rn(covariance + _C3, deviation + _C3).to(tl.float64)
    luminance = (2.0 * a.to(tl.float64) * b.to(tl.float64) + _C1) / ((a * a + b * b) + _C1).to(tl.float64)
    at = out + pair * 4
    tl.atomic_add(at, _fixed(contrast, unit, inside), sem="relaxed")
    tl.atomic_add(at + 1, _fixed(structure, unit, inside), sem="relaxed")
    tl.atomic_add(at + 2, _fixed(luminance, unit, inside), sem="relaxed")
    tl.atomic_add(at + 3, _fixed(luminance * contrast * structure, unit, inside), sem="relaxed")


class FusedSsim:
    """The kernels with their filters on one device."""

    def __init__(self, device: torch.device) -> None:
        side = [*range(SPAN // 2 + 1), *range(SPAN // 2 - 1, -1, -1)]
        self._window = torch.from_numpy(WINDOW[side].copy()).to(device)
        side = [*range(LOW_PASS_SPAN // 2 + 1), *range(LOW_PASS_SPAN // 2 - 1, -1, -1)]
        self._low_pass = torch.from_numpy(LOW_PASS[side][:, side].copy()).to(device)

    def averaged(self, luma: torch.Tensor, scale: np.float32, factor: int, shape: tuple[int, int]) -> torch.Tensor:
        """Pictures averaged down by ``factor``, float32 of shape ``(n, *shape)``."""
        weight = float(scale * (np.float32(1) / np.float32(factor * factor)))
        return self._reduced(_average, luma, weight, shape, FACTOR=factor)

    def halved(self, picture: torch.Tensor, scale: np.float32, shape: tuple[int, int]) -> torch.Tensor:
        """Pictures of half the size, float32 of shape ``(n, *shape)``, of ``picture * scale``."""
        return self._reduced(_halve, picture, float(scale), shape, taps=self._low_pass)

    def _reduced(
        self, kernel: triton.JITFunction, source: torch.Tensor, factor: float, shape: tuple[int, int], **more: object
    ) -> torch.Tensor:
        n, height, width = source.shape
        target = torch.empty((n, *shape), dtype=torch.float32, device=source.device)
        grid = (triton.cdiv(shape[1], COLUMNS), triton.cdiv(shape[0], ROWS), n)
        kernel[grid](
            source, factor, target, height=height, width=width, rows=shape[0], columns=shape[1],
            ROWS=ROWS, COLUMNS=COLUMNS, enable_fp_fusion=False, **more,
        )  # fmt: skip
        return target

    def terms(
        self, reference: torch.Tensor, distorted: torch.Tensor, pair_reference: torch.Tensor, pair_distorted: torch.Tensor,
        scale: np.float32, bits: int,
    ) -> torch.Tensor:  # fmt: skip
        """Sums of contrast, structure, luminance and their product in units of ``2**-bits``; int64 of shape ``(n_pairs, 4)``."""
        n, (height, width) = pair_reference.shape[0], reference.shape[-2:]
        positions = width - SPAN + 1
        moments = torch.empty((n, 5, height, positions), dtype=torch.float32, device=reference.device)
        out = torch.zeros((n, 4), dtype=torch.int64, device=reference.device)
        across = (triton.cdiv(positions, COLUMNS), triton.cdiv(height, ROWS), n)
        _across[across](
            reference, distorted, pair_reference, pair_distorted, float(scale), moments, self._window,
            height, width, positions, ROWS=ROWS, COLUMNS=COLUMNS, enable_fp_fusion=False,
        )  # fmt: skip
        down = (triton.cdiv(positions, COLUMNS), triton.cdiv(height - SPAN + 1, ROWS), n)
        _compare[down](
            moments, self._window, out, float(1 << bits), height, positions,
            ROWS=ROWS, COLUMNS=COLUMNS, enable_fp_fusion=False,
        )  # fmt: skip
        return out
