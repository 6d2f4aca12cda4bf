"""SSIMULACRA 2 in Triton: one kernel from planes to XYB and the next scale, one along the rows, two down the columns.

A line of the recursive blur cannot be divided, so a program takes 32 lines of one channel abreast, a line a thread, and the lines of all scales,
channels and frames run side by side. It goes eight steps at a time: the samples that enter are loaded together, as a tile, and the
results leave as one. Down the columns the maps are made and summed where their last operand appears.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import triton
import triton.language as tl

from corekit.features import _recursive_gaussian as gaussian
from corekit.features import _ssimulacra2_model as model
from corekit.features._ssimulacra2_weights import WEIGHTS, has_ssim
from corekit.features.tensor.family import TensorPlanes
from corekit.model import FrameFormat

ROWS, COLUMNS = 2, 128
"""Blocks of 2x2 pixels in a program of the conversion."""
LINES = 32

_RADIUS: tl.constexpr = tl.constexpr(gaussian.RADIUS)
_IN1: tl.constexpr = tl.constexpr(float(gaussian.IN1))
_IN3: tl.constexpr = tl.constexpr(float(gaussian.IN3))
_IN5: tl.constexpr = tl.constexpr(float(gaussian.IN5))
_BACK1: tl.constexpr = tl.constexpr(float(gaussian.BACK1))
_BACK3: tl.constexpr = tl.constexpr(float(gaussian.BACK3))
_BACK5: tl.constexpr = tl.constexpr(float(gaussian.BACK5))
_C2: tl.constexpr = tl.constexpr(float(model.C2))
_CR_R: tl.constexpr = tl.constexpr(float(model.CR_R))
_CR_G: tl.constexpr = tl.constexpr(float(model.CR_G))
_CB_G: tl.constexpr = tl.constexpr(float(model.CB_G))
_CB_B: tl.constexpr = tl.constexpr(float(model.CB_B))
_LUMA_OFFSET: tl.constexpr = tl.constexpr(float(model.LUMA_OFFSET))
_LUMA_SCALE: tl.constexpr = tl.constexpr(float(model.LUMA_SCALE))
_CHROMA_SCALE: tl.constexpr = tl.constexpr(float(model.CHROMA_SCALE))
_EOTF_TOP: tl.constexpr = tl.constexpr(model.EOTF_TOP)
_M00: tl.constexpr = tl.constexpr(float(model.M00))
_M01: tl.constexpr = tl.constexpr(float(model.M01))
_M02: tl.constexpr = tl.constexpr(float(model.M02))
_M10: tl.constexpr = tl.constexpr(float(model.M10))
_M11: tl.constexpr = tl.constexpr(float(model.M11))
_M12: tl.constexpr = tl.constexpr(float(model.M12))
_M20: tl.constexpr = tl.constexpr(float(model.M20))
_M21: tl.constexpr = tl.constexpr(float(model.M21))
_M22: tl.constexpr = tl.constexpr(float(model.M22))
_BIAS: tl.constexpr = tl.constexpr(float(model.OPSIN_BIAS))
_BIAS_ROOT: tl.constexpr = tl.constexpr(float(model.BIAS_ROOT))
_SEED: tl.constexpr = tl.constexpr(model.CUBE_ROOT_SEED)
_THIRD: tl.constexpr = tl.constexpr(float(model.THIRD))
_X_SCALE: tl.constexpr = tl.constexpr(float(model.X_SCALE))
_X_OFFSET: tl.constexpr = tl.constexpr(float(model.X_OFFSET))
_Y_OFFSET: tl.constexpr = tl.constexpr(float(model.Y_OFFSET))
_B_OFFSET: tl.constexpr = tl.constexpr(float(model.B_OFFSET))


class FusedSsimulacra2:
    """The tables of one frame format on one device, and the order of the launches.

    A frame's *pictures* are the three channels of all scales, their rows padded to whole sectors of memory. Its *fields* are what
    is blurred of each channel that has weights: itself and, where the dissimilarity counts, its square and its product with the reference.
    """

    def __init__(self, fmt: FrameFormat, shapes: Sequence[tuple[int, int]], device: torch.device) -> None:
        self._fmt, self._shapes = fmt, shapes
        self._pitches = [-(-columns // 8) * 8 for _, columns in shapes]
        samples = [3 * rows * pitch for (rows, _), pitch in zip(shapes, self._pitches, strict=True)]
        self._offsets = np.cumsum([0, *samples]).tolist()
        self._blocks = -(-shapes[0][1] // LINES)
        row_jobs: dict[int, list[list[int]]] = {3: [], 1: []}
        column_jobs: dict[int, list[list[int]]] = {3: [], 1: []}
        self._field_samples = 0
        for scale, channel in np.ndindex(len(shapes), 3):
            if not WEIGHTS[channel, scale].any():
                continue
            n_fields = 3 if has_ssim(channel, scale) else 1
            (rows, columns), pitch = shapes[scale], self._pitches[scale]
            picture = self._offsets[scale] + channel * rows * pitch
            job = [picture, rows, columns, pitch, self._field_samples]
            slot = (channel * len(shapes) + scale) * self._blocks
            row_jobs[n_fields] += [[*job, line, 0, 0] for line in range(0, rows, LINES)]
            column_jobs[n_fields] += [[*job, line, slot + line // LINES, 0] for line in range(0, columns, LINES)]
            self._field_samples += n_fields * rows * pitch
        self._row_jobs, self._column_jobs = (
            {n: torch.tensor(each, dtype=torch.int32, device=device) for n, each in jobs.items() if each}
            for jobs in (row_jobs, column_jobs)
        )
        steps = np.stack([model.EOTF, np.append(model.EOTF[1:], model.EOTF[-1:])], 1)
        self._eotf = torch.from_numpy(steps.view(np.int64)[:, 0]).to(device)

    def sums(
        self, reference: TensorPlanes, distorted: TensorPlanes, pair_reference: torch.Tensor, pair_distorted: torch.Tensor
    ) -> torch.Tensor:  # fmt: skip
        """Sums of the maps, float64, shape ``(n_pairs, 3, n_scales, 6)``."""
        n_frames, n_pairs = len(reference[0]), len(pair_reference)
        every = torch.arange(n_frames, device=pair_reference.device)
        own, other = self._to_xyb(reference, every), self._to_xyb(distorted, pair_distorted)
        kept = own.new_empty((n_frames, self._field_samples))
        fields = torch.empty_like(kept)
        steps = (self._offsets[-1], self._field_samples)
        for n, jobs in self._row_jobs.items():
            _blur_rows[(len(jobs), n_frames)](
                own,
                own,
                every,
                fields,
                jobs,
                *steps,
                FIELDS=min(n, 2),
                LINES=LINES,
                num_warps=1,
                enable_fp_fusion=False,
            )
        for n, jobs in self._column_jobs.items():
            _keep_columns[(len(jobs), n_frames)](
                own, fields, kept, jobs, *steps, FIELDS=min(n, 2), LINES=LINES, num_warps=1, enable_fp_fusion=False
            )
        fields = own.new_empty((n_pairs, self._field_samples))
        for n, jobs in self._row_jobs.items():
            _blur_rows[(len(jobs), n_pairs)](
                other, own, pair_reference, fields, jobs, *steps, FIELDS=n, LINES=LINES, num_warps=1, enable_fp_fusion=False
            )  # fmt: skip
        parts = torch.zeros((n_pairs, 3, len(self._shapes), self._blocks, 6), dtype=torch.float64, device=own.device)
        for n, jobs in self._column_jobs.items():
            _compare_columns[(len(jobs), n_pairs)](
                other, own, pair_reference, fields, kept, parts, jobs, *steps, parts.stride(0),
                FIELDS=n, LINES=LINES, num_warps=1, enable_fp_fusion=False,
            )  # fmt: skip
        return parts.sum(3)

    def _to_xyb(self, planes: TensorPlanes, frames: torch.Tensor) -> torch.Tensor:
        """The pictures of the chosen frames."""
        fmt, n_frames = self._fmt, len(frames)
        pictures = torch.empty((n_frames, self._offsets[-1]), dtype=torch.float32, device=frames.device)
        linear = pictures
        for scale, (rows, columns) in enumerate(self._shapes):
            next_rows, next_columns = (rows + 1) // 2, (columns + 1) // 2
            halved = pictures.new_empty((n_frames, 3, next_rows, next_columns))
            grid = (triton.cdiv(next_columns, COLUMNS), triton.cdiv(next_rows, ROWS), n_frames)
            _to_xyb[grid](
                *planes, frames, linear, pictures[:, self._offsets[scale] :], halved, self._eotf,
                rows, columns, self._pitches[scale], self._offsets[-1], fmt.chroma_height, fmt.chroma_width,
                float(np.float32(1) / np.float32((1 << fmt.bit_depth) - 1)),
                SHIFT_Y=int(fmt.chroma == "420"), SHIFT_X=int(fmt.chroma != "444"), FIRST=scale == 0,
                LAST=scale + 1 == len(self._shapes), ROWS=ROWS, COLUMNS=COLUMNS, enable_fp_fusion=False,
            )  # fmt: skip
            linear = halved
        return pictures


@triton.jit
def _light(signal, eotf):
    """Linear light: a line between two of the table's points, which share a word of 64 bits."""
    position = tl.minimum(tl.maximum(signal, 0.0), 1.0) * _EOTF_TOP
    at = tl.minimum(position.to(tl.int32), _EOTF_TOP - 1)
    points = tl.load(eotf + at)
    low = points.to(tl.int32).to(tl.float32, bitcast=True)
    high = (points >> 32).to(tl.int32).to(tl.float32, bitcast=True)
    return low + (high - low) * (position - at.to(tl.float32))


@triton.jit
def _linear_rgb(
    y, cb, cr, eotf, frame, i, j, rows, columns, chroma_rows, chroma_columns, scale,
    SHIFT_Y: tl.constexpr, SHIFT_X: tl.constexpr,
):  # fmt: skip
    at = frame * chroma_rows * chroma_columns + (i >> SHIFT_Y) * chroma_columns + (j >> SHIFT_X)
    luma = (tl.load(y + frame * rows * columns + i * columns + j).to(tl.float32) * scale - _LUMA_OFFSET) * _LUMA_SCALE
    blue = (tl.load(cb + at).to(tl.float32) * scale - 0.5) * _CHROMA_SCALE
    red = (tl.load(cr + at).to(tl.float32) * scale - 0.5) * _CHROMA_SCALE
    return (
        _light(luma + _CR_R * red, eotf),
        _light((luma + _CB_G * blue) + _CR_G * red, eotf),
        _light(luma + _CB_B * blue, eotf),
    )


@triton.jit
def _cube_root(value):
    """Cube root less that of the bias: a third of the exponent, then two of Newton's steps."""
    value = tl.maximum(value, 0.0)
    root = (value.to(tl.int32, bitcast=True) // 3 + _SEED).to(tl.float32, bitcast=True)
    root = (2.0 * root + tl.div_rn(value, root * root)) * _THIRD
    root = (2.0 * root + tl.div_rn(value, root * root)) * _THIRD
    return tl.where(value > 0.0, root, 0.0) - _BIAS_ROOT


@triton.jit
def _xyb(r, g, b):
    long = _cube_root(((_M00 * r + _M01 * g) + _M02 * b) + _BIAS)
    medium = _cube_root(((_M10 * r + _M11 * g) + _M12 * b) + _BIAS)
    short = _cube_root(((_M20 * r + _M21 * g) + _M22 * b) + _BIAS)
    luma = 0.5 * (long + medium)
    return (0.5 * (long - medium)) * _X_SCALE + _X_OFFSET, luma + _Y_OFFSET, (short - luma) + _B_OFFSET


@triton.jit(do_not_specialize=["rows", "columns", "chroma_rows", "chroma_columns"])
def _to_xyb(
    y, cb, cr, frames, linear, pictures, halved, eotf,
    rows, columns, pitch, picture_step, chroma_rows, chroma_columns, scale,
    SHIFT_Y: tl.constexpr, SHIFT_X: tl.constexpr, FIRST: tl.constexpr, LAST: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """One scale in XYB, from the frame's planes or from ``linear`` R, G, B, and ``halved`` light for the next one."""
    frame = tl.program_id(2).to(tl.int64)
    i = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[:, None]
    j = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    left, right = tl.minimum(2 * j, columns - 1), tl.minimum(2 * j + 1, columns - 1)
    plane, area = rows * pitch, rows * columns
    source = tl.load(frames + frame) if FIRST else frame
    x = 2 * tl.program_id(0) * COLUMNS + tl.arange(0, 2 * COLUMNS)[None, :]
    r = tl.zeros((ROWS, COLUMNS), tl.float32)
    g = tl.zeros((ROWS, COLUMNS), tl.float32)
    b = tl.zeros((ROWS, COLUMNS), tl.float32)
    for lower in tl.static_range(2):
        row = tl.minimum(2 * i + lower, rows - 1)
        if FIRST:
            r0, g0, b0 = _linear_rgb(y, cb, cr, eotf, source, row, left, rows, columns, chroma_rows, chroma_columns, scale,
                                     SHIFT_Y, SHIFT_X)  # fmt: skip
            r1, g1, b1 = _linear_rgb(y, cb, cr, eotf, source, row, right, rows, columns, chroma_rows, chroma_columns, scale,
                                     SHIFT_Y, SHIFT_X)  # fmt: skip
        else:
            base = linear + source * 3 * area + row * columns
            r0, g0, b0 = tl.load(base + left), tl.load(base + area + left), tl.load(base + 2 * area + left)
            r1, g1, b1 = tl.load(base + right), tl.load(base + area + right), tl.load(base + 2 * area + right)
        r, g, b = (r + r0) + r1, (g + g0) + g1, (b + b0) + b1
        x0, y0, s0 = _xyb(r0, g0, b0)
        x1, y1, s1 = _xyb(r1, g1, b1)
        to = pictures + frame * picture_step + (2 * i + lower) * pitch + x
        inside = (2 * i + lower < rows) & (x < columns)
        tl.store(to, tl.interleave(x0, x1), mask=inside)
        tl.store(to + plane, tl.interleave(y0, y1), mask=inside)
        tl.store(to + 2 * plane, tl.interleave(s0, s1), mask=inside)
    if not LAST:
        next_rows, next_columns = (rows + 1) // 2, (columns + 1) // 2
        inside = (i < next_rows) & (j < next_columns)
        to = halved + (frame * 3 * next_rows + i) * next_columns + j
        tl.store(to, r * 0.25, mask=inside)
        tl.store(to + next_rows * next_columns, g * 0.25, mask=inside)
        tl.store(to + 2 * next_rows * next_columns, b * 0.25, mask=inside)


@triton.jit
def _advance(total, a1, b1, a3, b3, a5, b5):
    """One step of the three oscillators: their new states, the last ones, and the blurred sample."""
    c1 = (_IN1 * total - _BACK1 * a1) - b1
    c3 = (_IN3 * total - _BACK3 * a3) - b3
    c5 = (_IN5 * total - _BACK5 * a5) - b5
    return c1, a1, c3, a3, c5, a5, (c1 + c3) + c5


@triton.jit
def _eight_steps(totals, a1, b1, a3, b3, a5, b5, LINES: tl.constexpr):
    """Steps along the second axis of a tile of ``LINES`` x 8: the blurred tile and the states after it."""
    even, odd = tl.split(tl.reshape(totals, (LINES, 2, 2, 2)))
    even0, even2 = tl.split(even)
    odd1, odd3 = tl.split(odd)
    x0, x4 = tl.split(even0)
    x2, x6 = tl.split(even2)
    x1, x5 = tl.split(odd1)
    x3, x7 = tl.split(odd3)
    a1, b1, a3, b3, a5, b5, x0 = _advance(x0, a1, b1, a3, b3, a5, b5)
    a1, b1, a3, b3, a5, b5, x1 = _advance(x1, a1, b1, a3, b3, a5, b5)
    a1, b1, a3, b3, a5, b5, x2 = _advance(x2, a1, b1, a3, b3, a5, b5)
    a1, b1, a3, b3, a5, b5, x3 = _advance(x3, a1, b1, a3, b3, a5, b5)
    a1, b1, a3, b3, a5, b5, x4 = _advance(x4, a1, b1, a3, b3, a5, b5)
    a1, b1, a3, b3, a5, b5, x5 = _advance(x5, a1, b1, a3, b3, a5, b5)
    a1, b1, a3, b3, a5, b5, x6 = _advance(x6, a1, b1, a3, b3, a5, b5)
    a1, b1, a3, b3, a5, b5, x7 = _advance(x7, a1, b1, a3, b3, a5, b5)
    even = tl.join(tl.join(x0, x4), tl.join(x2, x6))
    odd = tl.join(tl.join(x1, x5), tl.join(x3, x7))
    return tl.reshape(tl.join(even, odd), (LINES, 8)), a1, b1, a3, b3, a5, b5


@triton.jit(do_not_specialize=["picture_step", "field_step"])
def _blur_rows(own, other, pairs, fields, jobs, picture_step, field_step, FIELDS: tl.constexpr, LINES: tl.constexpr):
    """Blur along ``LINES`` rows of a channel of ``own``: it, its square, its product with ``other``'s frame of the pair."""
    frame = tl.program_id(1).to(tl.int64)
    job = jobs + tl.program_id(0) * 8
    rows, columns, pitch = tl.load(job + 1), tl.load(job + 2), tl.load(job + 3)
    line = tl.load(job + 5) + tl.arange(0, LINES)[:, None]
    row = tl.load(job) + line * pitch
    own_row = own + frame * picture_step + row
    other_row = other + tl.load(pairs + frame) * picture_step + row
    out = fields + frame * field_step + tl.load(job + 4) + line * pitch
    area = rows * pitch
    nothing = tl.zeros((LINES,), tl.float32)
    a1, b1, a3, b3, a5, b5 = nothing, nothing, nothing, nothing, nothing, nothing
    c1, d1, c3, d3, c5, d5 = nothing, nothing, nothing, nothing, nothing, nothing
    e1, f1, e3, f3, e5, f5 = nothing, nothing, nothing, nothing, nothing, nothing
    start = -8
    while start < columns:
        step = start + tl.arange(0, 8)[None, :]
        first, last = step - (_RADIUS + 1), step + (_RADIUS - 1)
        first_valid = (line < rows) & (first >= 0) & (first < columns)
        last_valid = (line < rows) & (last >= 0) & (last < columns)
        valid = (line < rows) & (step >= 0) & (step < columns)
        p = tl.load(own_row + first, mask=first_valid, other=0.0)
        q = tl.load(own_row + last, mask=last_valid, other=0.0)
        x, a1, b1, a3, b3, a5, b5 = _eight_steps(p + q, a1, b1, a3, b3, a5, b5, LINES)
        tl.store(out + step, x, mask=valid)
        if FIELDS > 1:
            x, c1, d1, c3, d3, c5, d5 = _eight_steps(p * p + q * q, c1, d1, c3, d3, c5, d5, LINES)
            tl.store(out + area + step, x, mask=valid)
        if FIELDS > 2:
            p = p * tl.load(other_row + first, mask=first_valid, other=0.0)
            q = q * tl.load(other_row + last, mask=last_valid, other=0.0)
            x, e1, f1, e3, f3, e5, f5 = _eight_steps(p + q, e1, f1, e3, f3, e5, f5, LINES)
            tl.store(out + 2 * area + step, x, mask=valid)
        start += 8


@triton.jit
def _total(column, start, rows, pitch, inside):
    """What enters the next eight steps down the columns of a field."""
    first = start + tl.arange(0, 8)[None, :] - (_RADIUS + 1)
    last = first + 2 * _RADIUS
    p = tl.load(column + first * pitch, mask=inside & (first >= 0) & (first < rows), other=0.0)
    return p + tl.load(column + last * pitch, mask=inside & (last >= 0) & (last < rows), other=0.0)


@triton.jit(do_not_specialize=["picture_step", "field_step"])
def _keep_columns(own, fields, kept, jobs, picture_step, field_step, FIELDS: tl.constexpr, LINES: tl.constexpr):
    """Blur down ``LINES`` columns of the reference and keep the result; of a channel without ssim its distance from the picture."""
    frame = tl.program_id(1).to(tl.int64)
    job = jobs + tl.program_id(0) * 8
    rows, columns, pitch = tl.load(job + 1), tl.load(job + 2), tl.load(job + 3)
    line = tl.load(job + 5) + tl.arange(0, LINES)[:, None]
    picture = own + frame * picture_step + tl.load(job) + line
    at = frame * field_step + tl.load(job + 4) + line
    area = rows * pitch
    nothing = tl.zeros((LINES,), tl.float32)
    a1, b1, a3, b3, a5, b5 = nothing, nothing, nothing, nothing, nothing, nothing
    c1, d1, c3, d3, c5, d5 = nothing, nothing, nothing, nothing, nothing, nothing
    inside = line < columns
    start = -8
    while start < rows:
        step = start + tl.arange(0, 8)[None, :]
        valid = inside & (step >= 0) & (step < rows)
        x, a1, b1, a3, b3, a5, b5 = _eight_steps(
            _total(fields + at, start, rows, pitch, inside), a1, b1, a3, b3, a5, b5, LINES
        )
        if FIELDS > 1:
            z, c1, d1, c3, d3, c5, d5 = _eight_steps(
                _total(fields + at + area, start, rows, pitch, inside), c1, d1, c3, d3, c5, d5, LINES
            )
            tl.store(kept + at + area + step * pitch, z, mask=valid)
        else:
            x = tl.abs(tl.load(picture + step * pitch, mask=valid, other=0.0) - x)
        tl.store(kept + at + step * pitch, x, mask=valid)
        start += 8


@triton.jit
def _quotient(numerator, denominator):
    """Float64, to 1e-13: float32's reciprocal and a step of Newton's, because divisions in float64 are slow."""
    inverse = (1.0 / denominator.to(tl.float32)).to(tl.float64)
    return numerator * (inverse + inverse * (1.0 - denominator * inverse))


@triton.jit
def _fourth(x):
    return (x * x) * (x * x)


@triton.jit(do_not_specialize=["picture_step", "field_step", "part_step"])
def _compare_columns(
    own, reference, pairs, fields, kept, parts, jobs, picture_step, field_step, part_step,
    FIELDS: tl.constexpr, LINES: tl.constexpr,
):  # fmt: skip
    """Blur down ``LINES`` columns of a distorted frame and sum its maps: ssim, ringing, blur, then their fourth powers."""
    frame = tl.program_id(1).to(tl.int64)
    pair = tl.load(pairs + frame)
    job = jobs + tl.program_id(0) * 8
    rows, columns, pitch = tl.load(job + 1), tl.load(job + 2), tl.load(job + 3)
    line = tl.load(job + 5) + tl.arange(0, LINES)[:, None]
    picture = tl.load(job) + line
    own_picture, reference_picture = own + frame * picture_step + picture, reference + pair * picture_step + picture
    at = tl.load(job + 4) + line
    field, mean = fields + frame * field_step + at, kept + pair * field_step + at
    area = rows * pitch
    nothing = tl.zeros((LINES,), tl.float32)
    a1, b1, a3, b3, a5, b5 = nothing, nothing, nothing, nothing, nothing, nothing
    c1, d1, c3, d3, c5, d5 = nothing, nothing, nothing, nothing, nothing, nothing
    e1, f1, e3, f3, e5, f5 = nothing, nothing, nothing, nothing, nothing, nothing
    ssim = tl.zeros((LINES,), tl.float64)
    ringing, blur, ssim4, ringing4, blur4 = ssim, ssim, ssim, ssim, ssim
    inside = line < columns
    start = -8
    while start < rows:
        step = start + tl.arange(0, 8)[None, :]
        valid = inside & (step >= 0) & (step < rows)
        mean2, a1, b1, a3, b3, a5, b5 = _eight_steps(
            _total(field, start, rows, pitch, inside), a1, b1, a3, b3, a5, b5, LINES
        )
        sample = tl.load(own_picture + step * pitch, mask=valid, other=0.0)
        mean1 = tl.load(mean + step * pitch, mask=valid, other=0.0)
        if FIELDS > 1:
            square2, c1, d1, c3, d3, c5, d5 = _eight_steps(
                _total(field + area, start, rows, pitch, inside), c1, d1, c3, d3, c5, d5, LINES
            )
            product, e1, f1, e3, f3, e5, f5 = _eight_steps(
                _total(field + 2 * area, start, rows, pitch, inside), e1, f1, e3, f3, e5, f5, LINES
            )
            square1 = tl.load(mean + area + step * pitch, mask=valid, other=0.0)
            luminance = 1.0 - (mean1 - mean2) * (mean1 - mean2)
            structure = 2.0 * (product - mean1 * mean2) + _C2
            energy = (((square1 - mean1 * mean1) + (square2 - mean2 * mean2)) + _C2).to(tl.float64)
            loss = tl.where(valid, energy - luminance.to(tl.float64) * structure.to(tl.float64), 0.0)
            loss = _quotient(tl.maximum(loss, 0.0), tl.where(valid, energy, 1.0))
            ssim += tl.sum(loss, axis=1)
            ssim4 += tl.sum(_fourth(loss), axis=1)
            first = tl.load(reference_picture + step * pitch, mask=valid, other=0.0).to(tl.float64)
            edge1 = tl.abs(first - mean1.to(tl.float64))
            edge2 = tl.abs(sample.to(tl.float64) - mean2.to(tl.float64))
            change = tl.where(valid, _quotient(edge2 - edge1, 1.0 + edge1), 0.0)
            more, less = tl.maximum(change, 0.0), tl.maximum(-change, 0.0)
            blur += tl.sum(less, axis=1)
            blur4 += tl.sum(_fourth(less), axis=1)
        else:  # the kept distance and float32 will do for weights this small
            edge2 = tl.abs(sample - mean2)
            more = tl.where(valid, tl.maximum(tl.div_rn(edge2 - mean1, 1.0 + mean1), 0.0), 0.0)
        ringing += tl.sum(more.to(tl.float64), axis=1)
        ringing4 += tl.sum(_fourth(more).to(tl.float64), axis=1)
        start += 8
    to = parts + frame * part_step + tl.load(job + 6) * 6
    tl.store(to, tl.sum(ssim, axis=0))
    tl.store(to + 1, tl.sum(ringing, axis=0))
    tl.store(to + 2, tl.sum(blur, axis=0))
    tl.store(to + 3, tl.sum(ssim4, axis=0))
    tl.store(to + 4, tl.sum(ringing4, axis=0))
    tl.store(to + 5, tl.sum(blur4, axis=0))
