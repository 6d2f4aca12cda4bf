"""PSNR-HVS fused: transforms, masking and squares a block a thread, and a sum that rounds as if one term were added after the other.

The same float32 sums as ``corekit.features.tensor.psnr_hvs``, after libvmaf's ``psnr_hvs.c`` (Xiph.Org, BSD-2-Clause), with nothing
contracted (``enable_fp_fusion=False``).

The ordered sum: while a float32 total stays between two powers of two, adding a term is adding it rounded to the total's last place,
save for a term half-way between two places. So each block's squares are rounded to the place that the total will have there (a
sum in float64 tells it beforehand) and counted in units of it, all blocks at once. One thread then goes over the counts; it adds squares one
by one only where a block has a term half-way between or a large one, or where the total crosses a power of two: some dozens of
blocks in tens of thousands.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl

from corekit.features._psnr_hvs_model import AREA, SIDE, STEP, VARIANCE_16, VARIANCE_64, blocks

COLUMNS = 128
BLOCKS = 128
GROUP = 64
"""Blocks whose counts are added up before the thread goes over them."""
_SIDE, _STEP, _AREA, _GROUP = tl.constexpr(SIDE), tl.constexpr(STEP), tl.constexpr(AREA), tl.constexpr(GROUP)
_VARIANCE_16, _VARIANCE_64 = tl.constexpr(float(VARIANCE_16)), tl.constexpr(float(VARIANCE_64))
_TO_NEAREST = tl.constexpr(12582912.0)
_LARGE = tl.constexpr(4194304.0)
_NOT, _ROUNDED = tl.constexpr(0), tl.constexpr(1)


@triton.jit
def _halved(value):
    return (value - (value >> 31)) >> 1


@triton.jit
def _scaled(value, FACTOR: tl.constexpr, SHIFT: tl.constexpr):
    return (value * FACTOR + (1 << (SHIFT - 1))) >> SHIFT


@triton.jit
def _dct8(t0, t4, t2, t6, t7, t3, t5, t1):
    """The integer DCT of Daala (type II) by lifting steps."""
    t1 = t0 - t1
    half1 = _halved(t1)
    t0 = t0 - half1
    t4 = t4 + t5
    half4 = _halved(t4)
    t5 = t5 - half4
    t3 = t2 - t3
    t2 = t2 - _halved(t3)
    t6 = t6 + t7
    half6 = _halved(t6)
    t7 = half6 - t7
    t0 = t0 + half6
    t6 = t0 - t6
    t2 = half4 - t2
    t4 = t2 - t4
    t0 = t0 - _scaled(t4, 13573, 15)
    t4 = t4 + _scaled(t0, 11585, 14)
    t0 = t0 - _scaled(t4, 13573, 15)
    t6 = t6 - _scaled(t2, 21895, 15)
    t2 = t2 + _scaled(t6, 15137, 14)
    t6 = t6 - _scaled(t2, 21895, 15)
    t3 = t3 + _scaled(t5, 19195, 15)
    t5 = t5 + _scaled(t3, 11585, 14)
    t3 = t3 - _scaled(t5, 7489, 13)
    t7 = _halved(t5) - t7
    t5 = t5 - t7
    t3 = half1 - t3
    t1 = t1 - t3
    t7 = t7 + _scaled(t1, 3227, 15)
    t1 = t1 - _scaled(t7, 6393, 15)
    t7 = t7 + _scaled(t1, 3227, 15)
    t5 = t5 + _scaled(t3, 2485, 13)
    t3 = t3 - _scaled(t5, 18205, 15)
    t5 = t5 + _scaled(t3, 2485, 13)
    return t0, t1, t2, t3, t4, t5, t6, t7


@triton.jit
def _transform_columns(frames, out, height, width, rows, COLUMNS: tl.constexpr):
    """Of every row of blocks the eight vertical frequencies at each column: int32 of shape ``(n, rows, 8, width)``."""
    frame, row = tl.program_id(2).to(tl.int64), tl.program_id(1)
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = x < width
    source = frames + frame * height * width + row * _STEP * width + x
    s0 = tl.load(source, mask=inside, other=0).to(tl.int32)
    s1 = tl.load(source + width, mask=inside, other=0).to(tl.int32)
    s2 = tl.load(source + 2 * width, mask=inside, other=0).to(tl.int32)
    s3 = tl.load(source + 3 * width, mask=inside, other=0).to(tl.int32)
    s4 = tl.load(source + 4 * width, mask=inside, other=0).to(tl.int32)
    s5 = tl.load(source + 5 * width, mask=inside, other=0).to(tl.int32)
    s6 = tl.load(source + 6 * width, mask=inside, other=0).to(tl.int32)
    s7 = tl.load(source + 7 * width, mask=inside, other=0).to(tl.int32)
    c0, c1, c2, c3, c4, c5, c6, c7 = _dct8(s0, s1, s2, s3, s4, s5, s6, s7)
    at = out + (frame * rows + row) * _SIDE * width + x
    tl.store(at, c0, mask=inside)
    tl.store(at + width, c1, mask=inside)
    tl.store(at + 2 * width, c2, mask=inside)
    tl.store(at + 3 * width, c3, mask=inside)
    tl.store(at + 4 * width, c4, mask=inside)
    tl.store(at + 5 * width, c5, mask=inside)
    tl.store(at + 6 * width, c6, mask=inside)
    tl.store(at + 7 * width, c7, mask=inside)


@triton.jit
def _quarter_sum(corner, width, inside, BLOCKS: tl.constexpr):
    total = tl.zeros((BLOCKS,), tl.int32)
    for k in tl.static_range(_AREA // 4):
        total += tl.load(corner + (k // 4) * width + k % 4, mask=inside, other=0).to(tl.int32)
    return total.to(tl.float32)


@triton.jit
def _quarter_variance(corner, mean, width, inside, BLOCKS: tl.constexpr):
    total = tl.zeros((BLOCKS,), tl.float32)
    for k in tl.static_range(_AREA // 4):
        off = tl.load(corner + (k // 4) * width + k % 4, mask=inside, other=0).to(tl.float32) - mean
        total += off * off
    return total * _VARIANCE_16


@triton.jit
def _energy(threshold, coefficient, masking, k):
    return threshold + (coefficient * coefficient).to(tl.float32) * tl.load(masking + k)


@triton.jit
def _transform_rows(
    frames, columns, masking, coefficients, thresholds, height, width, rows, across, n_blocks, BLOCKS: tl.constexpr,
):  # fmt: skip
    """The horizontal frequencies, int16 of shape ``(n, 64, n_blocks)``, and what each block masks."""
    frame = tl.program_id(1).to(tl.int64)
    block = tl.program_id(0) * BLOCKS + tl.arange(0, BLOCKS)
    inside = block < n_blocks
    row, left = block // across, block % across * _STEP
    corner = frames + frame * height * width + row * _STEP * width + left
    half = 4 * width
    sum0 = _quarter_sum(corner, width, inside, BLOCKS)
    sum1 = _quarter_sum(corner + half, width, inside, BLOCKS)
    sum2 = _quarter_sum(corner + 4, width, inside, BLOCKS)
    sum3 = _quarter_sum(corner + half + 4, width, inside, BLOCKS)
    mean = (sum0 + sum1 + sum2 + sum3) * 0.015625
    whole = tl.zeros((BLOCKS,), tl.float32)
    for k in tl.static_range(_AREA):
        off = tl.load(corner + (k // 8) * width + k % 8, mask=inside, other=0).to(tl.float32) - mean
        whole += off * off
    whole = whole * _VARIANCE_64
    within = _quarter_variance(corner, sum0 * 0.0625, width, inside, BLOCKS)
    within = within + _quarter_variance(corner + half, sum1 * 0.0625, width, inside, BLOCKS)
    within = within + _quarter_variance(corner + 4, sum2 * 0.0625, width, inside, BLOCKS)
    within = within + _quarter_variance(corner + half + 4, sum3 * 0.0625, width, inside, BLOCKS)
    texture = tl.where(whole > 0.0, tl.div_rn(within, tl.where(whole > 0.0, whole, 1.0)), 0.0)
    threshold = tl.zeros((BLOCKS,), tl.float32)
    out = coefficients + frame * _AREA * n_blocks + block
    for v in tl.static_range(_SIDE):
        source = columns + ((frame * rows + row) * _SIDE + v) * width + left
        s0 = tl.load(source, mask=inside, other=0)
        s1 = tl.load(source + 1, mask=inside, other=0)
        s2 = tl.load(source + 2, mask=inside, other=0)
        s3 = tl.load(source + 3, mask=inside, other=0)
        s4 = tl.load(source + 4, mask=inside, other=0)
        s5 = tl.load(source + 5, mask=inside, other=0)
        s6 = tl.load(source + 6, mask=inside, other=0)
        s7 = tl.load(source + 7, mask=inside, other=0)
        c0, c1, c2, c3, c4, c5, c6, c7 = _dct8(s0, s1, s2, s3, s4, s5, s6, s7)
        if v > 0:  # the mean is no texture
            threshold = _energy(threshold, c0, masking, _SIDE * v)
        threshold = _energy(threshold, c1, masking, _SIDE * v + 1)
        threshold = _energy(threshold, c2, masking, _SIDE * v + 2)
        threshold = _energy(threshold, c3, masking, _SIDE * v + 3)
        threshold = _energy(threshold, c4, masking, _SIDE * v + 4)
        threshold = _energy(threshold, c5, masking, _SIDE * v + 5)
        threshold = _energy(threshold, c6, masking, _SIDE * v + 6)
        threshold = _energy(threshold, c7, masking, _SIDE * v + 7)
        at = out + _SIDE * v * n_blocks
        tl.store(at, c0.to(tl.int16), mask=inside)
        tl.store(at + n_blocks, c1.to(tl.int16), mask=inside)
        tl.store(at + 2 * n_blocks, c2.to(tl.int16), mask=inside)
        tl.store(at + 3 * n_blocks, c3.to(tl.int16), mask=inside)
        tl.store(at + 4 * n_blocks, c4.to(tl.int16), mask=inside)
        tl.store(at + 5 * n_blocks, c5.to(tl.int16), mask=inside)
        tl.store(at + 6 * n_blocks, c6.to(tl.int16), mask=inside)
        tl.store(at + 7 * n_blocks, c7.to(tl.int16), mask=inside)
    root = tl.sqrt_rn(threshold * texture) * 0.03125
    tl.store(thresholds + frame * n_blocks + block, root, mask=inside)


@triton.jit
def _square(before, after, threshold, sensitivity, masking, k):
    """The squared visible difference of two coefficients of frequency ``k``."""
    error = tl.abs(before.to(tl.int32) - after.to(tl.int32)).to(tl.float32)
    masked = tl.where(k == 0, 0.0, tl.div_rn(threshold, tl.load(masking + k)))
    visible = tl.where(error < masked, 0.0, error - masked) * tl.load(sensitivity + k)
    return visible * visible


@triton.jit
def _threshold(of_reference, of_distorted, block, inside):
    return tl.maximum(
        tl.load(of_reference + block, mask=inside, other=0.0), tl.load(of_distorted + block, mask=inside, other=0.0)
    )


@triton.jit
def _sum_blocks(
    reference, distorted, reference_thresholds, distorted_thresholds, pair_reference, pair_distorted, sensitivity, masking,
    out, n_blocks, BLOCKS: tl.constexpr,
):  # fmt: skip
    """Sums of the squares of each block, float64: what the total will be near a block."""
    pair = tl.program_id(1)
    block = tl.program_id(0) * BLOCKS + tl.arange(0, BLOCKS)
    inside = block < n_blocks
    first, second = tl.load(pair_reference + pair), tl.load(pair_distorted + pair)
    threshold = _threshold(
        reference_thresholds + first * n_blocks, distorted_thresholds + second * n_blocks, block, inside
    )
    before = reference + first * _AREA * n_blocks + block
    after = distorted + second * _AREA * n_blocks + block
    total = tl.zeros((BLOCKS,), tl.float32)
    for k in tl.static_range(_AREA):
        one = tl.load(before + k * n_blocks, mask=inside, other=0)
        other = tl.load(after + k * n_blocks, mask=inside, other=0)
        total += _square(one, other, threshold, sensitivity, masking, k)
    tl.store(out + pair.to(tl.int64) * n_blocks + block, total.to(tl.float64), mask=inside)


@triton.jit
def _count_blocks(
    reference, distorted, reference_thresholds, distorted_thresholds, pair_reference, pair_distorted, sensitivity, masking,
    exponents, counts, states, n_blocks, BLOCKS: tl.constexpr,
):  # fmt: skip
    """The squares of each block in units of the last place of a total of ``exponents``; state 1 where that is all there is to it."""
    pair = tl.program_id(1)
    block = tl.program_id(0) * BLOCKS + tl.arange(0, BLOCKS)
    inside = block < n_blocks
    first, second = tl.load(pair_reference + pair), tl.load(pair_distorted + pair)
    threshold = _threshold(
        reference_thresholds + first * n_blocks, distorted_thresholds + second * n_blocks, block, inside
    )
    before = reference + first * _AREA * n_blocks + block
    after = distorted + second * _AREA * n_blocks + block
    place = pair.to(tl.int64) * n_blocks + block
    exponent = tl.load(exponents + place, mask=inside, other=0)
    unit = ((150 - exponent) << 23).to(tl.float32, bitcast=True)
    count = tl.zeros((BLOCKS,), tl.float32)
    largest = tl.zeros((BLOCKS,), tl.float32)
    off = tl.zeros((BLOCKS,), tl.float32)
    for k in tl.static_range(_AREA):
        one = tl.load(before + k * n_blocks, mask=inside, other=0)
        other = tl.load(after + k * n_blocks, mask=inside, other=0)
        scaled = _square(one, other, threshold, sensitivity, masking, k) * unit
        rounded = (scaled + _TO_NEAREST) - _TO_NEAREST
        count += rounded
        largest = tl.maximum(largest, scaled)
        off = tl.maximum(off, tl.abs(scaled - rounded))
    plain = (largest < _LARGE) & (off < 0.5) & (count < 16777216.0)
    tl.store(counts + place, tl.where(plain, count, 0.0).to(tl.int32), mask=inside)
    tl.store(states + place, plain.to(tl.int32), mask=inside)


@triton.jit
def _group_blocks(
    exponents, counts, states, group_counts, group_states, n_blocks, n_groups, GROUPS: tl.constexpr,
):  # fmt: skip
    """Counts of groups of blocks of one exponent."""
    pair = tl.program_id(1).to(tl.int64)
    group = tl.program_id(0) * GROUPS + tl.arange(0, GROUPS)
    inside = group < n_groups
    first = tl.load(exponents + pair * n_blocks + group * _GROUP, mask=inside, other=0)
    count = tl.zeros((GROUPS,), tl.int32)
    plain = tl.full((GROUPS,), 1, tl.int32)
    for k in tl.static_range(_GROUP):
        block = group * _GROUP + k
        there = inside & (block < n_blocks)
        at = pair * n_blocks + block
        same = tl.load(exponents + at, mask=there, other=0) == first
        # A count of one block is below 2**24: their sum cannot overflow.
        count += tl.load(counts + at, mask=there, other=0)
        own = tl.load(states + at, mask=there, other=1) * same.to(tl.int32)
        plain = tl.minimum(plain, tl.where(there, own, 1))
    tl.store(group_counts + pair * n_groups + group, count, mask=inside)
    tl.store(group_states + pair * n_groups + group, plain, mask=inside)


@triton.jit
def _after(total, count, exponent, state):
    """The total after ``count`` units of its last place, and whether this is what adding one by one gives."""
    low = ((exponent + 127) << 23).to(tl.float32, bitcast=True)
    unit = ((exponent + 104) << 23).to(tl.float32, bitcast=True)
    end = total + count.to(tl.float32) * unit
    return end, (state == _ROUNDED) & (total >= low) & (end < 2.0 * low) & (count < 16777216)


@triton.jit
def _add_in_order(
    reference, distorted, reference_thresholds, distorted_thresholds, pair_reference, pair_distorted, sensitivity, masking,
    exponents, counts, states, group_counts, group_states, out, N_BLOCKS: tl.constexpr, N_GROUPS: tl.constexpr,
):  # fmt: skip
    """One pair's ordered sum, by one thread."""
    pair = tl.program_id(0)
    first, second = tl.load(pair_reference + pair), tl.load(pair_distorted + pair)
    before, after = reference + first * _AREA * N_BLOCKS, distorted + second * _AREA * N_BLOCKS
    place = pair.to(tl.int64) * N_BLOCKS
    total = tl.load(out + pair)
    for group in range(N_GROUPS):
        start = group * _GROUP
        exponent = tl.load(exponents + place + start)
        at = pair.to(tl.int64) * N_GROUPS + group
        end, holds = _after(total, tl.load(group_counts + at), exponent, tl.load(group_states + at))
        if holds:
            total = end
        else:
            for k in range(_GROUP):
                block = start + k
                if block < N_BLOCKS:
                    end, holds = _after(
                        total,
                        tl.load(counts + place + block),
                        tl.load(exponents + place + block),
                        tl.load(states + place + block),
                    )
                    if holds:
                        total = end
                    else:
                        threshold = tl.maximum(
                            tl.load(reference_thresholds + first * N_BLOCKS + block),
                            tl.load(distorted_thresholds + second * N_BLOCKS + block),
                        )
                        for frequency in range(_AREA):
                            one = tl.load(before + frequency * N_BLOCKS + block)
                            other = tl.load(after + frequency * N_BLOCKS + block)
                            total += _square(one, other, threshold, sensitivity, masking, frequency)
    tl.store(out + pair, total)


class FusedPsnrHvs:
    """The kernels with their tables, one of each plane, on one device."""

    def __init__(self, sensitivity: Sequence[torch.Tensor], masking: Sequence[torch.Tensor]) -> None:
        self._sensitivity = sensitivity
        self._masking = masking

    def sums(
        self,
        plane: int,
        reference: torch.Tensor,
        distorted: torch.Tensor,
        pair_reference: torch.Tensor,
        pair_distorted: torch.Tensor,
    ) -> torch.Tensor:
        """Float32 sums of squares of a plane, one for each pair, of frames ``(n, rows, columns)``."""
        own = self._transformed(plane, reference)
        other = own if distorted is reference else self._transformed(plane, distorted)
        n_pairs, n_blocks, device = pair_reference.shape[0], own[0].shape[-1], reference.device
        tables = self._sensitivity[plane], self._masking[plane]
        compared = own[0], other[0], own[1], other[1], pair_reference, pair_distorted, *tables
        sums = torch.empty((n_pairs, n_blocks), dtype=torch.float64, device=device)
        grid = (triton.cdiv(n_blocks, BLOCKS), n_pairs)
        _sum_blocks[grid](*compared, sums, n_blocks, BLOCKS=BLOCKS, enable_fp_fusion=False)
        before = sums.cumsum(1) - sums
        # The exponent of the total before each block; without a total, one that no unit has.
        exponents = ((before.view(torch.int64) >> 52) - 1023).clamp(-60, 100).to(torch.int32)
        counts = torch.empty((n_pairs, n_blocks), dtype=torch.int32, device=device)
        states = torch.empty_like(counts)
        _count_blocks[grid](*compared, exponents, counts, states, n_blocks, BLOCKS=BLOCKS, enable_fp_fusion=False)
        n_groups = triton.cdiv(n_blocks, GROUP)
        group_counts = torch.empty((n_pairs, n_groups), dtype=torch.int32, device=device)
        group_states = torch.empty_like(group_counts)
        _group_blocks[triton.cdiv(n_groups, BLOCKS), n_pairs](
            exponents, counts, states, group_counts, group_states, n_blocks, n_groups, GROUPS=BLOCKS,
        )  # fmt: skip
        totals = torch.zeros(n_pairs, dtype=torch.float32, device=device)
        _add_in_order[n_pairs,](
            *compared, exponents, counts, states, group_counts, group_states, totals,
            N_BLOCKS=n_blocks, N_GROUPS=n_groups, num_warps=1, enable_fp_fusion=False,
        )  # fmt: skip
        return totals

    def _transformed(self, plane: int, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        n, height, width = frames.shape
        rows, across = blocks((height, width))
        device = frames.device
        columns = torch.empty((n, rows, SIDE, width), dtype=torch.int32, device=device)
        _transform_columns[triton.cdiv(width, COLUMNS), rows, n](frames, columns, height, width, rows, COLUMNS=COLUMNS)
        n_blocks = rows * across
        coefficients = torch.empty((n, AREA, n_blocks), dtype=torch.int16, device=device)
        thresholds = torch.empty((n, n_blocks), dtype=torch.float32, device=device)
        _transform_rows[triton.cdiv(n_blocks, BLOCKS), n](
            frames, columns, self._masking[plane], coefficients, thresholds, height, width, rows, across, n_blocks,
            BLOCKS=BLOCKS, enable_fp_fusion=False,
        )  # fmt: skip
        return coefficients, thresholds
