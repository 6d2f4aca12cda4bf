"""psnr_y, psnr_cb, psnr_cr over batches: integer squared errors on the device, decibels on the host.

Source: libvmaf/src/feature/integer_psnr.c (Netflix, BSD-2-Clause-Patent).
"""

from __future__ import annotations

import math

import torch

from corekit.features.tensor._filters import frame_sum
from corekit.features.tensor.family import Batch, Integers, TensorFamily, Values
from corekit.model import FrameFormat

_PEAK_BYTES = 3 * 4


class Psnr(TensorFamily):
    """PSNR of the three planes, each over its own samples."""

    names = ("psnr_y", "psnr_cb", "psnr_cr")

    def __init__(self, fmt: FrameFormat, device: torch.device, *, fused: bool = False) -> None:
        """``fused`` takes the Triton kernel, which gives the same sums."""
        self._fmt = fmt
        self._fused = fused

    def sums(self, batch: Batch) -> torch.Tensor:
        if self._fused:
            from corekit.features.tensor.kernels.psnr import squared_errors

            return squared_errors(
                batch.reference, batch.distorted, batch.pair_reference, batch.pair_distorted, self._fmt.bit_depth
            )
        columns, kind = [], torch.int32 if self._fmt.bit_depth < 16 else torch.int64
        for reference, distorted in zip(batch.reference, batch.distorted, strict=True):
            error = reference.index_select(0, batch.pair_reference).to(kind)
            error -= distorted.index_select(0, batch.pair_distorted)
            columns.append(frame_sum(error * error))
        return torch.stack(columns, dim=1)

    def scores(self, sums: Integers) -> Values:
        import numpy as np

        peak, cap = (1 << self._fmt.bit_depth) - 1, 6.0 * self._fmt.bit_depth + 12.0
        values = np.full(sums.shape, cap)
        for row, column in zip(*np.nonzero(sums), strict=True):
            rows, columns = self._fmt.shapes[column]
            mean = float(sums[row, column]) / (rows * columns)
            values[row, column] = min(10.0 * math.log10(peak * peak / mean), cap)
        return values

    def pair_bytes(self) -> int:
        return 0 if self._fused else self._fmt.width * self._fmt.height * 3 * _PEAK_BYTES
