"""Frames brought to another size on a device, sample for sample as the CPU's scaler does (``corekit.video.scaling``)."""

from __future__ import annotations

from typing import Any

import torch

from corekit.features.tensor.family import TensorPlanes
from corekit.model import FrameFormat
from corekit.video.scaling import ACROSS_BITS, DOWN_BITS, PlaneTaps, Scaling

BETWEEN_BITS = 15
"""Bits of a sample that is scaled along the rows alone."""
_LAST_ROWS = 2
"""Of a picture, which libswscale sums up exactly however it does the others."""
_DITHER = 64


class FrameScaler:
    """One scaling on one device. Frames lie in the memory of those that they become, at the beginning of each plane.

    ``coarse``: samples of 8 bits are summed from products of which only the upper 16 bits are kept, as libswscale does on x86.
    """

    def __init__(self, scaling: Scaling, device: torch.device, *, fused: bool, coarse: bool) -> None:
        self._source, self._target = scaling.source, scaling.target
        self._fused = fused
        luma, chroma = (_Plane(taps, device) for taps in (scaling.luma, scaling.chroma))
        self._planes = luma, chroma, chroma
        self._shift_across = scaling.source.bit_depth + ACROSS_BITS - BETWEEN_BITS
        self._coarse = coarse
        # Chroma rows are made with the luma row that is above them.
        luma_rows = scaling.target.height
        step = 2 if scaling.target.chroma == "420" else 1
        exact = [luma_rows - _LAST_ROWS, -(-(luma_rows - _LAST_ROWS) // step)]
        self._exact_from = [
            max(0, row) if coarse and plane.down.shape[1] > 1 else 0
            for plane, row in zip(self._planes, (exact[0], exact[1], exact[1]), strict=True)
        ]

    def scale(self, planes: TensorPlanes, slots: torch.Tensor) -> None:
        """Scale the frames of ``slots`` (int64, shape ``(n,)``) in ``planes``, which hold frames of the target's format."""
        for plane, own, exact_from, shape in zip(
            planes, self._planes, self._exact_from, self._source.shapes, strict=True
        ):
            before = room_for(plane, shape, self._source.bit_depth).index_select(0, slots)
            if self._fused:
                from corekit.features.tensor.kernels.scaling import scale_plane

                scale_plane(
                    before, plane, slots, own.across_start, own.across, own.down_start, own.down, self._shift_across,
                    self._target.bit_depth, exact_from, coarse=self._coarse,
                )  # fmt: skip
            else:
                plane.index_copy_(0, slots, self._plane(before, own, exact_from).to(plane.dtype))

    def _plane(self, before: torch.Tensor, own: _Plane, exact_from: int) -> torch.Tensor:
        between = torch.zeros((*before.shape[:2], own.across.shape[0]), dtype=torch.int32, device=before.device)
        for tap in range(own.across.shape[1]):
            between += before.index_select(2, own.across_start + tap).to(torch.int32) * own.across[:, tap]
        between = (between >> self._shift_across).clamp_max_((1 << BETWEEN_BITS) - 1)
        depth = self._target.bit_depth
        shift = BETWEEN_BITS + DOWN_BITS - depth
        shape = before.shape[0], own.down.shape[0], own.across.shape[0]
        exact = torch.full(shape, 1 << (shift - 1), dtype=torch.int32, device=before.device)
        upper = torch.full(shape, coarse_rounding(own.down.shape[1]), dtype=torch.int32, device=before.device)
        for tap in range(own.down.shape[1]):
            products = between.index_select(1, own.down_start + tap) * own.down[:, tap, None]
            exact += products
            if self._coarse:
                upper += products >> 16
        exact >>= shift
        if self._coarse:
            exact[:, :exact_from] = (upper >> (shift - 16))[:, :exact_from]
        return exact.clamp_(0, (1 << depth) - 1)


class _Plane:
    """A plane's filter on a device."""

    def __init__(self, taps: PlaneTaps, device: torch.device) -> None:
        def there(array: Any) -> torch.Tensor:
            return torch.from_numpy(array).to(device)

        self.across_start, self.across = there(taps.across.start), there(taps.across.weights)
        self.down_start, self.down = there(taps.down.start), there(taps.down.weights)


def coarse_rounding(n_taps: int) -> int:
    """What is added to the upper halves of ``n_taps`` products: half a code value, and half a unit for each that was cut off."""
    return (_DITHER + 8 * (n_taps - 1)) >> 4


def has_room(source: FrameFormat, target: FrameFormat) -> bool:
    """Whether every plane of a frame fits in the memory that it has after scaling."""
    return all(
        rows * columns * source.bytes_per_sample <= new_rows * new_columns * target.bytes_per_sample
        for (rows, columns), (new_rows, new_columns) in zip(source.shapes, target.shapes, strict=True)
    )


def room_for(plane: torch.Tensor, shape: tuple[int, int], bit_depth: int) -> torch.Tensor:
    """The beginning of each frame's memory in ``plane``, as samples of a smaller plane: a view, shape ``(n_frames, *shape)``."""
    flat = plane.flatten(1)
    if bit_depth == 8:
        flat = flat.view(torch.uint8)
    rows, columns = shape
    return flat[:, : rows * columns].view(-1, rows, columns)
