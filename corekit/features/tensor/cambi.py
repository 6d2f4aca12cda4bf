"""CAMBI over batches of frames: the mask, the mode filters, the window counts of each luma level, and the pooling, in torch.

The definition stands in ``corekit.features.cambi``. All is integer up to the contrast values, which are float32 products in libvmaf's
order; these are whole numbers of 2^-24 below 2^14, so that their sums are exact in 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from corekit.features._cambi_model import (
    MASK_SIZE,
    RECIPROCALS,
    SCALE_WEIGHTS,
    STEPS,
    TOP_SHARE,
    Eotf,
    mask_threshold,
    pyramid,
    visibility_thresholds,
    window_size,
)
from corekit.features.tensor.family import Batch, Integers, TensorFamily, Values
from corekit.model import FrameFormat

if TYPE_CHECKING:
    from corekit.features.tensor.kernels.cambi import FusedCambi

UNMASKED = -0x8000
UNIT = 2.0**-24
_FUSED_BYTES = 14
_PEAK_BYTES = 80
"""Bytes a pixel: the window counts of nine levels, the maps made of them, the values in several types."""


class Cambi(TensorFamily):
    """CAMBI of the distorted frames, in ``[0, 1000]``; ``eotf`` is the display's transfer function, as for the CPU."""

    names: ClassVar[tuple[str, ...]] = ("cambi",)

    def __init__(self, fmt: FrameFormat, device: torch.device, *, fused: bool = False, eotf: Eotf = "bt1886") -> None:
        """``fused`` takes the Triton kernels, which give the same sums."""
        self._fmt = fmt
        self._window = window_size(fmt.width, fmt.height)
        self._mask_threshold = mask_threshold(fmt.width, fmt.height)
        self._thresholds = visibility_thresholds(eotf)
        shapes = pyramid(fmt.height, fmt.width)
        self._kept = [max(int(TOP_SHARE * (rows * columns)), 1) for rows, columns in shapes]
        self._reciprocals = torch.from_numpy(RECIPROCALS).to(device)
        self._fused: FusedCambi | None = None
        if fused:
            from corekit.features.tensor.kernels.cambi import FusedCambi

            self._fused = FusedCambi(shapes, self._window // 2, self._thresholds, self._kept, self._reciprocals)

    def sums(self, batch: Batch) -> torch.Tensor:
        luma = batch.distorted[0].index_select(0, batch.pair_distorted)
        if self._fused is not None:
            return self._fused.sums(luma, self._fmt.bit_depth, self._mask_threshold)
        image = ten_bits(luma, self._fmt.bit_depth)
        masked = smooth_areas(image, self._mask_threshold)
        sums = []
        for kept in self._kept:
            image = mode_filtered(image)
            values = contrast_values(image, masked, self._window // 2, self._thresholds, self._reciprocals)
            sums.append(sum_of_greatest(values.flatten(1), kept))
            image, masked = image[:, ::2, ::2], masked[:, ::2, ::2]
        return torch.stack(sums, 1)

    def scores(self, sums: Integers) -> Values:
        means = sums * UNIT / np.array(self._kept)
        scores: Values = np.minimum((means * SCALE_WEIGHTS).sum(1, keepdims=True) / self._window**2, 1000.0)
        return scores

    def pair_bytes(self) -> int:
        return self._fmt.width * self._fmt.height * (_FUSED_BYTES if self._fused is not None else _PEAK_BYTES)


def ten_bits(luma: torch.Tensor, bit_depth: int) -> torch.Tensor:
    """Luma at 10 bits, int16; below 10 bits the mean of each pixel and its right, lower and lower right neighbours."""
    if bit_depth == 10:
        return luma
    if bit_depth > 10:
        shift = bit_depth - 10
        return (luma.to(torch.int32) + (1 << (shift - 1)) >> shift).to(torch.int16)
    pairs = luma.to(torch.int16) + _next(luma, -1)
    return pairs + _next(pairs, -2) >> (bit_depth - 8)


def smooth_areas(image: torch.Tensor, threshold: int) -> torch.Tensor:
    """Where more than ``threshold`` pixels of the 7x7 neighbourhood equal their right and lower neighbours."""
    flat = (image == _next(image, -1)) & (image == _next(image, -2))
    return window_sums(flat.to(torch.int16), MASK_SIZE // 2) > threshold


def mode_filtered(image: torch.Tensor) -> torch.Tensor:
    """The image after the 3x1 and 1x3 mode filters; the first and last row stay as they are."""
    along = image.clone()
    along[..., 1:-1] = _mode(image[..., :-2], image[..., 1:-1], image[..., 2:])
    filtered = image.clone()
    filtered[:, 1:-1] = _mode(along[:, :-2], along[:, 1:-1], along[:, 2:])
    return filtered


def contrast_values(
    image: torch.Tensor, masked: torch.Tensor, pad: int, thresholds: tuple[int, ...], reciprocals: torch.Tensor
) -> torch.Tensor:
    """Contrast of each masked pixel against the levels 1..4 above and below in its window, float32; 0 outside the mask."""
    keys = torch.where(masked, image, image | UNMASKED)
    own = torch.zeros_like(image)
    others = [torch.zeros_like(image) for _ in range(STEPS)]
    counts: dict[int, torch.Tensor] = {}
    levels = _levels(keys, thresholds[-1] + STEPS)
    for luma in levels:
        here = keys == luma
        counts = {
            near: counts[near] if near in counts else window_sums((keys == near).to(torch.int16), pad)
            for near in range(luma - STEPS, luma + STEPS + 1)
            if near in levels
        }
        own = torch.where(here, counts[luma], own)
        for step, other in enumerate(others, 1):
            for near in (luma - step, luma + step):
                if near in counts:
                    others[step - 1] = other = torch.where(here, torch.maximum(other, counts[near]), other)
    values = torch.zeros(image.shape, dtype=torch.float32, device=image.device)
    own = own.to(torch.int32)
    for step, (other, threshold) in enumerate(zip(others, thresholds, strict=True), 1):
        products = (step * own * other).to(torch.float32)
        values = torch.where(keys <= threshold, torch.maximum(values, products * reciprocals[own + other]), values)
    return values


def _levels(keys: torch.Tensor, highest: int) -> Iterable[int]:
    """The levels that may occur, ascending; on the CPU, where looking waits for nothing, those that do."""
    if keys.device.type != "cpu":
        return range(highest + 1)
    found = torch.bincount(keys[(keys >= 0) & (keys <= highest)]).nonzero()[:, 0]
    return dict.fromkeys(found.tolist())


def sum_of_greatest(values: torch.Tensor, kept: int) -> torch.Tensor:
    """Sum of the ``kept`` greatest values of each row in units of 2^-24, int64."""
    greatest = values.topk(kept, dim=1, sorted=False).values
    return (greatest / UNIT).to(torch.int64).sum(1)


def window_sums(x: torch.Tensor, radius: int) -> torch.Tensor:
    """Sums over the square windows of ``2 radius + 1`` pixels, clipped at the picture's edges; int16, modulo 2^16."""
    for dim in (-1, -2):
        n = x.shape[dim]
        sums = torch.cat([torch.zeros_like(x.narrow(dim, 0, 1)), x.cumsum(dim, dtype=torch.int16)], dim)
        at = torch.arange(n, device=x.device)
        last, first = (at + radius + 1).clamp(max=n), (at - radius).clamp(min=0)
        x = sums.index_select(dim, last) - sums.index_select(dim, first)
    return x


def _next(x: torch.Tensor, dim: int) -> torch.Tensor:
    """The next sample along a dimension; the last one is its own."""
    return torch.cat([x.narrow(dim, 1, x.shape[dim] - 1), x.narrow(dim, -1, 1)], dim)


def _mode(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """The value that occurs at least twice, else the least."""
    least = torch.minimum(torch.minimum(a, b), c)
    return torch.where((a == b) | (a == c), a, torch.where(b == c, b, least))
