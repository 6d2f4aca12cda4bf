"""SpEED's decimation fused: a low-passed sample of every 16th row and column, straight from the frames.

Additions are in the order of ``corekit.features.tensor.speed``, float32 without contraction (``enable_fp_fusion=False``).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from corekit.features._speed_model import ANTIALIAS, DECIMATION, REACH, TAPS

_BLOCK = 128
_WEIGHTS = tuple(float(tap) for tap in ANTIALIAS)
_DECIMATION, _REACH, _TAPS = tl.constexpr(DECIMATION), tl.constexpr(REACH), tl.constexpr(TAPS)


@triton.jit
def _source(now, before, place, inside, scale, TEMPORAL: tl.constexpr):
    """What is filtered: the frame before minus the frame, or the distance from grey."""
    sample = tl.load(now + place, mask=inside, other=0).to(tl.int32)
    if TEMPORAL:
        value = (tl.load(before + place, mask=inside, other=0).to(tl.int32) - sample).to(tl.float32) * scale
    else:
        value = sample.to(tl.float32) * scale - 128.0
    return value


@triton.jit
def _column(now, before, y, x, width, inside, scale, WEIGHTS: tl.constexpr, TEMPORAL: tl.constexpr):
    place = tl.abs(y - _REACH) * width + x
    total = _source(now, before, place, inside, scale, TEMPORAL) * WEIGHTS[0]
    for k in tl.static_range(1, _TAPS):
        place = tl.abs(y + (k - _REACH)) * width + x
        total += _source(now, before, place, inside, scale, TEMPORAL) * WEIGHTS[k]
    return total


@triton.jit(do_not_specialize=["out_columns", "height", "width", "columns", "n_samples"])
def _decimate(
    reference, distorted, reference_previous, distorted_previous, pair_reference, pair_distorted, out, out_columns,
    height, width, columns, n_samples, scale, WEIGHTS: tl.constexpr, TEMPORAL: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Samples of both sides of a pair, the reference's first: ``out`` is float32 of ``(n_pairs, out_columns)``."""
    pair, side = tl.program_id(1), tl.program_id(2)
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = index < n_samples
    y, x = index // columns * _DECIMATION, index % columns * _DECIMATION
    size = height.to(tl.int64) * width
    if side == 0:
        frames, previous = reference, reference_previous
        frame = tl.load(pair_reference + pair)
    else:
        frames, previous = distorted, distorted_previous
        frame = tl.load(pair_distorted + pair)
    now = frames + frame * size
    before = now
    if TEMPORAL:
        before = frames + tl.maximum(tl.load(previous + frame), 0) * size
    total = _column(now, before, y, tl.abs(x - _REACH), width, inside, scale, WEIGHTS, TEMPORAL) * WEIGHTS[0]
    for k in tl.static_range(1, _TAPS):
        total += _column(now, before, y, tl.abs(x + (k - _REACH)), width, inside, scale, WEIGHTS, TEMPORAL) * WEIGHTS[k]
    tl.store(out + pair.to(tl.int64) * out_columns + side * n_samples + index, total, mask=inside)


def decimate(
    reference: torch.Tensor,
    distorted: torch.Tensor,
    reference_previous: torch.Tensor,
    distorted_previous: torch.Tensor,
    pair_reference: torch.Tensor,
    pair_distorted: torch.Tensor,
    out: torch.Tensor,
    scale: float,
    *,
    temporal: bool,
) -> None:
    """Fill the columns of ``out``, float32 of shape ``(n_pairs, 2 * n_samples)``, with one plane's samples of both sides."""
    height, width = reference.shape[-2:]
    rows, columns = height // DECIMATION, width // DECIMATION
    _decimate[triton.cdiv(rows * columns, _BLOCK), out.shape[0], 2](
        reference, distorted, reference_previous, distorted_previous, pair_reference, pair_distorted, out, out.stride(0),
        height, width, columns, rows * columns, scale,
        WEIGHTS=_WEIGHTS, TEMPORAL=temporal, BLOCK=_BLOCK, enable_fp_fusion=False,
    )  # fmt: skip
