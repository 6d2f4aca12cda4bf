"""ADM over batches: the arithmetic of ``corekit.features.adm`` on whole frames.

Follows ``integer_adm.c`` of libvmaf 3.2 (Netflix, BSD-2-Clause-Patent) bit by bit, in its scalar form; 32-bit integers wrap where
they wrap there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from corekit.features._adm_layout import ScaleLayout, scale_layout
from corekit.features._adm_pool import cubes, noise_of, pool, visibility_cubes
from corekit.features.tensor._filters import rounded_shift
from corekit.features.tensor.family import Batch, Integers, TensorFamily, Values
from corekit.model import FrameFormat

if TYPE_CHECKING:
    from corekit.features.tensor.kernels.adm import FusedAdm

SCALES = 4
LOW = (15826, 27411, 7345, -4240)
HIGH = (-4240, -7345, 27411, -15826)
"""The Daubechies-2 wavelet of integer_adm.h, in units of 2**-15."""
_LOW_SUM = sum(LOW)
_COS_1_DEGREE_SQUARED = float(np.float32(math.cos(math.pi / 180) ** 2))
_GAIN_LIMIT = 100.0
_FUSED_BYTES = 80
_PEAK_BYTES = 40 * 8

Bands = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Horizontal, vertical, diagonal detail, each of shape ``(n, rows, columns)``, int32."""


class Adm(TensorFamily):
    """ADM from luma: its scales, and the two ways of summing them."""

    names = ("adm2", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3", "adm3")

    def __init__(self, fmt: FrameFormat, device: torch.device, *, fused: bool = False) -> None:
        """``fused`` takes the Triton kernels, which give the same sums."""
        self._fmt = fmt
        width, height = fmt.width, fmt.height
        self._layouts: list[ScaleLayout] = []
        for scale in range(SCALES):
            width, height = (width + 1) // 2, (height + 1) // 2
            self._layouts.append(scale_layout(scale, width, height, fmt.bit_depth))
        self._fused: FusedAdm | None = None
        if fused:
            from corekit.features.tensor.kernels.adm import FusedAdm

            self._fused = FusedAdm(self._layouts, fmt.bit_depth, _COS_1_DEGREE_SQUARED, device)

    def sums(self, batch: Batch) -> torch.Tensor:
        if self._fused is not None:
            luma = batch.reference[0], batch.distorted[0]
            return self._fused.sums(*luma, batch.pair_reference, batch.pair_distorted)
        used, pairs = torch.unique(batch.pair_reference, return_inverse=True)
        reference = batch.reference[0].index_select(0, used).to(torch.int32)
        distorted = batch.distorted[0].index_select(0, batch.pair_distorted).to(torch.int32)
        columns: list[torch.Tensor] = []
        for scale, layout in enumerate(self._layouts):
            reference, own = self._transformed(reference, scale)
            distorted, other = self._transformed(distorted, scale)
            columns += [energy.index_select(0, pairs) for energy in _energies(own, layout)]
            paired: Bands = tuple(band.index_select(0, pairs) for band in own)  # type: ignore[assignment]
            restored, added = _split(paired, other)
            columns += _scored(restored, _threshold(added, layout), layout)
            columns += _scored(added, _threshold(restored, layout), layout)
        return torch.stack(columns, dim=1)

    def scores(self, sums: Integers) -> Values:
        parts = sums.reshape(len(sums), SCALES, 3, 3)
        noise = noise_of(self._layouts)
        own, restored, added = (np.zeros((len(sums), SCALES), np.float32) for _ in range(3))
        for scale, layout in enumerate(self._layouts):
            energy = parts[:, scale, 0] / 2.0**layout.reference_point * visibility_cubes(scale)
            own[:, scale] = pool(energy.astype(np.float32), noise[scale])
            restored[:, scale] = pool(cubes(parts[:, scale, 1], layout.point, scale), noise[scale])
            added[:, scale] = pool(cubes(parts[:, scale, 2], layout.point, scale), np.float32(0))
        energy, detail, impairment = (_in_order(part) for part in (own, restored, added))
        adm2, aim = detail / energy, impairment / energy
        adm3 = np.maximum(adm2 * 0.5 + (1 - aim) * 0.5, 0.0)
        scales = restored.astype(np.float64) / own
        return np.column_stack([adm2, scales, adm3])

    def pair_bytes(self) -> int:
        return self._fmt.width * self._fmt.height // 4 * (_FUSED_BYTES if self._fused is not None else _PEAK_BYTES)

    def _transformed(self, x: torch.Tensor, scale: int) -> tuple[torch.Tensor, Bands]:
        """The approximation of the next scale, and the detail around the scored region of this one."""
        layout = self._layouts[scale]
        rows = [x.index_select(-2, index) for index in _taps_of(x.shape[-2], x.device)]
        if scale == 0:
            low = (
                _weighed(rows, LOW) - (_LOW_SUM << (layout.down_shift - 1)) + (1 << (layout.down_shift - 1))
            ) >> layout.down_shift
            high = rounded_shift(_weighed(rows, HIGH), layout.down_shift)
        else:
            rows = [row.to(torch.int64) for row in rows]
            low, high = (rounded_shift(_weighed(rows, taps), layout.down_shift) for taps in (LOW, HIGH))
        del rows
        lows, highs = _across(low), _across(high)

        def band(sources: list[torch.Tensor], taps: Sequence[int], *, cropped: bool = True) -> torch.Tensor:
            if cropped:
                sources = [_around(source, layout) for source in sources]
            return rounded_shift(_weighed(sources, taps), layout.across_shift).to(torch.int32)

        return band(lows, LOW, cropped=False), (band(highs, LOW), band(lows, HIGH), band(highs, HIGH))


def _taps_of(n: int, device: torch.device) -> list[torch.Tensor]:
    """Where the four taps of each output lie: without repeating the first sample, with repeating the last."""
    places = torch.arange((n + 1) // 2, device=device) * 2
    indices = []
    for offset in (-1, 0, 1, 2):
        place = (places + offset).abs()
        indices.append(torch.where(place >= n, 2 * n - 1 - place, place))
    return indices


def _across(x: torch.Tensor) -> list[torch.Tensor]:
    return [x.index_select(-1, index) for index in _taps_of(x.shape[-1], x.device)]


def _weighed(parts: Sequence[torch.Tensor], taps: Sequence[int]) -> torch.Tensor:
    total = parts[0] * taps[0]
    for part, tap in zip(parts[1:], taps[1:], strict=True):
        total.add_(part, alpha=tap)
    return total


def _around(x: torch.Tensor, s: ScaleLayout) -> torch.Tensor:
    """The scored region and one more coefficient on every side that has one."""
    return x[..., max(s.top - 1, 0) : min(s.bottom + 1, s.height), max(s.left - 1, 0) : min(s.right + 1, s.width)]


def _inner(x: torch.Tensor, s: ScaleLayout) -> torch.Tensor:
    """The scored region of what ``_around`` cut."""
    top, left = s.top - max(s.top - 1, 0), s.left - max(s.left - 1, 0)
    return x[..., top : top + s.bottom - s.top, left : left + s.right - s.left]


def _energies(bands: Bands, s: ScaleLayout) -> list[torch.Tensor]:
    """Pooled cubes of the reference's detail, one per band."""
    totals = []
    for band in bands:
        size = _inner(band, s).to(torch.int64).abs()
        square = (size * size + s.reference_square_round) >> s.reference_square_shift
        rows = rounded_shift(square * size, s.reference_cube_shift).sum(-1)
        totals.append(rounded_shift(rows, s.reference_row_shift).sum(-1))
    return totals


def _split(reference: Bands, distorted: Bands) -> tuple[Bands, Bands]:
    """Each distorted coefficient as the part restored from the reference's, and the added rest."""
    aligned = _aligned(reference, distorted)
    restored = tuple(_restored(o, t, aligned) for o, t in zip(reference, distorted, strict=True))
    added = tuple(t - part for t, part in zip(distorted, restored, strict=True))
    return restored, added  # type: ignore[return-value]


def _aligned(reference: Bands, distorted: Bands) -> torch.Tensor:
    """Where the distorted gradient points within one degree of the reference's."""
    a, b = (band.to(torch.int64) for band in reference[:2])
    c, d = (band.to(torch.int64) for band in distorted[:2])
    dot, own, other = (
        part.to(torch.float32).to(torch.float64) for part in (a * c + b * d, a * a + b * b, c * c + d * d)
    )
    return (dot >= 0.0) & (dot * dot >= _COS_1_DEGREE_SQUARED * own * other)


def _restored(o: torch.Tensor, t: torch.Tensor, aligned: torch.Tensor) -> torch.Tensor:
    """The quotient is cut to [0, 1] in steps of 2**-15; its divisor is rounded to 15 leading bits and its reciprocal is an integer."""
    reference, distorted = o.to(torch.float64), t.to(torch.float64)
    size = reference.abs()
    excess = ((size.view(torch.int64) >> 52) - (1023 + 14)).clamp_min(0)
    unit = ((1023 - excess) << 52).view(torch.float64)
    reciprocal = (2.0**30 / (size * unit + 0.5).floor().clamp_min(1.0)).floor() * unit * 2.0**-15
    quotient = (reciprocal * torch.where(o >= 0, distorted, -distorted) + 0.5).floor().clamp(0.0, 32768.0)
    part = ((quotient * reference + 16384.0) * 2.0**-15).floor()
    limit = part * _GAIN_LIMIT
    limited = torch.where(o < 0, torch.maximum(limit, distorted), torch.minimum(limit, distorted))
    enhanced = aligned & (quotient > 0.0) & (o != 0)
    return torch.where(enhanced, limited, part).to(torch.int32)


def _threshold(bands: Bands, s: ScaleLayout) -> torch.Tensor:
    """What the neighbourhood in one part hides of the other: 1/30 of eight neighbours, 1/15 of the centre; int32."""
    around, excess = torch.zeros_like(bands[0]), torch.zeros_like(bands[0])
    for band, weight, add, shift in zip(bands, s.weight, s.weight_round, s.weight_shift, strict=True):
        visible = ((band.to(torch.int64) * weight + add) >> shift).abs().to(torch.int32).to(torch.int64)
        aside = ((visible * s.near + s.mask_round) >> s.mask_shift).to(torch.int32)
        here = (visible * s.centre + s.mask_round) >> s.mask_shift
        here = here.to(torch.int16 if s.centre_bits == 16 else torch.int32).to(torch.int32)
        around += aside
        excess += here - aside
    rows, columns = around.shape[-2:]
    padded = around.index_select(-2, _edges(rows, around.device)).index_select(-1, _edges(columns, around.device))
    across = padded[..., :columns] + padded[..., 1 : columns + 1] + padded[..., 2:]
    box = across[..., :rows, :] + across[..., 1 : rows + 1, :] + across[..., 2:, :]
    return box + excess


def _edges(n: int, device: torch.device) -> torch.Tensor:
    """Indices with one more at either end: the first is mirrored, the last repeated."""
    index = torch.arange(-1, n + 1, device=device).abs()
    return index.clamp_max(n - 1)


def _scored(bands: Bands, threshold: torch.Tensor, s: ScaleLayout) -> list[torch.Tensor]:
    """Pooled cubes of what shows above the threshold, one per band."""
    hidden = _inner(threshold, s).to(torch.int64)
    totals = []
    for k, band in enumerate(bands):
        visible = ((_inner(band, s).to(torch.int64) * s.weight[k] + s.scored_round) >> s.scored_shift).abs()
        above = (visible - (hidden << s.threshold_shift[k]).to(torch.int32)).to(torch.int32)
        x = above.clamp_min(0).to(torch.int64)
        square = rounded_shift(x * x, s.square_shift[k]) & 0xFFFFFFFF
        rows = rounded_shift(square * x, s.cube_shift[k]).sum(-1)
        totals.append(rounded_shift(rows, s.row_shift).sum(-1))
    return totals


def _in_order(parts: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> Values:
    """Sum over the scales, one after the other, in float64."""
    total = np.zeros(len(parts))
    for scale in range(parts.shape[1]):
        total = total + parts[:, scale].astype(np.float64)
    return total
