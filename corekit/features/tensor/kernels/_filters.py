"""What kernels of separable fixed-point filters share: mirrored rows, taps, and rows that are stored with their mirrored ends."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def mirror(i, n):
    i = tl.abs(i)
    return tl.where(i >= n, 2 * (n - 1) - i, i)


@triton.jit
def samples(pointers, mask):
    """Samples as uint32, whether of 8, 16 (as int16) or 32 bits."""
    values = tl.load(pointers, mask=mask, other=0)
    if pointers.dtype.element_ty == tl.int16:
        values = values.to(tl.uint16, bitcast=True)
    return values.to(tl.uint32)


@triton.jit
def plus(total, value, TAPS: tl.constexpr, K: tl.constexpr):
    """``total`` and the ``K``-th tap of ``value``, where there is such a tap."""
    if K >= 0 and len(TAPS) > K:
        total += value * TAPS[K]
    return total


@triton.jit
def store_row(at, value, x, width, edge, RADIUS: tl.constexpr):
    """A row of sums behind ``RADIUS`` mirrored ones, and those at its end; ``edge`` where the program holds some of either."""
    tl.store(at + RADIUS + x, value, mask=x < width)
    if edge:
        tl.store(at + RADIUS - x, value, mask=(x >= 1) & (x <= RADIUS))
        tl.store(at + RADIUS + 2 * (width - 1) - x, value, mask=(x >= width - 1 - RADIUS) & (x <= width - 2))


@triton.jit
def rounded(total, shift):
    """To the nearest multiple of ``2**shift``, as int32 bits."""
    half = ((1 << shift) >> 1).to(total.dtype)
    return ((total + half) >> shift.to(total.dtype)).to(tl.uint32)
