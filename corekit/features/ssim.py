"""float_ssim and float_ms_ssim: structural similarity of luma, 1 for identical frames.

SSIM compares the two frames through a sliding 11x11 Gaussian window: at each position the means, the variances and
the covariance give a luminance, a contrast and a structure term, whose product is averaged over the frame.

- ``float_ssim`` does so once, on frames averaged down so that the shorter side has about 256 pixels.
- ``float_ms_ssim`` does so at five scales, each half the size of the one before, and multiplies the means of contrast
  and structure (of luminance too at the last scale), each raised to the weight of its scale.

Sources: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment", IEEE TIP 13(4), 2004;
Z. Wang, E. P. Simoncelli, A. C. Bovik, "Multiscale structural similarity", Asilomar 2003; in the arithmetic of
libvmaf/src/feature/ssim.c, ms_ssim.c and iqa/ (Netflix, BSD-2-Clause-Patent): every filter multiplies in float32,
sums in float64 and rounds the sum to float32.

Exactness: equal to scalar libvmaf to 1e-15. Sums are taken in another order only where float64 holds them exactly
or to the last bit before they are rounded to float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from corekit.features._jit import kernel
from corekit.features._ssim_model import (
    C1,
    C2,
    C3,
    LAST_SCALE,
    LOW_PASS,
    LOW_PASS_SPAN,
    REACH,
    SPAN,
    WINDOW,
    averaged_shape,
    averaging_factor,
    code_value_scale,
    combined,
    pyramid,
)
from corekit.features.family import FeatureFamily, Planes, Values
from corekit.model import FrameFormat

_W0, _W1, _W2, _W3, _W4, _W5 = WINDOW
_WIDE_C1, _WIDE_C2 = float(C1), float(C2)


class FloatSsim(FeatureFamily):
    """SSIM at one scale.

    Keeps 16 bytes for each pixel of the averaged-down frame: 1 a pixel at 1080p, 16 below 384 lines.
    """

    names = ("float_ssim",)

    def __init__(self, fmt: FrameFormat, rungs: int = 1) -> None:
        self._factor = averaging_factor(fmt)
        self._scale = code_value_scale(fmt)
        shape = averaged_shape(fmt)
        self._filter = _WindowFilter(shape)
        self._reference = np.zeros(shape, np.float32)
        self._distorted = np.zeros(shape, np.float32)
        self._moments = _Moments(shape)
        self._columns = np.zeros(fmt.width + self._factor, np.float64)
        self._sums = np.zeros(shape[1], np.float64)

    def reference(self, planes: Planes) -> None:
        _average_down(planes[0], self._scale, self._factor, self._columns, self._sums, self._reference)
        self._filter.moments(self._reference, np.float32(1), self._moments)

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        _average_down(planes[0], self._scale, self._factor, self._columns, self._sums, self._distorted)
        means = self._filter.compare(self._reference, self._distorted, np.float32(1), self._moments, True)
        out[0] = np.float32(means[3])


class FloatMsSsim(FeatureFamily):
    """SSIM at five scales.

    Keeps the reference's pyramid, means and variances and the distorted frame's pyramid: 15 bytes a pixel at 8 bits, 16
    above.
    """

    names = ("float_ms_ssim",)

    def __init__(self, fmt: FrameFormat, rungs: int = 1) -> None:
        self._scale = code_value_scale(fmt)
        shapes = pyramid(fmt)
        self._filters = [_WindowFilter(shape) for shape in shapes]
        self._moments = [_Moments(shape) for shape in shapes]
        self._reference: list[Any] = [np.zeros(shapes[0], np.uint8 if fmt.bit_depth == 8 else np.uint16)]
        self._reference += [np.zeros(shape, np.float32) for shape in shapes[1:]]
        self._distorted: list[Any] = [np.zeros(shape, np.float32) for shape in shapes[1:]]
        half_width = shapes[1][1]
        self._sums = np.zeros((LOW_PASS_SPAN, 3, half_width), np.float64)
        self._padded = np.zeros(2 * half_width + 2 * REACH, np.float32)
        self._products = np.zeros((5, half_width + REACH), np.float32)

    def reference(self, planes: Planes) -> None:
        np.copyto(self._reference[0], planes[0])
        self._build_pyramid(self._reference)
        for level, (plane, moments) in enumerate(zip(self._reference, self._moments, strict=True)):
            self._filters[level].moments(plane, self._level_scale(level), moments)

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        distorted = [planes[0], *self._distorted]
        self._build_pyramid(distorted)
        scales = []
        for level, plane in enumerate(distorted):
            means = self._filters[level].compare(
                self._reference[level], plane, self._level_scale(level), self._moments[level], level == LAST_SCALE
            )
            scales.append([float(np.float32(mean)) for mean in means[:3]])
        out[0] = combined(scales)

    def _level_scale(self, level: int) -> np.float32:
        return self._scale if level == 0 else np.float32(1)

    def _build_pyramid(self, levels: list[Any]) -> None:
        for level in range(1, len(levels)):
            scale = self._level_scale(level - 1)
            _halve(levels[level - 1], scale, self._padded, self._products, self._sums, levels[level])


class _Moments:
    """Mean and variance of one frame under the window at each of its positions."""

    def __init__(self, shape: tuple[int, int]) -> None:
        positions = (shape[0] - SPAN + 1, shape[1] - SPAN + 1)
        self.mean = np.zeros(positions, np.float32)
        self.variance = np.zeros(positions, np.float32)


class _WindowFilter:
    """The Gaussian window over frames of one size, with its buffers: a few rows."""

    def __init__(self, shape: tuple[int, int]) -> None:
        width, columns = shape[1], shape[1] - SPAN + 1
        self._rows = np.zeros((4, width), np.float32)
        self._ring = np.zeros((3, SPAN, columns), np.float32)
        self._filtered = np.zeros((3, columns), np.float32)
        self._sums = np.zeros((4, columns), np.float64)
        self._means = np.zeros(4, np.float64)

    def moments(self, plane: Any, scale: np.float32, out: _Moments) -> None:
        _moments(plane, scale, self._rows, self._ring, out.mean, out.variance)

    def compare(
        self, reference: Any, distorted: Any, scale: np.float32, moments: _Moments, with_luminance: bool
    ) -> Values:
        """Means over the frame of contrast, structure, luminance and the product of the three.

        Without ``with_luminance`` the last two are 0.
        """
        _compare(
            reference, distorted, scale, moments.mean, moments.variance, with_luminance,
            self._rows, self._ring, self._filtered, self._sums, self._means,
        )  # fmt: skip
        return self._means


@kernel()
def _moments(plane: Any, scale: Any, rows: Any, ring: Any, mean: Any, variance: Any) -> None:
    """Write the windowed mean and variance of ``plane * scale``."""
    samples, squares = rows[0], rows[1]
    for y in range(plane.shape[0]):
        _load(plane[y], scale, samples)
        _multiply(samples, samples, squares)
        _filter_across(samples, ring[0, y % SPAN])
        _filter_across(squares, ring[1, y % SPAN])
        top = y - SPAN + 1
        if top >= 0:
            _filter_down(ring[0], top, mean[top])
            _filter_down(ring[1], top, variance[top])
            _subtract_square(variance[top], mean[top])


@kernel()
def _compare(
    reference: Any, distorted: Any, scale: Any, mean: Any, variance: Any, with_luminance: bool,
    rows: Any, ring: Any, filtered: Any, sums: Any, means: Any,
) -> None:  # fmt: skip
    """Write the frame's mean contrast and structure, luminance and product of the three to ``means``."""
    a, b, b_b, a_b = rows[0], rows[1], rows[2], rows[3]
    sums[:] = 0.0
    for y in range(reference.shape[0]):
        _load(reference[y], scale, a)
        _load(distorted[y], scale, b)
        _multiply(b, b, b_b)
        _multiply(a, b, a_b)
        _filter_across(b, ring[0, y % SPAN])
        _filter_across(b_b, ring[1, y % SPAN])
        _filter_across(a_b, ring[2, y % SPAN])
        top = y - SPAN + 1
        if top >= 0:
            _filter_down(ring[0], top, filtered[0])
            _filter_down(ring[1], top, filtered[1])
            _filter_down(ring[2], top, filtered[2])
            _subtract_square(filtered[1], filtered[0])
            if with_luminance:
                _add_luminance_and_product(mean[top], variance[top], filtered, sums)
            _add_contrast_and_structure(mean[top], variance[top], filtered, sums)
    for term in range(4):
        total = 0.0
        for x in range(sums.shape[1]):
            total += sums[term, x]
        means[term] = total / mean.size


@kernel(inline=True)
def _add_contrast_and_structure(mean: Any, variance: Any, filtered: Any, sums: Any) -> None:
    """Add the terms of one row of positions to each column's sums."""
    mean_b, variance_b, product = filtered[0], filtered[1], filtered[2]
    contrasts, structures = sums[0], sums[1]
    for x in range(len(mean)):
        covariance = product[x] - mean[x] * mean_b[x]
        deviation = np.sqrt(variance[x] * variance_b[x])
        contrasts[x] += _contrast(deviation, variance[x], variance_b[x])
        structures[x] += _structure(deviation, covariance)


@kernel(inline=True)
def _add_luminance_and_product(mean: Any, variance: Any, filtered: Any, sums: Any) -> None:
    mean_b, variance_b, product = filtered[0], filtered[1], filtered[2]
    luminances, products = sums[2], sums[3]
    for x in range(len(mean)):
        covariance = product[x] - mean[x] * mean_b[x]
        deviation = np.sqrt(variance[x] * variance_b[x])
        luminance = _luminance(mean[x], mean_b[x])
        luminances[x] += luminance
        products[x] += luminance * _contrast(deviation, variance[x], variance_b[x]) * _structure(deviation, covariance)


@kernel(inline=True)
def _luminance(a: Any, b: Any) -> Any:
    return (2.0 * np.float64(a) * np.float64(b) + _WIDE_C1) / np.float64((a * a + b * b) + C1)


@kernel(inline=True)
def _contrast(deviation: Any, variance_a: Any, variance_b: Any) -> Any:
    return (2.0 * np.float64(deviation) + _WIDE_C2) / np.float64((variance_a + variance_b) + C2)


@kernel(inline=True)
def _structure(deviation: Any, covariance: Any) -> Any:
    # Without variance on one side it is rounding alone that makes a covariance negative.
    if covariance < np.float32(0) and deviation <= np.float32(0):
        covariance = np.float32(0)
    return np.float64((covariance + C3) / (deviation + C3))


@kernel(inline=True)
def _load(source: Any, scale: Any, out: Any) -> None:
    for x in range(len(source)):
        out[x] = np.float32(source[x]) * scale


@kernel(inline=True)
def _multiply(a: Any, b: Any, out: Any) -> None:
    for x in range(len(a)):
        out[x] = a[x] * b[x]


@kernel(inline=True)
def _subtract_square(raw: Any, mean: Any) -> None:
    """Turn the mean of squares into the variance, at least 0."""
    for x in range(len(raw)):
        raw[x] = max(raw[x] - mean[x] * mean[x], np.float32(0))


@kernel(inline=True)
def _filter_across(row: Any, out: Any) -> None:
    n = len(out)
    _sum_taps(
        row[:n], row[1 : n + 1], row[2 : n + 2], row[3 : n + 3], row[4 : n + 4], row[5 : n + 5],
        row[6 : n + 6], row[7 : n + 7], row[8 : n + 8], row[9 : n + 9], row[10 : n + 10], out,
    )  # fmt: skip


@kernel(inline=True)
def _filter_down(ring: Any, top: int, out: Any) -> None:
    """Filter the eleven rows from row ``top``; row y lies in slot y % 11 of ``ring``."""
    _sum_taps(
        ring[top % SPAN], ring[(top + 1) % SPAN], ring[(top + 2) % SPAN], ring[(top + 3) % SPAN],
        ring[(top + 4) % SPAN], ring[(top + 5) % SPAN], ring[(top + 6) % SPAN], ring[(top + 7) % SPAN],
        ring[(top + 8) % SPAN], ring[(top + 9) % SPAN], ring[(top + 10) % SPAN], out,
    )  # fmt: skip


@kernel(inline=True)
def _sum_taps(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any, i: Any, j: Any, k: Any, out: Any) -> None:
    """The window over eleven samples: products in float32, their sum in float64."""
    wide = np.float64
    for x in range(len(out)):
        total = wide(a[x] * _W0) + wide(b[x] * _W1) + wide(c[x] * _W2) + wide(d[x] * _W3) + wide(e[x] * _W4)
        total += wide(f[x] * _W5)
        total = total + wide(g[x] * _W4) + wide(h[x] * _W3) + wide(i[x] * _W2) + wide(j[x] * _W1) + wide(k[x] * _W0)
        out[x] = np.float32(total)


@kernel(inline=True)
def _reflect(index: int, size: int) -> int:
    """An index outside ``[0, size)`` reflected about the edge of the frame, which repeats the edge sample."""
    if index < 0:
        return -1 - index
    if index >= size:
        return 2 * size - 1 - index
    return index


@kernel()
def _average_down(plane: Any, scale: Any, factor: int, columns: Any, sums: Any, out: Any) -> None:
    """Write the means of ``factor`` by ``factor`` blocks, centred on every ``factor``-th sample (iqa/decimate.c).

    ``columns`` has room for a row with ``factor`` more samples, ``sums`` for a row of ``out``.
    """
    height, width = plane.shape
    # The scale is a power of two: its product with the weight rounds nothing.
    weight = scale * (np.float32(1) / np.float32(factor * factor))
    half = factor // 2
    inner = columns[half : half + width]
    for y in range(out.shape[0]):
        inner[:] = 0.0
        for dy in range(factor):
            row = plane[_reflect(y * factor + dy - half, height)]
            for x in range(width):
                inner[x] += np.float64(np.float32(row[x]) * weight)
        for k in range(half):
            columns[half - 1 - k] = inner[k]
        for k in range(factor - half):
            columns[half + width + k] = inner[width - 1 - k]
        sums[:] = 0.0
        for k in range(factor):
            for x in range(len(sums)):
                sums[x] += columns[x * factor + k]
        for x in range(len(sums)):
            out[y, x] = np.float32(sums[x])


@kernel()
def _halve(plane: Any, scale: Any, padded: Any, products: Any, sums: Any, out: Any) -> None:
    """Low-pass ``plane * scale`` and write every second sample of every second row.

    ``sums`` is a ring of nine rows, each filtered by the rows of the filter that can fall on it: ``[slot, k]`` by row
    ``2k`` if the row's index is even, by row ``2k + 1`` if it is odd.
    """
    height = plane.shape[0]
    rows, columns = out.shape
    for y in range(-REACH, 2 * rows + REACH - 1):
        _load_padded(plane[_reflect(y, height)], scale, padded)
        slot = sums[(y + REACH) % LOW_PASS_SPAN]
        for k in range(y & 1, REACH + 1, 2):
            _filter_decimated(padded, LOW_PASS[k], products, slot[k >> 1, :columns])
        if y >= REACH and not y & 1:
            _add_rows(sums, y - REACH, out[(y - REACH) >> 1])


@kernel(inline=True)
def _load_padded(row: Any, scale: Any, padded: Any) -> None:
    width = len(row)
    _load(row, scale, padded[REACH : REACH + width])
    for k in range(REACH):
        padded[REACH - 1 - k] = padded[REACH + k]
        if REACH + width + k < len(padded):
            padded[REACH + width + k] = padded[REACH + width - 1 - k]


@kernel(inline=True)
def _filter_decimated(padded: Any, taps: Any, products: Any, out: Any) -> None:
    """Filter at every second sample; ``padded`` starts four samples before the first."""
    n = len(out)
    p0, p1, p2, p3, p4 = products[0], products[1], products[2], products[3], products[4]
    k0, k1, k2, k3, k4 = taps[0], taps[1], taps[2], taps[3], taps[4]
    for x in range(n + REACH):
        even, odd = padded[2 * x], padded[2 * x + 1]
        p0[x], p2[x], p4[x] = even * k0, even * k2, even * k4
        p1[x], p3[x] = odd * k1, odd * k3
    for x in range(n):
        total = np.float64(p0[x]) + np.float64(p1[x]) + np.float64(p2[x + 1]) + np.float64(p3[x + 1])
        total = total + np.float64(p4[x + 2]) + np.float64(p3[x + 2]) + np.float64(p2[x + 3]) + np.float64(p1[x + 3])
        out[x] = total + np.float64(p0[x + 4])


@kernel(inline=True)
def _add_rows(sums: Any, centre: int, out: Any) -> None:
    """Add the nine filtered rows around row ``centre``, which is even; the first, ``centre - 4``, is in slot ``centre % 9``."""
    k, span = centre, LOW_PASS_SPAN
    a, b, c = sums[k % span, 0], sums[(k + 1) % span, 0], sums[(k + 2) % span, 1]
    d, e, f = sums[(k + 3) % span, 1], sums[(k + 4) % span, 2], sums[(k + 5) % span, 1]
    g, h, i = sums[(k + 6) % span, 1], sums[(k + 7) % span, 0], sums[(k + 8) % span, 0]
    for x in range(len(out)):
        out[x] = np.float32(a[x] + b[x] + c[x] + d[x] + e[x] + f[x] + g[x] + h[x] + i[x])
