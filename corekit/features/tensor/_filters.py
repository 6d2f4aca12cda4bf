"""Separable fixed-point filters of whole frames, reflected about the first and the last sample."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def mirrored(n: int, radius: int, device: torch.device) -> torch.Tensor:
    """Indices ``-radius .. n + radius`` reflected into ``[0, n)``, the ends not repeated; int64."""
    index = torch.arange(-radius, n + radius, device=device).abs()
    return torch.where(index >= n, 2 * (n - 1) - index, index)


def filtered(
    x: torch.Tensor, taps: Sequence[int], dim: int, *, step: int = 1, count: int | None = None
) -> torch.Tensor:
    """Weighted sums along ``dim`` (-2 or -1) of an integer tensor, every ``step``-th of them, ``count`` in all; dtype as given."""
    radius = len(taps) // 2
    padded = x.index_select(dim, mirrored(x.shape[dim], radius, x.device))
    n = x.shape[dim] if count is None else count

    def shifted(k: int) -> torch.Tensor:
        last = k + (n - 1) * step + 1
        return padded[..., k:last:step, :] if dim == -2 else padded[..., k:last:step]

    total = shifted(radius) * taps[radius]
    for k, tap in enumerate(taps):
        if k != radius:
            total.add_(shifted(k), alpha=tap)
    return total


def rounded_shift(x: torch.Tensor, bits: int) -> torch.Tensor:
    """``(x + 2**(bits - 1)) >> bits``; ``x`` itself for no bits."""
    return x if bits == 0 else (x + (1 << (bits - 1))) >> bits


def frame_sum(x: torch.Tensor) -> torch.Tensor:
    """Sum over rows and columns, int64, shape ``(n_frames,)``."""
    return x.sum((-2, -1), dtype=torch.int64)
