"""Separable fixed-point filters of whole frames, reflected about the first and the last sample."""

from __future__ import annotations

import functools

import torch

_TILE = 64
"""Outputs of a filter that one matrix product gives at once."""


def mirrored(index: torch.Tensor, n: int) -> torch.Tensor:
    """Indices reflected into ``[0, n)``, the ends not repeated."""
    index = index.abs()
    return torch.where(index >= n, 2 * (n - 1) - index, index)


def filtered(
    x: torch.Tensor, taps: tuple[int, ...], dim: int, *, step: int = 1, count: int | None = None
) -> torch.Tensor:
    """Weighted sums along ``dim`` (-2 or -1) of an integer tensor, every ``step``-th of them, ``count`` in all; dtype as given.

    Products of matrices in float64: exact in whatever order, as no sum reaches 2**53, and a tenth of the memory traffic that a
    tensor operation for each tap would have.
    """
    radius, length = len(taps) // 2, x.shape[dim]
    n = length if count is None else count
    tiles, span = -(-n // _TILE), (_TILE - 1) * step + len(taps)
    index = torch.arange(-radius, (tiles - 1) * _TILE * step + span - radius, device=x.device)
    inside = torch.where(index < length + radius, mirrored(index, length), 0)
    window = x.to(torch.float64).index_select(dim, inside).unfold(dim, span, _TILE * step)
    weights = _banded(taps, step, span, x.device)
    if dim == -1:
        total = (window @ weights.T).flatten(-2)[..., :n]
    else:
        total = (weights @ window.transpose(-1, -2)).flatten(-3, -2)[..., :n, :]
    return total.to(x.dtype)


@functools.cache
def _banded(taps: tuple[int, ...], step: int, span: int, device: torch.device) -> torch.Tensor:
    """The filter as a matrix, float64 of shape ``(_TILE, span)``: a row for each output."""
    weights = torch.zeros((_TILE, span), dtype=torch.float64)
    for row in range(_TILE):
        weights[row, row * step : row * step + len(taps)] = torch.tensor(taps, dtype=torch.float64)
    return weights.to(device)


def rounded_shift(x: torch.Tensor, bits: int) -> torch.Tensor:
    """``(x + 2**(bits - 1)) >> bits``; ``x`` itself for no bits."""
    return x if bits == 0 else (x + (1 << (bits - 1))) >> bits


def frame_sum(x: torch.Tensor) -> torch.Tensor:
    """Sum over rows and columns, int64, shape ``(n_frames,)``."""
    return x.sum((-2, -1), dtype=torch.int64)
