"""Motion fused: the difference of successive frames blurred down the columns, then along the rows with the sum of absolute values.

The definition of libvmaf 3.2 and newer (``integer_motion.c``, Netflix, BSD-2-Clause-Patent); integers throughout.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from corekit.features._vif_figures import FILTERS
from corekit.features.tensor.kernels._filters import mirror, plus, store_row

_TAPS = FILTERS[2]
_RADIUS = len(_TAPS) // 2
_ROWS, _COLUMNS = 8, 256
"""Of a program along the rows; down the columns it has one row."""
_BEHIND = 16
"""Samples of a stored row behind its last tile."""


@triton.jit
def _change(now, before, place, inside):
    return tl.load(before + place, mask=inside, other=0).to(tl.int32) - tl.load(now + place, mask=inside, other=0).to(
        tl.int32
    )


@triton.jit(do_not_specialize=["height", "width", "depth"])
def _blur_down(
    luma, previous, target, height, width, pitch, depth, TAPS: tl.constexpr, RADIUS: tl.constexpr, COLUMNS: tl.constexpr
):
    """Each frame's difference to the one before, blurred down the columns, to 1/256 of an 8-bit code value; int32."""
    frame = tl.program_id(2).to(tl.int64)
    y = tl.program_id(1)
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    inside = x < width
    edge = (tl.program_id(0) * COLUMNS <= RADIUS) | ((tl.program_id(0) + 1) * COLUMNS >= width - 1 - RADIUS)
    size = height.to(tl.int64) * width
    now = luma + frame * size
    before = luma + tl.maximum(tl.load(previous + frame), 0) * size
    total = tl.zeros((COLUMNS,), tl.int32)
    for k in tl.static_range(2 * RADIUS + 1):
        total = plus(total, _change(now, before, mirror(y + (k - RADIUS), height) * width + x, inside), TAPS, k)
    blurred = (total + (1 << (depth - 1))) >> depth
    store_row(target + (frame * height + y) * pitch, blurred, x, width, edge, RADIUS)


@triton.jit(do_not_specialize=["height", "width"])
def _sum_across(
    blurred,
    out,
    height,
    width,
    pitch,
    TAPS: tl.constexpr,
    RADIUS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    frame = tl.program_id(2).to(tl.int64)
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    sad = tl.zeros((COLUMNS,), tl.int32)
    for row in range(ROWS):
        y = tl.program_id(1) * ROWS + row
        if y < height:
            total = tl.zeros((COLUMNS,), tl.int64)
            for k in tl.static_range(2 * RADIUS + 1):
                total = plus(total, tl.load(blurred + (frame * height + y) * pitch + x + k).to(tl.int64), TAPS, k)
            sad += tl.where(x < width, tl.abs((total + 32768) >> 16), 0).to(tl.int32)
    tl.atomic_add(out + frame, tl.sum(sad, 0).to(tl.int64), sem="relaxed")


def fused_sad(luma: torch.Tensor, previous: torch.Tensor, bit_depth: int) -> torch.Tensor:
    """Sum of ``|blur(previous - frame)|`` of every frame, int64, shape ``(n_frames,)``; of one without a previous, of nothing."""
    n, height, width = luma.shape
    out = torch.zeros(n, dtype=torch.int64, device=luma.device)
    tiles = triton.cdiv(width, _COLUMNS)
    pitch = tiles * _COLUMNS + _BEHIND
    blurred = torch.empty((n, height, pitch), dtype=torch.int32, device=luma.device)
    _blur_down[tiles, height, n](
        luma, previous, blurred, height, width, pitch, bit_depth, TAPS=_TAPS, RADIUS=_RADIUS, COLUMNS=_COLUMNS,
    )  # fmt: skip
    _sum_across[tiles, triton.cdiv(height, _ROWS), n](
        blurred, out, height, width, pitch, TAPS=_TAPS, RADIUS=_RADIUS, ROWS=_ROWS, COLUMNS=_COLUMNS,
    )  # fmt: skip
    return out
