"""VIF fused: per scale one kernel down the columns, one along the rows with the statistics, one to halve the picture.

The same integers as ``corekit.features.tensor.vif``. Products of 32 bits are summed in 64; the gain and what it leaves are
float64 without contraction (``enable_fp_fusion=False``), as in ``integer_vif.c`` of libvmaf (Netflix, BSD-2-Clause-Patent).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from corekit.features._vif_figures import EPSILON, FILTERS, GAIN_LIMIT, NOISE, SCALES

SUMS = 4
_ROWS, _COLUMNS = 2, 128
_NOISE = tl.constexpr(NOISE)
_LOG2_NOISE = tl.constexpr(17 * 2048)
_EPSILON = tl.constexpr(EPSILON)
_GAIN_LIMIT = tl.constexpr(GAIN_LIMIT)


@triton.jit
def _mirror(i, n):
    i = tl.abs(i)
    return tl.where(i >= n, 2 * (n - 1) - i, i)


@triton.jit
def _down_columns(
    reference, distorted, pair_reference, pair_distorted, means, seconds, taps, height, width,
    mean_shift, square_shift, RADIUS: tl.constexpr, WIDE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Weighted sums of both frames, of their squares and of their product, down the columns; WIDE where 32 bits do not hold them."""
    pair = tl.program_id(2)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < height) & (x < width)
    size = height.to(tl.int64) * width
    first = reference + tl.load(pair_reference + pair) * size
    second = distorted + tl.load(pair_distorted + pair) * size
    mean_r = tl.zeros((ROWS, COLUMNS), tl.uint32)
    mean_d = tl.zeros((ROWS, COLUMNS), tl.uint32)
    if WIDE:
        rr = tl.zeros((ROWS, COLUMNS), tl.uint64)
        dd = tl.zeros((ROWS, COLUMNS), tl.uint64)
        rd = tl.zeros((ROWS, COLUMNS), tl.uint64)
    else:
        rr = tl.zeros((ROWS, COLUMNS), tl.uint32)
        dd = tl.zeros((ROWS, COLUMNS), tl.uint32)
        rd = tl.zeros((ROWS, COLUMNS), tl.uint32)
    for k in tl.static_range(2 * RADIUS + 1):
        tap = tl.load(taps + k).to(tl.uint32)
        place = _mirror(y + (k - RADIUS), height) * width + x
        r = tl.load(first + place, mask=inside, other=0).to(tl.uint32)
        d = tl.load(second + place, mask=inside, other=0).to(tl.uint32)
        mean_r += r * tap
        mean_d += d * tap
        if WIDE:
            rr += (r * r).to(tl.uint64) * tap.to(tl.uint64)
            dd += (d * d).to(tl.uint64) * tap.to(tl.uint64)
            rd += (r * d).to(tl.uint64) * tap.to(tl.uint64)
        else:
            rr += r * r * tap
            dd += d * d * tap
            rd += r * d * tap
    half = (1 << (mean_shift - 1)).to(tl.uint32)
    shift = mean_shift.to(tl.uint32)
    at = pair.to(tl.int64) * 2 * size + y * width + x
    tl.store(means + at, ((mean_r + half) >> shift).to(tl.uint16).to(tl.int16, bitcast=True), mask=inside)
    tl.store(means + at + size, ((mean_d + half) >> shift).to(tl.uint16).to(tl.int16, bitcast=True), mask=inside)
    if WIDE:
        add = ((1 << square_shift) >> 1).to(tl.uint64)
        cut = square_shift.to(tl.uint64)
        rr = (rr + add) >> cut
        dd = (dd + add) >> cut
        rd = (rd + add) >> cut
    at = pair.to(tl.int64) * 3 * size + y * width + x
    tl.store(seconds + at, rr.to(tl.uint32).to(tl.int32, bitcast=True), mask=inside)
    tl.store(seconds + at + size, dd.to(tl.uint32).to(tl.int32, bitcast=True), mask=inside)
    tl.store(seconds + at + 2 * size, rd.to(tl.uint32).to(tl.int32, bitcast=True), mask=inside)


@triton.jit
def _log2(x, table):
    """2048 * log2 of integers of at least 2**15, cut to their leading 16 bits; int64."""
    excess = (x.to(tl.float64).to(tl.int64, bitcast=True) >> 52) - (1023 + 15)
    return tl.load(table + ((x >> excess) - (1 << 15))).to(tl.int64) + 2048 * excess


@triton.jit
def _high_product(a, b):
    return ((a.to(tl.uint64) * b.to(tl.uint64) + 2147483648) >> 32).to(tl.int64)


@triton.jit
def _along_rows(
    means, seconds, table, taps, out, out_columns, height, width,
    RADIUS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Weighted sums along the rows, and the four sums of a scale, added to ``out`` by every program: integers have no order."""
    pair = tl.program_id(2)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < height) & (x < width)
    size = height.to(tl.int64) * width
    mean = means + pair.to(tl.int64) * 2 * size + y * width
    second = seconds + pair.to(tl.int64) * 3 * size + y * width
    mean_r = tl.zeros((ROWS, COLUMNS), tl.uint32)
    mean_d = tl.zeros((ROWS, COLUMNS), tl.uint32)
    rr = tl.zeros((ROWS, COLUMNS), tl.uint64)
    dd = tl.zeros((ROWS, COLUMNS), tl.uint64)
    rd = tl.zeros((ROWS, COLUMNS), tl.uint64)
    for k in tl.static_range(2 * RADIUS + 1):
        small = tl.load(taps + k).to(tl.uint32)
        tap = small.to(tl.uint64)
        place = _mirror(x + (k - RADIUS), width)
        mean_r += tl.load(mean + place, mask=inside, other=0).to(tl.uint16, bitcast=True).to(tl.uint32) * small
        mean_d += tl.load(mean + size + place, mask=inside, other=0).to(tl.uint16, bitcast=True).to(tl.uint32) * small
        rr += tl.load(second + place, mask=inside, other=0).to(tl.uint32, bitcast=True).to(tl.uint64) * tap
        dd += tl.load(second + size + place, mask=inside, other=0).to(tl.uint32, bitcast=True).to(tl.uint64) * tap
        rd += tl.load(second + 2 * size + place, mask=inside, other=0).to(tl.uint32, bitcast=True).to(tl.uint64) * tap
    variance = ((rr + 32768) >> 16).to(tl.int64) - _high_product(mean_r, mean_r)
    noise = tl.maximum(((dd + 32768) >> 16).to(tl.int64) - _high_product(mean_d, mean_d), 0)
    shared = ((rd + 32768) >> 16).to(tl.int64) - _high_product(mean_r, mean_d)
    loud = inside & (variance >= _NOISE)
    quiet = inside & (variance < _NOISE)
    variance = tl.where(loud, variance, _NOISE)
    information = tl.where(loud, _log2(variance + _NOISE, table) - _LOG2_NOISE, 0)
    correlated = loud & (shared > 0) & (noise > 0)
    covariance = shared.to(tl.float64)
    source = variance.to(tl.float64)
    gain = covariance / (source + _EPSILON)
    left = tl.maximum(noise.to(tl.float64) - gain * covariance, 0.0).to(tl.int64)
    gain = tl.minimum(gain, _GAIN_LIMIT)
    channel = left + _NOISE
    signal = tl.where(correlated, gain * gain * source, 0.0).to(tl.int64) + channel
    signal = tl.where(correlated, signal, _NOISE)
    channel = tl.where(correlated, channel, _NOISE)
    kept = tl.where(correlated, _log2(signal, table) - _log2(channel, table), 0)
    at = out + pair * out_columns
    tl.atomic_add(at, tl.sum(tl.sum(kept, 1), 0), sem="relaxed")
    tl.atomic_add(at + 1, tl.sum(tl.sum(information, 1), 0), sem="relaxed")
    tl.atomic_add(at + 2, tl.sum(tl.sum(quiet.to(tl.int64), 1), 0), sem="relaxed")
    tl.atomic_add(at + 3, tl.sum(tl.sum(tl.where(quiet, noise, 0), 1), 0), sem="relaxed")


@triton.jit
def _halve(
    source, target, taps, height, width, shift, RADIUS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Every second sample of every second row of the blurred picture."""
    frame = tl.program_id(2).to(tl.int64)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    rows, columns = height // 2, width // 2
    inside = (y < rows) & (x < columns)
    picture = source + frame * height * width
    half = (1 << (shift - 1)).to(tl.uint32)
    total = tl.zeros((ROWS, COLUMNS), tl.uint32)
    for i in tl.static_range(2 * RADIUS + 1):
        column = _mirror(2 * x + (i - RADIUS), width)
        down = tl.zeros((ROWS, COLUMNS), tl.uint32)
        for k in tl.static_range(2 * RADIUS + 1):
            row = _mirror(2 * y + (k - RADIUS), height)
            sample = tl.load(picture + row * width + column, mask=inside, other=0).to(tl.uint32)
            down += sample * tl.load(taps + k).to(tl.uint32)
        total += ((down + half) >> shift.to(tl.uint32)) * tl.load(taps + i).to(tl.uint32)
    tl.store(target + frame * rows * columns + y * columns + x, ((total + 32768) >> 16).to(tl.int32), mask=inside)


class FusedVif:
    """The kernels with their tables on one device."""

    def __init__(self, bit_depth: int, table: torch.Tensor) -> None:
        self._depth = bit_depth
        self._table = table
        self._taps = [torch.tensor(taps, dtype=torch.int32, device=table.device) for taps in FILTERS]

    def sums(
        self,
        reference: torch.Tensor,
        distorted: torch.Tensor,
        pair_reference: torch.Tensor,
        pair_distorted: torch.Tensor,
    ) -> torch.Tensor:
        """Sums of every pair, int64 of shape ``(n_pairs, SCALES * SUMS)``, of luma frames ``(n, rows, columns)``."""
        n = pair_reference.shape[0]
        out = torch.zeros((n, SCALES * SUMS), dtype=torch.int64, device=reference.device)
        for scale in range(SCALES):
            if scale:
                reference, distorted = self._halved(reference, scale), self._halved(distorted, scale)
            self._scale(reference, distorted, pair_reference, pair_distorted, scale, out[:, scale * SUMS :])
        return out

    def _shift(self, scale: int) -> int:
        return self._depth if scale == 0 else 16

    def _scale(
        self, reference: torch.Tensor, distorted: torch.Tensor, pair_reference: torch.Tensor, pair_distorted: torch.Tensor,
        scale: int, out: torch.Tensor,
    ) -> None:  # fmt: skip
        n, (height, width) = pair_reference.shape[0], reference.shape[-2:]
        means = torch.empty((n, 2, height, width), dtype=torch.int16, device=reference.device)
        seconds = torch.empty((n, 3, height, width), dtype=torch.int32, device=reference.device)
        taps, radius = self._taps[scale], len(FILTERS[scale]) // 2
        grid = (triton.cdiv(width, _COLUMNS), triton.cdiv(height, _ROWS), n)
        wide = scale > 0 or self._depth > 8
        square_shift = 2 * (self._depth - 8) if scale == 0 else 16
        _down_columns[grid](
            reference, distorted, pair_reference, pair_distorted, means, seconds, taps, height, width,
            self._shift(scale), square_shift, RADIUS=radius, WIDE=wide, ROWS=_ROWS, COLUMNS=_COLUMNS,
        )  # fmt: skip
        _along_rows[grid](
            means, seconds, self._table, taps, out, out.stride(0), height, width,
            RADIUS=radius, ROWS=_ROWS, COLUMNS=_COLUMNS, enable_fp_fusion=False,
        )  # fmt: skip

    def _halved(self, x: torch.Tensor, scale: int) -> torch.Tensor:
        n, (height, width) = x.shape[0], x.shape[-2:]
        target = torch.empty((n, height // 2, width // 2), dtype=torch.int32, device=x.device)
        grid = (triton.cdiv(width // 2, _COLUMNS), triton.cdiv(height // 2, _ROWS), n)
        _halve[grid](
            x, target, self._taps[scale], height, width, self._shift(scale - 1),
            RADIUS=len(FILTERS[scale]) // 2, ROWS=_ROWS, COLUMNS=_COLUMNS,
        )  # fmt: skip
        return target
