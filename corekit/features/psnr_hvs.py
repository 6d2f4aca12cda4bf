"""psnr_hvs: peak signal-to-noise ratio weighted by what the eye sees, in dB.

Each plane is cut into 8x8 blocks that overlap by one sample. Both frames' blocks go through a discrete cosine
transform; a difference of coefficients counts only as far as it exceeds what the texture of the block masks, and is
weighted by the contrast sensitivity at its frequency. The mean square, relative to the peak, of luma (0.8) and of
the chroma planes (0.1 each) is given as dB. Identical frames have infinite PSNR-HVS.

Sources: N. Ponomarenko et al., "On between-coefficient contrast masking of DCT basis functions", VPQM 2007;
libvmaf/src/feature/third_party/xiph/psnr_hvs.c (Xiph.Org, BSD-2-Clause; in libvmaf, BSD-2-Clause-Patent), whose integer
transform and float32 arithmetic this module follows.

Exactness: equal to scalar libvmaf to the last bit. libvmaf adds all squares of a plane to one float32, so its order
and its rounding are part of the definition; ``_accumulate`` has the same result without adding them one by one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corekit.features._jit import kernel
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
from corekit.features.family import FeatureFamily, Planes, Values
from corekit.model import FrameFormat

# Blocks side by side that are worked on at once, one in each lane, and the columns that they cover.
_LANES = 16
_COLUMNS = (_LANES - 1) * STEP + SIDE

# Rows of the work buffer that has one value a lane: means and variances of the quarters, and so on.
_MEAN, _VARIANCE, _BLOCK_MEAN, _BLOCK_VARIANCE, _TEXTURE, _THRESHOLD = 0, 4, 8, 9, 10, 11


class PsnrHvs(FeatureFamily):
    """PSNR-HVS over the three planes.

    Keeps the coefficients of the reference: 2.7 bytes a sample, 4 bytes a pixel for 4:2:0.
    """

    names = ("psnr_hvs",)

    def __init__(self, fmt: FrameFormat, rungs: int = 1) -> None:
        self._planes = [_BlockPlane(shape, table) for shape, table in zip(fmt.shapes, SENSITIVITY, strict=True)]
        self._peak = (1 << fmt.bit_depth) - 1

    def reference(self, planes: Planes) -> None:
        for own, plane in zip(self._planes, planes, strict=True):
            own.reference(plane)

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        luma, cb, cr = (own.compare(plane, self._peak) for own, plane in zip(self._planes, planes, strict=True))
        out[0] = score(luma, cb, cr)


class _BlockPlane:
    """The blocks of one plane, in batches of ``_LANES`` from left to right and top to bottom."""

    def __init__(self, shape: tuple[int, int], sensitivity: Any) -> None:
        rows, columns = blocks(shape)
        batches = rows * -(-columns // _LANES)
        self._count = rows * columns
        self._sensitivity = sensitivity
        self._masking = masking(sensitivity)
        self._coefficients = np.zeros((batches, AREA * _LANES), np.int16)
        self._thresholds = np.zeros((batches, _LANES), np.float32)
        self._samples = np.zeros(SIDE * _COLUMNS, np.int32)
        self._batch = np.zeros(AREA * _LANES, np.int32)
        self._squares = np.zeros(AREA * _LANES, np.float32)
        self._lanes = np.zeros((_THRESHOLD + 1, _LANES), np.float32)

    def reference(self, plane: Any) -> None:
        _transform_reference(
            plane, self._masking, self._samples, self._batch, self._lanes, self._coefficients, self._thresholds
        )

    def compare(self, plane: Any, peak: int) -> float:
        """Mean square of the visible difference to the reference, relative to the squared peak."""
        total = _sum_of_squares(
            plane, self._sensitivity, self._masking, self._coefficients, self._thresholds,
            self._samples, self._batch, self._lanes, self._squares,
        )  # fmt: skip
        return mean_square(total, self._count, peak)


@kernel()
def _transform_reference(
    plane: Any, masking: Any, samples: Any, batch: Any, lanes: Any, coefficients: Any, thresholds: Any
) -> None:
    height, width = plane.shape
    index = 0
    for top in range(0, height - SIDE + 1, STEP):
        for left in range(0, width - SIDE + 1, STEP * _LANES):
            _transform_batch(plane, top, left, masking, samples, batch, lanes, thresholds[index])
            kept = coefficients[index]
            for k in range(AREA * _LANES):
                kept[k] = batch[k]
            index += 1


@kernel()
def _sum_of_squares(
    plane: Any, sensitivity: Any, masking: Any, coefficients: Any, thresholds: Any,
    samples: Any, batch: Any, lanes: Any, squares: Any,
) -> Any:  # fmt: skip
    """Sum over blocks and frequencies, in their order, of the squared visible difference, in float32."""
    height, width = plane.shape
    total = np.float32(0)
    index = 0
    for top in range(0, height - SIDE + 1, STEP):
        for left in range(0, width - SIDE + 1, STEP * _LANES):
            blocks = min(_LANES, (width - SIDE - left) // STEP + 1)
            threshold = lanes[_THRESHOLD]
            _transform_batch(plane, top, left, masking, samples, batch, lanes, threshold)
            of_reference = thresholds[index]
            for lane in range(_LANES):
                threshold[lane] = max(threshold[lane], of_reference[lane])
            _square_differences(coefficients[index], batch, threshold, sensitivity, masking, squares)
            total = _accumulate(total, squares, blocks, lanes)
            index += 1
    return total


@kernel(inline=True)
def _transform_batch(
    plane: Any, top: int, left: int, masking: Any, samples: Any, batch: Any, lanes: Any, threshold: Any
) -> None:
    """Transform one batch of blocks.

    Writes the coefficients to ``batch``, frequency by frequency, and what each block masks to ``threshold``.
    """
    _load_samples(plane, top, left, samples)
    _gather(samples, batch)
    texture = lanes[_TEXTURE]
    _measure_texture(batch, lanes, texture)
    _transform_columns(samples)
    _gather(samples, batch)
    _transform_rows(batch)
    _measure_masking(batch, masking, texture, threshold)


@kernel(inline=True)
def _load_samples(plane: Any, top: int, left: int, samples: Any) -> None:
    """Copy the eight rows that the batch covers. Beyond the plane's right edge stay the samples from before."""
    columns = min(_COLUMNS, plane.shape[1] - left)
    for y in range(SIDE):
        row = plane[top + y, left : left + columns]
        kept = samples[y * _COLUMNS : (y + 1) * _COLUMNS]
        for x in range(columns):
            kept[x] = np.int32(row[x])


@kernel(inline=True)
def _gather(samples: Any, batch: Any) -> None:
    """From rows of samples to blocks in lanes."""
    for y in range(SIDE):
        row = samples[y * _COLUMNS : (y + 1) * _COLUMNS]
        out = batch[y * SIDE * _LANES : (y + 1) * SIDE * _LANES]
        for x in range(SIDE):
            for lane in range(_LANES):
                out[x * _LANES + lane] = row[lane * STEP + x]


@kernel(inline=True)
def _measure_texture(batch: Any, lanes: Any, texture: Any) -> None:
    """How much of each block's variance lies within its quarters: near 1 for texture, near 0 for an edge."""
    lanes[:_TEXTURE] = np.float32(0)
    for y in range(SIDE):
        row = batch[y * SIDE * _LANES : (y + 1) * SIDE * _LANES]
        _add_samples(row, lanes[_MEAN + y // 4], lanes[_MEAN + y // 4 + 2])
    block_mean, block_variance = lanes[_BLOCK_MEAN], lanes[_BLOCK_VARIANCE]
    for lane in range(_LANES):
        total = lanes[_MEAN, lane] + lanes[_MEAN + 1, lane] + lanes[_MEAN + 2, lane] + lanes[_MEAN + 3, lane]
        block_mean[lane] = total / np.float32(AREA)
    for part in range(4):
        mean = lanes[_MEAN + part]
        for lane in range(_LANES):
            mean[lane] /= np.float32(AREA // 4)
    for y in range(SIDE):
        row = batch[y * SIDE * _LANES : (y + 1) * SIDE * _LANES]
        left, right = y // 4, y // 4 + 2
        _add_squared_deviations(row, 0, lanes[_MEAN + left], lanes[_VARIANCE + left], block_mean, block_variance)
        _add_squared_deviations(row, 4, lanes[_MEAN + right], lanes[_VARIANCE + right], block_mean, block_variance)
    a, b, c, d = lanes[_VARIANCE], lanes[_VARIANCE + 1], lanes[_VARIANCE + 2], lanes[_VARIANCE + 3]
    for lane in range(_LANES):
        whole = block_variance[lane] * VARIANCE_64
        parts = a[lane] * VARIANCE_16 + b[lane] * VARIANCE_16 + c[lane] * VARIANCE_16 + d[lane] * VARIANCE_16
        texture[lane] = parts / whole if whole > np.float32(0) else np.float32(0)


@kernel(inline=True)
def _add_samples(row: Any, left: Any, right: Any) -> None:
    """Add a row's samples to the sums of its two quarters; integers below 2**24, exact in any order."""
    n = _LANES
    for x in range(n):
        left[x] += np.float32(np.int32(row[x] + row[n + x] + row[2 * n + x] + row[3 * n + x]))
        right[x] += np.float32(np.int32(row[4 * n + x] + row[5 * n + x] + row[6 * n + x] + row[7 * n + x]))


@kernel(inline=True)
def _add_squared_deviations(
    row: Any, first: int, mean: Any, variance: Any, block_mean: Any, block_variance: Any
) -> None:
    """Add the squares of four samples' deviations from their quarter's and from the block's mean, in order."""
    n = _LANES
    four = row[first * n : (first + 4) * n]
    for x in range(n):
        a, b = np.float32(four[x]), np.float32(four[n + x])
        c, d = np.float32(four[2 * n + x]), np.float32(four[3 * n + x])
        variance[x] = _add_squares(variance[x], a - mean[x], b - mean[x], c - mean[x], d - mean[x])
        block_variance[x] = _add_squares(
            block_variance[x], a - block_mean[x], b - block_mean[x], c - block_mean[x], d - block_mean[x]
        )


@kernel(inline=True)
def _add_squares(total: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    return total + a * a + b * b + c * c + d * d


@kernel(inline=True)
def _transform_columns(samples: Any) -> None:
    n = _COLUMNS
    for x in range(n):
        a, b, c, d, e, f, g, h = _dct8(
            samples[x], samples[n + x], samples[2 * n + x], samples[3 * n + x],
            samples[4 * n + x], samples[5 * n + x], samples[6 * n + x], samples[7 * n + x],
        )  # fmt: skip
        samples[x], samples[n + x], samples[2 * n + x], samples[3 * n + x] = a, b, c, d
        samples[4 * n + x], samples[5 * n + x], samples[6 * n + x], samples[7 * n + x] = e, f, g, h


@kernel(inline=True)
def _transform_rows(batch: Any) -> None:
    n = _LANES
    for y in range(SIDE):
        row = batch[y * SIDE * n : (y + 1) * SIDE * n]
        for x in range(n):
            a, b, c, d, e, f, g, h = _dct8(
                row[x], row[n + x], row[2 * n + x], row[3 * n + x],
                row[4 * n + x], row[5 * n + x], row[6 * n + x], row[7 * n + x],
            )  # fmt: skip
            row[x], row[n + x], row[2 * n + x], row[3 * n + x] = a, b, c, d
            row[4 * n + x], row[5 * n + x], row[6 * n + x], row[7 * n + x] = e, f, g, h


@kernel(inline=True)
def _measure_masking(batch: Any, masking: Any, texture: Any, threshold: Any) -> None:
    n = _LANES
    for x in range(n):
        threshold[x] = np.float32(0)
    for k in range(0, AREA, 4):
        four = batch[k * n : (k + 4) * n]
        # The mean is no texture: its weight is 0, and a sum of 0 is exact.
        w0, w1, w2, w3 = masking[k], masking[k + 1], masking[k + 2], masking[k + 3]
        if k == 0:
            w0 = np.float32(0)
        for x in range(n):
            total = threshold[x] + _squared(four[x]) * w0
            total = total + _squared(four[n + x]) * w1
            threshold[x] = total + _squared(four[2 * n + x]) * w2 + _squared(four[3 * n + x]) * w3
    for x in range(n):
        threshold[x] = np.sqrt(threshold[x] * texture[x]) / np.float32(32)


@kernel(inline=True)
def _squared(coefficient: Any) -> Any:
    return np.float32(np.int32(coefficient * coefficient))


@kernel(inline=True)
def _square_differences(
    reference: Any, distorted: Any, threshold: Any, sensitivity: Any, masking: Any, squares: Any
) -> None:
    """Squares of the weighted differences beyond the threshold; the mean (frequency 0) is not masked."""
    for k in range(AREA):
        start, end = k * _LANES, (k + 1) * _LANES
        before, after, out = reference[start:end], distorted[start:end], squares[start:end]
        weight, mask = sensitivity[k], masking[k]
        if k == 0:
            mask = np.float32(np.inf)
        for lane in range(len(out)):  # a length unknown when compiled, or the loop is unrolled and not vectorised
            error = abs(np.float32(np.int32(np.int32(before[lane]) - after[lane])))
            masked = threshold[lane] / mask
            visible = (np.float32(0) if error < masked else error - masked) * weight
            out[lane] = visible * visible


@kernel(inline=True)
def _accumulate(total: Any, squares: Any, blocks: int, lanes: Any) -> Any:
    """``total`` with the squares of each block added one after the other, each sum rounded to float32.

    While the total stays between two powers of two, adding a square is adding it rounded to the total's last place,
    save for one half-way between: the rounded squares are added up first, all lanes at once. Where a square
    lies half-way, or is large, or the total crosses a power of two, the block's squares are added one by one.
    """
    limit = _next_power_of_two(total)
    quarter, half_place = limit * np.float32(0.25), limit * np.float32(2.0**-25)
    shifter = quarter * np.float32(3)
    sums, largest, off = lanes[0], lanes[1], lanes[2]
    for lane in range(_LANES):
        sums[lane] = largest[lane] = off[lane] = np.float32(0)
    for k in range(AREA):
        for lane in range(_LANES):
            square = squares[k * _LANES + lane]
            rounded = (square + shifter) - shifter
            sums[lane] += rounded
            largest[lane] = max(largest[lane], square)
            off[lane] = max(off[lane], abs(square - rounded))
    for lane in range(blocks):
        if largest[lane] == np.float32(0):
            continue
        if largest[lane] < quarter and off[lane] < half_place and total + sums[lane] < limit:
            total += sums[lane]
            continue
        for k in range(AREA):
            total += squares[k * _LANES + lane]
        if total >= limit:
            quarter = np.float32(0)  # the sums of the lanes to come were rounded to too fine a place
    return total


@kernel(inline=True)
def _next_power_of_two(value: Any) -> Any:
    """The least power of two above a normal positive ``value``; 0 for 0, where nothing may be added ahead."""
    exponent = np.float32(value).view(np.int32) >> 23
    return np.int32((exponent + 1) << 23).view(np.float32) if exponent > 0 else np.float32(0)


@kernel(inline=True)
def _dct8(t0: Any, t4: Any, t2: Any, t6: Any, t7: Any, t3: Any, t5: Any, t1: Any) -> Any:
    """The eight coefficients of the integer DCT of Daala (type II), by lifting steps, so that it is invertible."""
    t1 = np.int32(t0 - t1)
    half1 = _halved(t1)
    t0 = np.int32(t0 - half1)
    t4 = np.int32(t4 + t5)
    half4 = _halved(t4)
    t5 = np.int32(t5 - half4)
    t3 = np.int32(t2 - t3)
    t2 = np.int32(t2 - _halved(t3))
    t6 = np.int32(t6 + t7)
    half6 = _halved(t6)
    t7 = np.int32(half6 - t7)
    # even half
    t0 = np.int32(t0 + half6)
    t6 = np.int32(t0 - t6)
    t2 = np.int32(half4 - t2)
    t4 = np.int32(t2 - t4)
    t0 = np.int32(t0 - _scaled(t4, 13573, 15))  # sqrt(2) - 1
    t4 = np.int32(t4 + _scaled(t0, 11585, 14))  # sqrt(1/2)
    t0 = np.int32(t0 - _scaled(t4, 13573, 15))
    t6 = np.int32(t6 - _scaled(t2, 21895, 15))  # tan(3 pi / 16)
    t2 = np.int32(t2 + _scaled(t6, 15137, 14))  # sin(3 pi / 8)
    t6 = np.int32(t6 - _scaled(t2, 21895, 15))
    # odd half
    t3 = np.int32(t3 + _scaled(t5, 19195, 15))  # 2 - sqrt(2)
    t5 = np.int32(t5 + _scaled(t3, 11585, 14))
    t3 = np.int32(t3 - _scaled(t5, 7489, 13))  # sqrt(2) - 1/2
    t7 = np.int32(_halved(t5) - t7)
    t5 = np.int32(t5 - t7)
    t3 = np.int32(half1 - t3)
    t1 = np.int32(t1 - t3)
    t7 = np.int32(t7 + _scaled(t1, 3227, 15))  # tan(pi / 32)
    t1 = np.int32(t1 - _scaled(t7, 6393, 15))  # sin(pi / 16)
    t7 = np.int32(t7 + _scaled(t1, 3227, 15))
    t5 = np.int32(t5 + _scaled(t3, 2485, 13))  # tan(3 pi / 32)
    t3 = np.int32(t3 - _scaled(t5, 18205, 15))  # sin(3 pi / 16)
    t5 = np.int32(t5 + _scaled(t3, 2485, 13))
    return t0, t1, t2, t3, t4, t5, t6, t7


@kernel(inline=True)
def _halved(value: Any) -> Any:
    """Half of ``value``, rounded towards zero."""
    return np.int32(np.int32(value - np.int32(value >> 31)) >> 1)


@kernel(inline=True)
def _scaled(value: Any, factor: int, shift: int) -> Any:
    """``value * factor / 2**shift``, rounded to the nearest integer."""
    return np.int32(np.int32(value * np.int32(factor) + np.int32(1 << (shift - 1))) >> shift)
