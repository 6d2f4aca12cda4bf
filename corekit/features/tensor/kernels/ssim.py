"""float_ssim and float_ms_ssim fused: one kernel that halves a picture, one that averages it down, two for windows and terms.

The same integers as ``corekit.features.tensor.ssim``: products in float32, sums in float64, no contraction
(``enable_fp_fusion=False``), square roots and quotients rounded to nearest. Conversions are slow, so products are widened by their bits, which
makes them 2**-896 of themselves. Definition: libvmaf's ``ssim.c``, ``ms_ssim.c`` and ``iqa/`` (Netflix, BSD-2-Clause-Patent).
"""

from __future__ import annotations

import numpy as np
import torch
import triton
import triton.language as tl

from corekit.features._ssim_model import C1, C2, C3, LOW_PASS, LOW_PASS_SPAN, SPAN, WINDOW

ROWS, COLUMNS = 2, 128
STRIP = 4
"""Rows that a thread filters down the columns, so that each sample is loaded once for them."""
_STRIP = tl.constexpr(STRIP)
_SPAN = tl.constexpr(SPAN)
_LOW_PASS_SPAN = tl.constexpr(LOW_PASS_SPAN)
_REACH = tl.constexpr(LOW_PASS_SPAN // 2)
_FULL = tl.constexpr(2.0**896)
_TAPS = tl.constexpr(tuple(float(WINDOW[min(k, SPAN - 1 - k)]) for k in range(SPAN)))
_SIDE = [*range(LOW_PASS_SPAN // 2), *range(LOW_PASS_SPAN // 2, -1, -1)]
_LOW_PASS = tl.constexpr(tuple(LOW_PASS[_SIDE][:, _SIDE].ravel().tolist()))
_C1, _C2, _C3 = tl.constexpr(float(C1)), tl.constexpr(float(C2)), tl.constexpr(float(C3))


@triton.jit
def _reflect(i, n):
    i = tl.where(i < 0, -1 - i, i)
    return tl.where(i >= n, 2 * n - 1 - i, i)


@triton.jit
def _wide(x, SIGNED: tl.constexpr):
    """A float32 (at least 0, if not SIGNED) times 2**-896 in float64: the same bits further right, also those of 0 and of denormals."""
    bits = x.to(tl.int32, bitcast=True)
    if SIGNED:
        high = (bits >> 3) & -1879048193
        wide = (high.to(tl.int64) << 32) | (bits << 29).to(tl.uint32).to(tl.int64)
    else:
        wide = bits.to(tl.uint32).to(tl.int64) << 29
    return wide.to(tl.float64, bitcast=True)


@triton.jit
def _single(total):
    """A sum of such numbers as the float32 nearest to 2**896 of it."""
    return (total * tl.full(total.shape, _FULL, tl.float64)).to(tl.float32)


@triton.jit
def _samples(at, mask, scale, INTEGERS: tl.constexpr):
    """Samples as float32; INTEGERS, of up to 16 bits, times a power of two, whose sum with 2**23 of it has them as its last bits."""
    if INTEGERS:
        base = scale * 8388608.0
        bits = tl.load(at, mask=mask, other=0).to(tl.int32) + base.to(tl.int32, bitcast=True)
        sample = bits.to(tl.float32, bitcast=True) - base
    else:
        sample = tl.load(at, mask=mask, other=0.0)
    return sample


@triton.jit
def _add(total, sample, tap: tl.constexpr, INTEGERS: tl.constexpr):
    """The sum with ``sample * tap``; the sign of the tap is that of the product of INTEGERS."""
    if not INTEGERS:
        total += _wide(sample * tap, True)
    elif tap < 0:
        total -= _wide(-(sample * tap), False)
    else:
        total += _wide(sample * tap, False)
    return total


@triton.jit(do_not_specialize=["height", "width", "rows", "columns"])
def _halve(
    source, scale, target, height, width, rows, columns,
    INTEGERS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Every second sample of every second row of ``source * scale``, low-passed in two dimensions; two rows a thread."""
    frame = tl.program_id(2).to(tl.int64)
    y = ((tl.program_id(1) * ROWS + tl.arange(0, ROWS)) * 2)[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < rows) & (x < columns)
    picture = source + frame * height * width
    upper = tl.zeros((ROWS, COLUMNS), tl.float64)
    lower = tl.zeros((ROWS, COLUMNS), tl.float64)
    for dy in tl.static_range(_LOW_PASS_SPAN + 2):
        # The last row of an odd number of them is a pair's first; what its second would be is not kept.
        row = tl.maximum(_reflect(2 * y + (dy - _REACH), height), 0) * width
        above = tl.zeros((ROWS, COLUMNS), tl.float64)
        below = tl.zeros((ROWS, COLUMNS), tl.float64)
        for dx in tl.static_range(_LOW_PASS_SPAN):
            place = row + _reflect(2 * x + (dx - _REACH), width)
            sample = _samples(picture + place, inside, scale, INTEGERS)
            if dy < _LOW_PASS_SPAN:
                above = _add(above, sample, _LOW_PASS[dy * _LOW_PASS_SPAN + dx], INTEGERS)
            if dy >= 2:
                below = _add(below, sample, _LOW_PASS[(dy - 2) * _LOW_PASS_SPAN + dx], INTEGERS)
        if dy < _LOW_PASS_SPAN:
            upper += above
        if dy >= 2:
            lower += below
    at = target + frame * rows * columns + y * columns + x
    tl.store(at, _single(upper), mask=inside)
    tl.store(at + columns, _single(lower), mask=inside & (y + 1 < rows))


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
    reference, distorted, pair_reference, pair_distorted, scale, moments, height, width, positions,
    INTEGERS: tl.constexpr, SIGNED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
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
        r = _samples(first + k, inside, scale, INTEGERS)
        d = _samples(second + k, inside, scale, INTEGERS)
        a += _wide(r * _TAPS[k], SIGNED)
        b += _wide(d * _TAPS[k], SIGNED)
        aa += _wide((r * r) * _TAPS[k], False)
        bb += _wide((d * d) * _TAPS[k], False)
        ab += _wide((r * d) * _TAPS[k], SIGNED)
    plane = height.to(tl.int64) * positions
    at = moments + pair.to(tl.int64) * 5 * plane + y * positions + x
    tl.store(at, _single(a), mask=inside)
    tl.store(at + plane, _single(b), mask=inside)
    tl.store(at + 2 * plane, _single(aa), mask=inside)
    tl.store(at + 3 * plane, _single(bb), mask=inside)
    tl.store(at + 4 * plane, _single(ab), mask=inside)


@triton.jit
def _down(at, y, height, positions, inside, SIGNED: tl.constexpr):
    """The window down the columns of one of the five moments, for STRIP rows from ``y``."""
    sum0 = tl.zeros(inside.shape, tl.float64)
    sum1, sum2, sum3 = sum0, sum0, sum0
    for k in tl.static_range(_SPAN + _STRIP - 1):
        x = tl.load(at + k * positions, mask=inside & (y + k < height), other=0.0)
        if k < _SPAN:
            sum0 += _wide(x * _TAPS[k], SIGNED)
        if k >= 1 and k < _SPAN + 1:
            sum1 += _wide(x * _TAPS[k - 1], SIGNED)
        if k >= 2 and k < _SPAN + 2:
            sum2 += _wide(x * _TAPS[k - 2], SIGNED)
        if k >= 3:
            sum3 += _wide(x * _TAPS[k - 3], SIGNED)
    return _single(sum0), _single(sum1), _single(sum2), _single(sum3)


@triton.jit
def _fixed(term, unit, inside):
    """Terms, of at most 2, in fixed point: added to 1.5 * 2**52 they are its last bits. Ties go to the even neighbour, as everywhere."""
    scaled = tl.where(inside, term * unit, 0.0) + 6755399441055744.0
    return scaled.to(tl.int64, bitcast=True) - 4843621399236968448


@triton.jit
def _terms(a, b, aa, bb, ab, unit, inside, LUMINANCE: tl.constexpr):
    """Contrast, structure, luminance and the product of the three in fixed point; the last two are 0 without LUMINANCE."""
    variance_a = tl.maximum(aa - a * a, 0.0)
    variance_b = tl.maximum(bb - b * b, 0.0)
    covariance = ab - a * b
    deviation = tl.sqrt_rn(variance_a * variance_b)
    contrast = (2.0 * deviation.to(tl.float64) + _C2) / ((variance_a + variance_b) + _C2).to(tl.float64)
    covariance = tl.where((covariance < 0.0) & (deviation <= 0.0), 0.0, covariance)
    structure = tl.div_rn(covariance + _C3, deviation + _C3).to(tl.float64)
    if LUMINANCE:
        luminance = (2.0 * a.to(tl.float64) * b.to(tl.float64) + _C1) / ((a * a + b * b) + _C1).to(tl.float64)
        third = _fixed(luminance, unit, inside)
        whole = _fixed(luminance * contrast * structure, unit, inside)
    else:
        third = tl.zeros(inside.shape, tl.int64)
        whole = third
    return _fixed(contrast, unit, inside), _fixed(structure, unit, inside), third, whole


@triton.jit
def _compare(
    moments, out, unit, height, positions,
    SIGNED: tl.constexpr, LUMINANCE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """The window down the columns, and sums of contrast, structure and, with LUMINANCE, luminance and the product of the three."""
    pair = tl.program_id(2)
    y = ((tl.program_id(1) * ROWS + tl.arange(0, ROWS)) * _STRIP)[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    rows = height - _SPAN + 1
    inside = (y < rows) & (x < positions)
    plane = height.to(tl.int64) * positions
    at = moments + pair.to(tl.int64) * 5 * plane + y * positions + x
    a0, a1, a2, a3 = _down(at, y, height, positions, inside, SIGNED)
    b0, b1, b2, b3 = _down(at + plane, y, height, positions, inside, SIGNED)
    p0, p1, p2, p3 = _down(at + 2 * plane, y, height, positions, inside, False)
    q0, q1, q2, q3 = _down(at + 3 * plane, y, height, positions, inside, False)
    r0, r1, r2, r3 = _down(at + 4 * plane, y, height, positions, inside, SIGNED)
    c0, s0, l0, w0 = _terms(a0, b0, p0, q0, r0, unit, inside, LUMINANCE)
    c1, s1, l1, w1 = _terms(a1, b1, p1, q1, r1, unit, inside & (y + 1 < rows), LUMINANCE)
    c2, s2, l2, w2 = _terms(a2, b2, p2, q2, r2, unit, inside & (y + 2 < rows), LUMINANCE)
    c3, s3, l3, w3 = _terms(a3, b3, p3, q3, r3, unit, inside & (y + 3 < rows), LUMINANCE)
    to = out + pair * 4
    tl.atomic_add(to, tl.sum(tl.sum((c0 + c1) + (c2 + c3), 1), 0), sem="relaxed")
    tl.atomic_add(to + 1, tl.sum(tl.sum((s0 + s1) + (s2 + s3), 1), 0), sem="relaxed")
    if LUMINANCE:
        tl.atomic_add(to + 2, tl.sum(tl.sum((l0 + l1) + (l2 + l3), 1), 0), sem="relaxed")
        tl.atomic_add(to + 3, tl.sum(tl.sum((w0 + w1) + (w2 + w3), 1), 0), sem="relaxed")


class FusedSsim:
    """The launches."""

    def averaged(self, luma: torch.Tensor, scale: np.float32, factor: int, shape: tuple[int, int]) -> torch.Tensor:
        """Pictures averaged down by ``factor``, float32 of shape ``(n, *shape)``."""
        n, height, width = luma.shape
        target = torch.empty((n, *shape), dtype=torch.float32, device=luma.device)
        weight = float(scale * (np.float32(1) / np.float32(factor * factor)))
        grid = (triton.cdiv(shape[1], COLUMNS), triton.cdiv(shape[0], ROWS), n)
        _average[grid](
            luma, weight, target, height, width, *shape,
            FACTOR=factor, ROWS=ROWS, COLUMNS=COLUMNS, enable_fp_fusion=False,
        )  # fmt: skip
        return target

    def halved(self, picture: torch.Tensor, scale: np.float32, shape: tuple[int, int]) -> torch.Tensor:
        """Pictures of half the size, float32 of shape ``(n, *shape)``, of ``picture * scale``, which is 1 for float32."""
        n, height, width = picture.shape
        target = torch.empty((n, *shape), dtype=torch.float32, device=picture.device)
        grid = (triton.cdiv(shape[1], COLUMNS), triton.cdiv(shape[0], ROWS), n)
        _halve[grid](
            picture, float(scale), target, height, width, *shape,
            INTEGERS=picture.dtype != torch.float32, ROWS=ROWS // 2, COLUMNS=COLUMNS, enable_fp_fusion=False,
        )  # fmt: skip
        return target

    def terms(
        self, reference: torch.Tensor, distorted: torch.Tensor, pair_reference: torch.Tensor, pair_distorted: torch.Tensor,
        scale: np.float32, bits: int, *, signed: bool, luminance: bool,
    ) -> torch.Tensor:  # fmt: skip
        """Sums of contrast, structure, luminance and their product in units of ``2**-bits``; int64 of shape ``(n_pairs, 4)``.

        The last two are 0 without ``luminance``. Only of ``signed`` pictures, of float32, samples may be below 0.
        """
        n, (height, width) = pair_reference.shape[0], reference.shape[-2:]
        positions = width - SPAN + 1
        moments = torch.empty((n, 5, height, positions), dtype=torch.float32, device=reference.device)
        out = torch.zeros((n, 4), dtype=torch.int64, device=reference.device)
        across = (triton.cdiv(positions, COLUMNS), triton.cdiv(height, ROWS), n)
        _across[across](
            reference, distorted, pair_reference, pair_distorted, float(scale), moments, height, width, positions,
            INTEGERS=reference.dtype != torch.float32, SIGNED=signed, ROWS=ROWS, COLUMNS=COLUMNS, enable_fp_fusion=False,
        )  # fmt: skip
        strips = max(1, ROWS // STRIP)
        down = (triton.cdiv(positions, COLUMNS), triton.cdiv(height - SPAN + 1, strips * STRIP), n)
        _compare[down](
            moments, out, float(1 << bits), height, positions,
            SIGNED=signed, LUMINANCE=luminance, ROWS=strips, COLUMNS=COLUMNS, enable_fp_fusion=False,
        )  # fmt: skip
        return out
