"""SSIMULACRA 2 over batches of frame pairs: linear light, XYB, the recursive blur in order, and the maps, in torch.

The definition stands in ``corekit.features.ssimulacra2``. Everything up to the maps is float32, every operation rounded by itself and in
the order of the CPU's kernels, so the blurred pictures have the same bits on every device. The maps are float64; their sums, taken in a fixed order, are
the family's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from corekit.features._recursive_gaussian import BACK1, BACK3, BACK5, IN1, IN3, IN5, RADIUS
from corekit.features._ssimulacra2_model import (
    B_OFFSET,
    BIAS_ROOT,
    C2,
    CB_B,
    CB_G,
    CHROMA_SCALE,
    CR_G,
    CR_R,
    CUBE_ROOT_SEED,
    EOTF,
    EOTF_TOP,
    LUMA_OFFSET,
    LUMA_SCALE,
    M00,
    M01,
    M02,
    M10,
    M11,
    M12,
    M20,
    M21,
    M22,
    OPSIN_BIAS,
    THIRD,
    X_OFFSET,
    X_SCALE,
    Y_OFFSET,
    pyramid,
    score,
)
from corekit.features._ssimulacra2_weights import WEIGHTS, has_ssim
from corekit.features.tensor.family import Batch, Integers, TensorFamily, TensorPlanes, Values
from corekit.model import FrameFormat

if TYPE_CHECKING:
    from corekit.features.tensor.kernels.ssimulacra2 import FusedSsimulacra2

SUMS = 6
"""Per channel and scale: ssim, ringing, blur, then their fourth powers."""
_FUSED_BYTES = 135
_PEAK_BYTES = 400
"""Bytes a pixel: at full size ten pictures in float32 and what the blur makes of them, and the maps in float64."""


class Ssimulacra2(TensorFamily):
    """SSIMULACRA 2 of the distorted frames, at most 100. What concerns a reference frame alone is computed once for all its pairs.

    Its sums are float64, carried as their bits.
    """

    names: ClassVar[tuple[str, ...]] = ("ssimulacra2",)

    def __init__(self, fmt: FrameFormat, device: torch.device, *, fused: bool = False) -> None:
        """``fused`` takes the Triton kernels, which make the same maps and add them up in another order."""
        self._fmt = fmt
        self._shapes = pyramid(fmt.height, fmt.width)
        self._eotf = torch.from_numpy(EOTF).to(device)
        self._fused: FusedSsimulacra2 | None = None
        if fused:
            from corekit.features.tensor.kernels.ssimulacra2 import FusedSsimulacra2

            self._fused = FusedSsimulacra2(fmt, self._shapes, device)

    def sums(self, batch: Batch) -> torch.Tensor:
        if self._fused is not None:
            sums = self._fused.sums(batch.reference, batch.distorted, batch.pair_reference, batch.pair_distorted)
        else:
            sums = self._plain_sums(batch)
        return sums.flatten(1).view(torch.int64)

    def scores(self, sums: Integers) -> Values:
        means = sums.view(np.float64).reshape(-1, 3, len(self._shapes), SUMS).copy()
        means /= np.array([[rows * columns] for rows, columns in self._shapes])
        norms = np.stack([means[..., :3], np.sqrt(np.sqrt(means[..., 3:]))], axis=3)
        distances = (WEIGHTS[:, : len(self._shapes)] * norms).sum(axis=(1, 2, 3, 4))
        return np.array([score(float(distance)) for distance in distances]).reshape(-1, 1)

    def pair_bytes(self) -> int:
        return self._fmt.width * self._fmt.height * (_FUSED_BYTES if self._fused is not None else _PEAK_BYTES)

    def _plain_sums(self, batch: Batch) -> torch.Tensor:
        """Shape ``(n_pairs, 3, n_scales, 6)``."""
        chosen = [plane.index_select(0, batch.pair_distorted) for plane in batch.distorted]
        reference = linear_rgb(self._fmt, batch.reference, self._eotf)
        distorted = linear_rgb(self._fmt, (chosen[0], chosen[1], chosen[2]), self._eotf)
        sums = reference.new_zeros((batch.n_pairs, 3, len(self._shapes), SUMS), dtype=torch.float64)
        for scale in range(len(self._shapes)):
            if scale:
                reference, distorted = halved(reference), halved(distorted)
            first, second = xyb(reference), xyb(distorted)
            for channel in range(3):
                if WEIGHTS[channel, scale].any():
                    pair = first[:, channel], second[:, channel], batch.pair_reference
                    maps = _maps(*pair) if has_ssim(channel, scale) else _ringing(*pair)
                    sums[:, channel, scale] = maps
        return sums


def _maps(reference: torch.Tensor, distorted: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """Sums of the maps and of their fourth powers, shape ``(n_pairs, 6)``."""
    n, n_pairs = len(reference), len(distorted)
    own = reference.index_select(0, pairs)
    blurred = blur(torch.cat([reference, reference * reference, distorted, distorted * distorted, distorted * own]))
    mean1, square1, mean2, square2, product = torch.split_with_sizes(blurred, [n, n, n_pairs, n_pairs, n_pairs])
    mean1, square1 = mean1.index_select(0, pairs), square1.index_select(0, pairs)
    luminance = 1.0 - (mean1 - mean2) * (mean1 - mean2)
    structure = 2.0 * (product - mean1 * mean2) + float(C2)
    energy = (square1 - mean1 * mean1) + (square2 - mean2 * mean2) + float(C2)
    ssim = (energy.double() - luminance.double() * structure.double()).div_(energy).clamp_(min=0)
    edge1, edge2 = (own.double() - mean1).abs(), (distorted.double() - mean2).abs()
    change = (edge2 - edge1) / (edge1 + 1.0)
    return _sums([ssim, change.clamp(min=0), (-change).clamp(min=0)])


def _ringing(reference: torch.Tensor, distorted: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    """As ``_maps`` where only ringing has a weight, which is small: in float32, as on the CPU."""
    pictures = torch.cat([reference, distorted])
    edges = (pictures - blur(pictures)).abs()
    edge1, edge2 = edges[: len(reference)].index_select(0, pairs), edges[len(reference) :]
    ringing = ((edge2 - edge1) / (edge1 + 1.0)).clamp(min=0)
    nothing = torch.zeros_like(ringing)
    return _sums([nothing, ringing, nothing])


def _sums(maps: list[torch.Tensor]) -> torch.Tensor:
    squares = [each * each for each in maps]
    return torch.stack([each.sum((1, 2), dtype=torch.float64) for each in maps + [s * s for s in squares]], 1)


def linear_rgb(fmt: FrameFormat, planes: TensorPlanes, eotf: torch.Tensor) -> torch.Tensor:
    """Linear R, G, B of frames, float32, shape ``(n, 3, rows, columns)``."""
    scale = float(np.float32(1) / np.float32((1 << fmt.bit_depth) - 1))
    signal = (planes[0].to(torch.float32) * scale - float(LUMA_OFFSET)) * float(LUMA_SCALE)
    blue, red = ((_spread(fmt, plane).to(torch.float32) * scale - 0.5) * float(CHROMA_SCALE) for plane in planes[1:])
    signals = (
        signal + float(CR_R) * red,
        signal + float(CB_G) * blue + float(CR_G) * red,
        signal + float(CB_B) * blue,
    )
    return torch.stack([_light(each, eotf) for each in signals], 1)


def _spread(fmt: FrameFormat, plane: torch.Tensor) -> torch.Tensor:
    """Repeat each chroma sample for the luma samples that it covers."""
    if fmt.chroma != "444":
        plane = plane.repeat_interleave(2, -1)[..., : fmt.width]
    return plane.repeat_interleave(2, -2)[..., : fmt.height, :] if fmt.chroma == "420" else plane


def _light(signal: torch.Tensor, eotf: torch.Tensor) -> torch.Tensor:
    position = signal.clamp(0.0, 1.0) * float(EOTF_TOP)
    at = position.to(torch.int32).clamp(max=EOTF_TOP - 1)
    low, high = eotf[at], eotf[at + 1]
    return low + (high - low) * (position - at)


def halved(rgb: torch.Tensor) -> torch.Tensor:
    """Means of 2x2 pixels; an odd last row or column is doubled."""
    rows, columns = rgb.shape[-2:]
    if columns % 2:
        rgb = torch.cat([rgb, rgb[..., -1:]], -1)
    if rows % 2:
        rgb = torch.cat([rgb, rgb[..., -1:, :]], -2)
    upper, lower = rgb[..., ::2, :], rgb[..., 1::2, :]
    return (((upper[..., ::2] + upper[..., 1::2]) + lower[..., ::2]) + lower[..., 1::2]) * 0.25


def xyb(rgb: torch.Tensor) -> torch.Tensor:
    """X, Y, B of linear R, G, B, shape as given."""
    r, g, b = rgb.unbind(1)
    mixed = ((M00, M01, M02), (M10, M11, M12), (M20, M21, M22))
    roots = [_cube_root(float(x) * r + float(y) * g + float(z) * b + float(OPSIN_BIAS)) for x, y, z in mixed]
    luma = 0.5 * (roots[0] + roots[1])
    x = 0.5 * (roots[0] - roots[1]) * float(X_SCALE) + float(X_OFFSET)
    return torch.stack([x, luma + float(Y_OFFSET), (roots[2] - luma) + float(B_OFFSET)], 1)


def _cube_root(values: torch.Tensor) -> torch.Tensor:
    """Cube root less that of the bias: a third of the exponent, then two of Newton's steps."""
    values = values.clamp(min=0)
    root = (torch.div(values.view(torch.int32), 3, rounding_mode="floor") + CUBE_ROOT_SEED).view(torch.float32)
    for _ in range(2):
        root = (2.0 * root + values / (root * root)) * float(THIRD)
    return torch.where(values > 0, root, 0.0) - float(BIAS_ROOT)


def blur(pictures: torch.Tensor) -> torch.Tensor:
    """The recursive Gaussian along the rows, then down the columns; shape ``(n, rows, columns)``."""
    n, rows, columns = pictures.shape
    along = _recursion(pictures.permute(2, 0, 1).reshape(columns, n * rows)).view(columns, n, rows)
    down = _recursion(along.permute(2, 1, 0).reshape(rows, n * columns)).view(rows, n, columns)
    return down.permute(1, 0, 2)


def _recursion(lines: torch.Tensor) -> torch.Tensor:
    """Blur along the first dimension, all lines of the second abreast: three oscillators, in order, rounded at each step."""
    n, n_lines = lines.shape
    before, after = lines.new_zeros((2 * RADIUS, n_lines)), lines.new_zeros((RADIUS - 1, n_lines))
    padded = torch.cat([before, lines, after])
    totals = padded[: n + RADIUS - 1] + padded[2 * RADIUS :]
    gains, backs = (lines.new_tensor(each)[:, None] for each in ((IN1, IN3, IN5), (BACK1, BACK3, BACK5)))
    last, before_last = lines.new_zeros((3, n_lines)), lines.new_zeros((3, n_lines))
    out = torch.empty_like(lines)
    for step, total in enumerate(totals, 1 - RADIUS):
        last, before_last = gains * total - backs * last - before_last, last
        if step >= 0:
            torch.add(last[0] + last[1], last[2], out=out[step])
    return out
