"""PSNR-HVS fused: transforms, masking and squares a block a thread, and a sum that rounds as if one term were added after the other.

The same float32 sums as ``corekit.features.tensor.psnr_hvs``, after libvmaf's ``psnr_hvs.c`` (Xiph.Org, BSD-2-Clause), with nothing
contracted (``enable_fp_fusion=False``).

The ordered sum: while a float32 total stays between two powers of two, adding a term is adding it rounded to the total's last place,
save for a term half-way between two places. So each block's squares are rounded to the place that the total will have there (a plain
sum tells it well enough) and counted in units of it, all blocks at once. A program for each plane then adds up the counts of many
blocks abreast, as far as the total keeps the place they were counted in, and takes a block's squares one by one where that ends: at the
first blocks, at a term half-way between or a large one, and where the total crosses a power of two; some dozens in tens of thousands.

The planes' blocks lie one plane after the other in *chunks* of ``BLOCKS``, the last of each plane filled up with blocks of zeros.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl

from corekit.features._psnr_hvs_model import AREA, SIDE, STEP, VARIANCE_16, VARIANCE_64, blocks
from corekit.features.tensor.family import TensorPlanes

BLOCKS = 128
"""Blocks in a chunk."""
ABREAST = 1024
"""Blocks, or chunks, whose sums are taken at once."""
_SIDE, _STEP, _AREA = tl.constexpr(SIDE), tl.constexpr(STEP), tl.constexpr(AREA)
_VARIANCE_16, _VARIANCE_64 = tl.constexpr(float(VARIANCE_16)), tl.constexpr(float(VARIANCE_64))
_TO_NEAREST = tl.constexpr(12582912.0)
_ROUNDS_BELOW = tl.constexpr(4194304.0)
_END = tl.constexpr(16777216.0)
_LEAST, _GREATEST = tl.constexpr(-60), tl.constexpr(100)
"""Exponents of totals whose units are counted in."""
_ONE_BY_ONE, _NOTHING = tl.constexpr(0), tl.constexpr(1)
"""Words of a block: a count of units below, above it the exponent of totals that they are units of, plus 64, or one of these."""


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
def _halves(tile, COUNT: tl.constexpr, WIDTH: tl.constexpr, BLOCKS: tl.constexpr):
    return tl.split(tile.reshape(COUNT, 2, WIDTH, BLOCKS).permute(0, 2, 3, 1))


@triton.jit
def _quarters(tile, WIDTH: tl.constexpr, BLOCKS: tl.constexpr):
    """The four tensors ``(WIDTH, BLOCKS)`` of a tile. A thread has all of a block: neither this nor ``_joined`` takes an instruction."""
    even, odd = _halves(tile, 2, WIDTH, BLOCKS)
    part0, part2 = _halves(even, 1, WIDTH, BLOCKS)
    part1, part3 = _halves(odd, 1, WIDTH, BLOCKS)
    return (
        part0.reshape(WIDTH, BLOCKS), part1.reshape(WIDTH, BLOCKS),
        part2.reshape(WIDTH, BLOCKS), part3.reshape(WIDTH, BLOCKS),
    )  # fmt: skip


@triton.jit
def _eighths(tile, WIDTH: tl.constexpr, BLOCKS: tl.constexpr):
    even, odd = _halves(tile, 4, WIDTH, BLOCKS)
    part0, part2, part4, part6 = _quarters(even, WIDTH, BLOCKS)
    part1, part3, part5, part7 = _quarters(odd, WIDTH, BLOCKS)
    return part0, part1, part2, part3, part4, part5, part6, part7


@triton.jit
def _merged(even, odd, COUNT: tl.constexpr, BLOCKS: tl.constexpr):
    return tl.join(even, odd).permute(0, 3, 1, 2).reshape(2 * COUNT, 8, BLOCKS)


@triton.jit
def _joined(parts, BLOCKS: tl.constexpr):
    """Eight tensors ``(8, BLOCKS)`` in one."""
    pair0 = tl.join(parts[0], parts[4]).permute(2, 0, 1)
    pair1 = tl.join(parts[1], parts[5]).permute(2, 0, 1)
    pair2 = tl.join(parts[2], parts[6]).permute(2, 0, 1)
    pair3 = tl.join(parts[3], parts[7]).permute(2, 0, 1)
    return _merged(_merged(pair0, pair2, 2, BLOCKS), _merged(pair1, pair3, 2, BLOCKS), 4, BLOCKS)


@triton.jit
def _add_eight(total, row, FIRST: tl.constexpr, BACKWARDS: tl.constexpr, BLOCKS: tl.constexpr):
    parts = _eighths(row, 1, BLOCKS)
    for k in tl.static_range(FIRST, 8):
        total += parts[7 - k if BACKWARDS else k]
    return total


@triton.jit
def _add_four(total, row, mean, BLOCKS: tl.constexpr):
    """Both halves of a row to those of ``total``, ``(2, BLOCKS)``."""
    parts = _quarters(row.reshape(2, 4, BLOCKS).permute(1, 0, 2), 2, BLOCKS)
    for x in tl.static_range(4):
        off = parts[3 - x] - mean
        total += off * off
    return total


@triton.jit
def _texture(samples, BLOCKS: tl.constexpr):
    """How much of the variance lies within the quarters; the samples of a row backwards."""
    sums = tl.sum(tl.sum(samples.reshape(2, 4, 2, 4, BLOCKS), 3), 1)
    mean = tl.sum(tl.sum(sums, 1), 0).to(tl.float32)[None, :] * 0.015625
    top, bottom = _halves(sums.to(tl.float32) * 0.0625, 1, 2, BLOCKS)
    rows = _eighths(samples, 8, BLOCKS)
    whole = tl.zeros((1, BLOCKS), tl.float32)
    upper, lower = tl.zeros((2, BLOCKS), tl.float32), tl.zeros((2, BLOCKS), tl.float32)
    for y in tl.static_range(_SIDE):
        row = rows[y].to(tl.float32)
        off = row - mean
        whole = _add_eight(whole, off * off, 0, True, BLOCKS)
        if y < 4:
            upper = _add_four(upper, row, top.reshape(2, BLOCKS), BLOCKS)
        else:
            lower = _add_four(lower, row, bottom.reshape(2, BLOCKS), BLOCKS)
    whole = whole * _VARIANCE_64
    top_right, top_left = _halves(upper * _VARIANCE_16, 1, 1, BLOCKS)
    bottom_right, bottom_left = _halves(lower * _VARIANCE_16, 1, 1, BLOCKS)
    within = (top_left + bottom_left + top_right + bottom_right).reshape(1, BLOCKS)
    return tl.where(whole > 0.0, tl.div_rn(within, tl.where(whole > 0.0, whole, 1.0)), 0.0)


@triton.jit
def _transform(samples, BLOCKS: tl.constexpr):
    """The coefficients ``(8, 8, BLOCKS)``, horizontal frequencies first, of samples ``(rows, columns, BLOCKS)``, columns backwards."""
    s0, s1, s2, s3, s4, s5, s6, s7 = _eighths(samples, 8, BLOCKS)
    down = _joined(_dct8(s0, s1, s2, s3, s4, s5, s6, s7), BLOCKS)
    s7, s6, s5, s4, s3, s2, s1, s0 = _eighths(down.permute(1, 0, 2), 8, BLOCKS)
    return _joined(_dct8(s0, s1, s2, s3, s4, s5, s6, s7), BLOCKS)


@triton.jit(do_not_specialize=[
    "y", "cb", "cr", "other_y", "other_cb", "other_cr", "pair_reference", "pair_distorted", "sensitivity", "masking",
    "squares", "height", "width", "chroma_height", "chroma_width", "luma_chunks", "chroma_chunks",
])  # fmt: skip
def _square_blocks(
    y, cb, cr, other_y, other_cb, other_cr, pair_reference, pair_distorted, sensitivity, masking, squares, sums, chunk_sums,
    height, width, chroma_height, chroma_width, luma_chunks, chroma_chunks, BLOCKS: tl.constexpr,
):  # fmt: skip
    """The squared visible differences, float32 of shape ``(n_pairs, n_chunks, 64, BLOCKS)``, their sums by block and by chunk.

    A thread has all of a block: a row of samples is taken backwards, for in order it would be spread over threads.
    """
    pair, chunk, n_chunks = tl.program_id(1), tl.program_id(0), luma_chunks + 2 * chroma_chunks
    place = pair.to(tl.int64) * n_chunks + chunk
    reference, distorted, rows, columns, first, table = y, other_y, height, width, chunk, chunk * 0
    if chunk >= luma_chunks:
        reference, distorted, rows, columns = cb, other_cb, chroma_height, chroma_width
        first, table = chunk - luma_chunks, chunk * 0 + _AREA
        if first >= chroma_chunks:
            reference, distorted, first, table = cr, other_cr, first - chroma_chunks, table + _AREA
    across = (columns - 8) // 7 + 1
    last = ((rows - 8) // 7 + 1) * across - 1
    block = first * BLOCKS + tl.arange(0, BLOCKS)
    beyond = block > last
    block = tl.minimum(block, last)
    row = block // across
    corner = row * _STEP * columns + (block - row * across) * _STEP
    eight = tl.arange(0, _SIDE)
    at = corner[:, None, None] + (eight * columns)[None, :, None]
    masking += table + eight[:, None]
    sensitivity += table + eight[:, None]
    area = rows.to(tl.int64) * columns
    source = reference + tl.load(pair_reference + pair) * area
    differences = tl.zeros((_SIDE, _SIDE, BLOCKS), tl.int32)
    threshold = tl.zeros((1, BLOCKS), tl.float32)
    frame = 0
    while frame < 2:
        samples = tl.load((source + at) + (7 - eight)[None, None, :]).to(tl.int32).permute(1, 2, 0)
        texture = _texture(samples, BLOCKS)
        coefficients = _transform(samples, BLOCKS)
        differences = coefficients - differences
        energy = tl.zeros((1, BLOCKS), tl.float32)
        lines = _eighths(coefficients.permute(1, 0, 2), 8, BLOCKS)
        for v in tl.static_range(_SIDE):
            energies = (lines[v] * lines[v]).to(tl.float32) * tl.load(masking + v * _SIDE)
            energy = _add_eight(energy, energies, 1 if v == 0 else 0, False, BLOCKS)  # the mean is no texture
        threshold = tl.maximum(threshold, tl.sqrt_rn(energy * texture) * 0.03125)
        source = distorted + tl.load(pair_distorted + pair) * area
        frame += 1
    lanes = tl.arange(0, BLOCKS)
    out = squares + place * (_AREA * BLOCKS) + eight[:, None] * BLOCKS + lanes[None, :]
    lines = _eighths(differences.permute(1, 0, 2), 8, BLOCKS)
    total = tl.zeros((_SIDE, BLOCKS), tl.float32)
    for v in tl.static_range(_SIDE):
        error = tl.abs(lines[v]).to(tl.float32)
        masked = tl.div_rn(threshold, tl.load(masking + v * _SIDE))
        if v == 0:
            masked = tl.where(eight[:, None] == 0, 0.0, masked)
        hidden = beyond[None, :] | (error < masked)
        visible = tl.where(hidden, 0.0, error - masked) * tl.load(sensitivity + v * _SIDE)
        square = visible * visible
        tl.store(out + v * _SIDE * BLOCKS, square)
        total += square
    total = tl.sum(total, 0)
    tl.store(sums + place * BLOCKS + lanes, total)
    tl.store(chunk_sums + place, tl.sum(total))


@triton.jit
def _counts(chunk, exponent, BLOCKS: tl.constexpr):
    """The squares of each block in units of the last place of a total of ``exponent``, float32, and whether that is all there is to it."""
    at = tl.arange(0, _AREA)[:, None] * BLOCKS + tl.arange(0, BLOCKS)[None, :]
    most = ((exponent + 127) << 23).to(tl.float32, bitcast=True)
    scaled = tl.minimum(tl.load(chunk + at), most) * ((150 - exponent) << 23).to(tl.float32, bitcast=True)
    rounded = (scaled + _TO_NEAREST) - _TO_NEAREST
    half_way = tl.max(tl.abs(scaled - rounded), 0) - 0.5 == 0.0
    # Whole numbers: in whatever order they are added, their sum is right where it is below the limit, and not below it otherwise.
    count = tl.sum(rounded, 0)
    plain = (count < _ROUNDS_BELOW) & ~half_way
    return tl.where(plain, count, 0.0), plain


@triton.jit(do_not_specialize=["luma_chunks", "chroma_chunks"])
def _count_blocks(
    squares, sums, chunk_sums, words, luma_chunks, chroma_chunks, BLOCKS: tl.constexpr, ABREAST: tl.constexpr
):
    """The words of the blocks, int32 of shape ``(n_pairs, n_chunks, BLOCKS)``, with the exponents that are expected."""
    chunk, n_chunks = tl.program_id(0), luma_chunks + 2 * chroma_chunks
    place = tl.program_id(1).to(tl.int64) * n_chunks + chunk
    behind = chunk
    if chunk >= luma_chunks:
        behind = (chunk - luma_chunks) % chroma_chunks
    before = tl.zeros((ABREAST,), tl.float32)
    end = chunk_sums + place - 1 - tl.arange(0, ABREAST)
    while behind > 0:
        before += tl.load(end, mask=tl.arange(0, ABREAST) < behind, other=0.0)
        end -= ABREAST
        behind -= ABREAST
    lanes = tl.arange(0, BLOCKS)
    own = tl.load(sums + place * BLOCKS + lanes)
    total = tl.sum(before) + (tl.cumsum(own, 0) - own)
    exponent = (total.to(tl.int32, bitcast=True) >> 23) - 127
    exponent = tl.minimum(tl.maximum(exponent, _LEAST), _GREATEST)
    count, plain = _counts(squares + place * (_AREA * BLOCKS), exponent[None, :], BLOCKS)
    word = tl.where(plain, ((exponent + 64) << 24) + count.to(tl.int32), _ONE_BY_ONE << 24)
    tl.store(words + place * BLOCKS + lanes, tl.where(own == 0.0, _NOTHING << 24, word))


@triton.jit
def _mantissa(bits):
    return ((bits & 0x7FFFFF) | 0x800000).to(tl.float32)


@triton.jit(do_not_specialize=["luma_blocks", "chroma_blocks", "luma_chunks", "chroma_chunks"])
def _add_in_order(
    squares, words, out, luma_blocks, chroma_blocks, luma_chunks, chroma_chunks, BLOCKS: tl.constexpr, ABREAST: tl.constexpr
):  # fmt: skip
    """The ordered sum of a plane of a pair; its float32 bits to ``out``, int64 of shape ``(n_pairs, 3)``.

    Within a power of two the bits of the total count units of its last place, and counts are added to them. Counts are added up as
    float32: as in ``_counts``, without overflow.
    """
    plane, pair = tl.program_id(0), tl.program_id(1).to(tl.int64)
    first, n_blocks = plane * 0, luma_blocks
    if plane > 0:
        first, n_blocks = luma_chunks + (plane - 1) * chroma_chunks, chroma_blocks
    place = (pair * (luma_chunks + 2 * chroma_chunks) + first) * BLOCKS
    words += place
    squares += place * _AREA
    lanes, chunk_lanes = tl.arange(0, ABREAST), tl.arange(0, BLOCKS)
    bits, block = plane * 0, plane * 0
    while block < n_blocks:
        word = tl.load(words + block + lanes, mask=lanes < n_blocks - block, other=_NOTHING << 24)
        count = (word & 0xFFFFFF).to(tl.float32)
        unit = (word >> 24) & 0xFF
        counted = (unit == (bits >> 23) - 63) & (unit > _NOTHING) & (_mantissa(bits) + tl.cumsum(count, 0) < _END)
        stop = tl.min(tl.where(counted | (unit == _NOTHING), ABREAST, lanes), 0)
        bits += tl.sum(tl.where(lanes < stop, count, 0.0), 0).to(tl.int32)
        block += stop
        if stop < ABREAST:
            lane = block & (BLOCKS - 1)
            chunk = squares + (block - lane) * _AREA
            stop = lane
            expected, exponent = ((tl.load(words + block) >> 24) & 0xFF) - 64, (bits >> 23) - 127
            if (expected >= _LEAST) & (expected != exponent) & (exponent >= _LEAST) & (exponent <= _GREATEST):
                # Not the exponent that was expected, which may stay so for long: the rest of the chunk is counted anew.
                anew, plain = _counts(chunk, exponent, BLOCKS)
                anew = tl.where(chunk_lanes < lane, 0.0, anew)
                holds = plain & (_mantissa(bits) + tl.cumsum(anew, 0) < _END)
                stop = tl.min(tl.where(holds | (chunk_lanes < lane), BLOCKS, chunk_lanes), 0)
                bits += tl.sum(tl.where(chunk_lanes < stop, anew, 0.0), 0).to(tl.int32)
                block += stop - lane
            if stop < BLOCKS:
                total = bits.to(tl.float32, bitcast=True)
                for k in tl.static_range(_AREA):
                    total += tl.load(chunk + k * BLOCKS + stop)
                bits = total.to(tl.int32, bitcast=True)
                block += 1
    tl.store(out + pair * 3 + plane, bits.to(tl.int64))


class FusedPsnrHvs:
    """The kernels with their tables, those of the three planes one after the other, for planes of given shapes on one device."""

    def __init__(
        self, shapes: Sequence[tuple[int, int]], sensitivity: Sequence[torch.Tensor], masking: Sequence[torch.Tensor]
    ) -> None:
        self._tables = torch.cat(list(sensitivity)), torch.cat(list(masking))
        self._sides = *shapes[0], *shapes[1]
        self._blocks = [rows * columns for rows, columns in map(blocks, shapes[:2])]
        self._chunks = [triton.cdiv(n, BLOCKS) for n in self._blocks]
        self._n_chunks = self._chunks[0] + 2 * self._chunks[1]

    def pair_bytes(self) -> int:
        """What a pair's squares take, and a sum and a word of each block."""
        return int(4 * self._n_chunks * BLOCKS * (AREA + 3))

    def sums(
        self, reference: TensorPlanes, distorted: TensorPlanes, pair_reference: torch.Tensor, pair_distorted: torch.Tensor
    ) -> torch.Tensor:  # fmt: skip
        """The bits of float32 sums of squares, int64 of shape ``(n_pairs, 3)``, of frames ``(n, rows, columns)``."""
        n_pairs, n_chunks, device = pair_reference.shape[0], self._n_chunks, pair_reference.device
        squares = torch.empty((n_pairs, n_chunks, AREA, BLOCKS), dtype=torch.float32, device=device)
        sums = torch.empty((n_pairs, n_chunks, BLOCKS), dtype=torch.float32, device=device)
        chunk_sums = torch.empty((n_pairs, n_chunks), dtype=torch.float32, device=device)
        _square_blocks[n_chunks, n_pairs](
            *reference, *distorted, pair_reference, pair_distorted, *self._tables, squares, sums, chunk_sums,
            *self._sides, *self._chunks, BLOCKS=BLOCKS, maxnreg=168, enable_fp_fusion=False,
        )  # fmt: skip
        return self.ordered(squares, sums, chunk_sums)

    def ordered(self, squares: torch.Tensor, sums: torch.Tensor, chunk_sums: torch.Tensor) -> torch.Tensor:
        """The sums of squares ``(n_pairs, n_chunks, 64, BLOCKS)``, of which sums by block and chunk say about what they come to."""
        n_pairs, n_chunks = chunk_sums.shape
        words = torch.empty_like(sums, dtype=torch.int32)
        totals = torch.empty((n_pairs, 3), dtype=torch.int64, device=words.device)
        _count_blocks[n_chunks, n_pairs](
            squares, sums, chunk_sums, words, *self._chunks, BLOCKS=BLOCKS, ABREAST=ABREAST, enable_fp_fusion=False
        )
        _add_in_order[3, n_pairs](
            squares, words, totals, *self._blocks, *self._chunks, BLOCKS=BLOCKS, ABREAST=ABREAST, enable_fp_fusion=False
        )
        return totals
