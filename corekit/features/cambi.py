"""CAMBI, the contrast-aware multiscale banding index: how visible false contours are in smooth areas, from luma alone.

Banding shows where a slow gradient was quantised to a few flat steps. CAMBI looks for such steps at five scales:

1. luma is brought to 10 bits; sources below 10 bits are averaged over 2x2 pixels against dithering;
2. a mask keeps the pixels of smooth areas, where enough of the 7x7 neighbours equal their right and lower neighbour;
3. at each scale a 3x1 and 1x3 mode filter removes single outliers, and every masked pixel of luma ``v`` gets
   ``max over d = 1..4 of d * p(v) * q / (p(v) + q)`` with ``q = max(p(v - d), p(v + d))``, where ``p(u)`` counts the masked
   pixels of luma ``u`` in a window of about one degree of vision; a step ``d`` counts only where the eye can see it,
   ``delta L > 0.019 L`` under the display's EOTF;
4. the greatest 60 % of the values of a scale are averaged, and the scales summed with weights 16, 8, 4, 2, 1.

It needs no reference: only the distorted clip is read. 0 is no banding, about 5 is annoying, 24 the practical maximum.

Source: libvmaf ``cambi.c`` and ``luminance_tools.c`` (3.2.0, BSD-2-Clause-Patent); P. Tandon et al., "CAMBI: Contrast-aware
Multiscale Banding Index", PCS 2021. Exact: equal to scalar libvmaf up to the order of a float64 sum (1e-12).

The counts are kept as sliding histograms, one per column, that whole runs of equal pixels enter and leave at once:
a run of ``n`` pixels adds one trapezoid of width ``n + window - 1`` to the row of its luma.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

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
from corekit.features._jit import kernel
from corekit.features.family import FeatureFamily, Planes, Values
from corekit.model import FrameFormat

CHUNK = 32  # pixels that enter the histograms at once: one AVX-512 register of uint16
LANES = 8
RADIX_BITS = 11
RADIX_MASK = (1 << RADIX_BITS) - 1
NOT_COUNTED = 0xFFFF
BYTE_ONES = np.uint64(0x0101010101010101)


class Cambi(FeatureFamily):
    """CAMBI of the distorted clips, in ``[0, 1000]``.

    ``eotf`` is the display's transfer function: ``bt1886`` for SDR, ``pq`` for SMPTE ST 2084; libvmaf knows no other.
    Buffers take 8 bytes per luma pixel and the histograms 1.1 kB (BT.1886) or 2.1 kB (PQ) per column; nothing is kept
    between frames, so all rungs share them.
    """

    names: ClassVar[tuple[str, ...]] = ("cambi",)

    def __init__(self, fmt: FrameFormat, rungs: int = 1, *, eotf: Eotf = "bt1886") -> None:
        self._bit_depth = fmt.bit_depth
        self._window = window_size(fmt.width, fmt.height)
        self._mask_threshold = mask_threshold(fmt.width, fmt.height)
        self._thresholds = np.array(visibility_thresholds(eotf), np.int64)
        pad = self._window // 2
        shapes = pyramid(fmt.height, fmt.width)
        self._images = [np.zeros(shape, np.uint16) for shape in shapes]
        self._masks = [np.zeros(shape, np.uint8) for shape in shapes]
        stride = fmt.width + 2 * pad + 4 * CHUNK
        self._histogram = np.zeros((int(self._thresholds.max()) + 2 * STEPS + 1) * stride, np.uint16)
        self._stride = np.uint64(stride)
        self._boxes = _boxes(pad)
        self._values = np.zeros(fmt.height * fmt.width + CHUNK, np.float32)
        self._counts = np.zeros((4, 1 << RADIX_BITS), np.int64)
        ring = 2 * pad + 2
        self._runs = np.zeros((3, ring, fmt.width + 2), np.uint16)
        self._run_counts = np.zeros(ring, np.int64)
        self._modes = np.zeros((3, fmt.width), np.uint16)
        self._keys = np.zeros((2, fmt.width + 1), np.uint16)
        self._edges = np.zeros(-(-(fmt.width + 1) // 8) * 8, np.uint8)
        self._flat = np.zeros((MASK_SIZE, fmt.width), np.uint8)
        self._column_sums = np.zeros(fmt.width + MASK_SIZE - 1, np.uint8)

    def reference(self, planes: Planes) -> None:
        """Do nothing: CAMBI has no reference."""

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        _to_ten_bits(planes[0], self._bit_depth, self._images[0])
        _spatial_mask(self._images[0], self._mask_threshold, self._flat, self._column_sums, self._masks[0])
        score = 0.0
        for scale, weight in enumerate(SCALE_WEIGHTS):
            score += weight * self._scale_score(scale)
        out[0] = min(score / self._window**2, 1000.0)

    def _scale_score(self, scale: int) -> float:
        image, mask = self._images[scale], self._masks[scale]
        smaller = min(scale + 1, len(SCALE_WEIGHTS) - 1)
        n = _contrast_values(
            image, mask, self._images[smaller], self._masks[smaller], smaller > scale, self._window // 2,
            self._thresholds, self._boxes, self._histogram, self._stride,
            self._runs, self._run_counts, self._modes, self._keys, self._edges, self._edges.view(np.uint64), self._values,
        )  # fmt: skip
        kept = min(max(int(TOP_SHARE * image.size), 1), image.size)
        return float(_sum_of_greatest(self._values, self._values.view(np.uint32), n, kept, self._counts)) / kept


def _boxes(pad: int) -> npt.NDArray[np.uint16]:
    """What a run of ``n = 0..CHUNK`` pixels adds to the counts of the columns around it; second half: the same, negative."""
    width = CHUNK * -(-(CHUNK + 2 * pad) // CHUNK)
    boxes = np.zeros((2, CHUNK + 1, width), np.int64)
    for n in range(1, CHUNK + 1):
        boxes[0, n, : n + 2 * pad] = np.convolve(np.ones(n, np.int64), np.ones(2 * pad + 1, np.int64))
    boxes[1] = -boxes[0]
    return boxes.astype(np.uint16)


@kernel()
def _to_ten_bits(plane: Any, bit_depth: int, image: Any) -> None:
    """Luma at 10 bits; below 10 bits the mean of each pixel and its right, lower and lower right neighbours."""
    height, width = plane.shape
    if bit_depth >= 10:
        shift = np.int32(bit_depth - 10)
        half = np.int32((1 << shift) >> 1)
        for i in range(height):
            luma, row = plane[i], image[i]
            for j in range(width):
                row[j] = np.uint16((np.int32(luma[j]) + half) >> shift)
        return
    shift = np.int32(bit_depth - 8)
    for i in range(height):
        luma, below, row = plane[i], plane[min(i + 1, height - 1)], image[i]
        for j in range(width - 1):
            total = np.int32(luma[j]) + np.int32(luma[j + 1]) + np.int32(below[j]) + np.int32(below[j + 1])
            row[j] = np.uint16(total >> shift)
        row[width - 1] = np.uint16((2 * (np.int32(luma[width - 1]) + np.int32(below[width - 1]))) >> shift)


@kernel()
def _spatial_mask(image: Any, threshold: int, flat: Any, column_sums: Any, mask: Any) -> None:
    """1 where more than ``threshold`` pixels of the 7x7 neighbourhood equal their right and lower neighbours."""
    height, width = image.shape
    reach = MASK_SIZE // 2
    flat[:] = 0
    column_sums[:] = 0
    for i in range(height + reach):
        oldest = flat[i % MASK_SIZE]
        if i < height:
            row, below = image[i], image[min(i + 1, height - 1)]
            for j in range(width):
                column_sums[j + reach] -= oldest[j]
            for j in range(width - 1):
                oldest[j] = np.uint8((row[j] == row[j + 1]) & (row[j] == below[j]))
            oldest[width - 1] = np.uint8(row[width - 1] == below[width - 1])
            for j in range(width):
                column_sums[j + reach] += oldest[j]
        else:
            for j in range(width):
                column_sums[j + reach] -= oldest[j]
        if i >= reach:
            masked = mask[i - reach]
            for j in range(width):
                total = column_sums[j] + column_sums[j + 1] + column_sums[j + 2] + column_sums[j + 3]
                total += column_sums[j + 4] + column_sums[j + 5] + column_sums[j + 6]
                masked[j] = np.uint8(np.int32(np.uint8(total)) > threshold)


@kernel()
def _contrast_values(
    image: Any, mask: Any, next_image: Any, next_mask: Any, has_next: bool, pad: int,
    thresholds: Any, boxes: Any, histogram: Any, stride: np.uint64,
    runs: Any, run_counts: Any, modes: Any, keys: Any, edges: Any, edge_words: Any, values: Any,
) -> Any:  # fmt: skip
    """Write the contrast values of the masked pixels of one scale to ``values`` and return how many there are.

    The mode-filtered image and the mask, decimated by 2, go to ``next_image`` and ``next_mask``. ``histogram`` is all zero
    before and after.
    """
    height = image.shape[0]
    ring = 2 * pad + 2
    n: Any = 0
    for i in range(height + 2 * pad + 1):
        if i < height:
            filtered = keys[0]
            _filter_mode(image, i, modes, filtered)
            if has_next and i % 2 == 0:
                _decimate(filtered, mask[i], next_image[i // 2], next_mask[i // 2])
            slot = i % ring
            run_counts[slot] = _find_runs(filtered, mask[i], thresholds[STEPS - 1] + STEPS, keys[1], edges, edge_words,
                                          runs[0, slot], runs[1, slot], runs[2, slot])  # fmt: skip
            _slide(histogram, stride, runs[0, slot], runs[1, slot], runs[2, slot], run_counts[slot], boxes[0], pad)
        if i > 2 * pad:
            slot = (i - 2 * pad - 1) % ring
            _slide(histogram, stride, runs[0, slot], runs[1, slot], runs[2, slot], run_counts[slot], boxes[1], pad)
        if pad <= i < height + pad:
            slot = (i - pad) % ring
            n = _contrast_row(histogram, stride, runs[0, slot], runs[1, slot], runs[2, slot], run_counts[slot],
                              thresholds, pad, values, n)  # fmt: skip
    return n


@kernel(inline=True)
def _mode(a: Any, b: Any, c: Any) -> Any:
    """The value that occurs at least twice, else the least."""
    pair = a if (a == b) | (a == c) else b
    return pair if (a == b) | (a == c) | (b == c) else min(a, b, c)


@kernel()
def _filter_mode(image: Any, i: int, modes: Any, out: Any) -> None:
    """Row ``i`` of the image after the 3x1 and 1x3 mode filters, which leave the outermost pixels as they are."""
    height, width = image.shape
    if i == 0 or i == height - 1:
        row = image[i]
        for j in range(width):
            out[j] = row[j]
        return
    for source in range(0 if i == 1 else i + 1, i + 2):
        row, mode = image[source], modes[source % 3]
        mode[0] = row[0]
        for j in range(1, width - 1):
            mode[j] = _mode(row[j - 1], row[j], row[j + 1])
        mode[width - 1] = row[width - 1]
    above, middle, below = modes[(i - 1) % 3], modes[i % 3], modes[(i + 1) % 3]
    for j in range(width):
        out[j] = _mode(above[j], middle[j], below[j])


@kernel()
def _decimate(image_row: Any, mask_row: Any, next_image_row: Any, next_mask_row: Any) -> None:
    for j in range(len(next_image_row)):
        next_image_row[j] = image_row[2 * j]
        next_mask_row[j] = mask_row[2 * j]


@kernel()
def _find_runs(
    row: Any, mask: Any, highest: int, keys: Any, edges: Any, edge_words: Any, starts: Any, lengths: Any, lumas: Any
) -> Any:
    """Find the runs of masked pixels of equal luma up to ``highest``; return their number."""
    width = len(mask)
    limit = np.uint16(highest)
    keys[0] = NOT_COUNTED
    for j in range(width):
        keys[j + 1] = row[j] if (mask[j] != 0) & (row[j] <= limit) else np.uint16(NOT_COUNTED)
    for j in range(width):
        edges[j] = np.uint8(keys[j] != keys[j + 1])
    for j in range(width, len(edges)):
        edges[j] = 0
    n: Any = 0
    start: Any = 0
    key = np.uint16(NOT_COUNTED)
    for at in range(len(edge_words)):
        word = edge_words[at]
        while word != 0:
            lowest = word & (~word + np.uint64(1))
            byte = np.int64((((lowest - np.uint64(1)) & BYTE_ONES) * BYTE_ONES) >> np.uint64(56))
            word ^= lowest
            lengths[n] = 8 * at + byte - start
            n += key != NOT_COUNTED  # a run of uncounted pixels is overwritten by the next: no branch to mispredict
            start = 8 * at + byte
            key = keys[start + 1]
            starts[n] = start
            lumas[n] = key
    lengths[n] = width - start
    return n + (key != NOT_COUNTED)


@kernel()
def _slide(
    histogram: Any, stride: np.uint64, starts: Any, lengths: Any, lumas: Any, n_runs: int, boxes: Any, pad: int
) -> None:
    """Let the runs of one row enter (``boxes`` positive) or leave (negative) the windows of all columns."""
    for run in range(n_runs):
        at = np.uint64(np.uint64(lumas[run] + np.uint64(STEPS)) * stride + np.uint64(starts[run]))
        left = np.int64(lengths[run])
        while left > 0:
            length: Any = min(left, CHUNK)
            box = boxes[np.uint64(length)]
            width = -(-(length + 2 * pad) // CHUNK) * CHUNK
            for x in range(np.uint64(width)):
                histogram[at + x] += box[x]
            at += np.uint64(CHUNK)
            left -= CHUNK


@kernel()
def _contrast_row(
    histogram: Any, stride: np.uint64, starts: Any, lengths: Any, lumas: Any, n_runs: int,
    thresholds: Any, pad: int, values: Any, n: Any,
) -> Any:  # fmt: skip
    """Append the contrast values of the runs of one row to the first ``n`` of ``values``; return the new number."""
    for run in range(n_runs):
        luma = np.int64(lumas[run])
        if luma > thresholds[STEPS - 1]:
            continue
        weight1 = np.int32(1 if luma <= thresholds[0] else 0)
        weight2 = np.int32(2 if luma <= thresholds[1] else 0)
        weight3 = np.int32(3 if luma <= thresholds[2] else 0)
        weight4 = np.int32(4)
        centre = np.uint64(np.uint64(luma + STEPS) * stride + np.uint64(np.int64(starts[run]) + pad))
        length = np.int64(lengths[run])
        to = np.uint64(n)
        for x in range(np.uint64(-(-length // LANES) * LANES)):
            at = centre + x
            own = np.int32(histogram[at])
            value = _contrast(histogram, at, stride, own, weight1)
            value = max(value, _contrast(histogram, at, np.uint64(2) * stride, own, weight2))
            value = max(value, _contrast(histogram, at, np.uint64(3) * stride, own, weight3))
            values[to + x] = max(value, _contrast(histogram, at, np.uint64(4) * stride, own, weight4))
        n += length
    return n


@kernel(inline=True)
def _contrast(histogram: Any, at: np.uint64, step: np.uint64, own: np.int32, weight: np.int32) -> Any:
    # a table that is a constant of the kernel is what allows gathering from it in vector registers
    other = max(np.int32(histogram[at + step]), np.int32(histogram[at - step]))
    return np.float32(weight * own * other) * RECIPROCALS[np.uint64(own + other)]


@kernel()
def _sum_of_greatest(values: Any, bits: Any, n: int, kept: int, counts: Any) -> float:
    """Sum of the ``kept`` greatest of the first ``n`` of ``values``, none negative; ``bits`` are the same as uint32."""
    if _count_positive(values, n) <= kept:
        return _sum(values, n)
    total = 0.0
    shift = 32 - RADIX_BITS
    while n > kept:
        digit, n_above = _split_digit(bits, n, np.uint32(max(shift, 0)), kept, counts)
        n_equal = 0
        for i in range(n):
            own = np.int64((bits[i] >> np.uint32(max(shift, 0))) & RADIX_MASK)
            if own > digit:
                total += values[i]
            elif own == digit:
                values[n_equal] = values[i]
                n_equal += 1
        kept -= n_above
        n = n_equal if shift > 0 else kept
        shift -= RADIX_BITS
    return total + _sum(values, n)


@kernel()
def _split_digit(bits: Any, n: int, shift: np.uint32, kept: int, counts: Any) -> tuple[Any, Any]:
    """The digit of the ``kept``-th greatest number and how many numbers have a greater one."""
    counts[:] = 0
    for i in range(n):
        counts[i & 3, (bits[i] >> shift) & RADIX_MASK] += 1  # four tables: equal digits would wait for each other
    digit, n_above = RADIX_MASK, np.int64(0)
    while True:
        n_own = counts[0, digit] + counts[1, digit] + counts[2, digit] + counts[3, digit]
        if n_above + n_own >= kept:
            return digit, n_above
        n_above += n_own
        digit -= 1


@kernel()
def _count_positive(values: Any, n: int) -> Any:
    total = np.int64(0)
    for i in range(n):
        total += values[i] > np.float32(0)
    return total


@kernel()
def _sum(values: Any, n: int) -> float:
    whole = n - n % 4
    a = b = c = d = 0.0
    for i in range(0, whole, 4):
        a += values[i]
        b += values[i + 1]
        c += values[i + 2]
        d += values[i + 3]
    for i in range(whole, n):
        a += values[i]
    return (a + b) + (c + d)
