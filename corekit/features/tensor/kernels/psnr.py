"""Squared errors of all planes in one pass over the frames; integers."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from corekit.features.tensor.family import TensorPlanes

_BLOCK, _STEPS = 2048, 8
_NARROW_BITS = 12
"""Depth to which a thread's squares are summed in 32 bits."""


@triton.jit
def _sum_squares(
    y1, cb1, cr1, y2, cb2, cr2, pair_reference, pair_distorted, out, luma_size, chroma_size,
    WIDE: tl.constexpr, BLOCK: tl.constexpr, STEPS: tl.constexpr,
):  # fmt: skip
    """Adds to ``out``, int64 of shape ``(n_pairs, 3)``, what STEPS blocks of a plane have."""
    pair, plane = tl.program_id(1), tl.program_id(2)
    first, second, size = y1, y2, luma_size
    if plane > 0:
        size = chroma_size
        if plane == 1:
            first, second = cb1, cb2
        else:
            first, second = cr1, cr2
    start = tl.program_id(0) * (BLOCK * STEPS)
    if start < size:
        first += tl.load(pair_reference + pair) * size
        second += tl.load(pair_distorted + pair) * size
        kind = tl.int64 if WIDE else tl.int32
        total = tl.zeros((BLOCK,), kind)
        for step in range(STEPS):
            at = start + step * BLOCK + tl.arange(0, BLOCK)
            inside = at < size
            error = tl.load(first + at, mask=inside, other=0).to(kind) - tl.load(second + at, mask=inside, other=0).to(
                kind
            )
            total += error * error
        tl.atomic_add(out + pair * 3 + plane, tl.sum(total.to(tl.int64), 0), sem="relaxed")


def squared_errors(
    reference: TensorPlanes,
    distorted: TensorPlanes,
    pair_reference: torch.Tensor,
    pair_distorted: torch.Tensor,
    bit_depth: int,
) -> torch.Tensor:
    """Sums of squared errors of every pair's planes, int64 of shape ``(n_pairs, 3)``."""
    n, luma, chroma = pair_reference.shape[0], reference[0][0].numel(), reference[1][0].numel()
    out = torch.zeros((n, 3), dtype=torch.int64, device=pair_reference.device)
    _sum_squares[triton.cdiv(luma, _BLOCK * _STEPS), n, 3](
        *reference, *distorted, pair_reference, pair_distorted, out, luma, chroma,
        WIDE=bit_depth > _NARROW_BITS, BLOCK=_BLOCK, STEPS=_STEPS,
    )  # fmt: skip
    return out
