"""SpEED over batches: the planes are decimated on the device; the 25x25 matrices of the small pictures are the host's.

What a frame leaves after decimation by 16 is a few thousand float32 samples, of the bits that ``corekit.features.speed`` has. Its
matrices are badly conditioned and want libvmaf's order of operations (``speed.c``, Netflix, BSD-2-Clause-Patent), one after another:
the host does them in under a millisecond a 1080p plane with the CPU's kernels, so that the scores have the same bits as well.
"""

from __future__ import annotations

import numpy as np
import torch

from corekit.features._speed_model import ANTIALIAS, DECIMATION, MIN_SIDE, REACH, TAPS
from corekit.features.tensor.family import Batch, Integers, TensorFamily, Values
from corekit.model import FrameFormat

_PEAK_BYTES = 16
"""Bytes a sample of luma: nine in sixteen rows as float32, as often as torch has them at once."""


class Speed(TensorFamily):
    """SpEED of luma differences and of chroma. Its sums are the decimated planes of both sides, two float32 in an int64."""

    names = ("speed_temporal", "speed_chroma_u", "speed_chroma_v", "speed_chroma_uv")

    def __init__(self, fmt: FrameFormat, device: torch.device, *, fused: bool = False) -> None:
        """``fused`` takes the Triton kernel, which gives the same samples."""
        self._fmt = fmt
        self._fused = fused
        self._scale = 1.0 / (1 << (fmt.bit_depth - 8))
        self._planes = [plane for plane, shape in enumerate(fmt.shapes) if min(shape) >= MIN_SIDE]
        self._small = [(rows // DECIMATION, columns // DECIMATION) for rows, columns in fmt.shapes]

    def sums(self, batch: Batch) -> torch.Tensor:
        """Whether the frame is its clip's first, then the decimated planes of the reference and of the distorted frame."""
        first = batch.distorted_previous.index_select(0, batch.pair_distorted) < 0
        counts = [2 * self._small[plane][0] * self._small[plane][1] for plane in self._planes]
        n_columns = 1 + sum(counts)
        out = torch.zeros((batch.n_pairs, n_columns + n_columns % 2), device=first.device)
        out[:, 0] = first
        start = 1
        for plane, count in zip(self._planes, counts, strict=True):
            self._fill(out[:, start : start + count], batch, plane)
            start += count
        return out.view(torch.int64)

    def scores(self, sums: Integers) -> Values:
        from corekit.features.speed import DISTORTED, REFERENCE, PairStatistics

        statistics = PairStatistics(self._fmt)
        values = np.zeros((len(sums), len(self.names)))
        for row, out in zip(np.ascontiguousarray(sums).view(np.float32), values, strict=True):
            start = 1
            for plane in self._planes:
                rows, columns = self._small[plane]
                for side in (REFERENCE, DISTORTED):
                    statistics.model(plane).small[...] = row[start : start + rows * columns].reshape(rows, columns)
                    statistics.fit(side, plane)
                    start += rows * columns
            statistics.scores(out, is_first=bool(row[0]))
        return values

    def pair_bytes(self) -> int:
        return 0 if self._fused else 2 * self._fmt.width * self._fmt.height * _PEAK_BYTES

    def _fill(self, out: torch.Tensor, batch: Batch, plane: int) -> None:
        """One plane's samples of the reference, then of the distorted frame; ``out`` is of shape ``(n_pairs, 2 * n_samples)``."""
        if self._fused:
            from corekit.features.tensor.kernels.speed import decimate

            decimate(
                batch.reference[plane], batch.distorted[plane], batch.reference_previous, batch.distorted_previous,
                batch.pair_reference, batch.pair_distorted, out, self._scale, temporal=plane == 0,
            )  # fmt: skip
            return
        used, pairs = torch.unique(batch.pair_reference, return_inverse=True)
        reference = self._decimated(plane, batch.reference[plane], batch.reference_previous, used)
        distorted = self._decimated(plane, batch.distorted[plane], batch.distorted_previous, batch.pair_distorted)
        out[...] = torch.cat([reference.flatten(1).index_select(0, pairs), distorted.flatten(1)], dim=1)

    def _decimated(self, plane: int, frames: torch.Tensor, previous: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
        """Every 16th row and column, low-passed: of chroma about 0, of luma the frame before minus the frame; float32."""
        rows, columns = self._small[plane]
        places = torch.arange(rows, device=frames.device) * DECIMATION - REACH
        now = frames.index_select(0, used)
        before = frames.index_select(0, previous.index_select(0, used).clamp_min(0)) if plane == 0 else None
        total: torch.Tensor | None = None
        for tap in range(TAPS):
            y = (places + tap).abs()
            row = now.index_select(-2, y)
            if before is None:
                source = row.to(torch.float32) * self._scale - 128.0
            else:
                source = (before.index_select(-2, y).to(torch.int32) - row.to(torch.int32)).to(
                    torch.float32
                ) * self._scale
            weighted = source * float(ANTIALIAS[tap])
            total = weighted if total is None else total.add_(weighted)
        assert total is not None
        places = torch.arange(columns, device=frames.device) * DECIMATION - REACH
        small: torch.Tensor | None = None
        for tap in range(TAPS):
            weighted = total.index_select(-1, (places + tap).abs()) * float(ANTIALIAS[tap])
            small = weighted if small is None else small.add_(weighted)
        assert small is not None
        return small
