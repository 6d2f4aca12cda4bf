"""ADM fused: per scale one kernel for the wavelet of a picture, one that splits and masks coefficients, one that pools rows.

The same integers as ``corekit.features.tensor.adm``, which follows ``integer_adm.c`` of libvmaf 3.2 (Netflix, BSD-2-Clause-Patent);
the quotient of two coefficients is float64 without contraction.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from corekit.features._adm_layout import ScaleLayout

SUMS = 9
_BLOCK = 256
_GAIN_LIMIT = tl.constexpr(100.0)


@triton.jit
def _tap_place(i, offset: tl.constexpr, n):
    """Where a tap of output ``i`` lies: without repeating the first sample, with repeating the last."""
    place = tl.abs(2 * i + offset)
    return tl.where(place >= n, 2 * n - 1 - place, place)


@triton.jit
def _rounded(value, shift):
    return (value + ((1 << shift) >> 1)) >> shift


@triton.jit
def _column(picture, y, x, height, width, inside, bias, shift, FINEST: tl.constexpr):
    """The low and the high band down one column."""
    if FINEST:
        kind = tl.int32
    else:
        kind = tl.int64
    s0 = tl.load(picture + _tap_place(y, -1, height) * width + x, mask=inside, other=0).to(kind)
    s1 = tl.load(picture + _tap_place(y, 0, height) * width + x, mask=inside, other=0).to(kind)
    s2 = tl.load(picture + _tap_place(y, 1, height) * width + x, mask=inside, other=0).to(kind)
    s3 = tl.load(picture + _tap_place(y, 2, height) * width + x, mask=inside, other=0).to(kind)
    low = s0 * 15826 + s1 * 27411 + s2 * 7345 - s3 * 4240
    high = s2 * 27411 - s0 * 4240 - s1 * 7345 - s3 * 15826
    half = ((1 << shift) >> 1).to(kind)
    cut = shift.to(kind)
    return (low - bias.to(kind) + half) >> cut, (high + half) >> cut


@triton.jit(do_not_specialize=["height", "width", "rows", "columns", "bias", "down_shift", "across_shift"])
def _transform(
    source, frames, bands, height, width, rows, columns, bias, down_shift, across_shift,
    FINEST: tl.constexpr, INDEXED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Approximation and horizontal, vertical, diagonal detail of each picture: ``bands`` is ``(n, 4, rows, columns)``."""
    frame = tl.program_id(2).to(tl.int64)
    y = tl.program_id(1)
    x = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = x < columns
    size = rows.to(tl.int64) * columns
    if INDEXED:
        picture = source + tl.load(frames + frame) * height * width
    else:
        picture = source + frame * 4 * height * width
    l0, h0 = _column(picture, y, _tap_place(x, -1, width), height, width, inside, bias, down_shift, FINEST)
    l1, h1 = _column(picture, y, _tap_place(x, 0, width), height, width, inside, bias, down_shift, FINEST)
    l2, h2 = _column(picture, y, _tap_place(x, 1, width), height, width, inside, bias, down_shift, FINEST)
    l3, h3 = _column(picture, y, _tap_place(x, 2, width), height, width, inside, bias, down_shift, FINEST)
    half = ((1 << across_shift) >> 1).to(l0.dtype)
    cut = across_shift.to(l0.dtype)
    at = bands + frame * 4 * size + y.to(tl.int64) * columns + x
    a = (l0 * 15826 + l1 * 27411 + l2 * 7345 - l3 * 4240 + half) >> cut
    h = (h0 * 15826 + h1 * 27411 + h2 * 7345 - h3 * 4240 + half) >> cut
    v = (l2 * 27411 - l0 * 4240 - l1 * 7345 - l3 * 15826 + half) >> cut
    d = (h2 * 27411 - h0 * 4240 - h1 * 7345 - h3 * 15826 + half) >> cut
    tl.store(at, a.to(tl.int32), mask=inside)
    tl.store(at + size, h.to(tl.int32), mask=inside)
    tl.store(at + 2 * size, v.to(tl.int32), mask=inside)
    tl.store(at + 3 * size, d.to(tl.int32), mask=inside)


@triton.jit
def _restored(o, t, aligned):
    """What is left of the reference's coefficient ``o`` in the distorted one ``t``."""
    reference = o.to(tl.float64)
    distorted = t.to(tl.float64)
    size = tl.abs(reference)
    excess = tl.maximum((size.to(tl.int64, bitcast=True) >> 52) - 1037, 0)
    unit = ((1023 - excess) << 52).to(tl.float64, bitcast=True)
    reciprocal = tl.floor(1073741824.0 / tl.maximum(tl.floor(size * unit + 0.5), 1.0)) * unit * 0.000030517578125
    quotient = tl.floor(reciprocal * tl.where(o >= 0, distorted, -distorted) + 0.5)
    quotient = tl.minimum(tl.maximum(quotient, 0.0), 32768.0)
    part = tl.floor((quotient * reference + 16384.0) * 0.000030517578125)
    limit = part * _GAIN_LIMIT
    limited = tl.where(o < 0, tl.maximum(limit, distorted), tl.minimum(limit, distorted))
    enhanced = aligned & (quotient > 0.0) & (o != 0)
    return tl.where(enhanced, limited, part).to(tl.int32)


@triton.jit
def _masking(coefficient, weight, add, shift, near, centre, mask_round, mask_shift, FINEST: tl.constexpr):
    """What a coefficient hides in its neighbours, and by how much more in its own place; int32, wrapping."""
    visible = tl.abs((coefficient.to(tl.int64) * weight + add) >> shift).to(tl.int32).to(tl.int64)
    aside = ((visible * near + mask_round) >> mask_shift).to(tl.int32)
    here = (visible * centre + mask_round) >> mask_shift
    if FINEST:
        here = here.to(tl.int16).to(tl.int32)
    else:
        here = here.to(tl.int32)
    return aside, here - aside


@triton.jit(do_not_specialize=["rows", "columns", "near", "centre", "mask_round", "mask_shift"])
def _split(
    own, other, pair_own, parts, rows, columns, weights, near, centre, mask_round, mask_shift, cosine,
    FINEST: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Per pair seven planes: three restored bands, then around and excess of the restored part and of the added one."""
    pair = tl.program_id(2).to(tl.int64)
    y = tl.program_id(1).to(tl.int64)
    x = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = x < columns
    size = rows.to(tl.int64) * columns
    o = own + (tl.load(pair_own + pair) * 4 + 1) * size + y * columns + x
    t = other + (pair * 4 + 1) * size + y * columns + x
    oh = tl.load(o, mask=inside, other=0)
    ov = tl.load(o + size, mask=inside, other=0)
    od = tl.load(o + 2 * size, mask=inside, other=0)
    th = tl.load(t, mask=inside, other=0)
    tv = tl.load(t + size, mask=inside, other=0)
    td = tl.load(t + 2 * size, mask=inside, other=0)
    a, b, c, d = oh.to(tl.int64), ov.to(tl.int64), th.to(tl.int64), tv.to(tl.int64)
    dot = (a * c + b * d).to(tl.float32).to(tl.float64)
    first = (a * a + b * b).to(tl.float32).to(tl.float64)
    second = (c * c + d * d).to(tl.float32).to(tl.float64)
    aligned = (dot >= 0.0) & (dot * dot >= tl.load(cosine) * first * second)
    rh = _restored(oh, th, aligned)
    rv = _restored(ov, tv, aligned)
    rd = _restored(od, td, aligned)
    w0, w1, w2 = tl.load(weights), tl.load(weights + 1), tl.load(weights + 2)
    a0, a1, a2 = tl.load(weights + 3), tl.load(weights + 4), tl.load(weights + 5)
    s0, s1, s2 = tl.load(weights + 6), tl.load(weights + 7), tl.load(weights + 8)
    n0, e0 = _masking(rh, w0, a0, s0, near, centre, mask_round, mask_shift, FINEST)
    n1, e1 = _masking(rv, w1, a1, s1, near, centre, mask_round, mask_shift, FINEST)
    n2, e2 = _masking(rd, w2, a2, s2, near, centre, mask_round, mask_shift, FINEST)
    m0, f0 = _masking(th - rh, w0, a0, s0, near, centre, mask_round, mask_shift, FINEST)
    m1, f1 = _masking(tv - rv, w1, a1, s1, near, centre, mask_round, mask_shift, FINEST)
    m2, f2 = _masking(td - rd, w2, a2, s2, near, centre, mask_round, mask_shift, FINEST)
    at = parts + pair * 7 * size + y * columns + x
    tl.store(at, rh, mask=inside)
    tl.store(at + size, rv, mask=inside)
    tl.store(at + 2 * size, rd, mask=inside)
    tl.store(at + 3 * size, n0 + n1 + n2, mask=inside)
    tl.store(at + 4 * size, e0 + e1 + e2, mask=inside)
    tl.store(at + 5 * size, m0 + m1 + m2, mask=inside)
    tl.store(at + 6 * size, f0 + f1 + f2, mask=inside)


@triton.jit
def _box(around, y, x, rows, columns, inside):
    """Sum of the nine neighbours; the first row and column are mirrored, the last repeated."""
    top, bottom = tl.abs(y - 1), tl.minimum(y + 1, rows - 1)
    left, right = tl.abs(x - 1), tl.minimum(x + 1, columns - 1)
    total = tl.load(around + top * columns + left, mask=inside, other=0)
    total += tl.load(around + top * columns + x, mask=inside, other=0)
    total += tl.load(around + top * columns + right, mask=inside, other=0)
    total += tl.load(around + y * columns + left, mask=inside, other=0)
    total += tl.load(around + y * columns + x, mask=inside, other=0)
    total += tl.load(around + y * columns + right, mask=inside, other=0)
    total += tl.load(around + bottom * columns + left, mask=inside, other=0)
    total += tl.load(around + bottom * columns + x, mask=inside, other=0)
    total += tl.load(around + bottom * columns + right, mask=inside, other=0)
    return total


@triton.jit
def _cubed(coefficient, hidden, weight, add, shift, threshold_shift, square_shift, cube_shift, inside):
    """Sum of cubed magnitudes above the threshold."""
    visible = tl.abs((coefficient.to(tl.int64) * weight + add) >> shift)
    above = (visible - (hidden << threshold_shift).to(tl.int32).to(tl.int64)).to(tl.int32)
    x = tl.maximum(above, 0).to(tl.int64)
    square = _rounded(x * x, square_shift) & 0xFFFFFFFF
    return tl.sum(tl.where(inside, _rounded(square * x, cube_shift), 0), 0)


@triton.jit
def _energy(coefficient, add, square_shift, cube_shift, inside):
    size = tl.abs(coefficient.to(tl.int64))
    square = (size * size + add) >> square_shift
    return tl.sum(tl.where(inside, _rounded(square * size, cube_shift), 0), 0)


@triton.jit(do_not_specialize=["out_columns", "rows", "columns", "top", "left", "right"])
def _pool(
    own, other, pair_own, parts, figures, out, out_columns, rows, columns, top, left, right, BLOCK: tl.constexpr,
):  # fmt: skip
    """One scored row of one pair: nine row sums, each rounded as a row and added to ``out``."""
    pair = tl.program_id(1).to(tl.int64)
    y = (tl.program_id(0) + top).to(tl.int64)
    size = rows.to(tl.int64) * columns
    o = own + (tl.load(pair_own + pair) * 4 + 1) * size + y * columns
    t = other + (pair * 4 + 1) * size + y * columns
    restored = parts + pair * 7 * size
    around_r, excess_r = restored + 3 * size, restored + 4 * size + y * columns
    around_a, excess_a = restored + 5 * size, restored + 6 * size + y * columns
    restored += y * columns
    row_shift, own_add, own_square = tl.load(figures + 18), tl.load(figures + 19), tl.load(figures + 20)
    own_cube, own_row, scored_add, scored_shift = (
        tl.load(figures + 21), tl.load(figures + 22), tl.load(figures + 23), tl.load(figures + 24),
    )  # fmt: skip
    at = out + pair * out_columns
    for band in tl.static_range(3):
        weight, threshold_shift = tl.load(figures + band), tl.load(figures + 9 + band)
        square_shift, cube_shift = tl.load(figures + 12 + band), tl.load(figures + 15 + band)
        energy = tl.zeros((), tl.int64)
        kept = tl.zeros((), tl.int64)
        added = tl.zeros((), tl.int64)
        start = left
        while start < right:
            x = start + tl.arange(0, BLOCK)
            inside = x < right
            coefficient = tl.load(o + band * size + x, mask=inside, other=0)
            distorted = tl.load(t + band * size + x, mask=inside, other=0)
            part = tl.load(restored + band * size + x, mask=inside, other=0)
            of_added = _box(around_a, y, x, rows, columns, inside) + tl.load(excess_a + x, mask=inside, other=0)
            of_restored = _box(around_r, y, x, rows, columns, inside) + tl.load(excess_r + x, mask=inside, other=0)
            energy += _energy(coefficient, own_add, own_square, own_cube, inside)
            kept += _cubed(
                part,
                of_added.to(tl.int64),
                weight,
                scored_add,
                scored_shift,
                threshold_shift,
                square_shift,
                cube_shift,
                inside,
            )
            added += _cubed(
                distorted - part, of_restored.to(tl.int64), weight, scored_add, scored_shift, threshold_shift, square_shift,
                cube_shift, inside,
            )  # fmt: skip
            start += BLOCK
        tl.atomic_add(at + band, _rounded(energy, own_row), sem="relaxed")
        tl.atomic_add(at + 3 + band, _rounded(kept, row_shift), sem="relaxed")
        tl.atomic_add(at + 6 + band, _rounded(added, row_shift), sem="relaxed")


class FusedAdm:
    """The kernels with their figures on one device."""

    def __init__(self, layouts: list[ScaleLayout], bit_depth: int, cosine: float, device: torch.device) -> None:
        self._layouts = layouts
        self._depth = bit_depth
        self._cosine = torch.tensor([cosine], dtype=torch.float64, device=device)
        self._figures = [torch.tensor(_figures(layout), dtype=torch.int64, device=device) for layout in layouts]

    def sums(
        self,
        reference: torch.Tensor,
        distorted: torch.Tensor,
        pair_reference: torch.Tensor,
        pair_distorted: torch.Tensor,
    ) -> torch.Tensor:
        """Sums of every pair, int64 of shape ``(n_pairs, n_scales * SUMS)``, of luma frames ``(n, rows, columns)``."""
        n = pair_reference.shape[0]
        out = torch.zeros((n, len(self._layouts) * SUMS), dtype=torch.int64, device=reference.device)
        # All reference frames: to leave out the few that no pair has, the host would have to wait for the device.
        every = torch.arange(reference.shape[0], device=reference.device)
        own, other = reference, distorted
        size: tuple[int, int] = (reference.shape[-2], reference.shape[-1])
        for scale, layout in enumerate(self._layouts):
            own = self._transformed(own, every, size, scale)
            other = self._transformed(other, pair_distorted, size, scale)
            self._scale(own, other, pair_reference, scale, out[:, scale * SUMS :])
            size = layout.height, layout.width
        return out

    def _transformed(
        self, source: torch.Tensor, frames: torch.Tensor, size: tuple[int, int], scale: int
    ) -> torch.Tensor:
        """The four bands of the frames, ``(n, 4, rows, columns)``; below the finest, of their approximations."""
        s = self._layouts[scale]
        bands = torch.empty((frames.shape[0], 4, s.height, s.width), dtype=torch.int32, device=source.device)
        grid = (triton.cdiv(s.width, _BLOCK), s.height, frames.shape[0])
        bias = 46342 << (self._depth - 1) if scale == 0 else 0
        _transform[grid](
            source, frames, bands, *size, s.height, s.width, bias, s.down_shift, s.across_shift,
            FINEST=scale == 0, INDEXED=scale == 0, BLOCK=_BLOCK,
        )  # fmt: skip
        return bands

    def _scale(
        self, own: torch.Tensor, other: torch.Tensor, pair_own: torch.Tensor, scale: int, out: torch.Tensor
    ) -> None:
        s, figures, n = self._layouts[scale], self._figures[scale], pair_own.shape[0]
        parts = torch.empty((n, 7, s.height, s.width), dtype=torch.int32, device=own.device)
        _split[(triton.cdiv(s.width, _BLOCK), s.height, n)](
            own, other, pair_own, parts, s.height, s.width, figures, s.near, s.centre, s.mask_round, s.mask_shift, self._cosine,
            FINEST=scale == 0, BLOCK=_BLOCK, enable_fp_fusion=False,
        )  # fmt: skip
        _pool[(s.bottom - s.top, n)](
            own,
            other,
            pair_own,
            parts,
            figures,
            out,
            out.stride(0),
            s.height,
            s.width,
            s.top,
            s.left,
            s.right,
            BLOCK=_BLOCK,
        )


def _figures(s: ScaleLayout) -> list[int]:
    """What the kernels read from memory, in the order in which they do."""
    return [
        *s.weight, *s.weight_round, *s.weight_shift, *s.threshold_shift, *s.square_shift, *s.cube_shift,
        s.row_shift, s.reference_square_round, s.reference_square_shift, s.reference_cube_shift, s.reference_row_shift,
        s.scored_round, s.scored_shift,
    ]  # fmt: skip
