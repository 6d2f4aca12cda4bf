"""VIF fused: per scale one kernel down the columns, one along the rows with the statistics; between scales two that halve the pictures.

The same integers as ``corekit.features.tensor.vif``. Products of 32 bits are summed in 64; the gain and what it leaves are
float64 without contraction (``enable_fp_fusion=False``), as in ``integer_vif.c`` of libvmaf (Netflix, BSD-2-Clause-Patent).

What bounds these kernels is loads and additions in integers, so each thread computes four neighbours at a time: every sample that it
loads serves all of them. Sums down the columns are stored with the mirrored samples at either end of a row, so that no kernel along the
rows has an edge.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from corekit.features._vif_figures import EPSILON, FILTERS, GAIN_LIMIT, NOISE, SCALES
from corekit.features.tensor.kernels._filters import mirror, plus, rounded, samples, store_row

SUMS = 4
_COLUMNS = 256
"""Columns in a program of ``_down_columns``, four rows each."""
_QUADS = 128
"""Groups of four pixels in a row of a program of ``_along_rows``."""
_ROWS = 4
_PICTURE_COLUMNS = 256
_BEHIND = 32
"""Samples of a stored row behind its last tile: the mirrored ones, and what the last four read too much."""
_NOISE = tl.constexpr(NOISE)
_LOG2_NOISE = tl.constexpr(17 * 2048)
_LOG2_LEAST = 15 * 2048
"""The table's least value, which is taken from all of them so that they fit 16 bits."""
_LEAST = tl.constexpr(_LOG2_LEAST)
_EPSILON = tl.constexpr(EPSILON)
_GAIN_LIMIT = tl.constexpr(GAIN_LIMIT)


@triton.jit
def _add_row(mean_r, mean_d, rr, dd, rd, r, d, r2, d2, product, TAPS: tl.constexpr, K: tl.constexpr):
    return (
        plus(mean_r, r, TAPS, K),
        plus(mean_d, d, TAPS, K),
        plus(rr, r2, TAPS, K),
        plus(dd, d2, TAPS, K),
        plus(rd, product, TAPS, K),
    )


@triton.jit
def _store_moments(
    at, plane, mean_r, mean_d, rr, dd, rd, x, width, edge, mean_shift, square_shift, RADIUS: tl.constexpr,
):  # fmt: skip
    means = rounded(mean_r, mean_shift) | (rounded(mean_d, mean_shift) << 16)
    store_row(at, means.to(tl.int32, bitcast=True), x, width, edge, RADIUS)
    rr, dd, rd = rounded(rr, square_shift), rounded(dd, square_shift), rounded(rd, square_shift)
    store_row(at + plane, rr.to(tl.int32, bitcast=True), x, width, edge, RADIUS)
    store_row(at + 2 * plane, dd.to(tl.int32, bitcast=True), x, width, edge, RADIUS)
    store_row(at + 3 * plane, rd.to(tl.int32, bitcast=True), x, width, edge, RADIUS)


@triton.jit(do_not_specialize=["height", "width", "mean_shift", "square_shift"])
def _down_columns(
    reference, distorted, pair_reference, pair_distorted, moments, height, width, pitch, mean_shift, square_shift,
    TAPS: tl.constexpr, RADIUS: tl.constexpr, WIDE: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Weighted sums of both frames, of their squares and of their product, down the columns; WIDE where 32 bits do not hold them.

    ``moments`` is int32, ``(n_pairs, 4, height, pitch)``: both means in one word, then the squares and the product.
    """
    pair = tl.program_id(2)
    y = tl.program_id(1) * 4
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = x < width
    edge = (tl.program_id(0) * COLUMNS <= RADIUS) | ((tl.program_id(0) + 1) * COLUMNS >= width - 1 - RADIUS)
    size = height.to(tl.int64) * width
    first = reference + tl.load(pair_reference + pair) * size
    second = distorted + tl.load(pair_distorted + pair) * size
    squares = tl.uint64 if WIDE else tl.uint32
    none = tl.zeros((COLUMNS,), tl.uint32)
    nothing = tl.zeros((COLUMNS,), squares)
    r0, d0, rr0, dd0, rd0 = none, none, nothing, nothing, nothing
    r1, d1, rr1, dd1, rd1 = none, none, nothing, nothing, nothing
    r2, d2, rr2, dd2, rd2 = none, none, nothing, nothing, nothing
    r3, d3, rr3, dd3, rd3 = none, none, nothing, nothing, nothing
    for j in tl.static_range(2 * RADIUS + 4):
        # Rows that only outputs below the last row would need are read from somewhere inside.
        row = tl.maximum(mirror(y + (j - RADIUS), height), 0) * width
        r = samples(first + row + x, inside)
        d = samples(second + row + x, inside)
        rr, dd, rd = (r * r).to(squares), (d * d).to(squares), (r * d).to(squares)
        r0, d0, rr0, dd0, rd0 = _add_row(r0, d0, rr0, dd0, rd0, r, d, rr, dd, rd, TAPS, j)
        r1, d1, rr1, dd1, rd1 = _add_row(r1, d1, rr1, dd1, rd1, r, d, rr, dd, rd, TAPS, j - 1)
        r2, d2, rr2, dd2, rd2 = _add_row(r2, d2, rr2, dd2, rd2, r, d, rr, dd, rd, TAPS, j - 2)
        r3, d3, rr3, dd3, rd3 = _add_row(r3, d3, rr3, dd3, rd3, r, d, rr, dd, rd, TAPS, j - 3)
    plane = height.to(tl.int64) * pitch
    at = moments + pair.to(tl.int64) * 4 * plane + y * pitch
    _store_moments(at, plane, r0, d0, rr0, dd0, rd0, x, width, edge, mean_shift, square_shift, RADIUS)
    if y + 1 < height:
        at += pitch
        _store_moments(at, plane, r1, d1, rr1, dd1, rd1, x, width, edge, mean_shift, square_shift, RADIUS)
    if y + 2 < height:
        at += pitch
        _store_moments(at, plane, r2, d2, rr2, dd2, rd2, x, width, edge, mean_shift, square_shift, RADIUS)
    if y + 3 < height:
        at += pitch
        _store_moments(at, plane, r3, d3, rr3, dd3, rd3, x, width, edge, mean_shift, square_shift, RADIUS)


@triton.jit
def _apart(tile, QUADS: tl.constexpr):
    """The four columns of a tile."""
    even, odd = tl.split(tl.reshape(tile, (QUADS, 2, 2)))
    v0, v2 = tl.split(even)
    v1, v3 = tl.split(odd)
    return v0, v1, v2, v3


@triton.jit
def _together(v0, v1, v2, v3, QUADS: tl.constexpr):
    return tl.reshape(tl.join(tl.join(v0, v2), tl.join(v1, v3)), (QUADS, 4))


@triton.jit
def _plus_four(t0, t1, t2, t3, v0, v1, v2, v3, TAPS: tl.constexpr, K: tl.constexpr):
    """Four neighbouring sums and what four neighbouring samples, the first of them ``K`` from the first's window, give to them."""
    t0 = plus(plus(plus(plus(t0, v0, TAPS, K), v1, TAPS, K + 1), v2, TAPS, K + 2), v3, TAPS, K + 3)
    t1 = plus(plus(plus(plus(t1, v0, TAPS, K - 1), v1, TAPS, K), v2, TAPS, K + 1), v3, TAPS, K + 2)
    t2 = plus(plus(plus(plus(t2, v0, TAPS, K - 2), v1, TAPS, K - 1), v2, TAPS, K), v3, TAPS, K + 1)
    t3 = plus(plus(plus(plus(t3, v0, TAPS, K - 3), v1, TAPS, K - 2), v2, TAPS, K - 1), v3, TAPS, K)
    return t0, t1, t2, t3


@triton.jit
def _row_of_means(source, TAPS: tl.constexpr, RADIUS: tl.constexpr, QUADS: tl.constexpr):
    """Weighted sums of both means along a row, uint32."""
    none = tl.zeros((QUADS,), tl.uint32)
    r0, r1, r2, r3 = none, none, none, none
    d0, d1, d2, d3 = none, none, none, none
    for k in tl.static_range(0, 2 * RADIUS + 4, 4):
        both = tl.load(source + k).to(tl.uint32, bitcast=True)
        v0, v1, v2, v3 = _apart(both & 0xFFFF, QUADS)
        r0, r1, r2, r3 = _plus_four(r0, r1, r2, r3, v0, v1, v2, v3, TAPS, k)
        v0, v1, v2, v3 = _apart(both >> 16, QUADS)
        d0, d1, d2, d3 = _plus_four(d0, d1, d2, d3, v0, v1, v2, v3, TAPS, k)
    return _together(r0, r1, r2, r3, QUADS), _together(d0, d1, d2, d3, QUADS)


@triton.jit
def _row_of_squares(source, TAPS: tl.constexpr, RADIUS: tl.constexpr, QUADS: tl.constexpr):
    """Weighted sums of a second moment along a row, rounded by 16 bits; int64."""
    none = tl.zeros((QUADS,), tl.uint64)
    t0, t1, t2, t3 = none, none, none, none
    for k in tl.static_range(0, 2 * RADIUS + 4, 4):
        tile = tl.load(source + k).to(tl.uint32, bitcast=True).to(tl.uint64)
        v0, v1, v2, v3 = _apart(tile, QUADS)
        t0, t1, t2, t3 = _plus_four(t0, t1, t2, t3, v0, v1, v2, v3, TAPS, k)
    return ((_together(t0, t1, t2, t3, QUADS) + 32768) >> 16).to(tl.int64)


@triton.jit
def _log2(x, table):
    """2048 * log2 of integers of at least 2**15, cut to their leading 16 bits; int32."""
    excess = (x.to(tl.float64).to(tl.int64, bitcast=True) >> 52) - (1023 + 15)
    return tl.load(table + ((x >> excess) - (1 << 15))).to(tl.int32) + (_LEAST + 2048 * excess.to(tl.int32))


@triton.jit
def _high_product(a, b):
    return ((a.to(tl.uint64) * b.to(tl.uint64) + 2147483648) >> 32).to(tl.int64)


@triton.jit(do_not_specialize=["out_columns", "height", "width"])
def _along_rows(
    moments, table, out, out_columns, height, width, pitch,
    TAPS: tl.constexpr, RADIUS: tl.constexpr, ROWS: tl.constexpr, QUADS: tl.constexpr,
):  # fmt: skip
    """Weighted sums along the rows, and the four sums of a scale, added to ``out`` by every program: integers have no order."""
    pair = tl.program_id(2)
    x = (tl.program_id(0) * QUADS + tl.arange(0, QUADS))[:, None] * 4 + tl.arange(0, 4)[None, :]
    plane = height.to(tl.int64) * pitch
    source = moments + pair.to(tl.int64) * 4 * plane + x
    kept = tl.zeros((QUADS, 4), tl.int32)
    information = tl.zeros((QUADS, 4), tl.int32)
    quiet = tl.zeros((QUADS, 4), tl.int32)
    unexplained = tl.zeros((QUADS, 4), tl.int64)
    for row in range(ROWS):
        y = tl.program_id(1) * ROWS + row
        if y < height:
            at = source + y * pitch
            mean_r, mean_d = _row_of_means(at, TAPS, RADIUS, QUADS)
            variance = _row_of_squares(at + plane, TAPS, RADIUS, QUADS) - _high_product(mean_r, mean_r)
            noise = _row_of_squares(at + 2 * plane, TAPS, RADIUS, QUADS) - _high_product(mean_d, mean_d)
            shared = _row_of_squares(at + 3 * plane, TAPS, RADIUS, QUADS) - _high_product(mean_r, mean_d)
            noise = tl.maximum(noise, 0)
            inside = x < width
            loud = inside & (variance >= _NOISE)
            still = inside & (variance < _NOISE)
            variance = tl.where(loud, variance, _NOISE)
            information += tl.where(loud, _log2(variance + _NOISE, table) - _LOG2_NOISE, 0)
            correlated = loud & (shared > 0) & (noise > 0)
            covariance = shared.to(tl.float64)
            power = variance.to(tl.float64)
            gain = covariance / (power + _EPSILON)
            left = tl.maximum(noise.to(tl.float64) - gain * covariance, 0.0).to(tl.int64)
            gain = tl.minimum(gain, _GAIN_LIMIT)
            channel = left + _NOISE
            signal = tl.where(correlated, gain * gain * power, 0.0).to(tl.int64) + channel
            signal = tl.where(correlated, signal, _NOISE)
            channel = tl.where(correlated, channel, _NOISE)
            kept += _log2(signal, table) - _log2(channel, table)
            quiet += still.to(tl.int32)
            unexplained += tl.where(still, noise, 0)
    # Sums over a program fit 32 bits: 2048 pixels of less than 2**17.
    at = out + pair * out_columns
    tl.atomic_add(at, tl.sum(tl.sum(kept, 1), 0).to(tl.int64), sem="relaxed")
    tl.atomic_add(at + 1, tl.sum(tl.sum(information, 1), 0).to(tl.int64), sem="relaxed")
    tl.atomic_add(at + 2, tl.sum(tl.sum(quiet, 1), 0).to(tl.int64), sem="relaxed")
    tl.atomic_add(at + 3, tl.sum(tl.sum(unexplained, 1), 0), sem="relaxed")


@triton.jit(do_not_specialize=["n_reference", "height", "width", "shift"])
def _halve_down(
    reference, distorted, n_reference, target, height, width, pitch, shift,
    TAPS: tl.constexpr, RADIUS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Every second row of the pictures, blurred down the columns: int16 bits, ``(n_reference + n_distorted, height // 2, pitch)``."""
    frame = tl.program_id(2)
    y = tl.program_id(1)
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = x < width
    edge = (tl.program_id(0) * COLUMNS <= RADIUS) | ((tl.program_id(0) + 1) * COLUMNS >= width - 1 - RADIUS)
    if frame < n_reference:
        picture = reference + frame.to(tl.int64) * height * width
    else:
        picture = distorted + (frame - n_reference).to(tl.int64) * height * width
    total = tl.zeros((COLUMNS,), tl.uint32)
    for k in tl.static_range(2 * RADIUS + 1):
        row = mirror(2 * y + (k - RADIUS), height) * width
        total = plus(total, samples(picture + row + x, inside), TAPS, k)
    value = rounded(total, shift).to(tl.uint16).to(tl.int16, bitcast=True)
    at = target + (frame.to(tl.int64) * (height // 2) + y) * pitch
    store_row(at, value, x, width, edge, RADIUS)


@triton.jit(do_not_specialize=["rows", "columns"])
def _halve_across(
    source, target, pitch, rows, columns, TAPS: tl.constexpr, RADIUS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Every second column of what ``_halve_down`` stored, blurred along the rows."""
    line = tl.program_id(2).to(tl.int64) * rows + tl.program_id(1)
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = x < columns
    total = tl.zeros((COLUMNS,), tl.uint32)
    for k in tl.static_range(2 * RADIUS + 1):
        total = plus(total, samples(source + line * pitch + 2 * x + k, inside), TAPS, k)
    value = ((total + 32768) >> 16).to(tl.uint16).to(tl.int16, bitcast=True)
    tl.store(target + line * columns + x, value, mask=inside)


class FusedVif:
    """The kernels with their table on one device."""

    def __init__(self, bit_depth: int, table: torch.Tensor) -> None:
        self._depth = bit_depth
        self._table = (table - _LOG2_LEAST).to(torch.int16)

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
                reference, distorted = self._halved(reference, distorted, scale)
            self._scale(reference, distorted, pair_reference, pair_distorted, scale, out[:, scale * SUMS :])
        return out

    def _shift(self, scale: int) -> int:
        return self._depth if scale == 0 else 16

    def _scale(
        self, reference: torch.Tensor, distorted: torch.Tensor, pair_reference: torch.Tensor, pair_distorted: torch.Tensor,
        scale: int, out: torch.Tensor,
    ) -> None:  # fmt: skip
        n, (height, width) = pair_reference.shape[0], reference.shape[-2:]
        taps = FILTERS[scale]
        window = {"TAPS": taps, "RADIUS": len(taps) // 2}
        pitch = triton.cdiv(width, 4 * _QUADS) * 4 * _QUADS + _BEHIND
        moments = torch.empty((n, 4, height, pitch), dtype=torch.int32, device=reference.device)
        _down_columns[triton.cdiv(width, _COLUMNS), triton.cdiv(height, 4), n](
            reference, distorted, pair_reference, pair_distorted, moments, height, width, pitch, self._shift(scale),
            2 * (self._depth - 8) if scale == 0 else 16, WIDE=scale > 0 or self._depth > 8, COLUMNS=_COLUMNS, **window,
        )  # fmt: skip
        _along_rows[triton.cdiv(width, 4 * _QUADS), triton.cdiv(height, _ROWS), n](
            moments, self._table, out, out.stride(0), height, width, pitch,
            ROWS=_ROWS, QUADS=_QUADS, enable_fp_fusion=False, **window,
        )  # fmt: skip

    def _halved(
        self, reference: torch.Tensor, distorted: torch.Tensor, scale: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The pictures of ``scale`` from those of the one before: uint16 as int16."""
        n, (height, width), taps = reference.shape[0], reference.shape[-2:], FILTERS[scale]
        n_all = n if distorted is reference else n + distorted.shape[0]
        rows, columns = height // 2, width // 2
        window = {"TAPS": taps, "RADIUS": len(taps) // 2}
        pitch = triton.cdiv(width, 16) * 16 + _BEHIND
        down = torch.empty((n_all, rows, pitch), dtype=torch.int16, device=reference.device)
        _halve_down[triton.cdiv(width, _PICTURE_COLUMNS), rows, n_all](
            reference, distorted, n, down, height, width, pitch, self._shift(scale - 1),
            COLUMNS=_PICTURE_COLUMNS, **window,
        )  # fmt: skip
        halved = torch.empty((n_all, rows, columns), dtype=torch.int16, device=reference.device)
        _halve_across[triton.cdiv(columns, _PICTURE_COLUMNS), rows, n_all](
            down, halved, pitch, rows, columns, COLUMNS=_PICTURE_COLUMNS, **window,
        )  # fmt: skip
        own = halved[:n]
        return own, own if n_all == n else halved[n:]
