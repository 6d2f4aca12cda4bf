"""VIF over batches: the arithmetic of ``corekit.features.vif`` on whole frames, in 64-bit integers.

Follows ``integer_vif.c`` of libvmaf (Netflix, BSD-2-Clause-Patent) bit by bit, in its scalar form. The gain and the noise
that it leaves are float64, each operation rounded by itself, as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from corekit.features._vif_figures import EPSILON, FILTERS, GAIN_LIMIT, NOISE, SCALES, log2_table
from corekit.features.tensor._filters import filtered, frame_sum, rounded_shift
from corekit.features.tensor.family import Batch, Integers, TensorFamily, Values
from corekit.model import FrameFormat

if TYPE_CHECKING:
    from corekit.features.tensor.kernels.vif import FusedVif

_SUMS = 4
"""Per scale: bits of the distorted and of the reference's information, quiet pixels, distorted variance in these."""
_LOG2_NOISE = 17 * 2048
_FUSED_BYTES = 36
_PEAK_BYTES = 26 * 8
"""Bytes a pixel: the tensors of 64 bits that are alive at once."""


class _Moments(NamedTuple):
    """First and second moments of frames under the window, shape ``(n, rows, columns)``."""

    mean: torch.Tensor
    variance: torch.Tensor


class Vif(TensorFamily):
    """VIF at four scales, from luma. A reference frame's own moments are computed once for all its pairs."""

    names = ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3")

    def __init__(self, fmt: FrameFormat, device: torch.device, *, fused: bool = False) -> None:
        """``fused`` takes the Triton kernels, which give the same sums."""
        self._fmt = fmt
        self._log2 = torch.from_numpy(log2_table()).to(device)
        self._fused: FusedVif | None = None
        if fused:
            from corekit.features.tensor.kernels.vif import FusedVif

            self._fused = FusedVif(fmt.bit_depth, self._log2)

    def sums(self, batch: Batch) -> torch.Tensor:
        if self._fused is not None:
            luma = batch.reference[0], batch.distorted[0]
            return self._fused.sums(*luma, batch.pair_reference, batch.pair_distorted)
        used, pairs = torch.unique(batch.pair_reference, return_inverse=True)
        reference = batch.reference[0].index_select(0, used).to(torch.int64)
        distorted = batch.distorted[0].index_select(0, batch.pair_distorted).to(torch.int64)
        columns = []
        for scale in range(SCALES):
            if scale:
                reference, distorted = self._halved(reference, scale), self._halved(distorted, scale)
            columns += self._scale(reference, distorted, pairs, scale)
        return torch.stack(columns, dim=1)

    def scores(self, sums: Integers) -> Values:
        parts = sums.reshape(len(sums), SCALES, _SUMS).astype(np.float64)
        kept, own, quiet, noise = parts.transpose(2, 0, 1)
        kept = kept / 2048.0 + (quiet - noise / 16384.0 / 65025.0)
        own = own / 2048.0 + quiet
        ratios: Values = (kept.astype(np.float32) / own.astype(np.float32)).astype(np.float64)
        return ratios

    def pair_bytes(self) -> int:
        return self._fmt.width * self._fmt.height * (_FUSED_BYTES if self._fused is not None else _PEAK_BYTES)

    def _depth(self, scale: int) -> int:
        return self._fmt.bit_depth if scale == 0 else 16

    def _halved(self, x: torch.Tensor, scale: int) -> torch.Tensor:
        """The picture of ``scale`` from that of the one before, blurred by its filter."""
        taps = FILTERS[scale]
        down = filtered(x, taps, -2, step=2, count=x.shape[-2] // 2)
        down = rounded_shift(down, self._depth(scale - 1))
        return rounded_shift(filtered(down, taps, -1, step=2, count=x.shape[-1] // 2), 16)

    def _scale(
        self, reference: torch.Tensor, distorted: torch.Tensor, pairs: torch.Tensor, scale: int
    ) -> list[torch.Tensor]:
        """The sums of one scale, each of shape ``(n_pairs,)``."""
        own, other = self._moments(reference, scale), self._moments(distorted, scale)
        product = self._second_moment(reference.index_select(0, pairs) * distorted, scale)
        means = own.mean.index_select(0, pairs)
        covariance = product - _high_product(means, other.mean)
        del product, means
        loud = own.variance >= NOISE
        information = torch.where(loud, self._log(own.variance.clamp_min(NOISE) + NOISE) - _LOG2_NOISE, 0)
        totals = frame_sum(information), frame_sum(~loud)
        variance, loud = own.variance.index_select(0, pairs), loud.index_select(0, pairs)
        noise = other.variance.clamp_min(0)
        quiet = frame_sum(torch.where(loud, 0, noise))
        kept = frame_sum(self._kept(variance.clamp_min(NOISE), noise, covariance, loud))
        return [kept, totals[0].index_select(0, pairs), totals[1].index_select(0, pairs), quiet]

    def _moments(self, x: torch.Tensor, scale: int) -> _Moments:
        taps = FILTERS[scale]
        mean = filtered(rounded_shift(filtered(x, taps, -2), self._depth(scale)), taps, -1)
        return _Moments(mean, self._second_moment(x * x, scale) - _high_product(mean, mean))

    def _second_moment(self, squares: torch.Tensor, scale: int) -> torch.Tensor:
        shift = 2 * (self._fmt.bit_depth - 8) if scale == 0 else 16
        down = rounded_shift(filtered(squares, FILTERS[scale], -2), shift)
        return rounded_shift(filtered(down, FILTERS[scale], -1), 16)

    def _kept(
        self, variance: torch.Tensor, noise: torch.Tensor, covariance: torch.Tensor, loud: torch.Tensor
    ) -> torch.Tensor:
        """2048 times the bits of the reference that a pixel of the distorted frame still holds."""
        correlated = loud & (covariance > 0) & (noise > 0)
        shared = covariance.to(torch.float64)
        gain = shared / (variance.to(torch.float64) + EPSILON)
        left = (noise.to(torch.float64) - gain * shared).trunc().clamp_min(0.0)
        gain = gain.clamp_max(GAIN_LIMIT)
        channel = left.to(torch.int64) + NOISE
        signal = (gain * gain * variance).trunc().to(torch.int64) + channel
        signal = torch.where(correlated, signal, NOISE)
        channel = torch.where(correlated, channel, NOISE)
        return self._log(signal) - self._log(channel)

    def _log(self, x: torch.Tensor) -> torch.Tensor:
        """2048 * log2 of integers of at least 2**15, cut to their leading 16 bits; int32."""
        excess = (x.to(torch.float64).view(torch.int64) >> 52) - (1023 + 15)
        steps = self._log2[(x >> excess) - (1 << 15)]
        return steps + (2048 * excess).to(torch.int32)


def _high_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``(a * b + 2**31) >> 32`` of integers below 2**32, whose product needs 64 bits without a sign."""
    a_high, a_low, b_high, b_low = a >> 16, a & 0xFFFF, b >> 16, b & 0xFFFF
    middle = ((a_high * b_low + a_low * b_high) << 16) + a_low * b_low + (1 << 31)
    return a_high * b_high + (middle >> 32)
