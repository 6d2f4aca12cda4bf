"""Motion fused: the blurred difference of successive frames and its sum of absolute values in one kernel.

The definition of libvmaf 3.2 and newer (``integer_motion.c``, Netflix, BSD-2-Clause-Patent); integers throughout.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

_ROWS, _COLUMNS = 4, 128


@triton.jit
def _mirror(i, n):
    i = tl.abs(i)
    return tl.where(i >= n, 2 * (n - 1) - i, i)


@triton.jit
def _difference(now, before, y, x, height, width, inside):
    place = _mirror(y, height) * width + x
    return tl.load(before + place, mask=inside, other=0).to(tl.int32) - tl.load(now + place, mask=inside, other=0).to(
        tl.int32
    )


@triton.jit
def _down(now, before, y, x, height, width, depth, inside):
    """The difference blurred down one column, to 1/256 of an 8-bit code value."""
    edge = _difference(now, before, y - 2, x, height, width, inside) + _difference(
        now, before, y + 2, x, height, width, inside
    )
    side = _difference(now, before, y - 1, x, height, width, inside) + _difference(
        now, before, y + 1, x, height, width, inside
    )
    total = edge * 3571 + side * 16004 + _difference(now, before, y, x, height, width, inside) * 26386
    return ((total + (1 << (depth - 1))) >> depth).to(tl.int64)


@triton.jit
def _sad(luma, previous, out, height, width, depth, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    frame = tl.program_id(2).to(tl.int64)
    y = (tl.program_id(1) * ROWS + tl.arange(0, ROWS))[:, None]
    x = (tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS))[None, :]
    inside = (y < height) & (x < width)
    size = height.to(tl.int64) * width
    now = luma + frame * size
    before = luma + tl.maximum(tl.load(previous + frame), 0) * size
    edge = _down(now, before, y, _mirror(x - 2, width), height, width, depth, inside)
    edge += _down(now, before, y, _mirror(x + 2, width), height, width, depth, inside)
    side = _down(now, before, y, _mirror(x - 1, width), height, width, depth, inside)
    side += _down(now, before, y, _mirror(x + 1, width), height, width, depth, inside)
    total = edge * 3571 + side * 16004 + _down(now, before, y, x, height, width, depth, inside) * 26386
    sad = tl.where(inside, tl.abs((total + 32768) >> 16), 0)
    tl.atomic_add(out + frame, tl.sum(tl.sum(sad, 1), 0), sem="relaxed")


def fused_sad(luma: torch.Tensor, previous: torch.Tensor, bit_depth: int) -> torch.Tensor:
    """Sum of ``|blur(previous - frame)|`` of every frame, int64, shape ``(n_frames,)``; of one without a previous, of nothing."""
    n, height, width = luma.shape
    out = torch.zeros(n, dtype=torch.int64, device=luma.device)
    grid = (triton.cdiv(width, _COLUMNS), triton.cdiv(height, _ROWS), n)
    _sad[grid](luma, previous, out, height, width, bit_depth, ROWS=_ROWS, COLUMNS=_COLUMNS)
    return out
