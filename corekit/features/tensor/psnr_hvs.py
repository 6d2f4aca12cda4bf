"""PSNR-HVS over batches: blocks, transform and masking as in ``corekit.features.psnr_hvs``, on whole frames.

libvmaf's ``psnr_hvs.c`` (Xiph.Org, BSD-2-Clause) adds the squares of a plane to one float32, block by block: order and rounding of that
sum are part of the definition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from corekit.features._psnr_hvs_model import (
    AREA,
    SENSITIVITY,
    SIDE,
    STEP,
    VARIANCE_16,
    VARIANCE_64,
    blocks,
    masking,
    mean_square,
    score,
)
from corekit.features.tensor.family import Batch, Integers, TensorFamily, Values
from corekit.model import FrameFormat

if TYPE_CHECKING:
    from corekit.features.tensor.kernels.psnr_hvs import FusedPsnrHvs

_PEAK_BYTES = 64
"""Bytes a sample: blocks in int32, their coefficients, and squares in float32."""
Lines = tuple[torch.Tensor, ...]


class PsnrHvs(TensorFamily):
    """PSNR-HVS over the three planes. Its sums are the float32 sums of squares of each, carried as bits.

    In torch the last sum is the host's, which waits for the device: an ordered sum of millions has no place in tensors. The Triton
    kernels add in the same order without leaving the device.
    """

    names = ("psnr_hvs",)

    def __init__(self, fmt: FrameFormat, device: torch.device, *, fused: bool = False) -> None:
        """``fused`` takes the Triton kernels, which give the same sums."""
        self._fmt = fmt
        self._sensitivity = [torch.from_numpy(table).to(device) for table in SENSITIVITY]
        self._masking = [torch.from_numpy(masking(table)).to(device) for table in SENSITIVITY]
        self._fused: FusedPsnrHvs | None = None
        if fused:
            from corekit.features.tensor.kernels.psnr_hvs import FusedPsnrHvs

            self._fused = FusedPsnrHvs(fmt.shapes, self._sensitivity, self._masking)

    def sums(self, batch: Batch) -> torch.Tensor:
        pairs = batch.pair_reference, batch.pair_distorted
        if self._fused is not None:
            return self._fused.sums(batch.reference, batch.distorted, *pairs)
        columns = []
        for plane in range(3):
            squares = self._squares(plane, batch.reference[plane], batch.distorted[plane], *pairs)
            columns.append(_ordered_sums(squares).view(torch.int32).to(torch.int64))
        return torch.stack(columns, dim=1)

    def scores(self, sums: Integers) -> Values:
        totals = sums.astype(np.int32).view(np.float32)
        counts = [rows * columns for rows, columns in map(blocks, self._fmt.shapes)]
        peak = (1 << self._fmt.bit_depth) - 1
        means = [[mean_square(total, n, peak) for total, n in zip(row, counts, strict=True)] for row in totals]
        return np.array([[score(*row)] for row in means]).reshape(-1, 1)

    def pair_bytes(self) -> int:
        if self._fused is not None:
            return self._fused.pair_bytes()
        return 2 * sum(rows * columns for rows, columns in self._fmt.shapes[:2]) * _PEAK_BYTES

    def _squares(
        self,
        plane: int,
        reference: torch.Tensor,
        distorted: torch.Tensor,
        of_reference: torch.Tensor,
        chosen: torch.Tensor,
    ) -> torch.Tensor:
        """Squares of the visible differences in the order of blocks and frequencies, float32 of shape ``(n_pairs, n)``."""
        used, pairs = torch.unique(of_reference, return_inverse=True)
        before, threshold = self._transformed(plane, reference.index_select(0, used))
        after, own = self._transformed(plane, distorted.index_select(0, chosen))
        threshold = torch.maximum(threshold.index_select(0, pairs), own)[..., None]
        error = (before.index_select(0, pairs) - after).abs_().to(torch.float32)
        masked = threshold / self._masking[plane]
        masked[..., 0] = 0.0
        visible = torch.where(error < masked, 0.0, error - masked) * self._sensitivity[plane]
        return (visible * visible).flatten(1)

    def _transformed(self, plane: int, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Coefficients, int32 of shape ``(n_frames, n_blocks, 64)``, and what each block masks, ``(n_frames, n_blocks)``."""
        samples = frames.to(torch.int32).unfold(1, SIDE, STEP).unfold(2, SIDE, STEP).flatten(1, 2)
        texture = _texture(samples)
        down = torch.stack(dct8(*samples.unbind(-2)), dim=-2)
        coefficients = torch.stack(dct8(*down.unbind(-1)), dim=-1).flatten(-2)
        energy = (coefficients * coefficients).to(torch.float32) * self._masking[plane]
        threshold = energy[..., 1].clone()
        for k in range(2, AREA):
            threshold += energy[..., k]
        # A square root rounded to nearest, which torch's of float32 is not.
        root = (threshold * texture).to(torch.float64).sqrt().to(torch.float32)
        return coefficients, root / 32.0


def _texture(samples: torch.Tensor) -> torch.Tensor:
    """How much of each block's variance lies within its quarters; samples of shape ``(..., 8, 8)``."""
    half = SIDE // 2
    x = samples.to(torch.float32)
    quarters = [x[..., y : y + half, z : z + half] for z in (0, half) for y in (0, half)]
    sums = [quarter.sum((-2, -1)) for quarter in quarters]  # of integers below 2**24
    mean = (sums[0] + sums[1] + sums[2] + sums[3]) / float(AREA)
    whole = _squared_deviations(x, mean) * float(VARIANCE_64)
    parts = [
        _squared_deviations(quarter, total / float(AREA // 4)) * float(VARIANCE_16)
        for quarter, total in zip(quarters, sums, strict=True)
    ]
    within = parts[0] + parts[1] + parts[2] + parts[3]
    return torch.where(whole > 0, within / whole, 0.0)


def _squared_deviations(x: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Sum of squared deviations from ``mean``, added row by row in float32."""
    squares = ((x - mean[..., None, None]) ** 2).flatten(-2)
    total = squares[..., 0].clone()
    for k in range(1, squares.shape[-1]):
        total += squares[..., k]
    return total


def _ordered_sums(terms: torch.Tensor) -> torch.Tensor:
    """Float32 sums of the rows, one term added after the other."""
    rows = terms.cpu().numpy()
    totals = np.array([np.add.accumulate(row, dtype=np.float32)[-1] for row in rows], np.float32)
    return torch.from_numpy(totals).to(terms.device)


def dct8(
    t0: torch.Tensor, t4: torch.Tensor, t2: torch.Tensor, t6: torch.Tensor,
    t7: torch.Tensor, t3: torch.Tensor, t5: torch.Tensor, t1: torch.Tensor,
) -> Lines:  # fmt: skip
    """The integer DCT of Daala (type II) by lifting steps, as ``corekit.features.psnr_hvs`` has it; int32."""
    t1 = t0 - t1
    half1 = _halved(t1)
    t0 = t0 - half1
    t4 = t4 + t5
    half4 = _halved(t4)
    t5 = t5 - half4
    t3 = t2 - t3
    t2 = t2 - _halved(t3)
    t6 = t6 + t7
    half6 = _halved(t6)
    t7 = half6 - t7
    # even half
    t0 = t0 + half6
    t6 = t0 - t6
    t2 = half4 - t2
    t4 = t2 - t4
    t0 = t0 - _scaled(t4, 13573, 15)
    t4 = t4 + _scaled(t0, 11585, 14)
    t0 = t0 - _scaled(t4, 13573, 15)
    t6 = t6 - _scaled(t2, 21895, 15)
    t2 = t2 + _scaled(t6, 15137, 14)
    t6 = t6 - _scaled(t2, 21895, 15)
    # odd half
    t3 = t3 + _scaled(t5, 19195, 15)
    t5 = t5 + _scaled(t3, 11585, 14)
    t3 = t3 - _scaled(t5, 7489, 13)
    t7 = _halved(t5) - t7
    t5 = t5 - t7
    t3 = half1 - t3
    t1 = t1 - t3
    t7 = t7 + _scaled(t1, 3227, 15)
    t1 = t1 - _scaled(t7, 6393, 15)
    t7 = t7 + _scaled(t1, 3227, 15)
    t5 = t5 + _scaled(t3, 2485, 13)
    t3 = t3 - _scaled(t5, 18205, 15)
    t5 = t5 + _scaled(t3, 2485, 13)
    return t0, t1, t2, t3, t4, t5, t6, t7


def _halved(value: torch.Tensor) -> torch.Tensor:
    """Half, rounded towards zero."""
    return (value - (value >> 31)) >> 1


def _scaled(value: torch.Tensor, factor: int, shift: int) -> torch.Tensor:
    return (value * factor + (1 << (shift - 1))) >> shift
