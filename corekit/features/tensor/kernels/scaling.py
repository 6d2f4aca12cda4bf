"""A plane scaled in one pass: the weighted sums of each output's neighbourhood, along the rows and then down the columns; integers."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from corekit.features.tensor.scaling import BETWEEN_BITS, coarse_rounding
from corekit.video.scaling import DOWN_BITS

_ROWS, _COLUMNS = 8, 128


@triton.jit(
    do_not_specialize=[
        "height",
        "width",
        "new_height",
        "new_width",
        "shift_across",
        "shift",
        "top",
        "exact_from",
        "rounding",
    ]
)
def _scale(
    before, after, slots, across_start, across, down_start, down, height, width, new_height, new_width,
    shift_across, shift, top, exact_from, rounding,
    ACROSS: tl.constexpr, DOWN: tl.constexpr, COARSE: tl.constexpr, MOST: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    frame = tl.program_id(2).to(tl.int64)
    y = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    x = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    in_rows, in_columns = y < new_height, x < new_width
    first_row = tl.load(down_start + y, mask=in_rows, other=0)
    first_column = tl.load(across_start + x, mask=in_columns, other=0)
    source = before + frame * (height.to(tl.int64) * width)
    inside = in_rows[:, None] & in_columns[None, :]
    exact = tl.zeros((ROWS, COLUMNS), tl.int32) + (1 << (shift - 1))
    upper = tl.zeros((ROWS, COLUMNS), tl.int32) + rounding
    for down_tap in range(DOWN):
        row = source + ((first_row + down_tap) * width)[:, None] + first_column[None, :]
        between = tl.zeros((ROWS, COLUMNS), tl.int32)
        for tap in range(ACROSS):
            weight = tl.load(across + x * ACROSS + tap, mask=in_columns, other=0)
            between += tl.load(row + tap, mask=inside, other=0).to(tl.int32) * weight[None, :]
        between = tl.minimum(between >> shift_across, MOST)
        products = between * tl.load(down + y * DOWN + down_tap, mask=in_rows, other=0)[:, None]
        exact += products
        if COARSE:
            upper += products >> 16
    result = exact >> shift
    if COARSE:
        result = tl.where((y < exact_from)[:, None] & inside, upper >> (shift - 16), result)
    result = tl.minimum(tl.maximum(result, 0), top)
    target = after + tl.load(slots + frame) * (new_height.to(tl.int64) * new_width)
    tl.store(target + y[:, None] * new_width + x[None, :], result.to(after.dtype.element_ty), mask=inside)


def scale_plane(
    before: torch.Tensor,
    after: torch.Tensor,
    slots: torch.Tensor,
    across_start: torch.Tensor,
    across: torch.Tensor,
    down_start: torch.Tensor,
    down: torch.Tensor,
    shift_across: int,
    bit_depth: int,
    exact_from: int,
    *,
    coarse: bool,
) -> None:
    """Scale ``before``, shape ``(n, rows, columns)``, into the frames ``slots`` of ``after``.

    Starts are int32 of shape ``(n_out,)``, weights int32 of shape ``(n_out, n_taps)``; rows from ``exact_from`` on are summed exactly
    where the others are not (``coarse``).
    """
    n, height, width = before.shape
    new_height, new_width = after.shape[1:]
    grid = triton.cdiv(new_width, _COLUMNS), triton.cdiv(new_height, _ROWS), n
    _scale[grid](
        before, after, slots, across_start, across, down_start, down, height, width, new_height, new_width,
        shift_across, BETWEEN_BITS + DOWN_BITS - bit_depth, (1 << bit_depth) - 1, exact_from, coarse_rounding(down.shape[1]),
        ACROSS=across.shape[1], DOWN=down.shape[1], COARSE=coarse, MOST=(1 << BETWEEN_BITS) - 1, ROWS=_ROWS, COLUMNS=_COLUMNS,
    )  # fmt: skip
