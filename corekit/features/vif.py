"""Visual information fidelity: how much of the reference's information survives in the distorted frame.

Sheikh and Bovik (Image information and visual quality, 2006) model small patches of luma as a Gaussian source seen
through a channel that scales it by a gain ``g`` and adds noise. At each of four scales, each half the size
of the one before, ``vif_scaleN`` is the ratio of two sums over all pixels::

    log2(1 + g**2 * var_ref / (var_noise + 2)) / log2(1 + var_ref / 2)

with the variances taken under a Gaussian window of 17, 9, 5 or 3 pixels. 1 means nothing lost; 0 means
nothing left; enhanced contrast can exceed 1.

Follows ``integer_vif.c`` of libvmaf (Netflix, BSD-2-Clause-Patent) bit by bit, in its scalar form: fixed-point
filters, logarithms from a table of 1/2048 steps, one float32 division at the end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corekit.features._bits import high_word
from corekit.features._jit import kernel
from corekit.features._pairfir import LANES, pair_fir
from corekit.features._vif_figures import EPSILON, FILTERS, GAIN_LIMIT, SCALES, log2_table
from corekit.features._vif_figures import NOISE as _NOISE
from corekit.features.family import FeatureFamily, Planes, Values
from corekit.model import FrameFormat

NOISE = np.int32(_NOISE)

TILE = 960
"""Columns filtered together, so that a window of rows stays in the second-level cache."""
HALO = 8
ROW = TILE + 2 * HALO + 2 * LANES
STEP = 32
"""Lines are filtered a multiple of this many samples, so that no vectorised loop needs a scalar tail."""
TOP_BIT = np.uint32(1 << 31)
TOP_BITS = np.uint32(0x80008000)

U32 = npt.NDArray[np.uint32]
I32 = npt.NDArray[np.int32]
U16 = npt.NDArray[np.uint16]

_fir9, _fir5, _fir3 = pair_fir(9), pair_fir(5), pair_fir(3)
_PAIRS = (9, 5, 3, 3)
"""Pairs of rows, or of columns, that a window of each scale spans."""
_DOUBLE = tuple(int(max(taps) > 0x7FFF) for taps in FILTERS)
"""Where a tap exceeds 15 bits all are halved, and the sums doubled (shifted by one) afterwards."""


class _Window(NamedTuple):
    """One scale's filter. ``down`` runs over a ring of ``n_pairs`` pairs of rows, ``across`` along a line."""

    n_pairs: int
    radius: int
    double: int
    down: U32
    """Flat, in the order (slot of the oldest pair, parity of the output row, slot)."""
    across: U32


def _window(scale: int, ring_pairs: int) -> _Window:
    """The filter of ``scale``, for a ring that may have been cut for a wider one."""
    taps = np.array(FILTERS[scale]) >> _DOUBLE[scale]
    down = np.zeros((ring_pairs, 2, ring_pairs), np.uint32)
    for parity in range(2):
        first = ring_pairs - 1 + parity - len(taps) // 2
        line = _packed(taps, first, ring_pairs)
        for oldest in range(ring_pairs):
            down[oldest, parity] = np.roll(line, oldest)
    across = _packed(taps, 0, _PAIRS[scale])
    return _Window(ring_pairs, len(taps) // 2, _DOUBLE[scale], down.ravel(), across)


def _packed(taps: npt.NDArray[np.int64], first: int, n_pairs: int) -> U32:
    """Taps from place ``first``, two to a word, the lower place in the low half."""
    line = np.zeros(2 * n_pairs, np.uint32)
    line[first : first + len(taps)] = taps
    return line[::2] | line[1::2] << np.uint32(16)


def _log2_steps() -> I32:
    """libvmaf's table of ``round(2048 * log2(i))``, i of [32768, 65535], eight neighbours to one entry.

    A value steps up by at most one among eight neighbours, so ``(entry[i >> 3] + (i & 7)) >> 3`` restores it, and the
    16 KiB stay in the first-level cache where 64 would not.
    """
    table = log2_table().reshape(-1, 8)
    entries: I32 = (8 * table[:, 0] + (table - table[:, :1]).sum(axis=1)).astype(np.int32)
    return entries


LOG2_STEPS = _log2_steps()


@kernel(inline=True)
def _log2(high: np.int32) -> np.int32:
    """2048 * log2, cut to the leading 16 bits, of the float64 of at least 2**15 whose high word this is."""
    step = np.int32(
        LOG2_STEPS[np.int32(high >> np.int32(8)) & np.int32(0xFFF)] + (np.int32(high >> np.int32(5)) & np.int32(7))
    )
    return np.int32(
        np.int32(step >> np.int32(3)) + np.int32(np.int32(high >> np.int32(20)) - np.int32(1038)) * np.int32(2048)
    )


@kernel(inline=True)
def _mirror(i: int, n: int) -> int:
    i = abs(i)
    return max(2 * n - 2 - i, 0) if i >= n else i


@kernel(inline=True)
def _shift_left(value: np.uint32, bits: int) -> np.uint32:
    return np.uint32(value << np.uint32(bits & 31))


@kernel(inline=True)
def _shift_right(value: np.uint32, bits: int) -> np.uint32:
    return np.uint32(value >> np.uint32(bits & 31))


@kernel(inline=True)
def _unsign(total: np.uint32, double: int) -> np.uint32:
    """The filtered value, from a sum over samples with flipped top bits and maybe halved taps."""
    return np.uint32(_shift_left(total, double) ^ TOP_BIT)


@kernel(inline=True)
def _moment(low: np.uint32, high: np.uint32, double: int, m1: np.uint32, m2: np.uint32) -> np.int32:
    """Covariance from the halves of a mean of products and the two means."""
    lower = _shift_right(np.uint32(_unsign(low, double) + np.uint32(1 << 15)), 16)
    square = np.uint32((np.uint64(m1) * np.uint64(m2) + np.uint64(1 << 31)) >> np.uint64(32))
    return np.int32(np.uint32(np.uint32(_unsign(high, double) + lower) - square))


@kernel()
def _load(plane: Any, height: int, width: int, y: int, x: int, n: int, line: Any) -> None:
    """Copy columns ``[x - HALO, x + n + HALO)`` of row ``y``, mirrored where they leave the plane."""
    row = _mirror(y, height) * width
    start, stop = max(x - HALO, 0), min(x + n + HALO, width)
    shift = HALO - x
    for i in range(x - HALO, start):
        line[shift + i] = plane[row + _mirror(i, width)]
    inside, source = line[shift + start :], plane[row + start : row + stop]
    for i in range(stop - start):
        inside[i] = source[i]
    for i in range(stop, x + n + HALO):
        line[shift + i] = plane[row + _mirror(i, width)]


@kernel()
def _pack_samples(a: Any, b: Any, n: int, pairs: U32) -> None:
    for i in range(n):
        pairs[i] = (np.uint32(a[i]) | np.uint32(b[i]) << np.uint32(16)) ^ TOP_BITS


@kernel()
def _pack_products(a0: Any, a1: Any, b0: Any, b1: Any, n: int, deep: bool, low: U32, high: U32) -> None:
    """Products of two pairs of rows, split into 16-bit halves; the high halves of 8-bit samples' are zero."""
    if deep:
        for i in range(n):
            p = np.uint32(np.uint32(a0[i]) * np.uint32(b0[i]))
            q = np.uint32(np.uint32(a1[i]) * np.uint32(b1[i]))
            low[i] = (p & np.uint32(0xFFFF) | q << np.uint32(16)) ^ TOP_BITS
            high[i] = (p >> np.uint32(16) | q & np.uint32(0xFFFF0000)) ^ TOP_BITS
    else:
        for i in range(n):
            p = np.uint32(np.uint32(a0[i]) * np.uint32(b0[i]))
            q = np.uint32(np.uint32(a1[i]) * np.uint32(b1[i]))
            low[i] = (p | q << np.uint32(16)) ^ TOP_BITS


@kernel()
def _fir(n_pairs: int, out: U32, o: int, count: int, source: Any, s: int, step: int, taps: U32, t: int) -> None:
    if n_pairs == 9:
        _fir9(out, o, count, source, s, step, taps, t)
    elif n_pairs == 5:
        _fir5(out, o, count, source, s, step, taps, t)
    else:
        _fir3(out, o, count, source, s, step, taps, t)


@kernel()
def _down_mean(rows: U32, w: _Window, t: int, depth: int, n: int, sums: U32, line: U16) -> None:
    """Filter a ring of samples into one row of 16-bit means."""
    _fir(w.n_pairs, sums, 0, n, rows, 0, ROW, w.down, t)
    half = np.uint32(1 << (depth - 1))
    for i in range(n):
        mean = _shift_right(np.uint32(_unsign(sums[i], w.double) + half), depth)
        line[i] = np.uint16(mean ^ np.uint32(0x8000))


@kernel()
def _down_products(
    low: U32, high: U32, w: _Window, t: int, depth: int, n: int, sums: U32, more: U32, low_line: U16, high_line: U16
) -> None:
    """Filter a ring of products into one row of 32-bit means, split into halves."""
    _fir(w.n_pairs, sums, 0, n, low, 0, ROW, w.down, t)
    if depth == 8:
        for i in range(n):
            low_line[i] = np.uint16(sums[i] ^ np.uint32(0x8000))
            high_line[i] = np.uint16(sums[i] >> np.uint32(16))
        return
    _fir(w.n_pairs, more, 0, n, high, 0, ROW, w.down, t)
    shift = 2 * (depth - 8)
    half = np.uint32(1 << (shift - 1))
    for i in range(n):
        lower = _shift_right(np.uint32(_unsign(sums[i], w.double) + half), shift)
        mean = np.uint32(_shift_left(_unsign(more[i], w.double), 16 - shift) + lower)
        low_line[i] = np.uint16(mean ^ np.uint32(0x8000))
        high_line[i] = np.uint16(mean >> np.uint32(16) ^ np.uint32(0x8000))


@kernel()
def _across(line: U16, w: _Window, n: int, out: U32) -> None:
    """Filter a line; its even columns come first, then the odd ones."""
    even, pairs = (n + 1) // 2, len(w.across)
    _fir(pairs, out, 0, even, line, HALO - w.radius, 2, w.across, 0)
    _fir(pairs, out, even, n - even, line, HALO - w.radius + 1, 2, w.across, 0)


@kernel()
def _halve(rows: U32, w: _Window, t: int, depth: int, n: int, sums: U32, line: U16, out: U16) -> None:
    """One row of a tile of the next scale: filtered with that scale's window ``w``, every second column kept."""
    _down_mean(rows, w, t, depth, n, sums, line)
    _fir(len(w.across), sums, 0, len(out), line, HALO - w.radius, 2, w.across, 0)
    for i in range(len(out)):
        out[i] = np.uint16(_shift_right(np.uint32(_unsign(sums[i], w.double) + np.uint32(1 << 15)), 16))


@kernel()
def _reference_moments(n: int, double: int, mean: U32, low: U32, high: U32, means: U32, variances: I32) -> None:
    for i in range(n):
        m = _unsign(mean[i], double)
        means[i] = m
        variances[i] = _moment(low[i], high[i], double, m, m)


@kernel()
def _reference_information(n: int, variances: I32, total: I32) -> tuple[int, int]:
    """Sum of 2048 * log2(1 + variance / noise) where the variance reaches the noise, and the count elsewhere."""
    for i in range(n):
        total[i] = high_word(np.float64(max(variances[i], NOISE)) + np.float64(NOISE))
    bits, quiet = np.int32(0), np.int32(0)
    for i in range(n):
        log = np.int32(_log2(total[i]) - 2048 * 17)
        bits = np.int32(bits + (log if variances[i] >= NOISE else np.int32(0)))
        quiet = np.int32(quiet + (variances[i] < NOISE))
    return int(bits), int(quiet)


@kernel()
def _reference_scale(
    plane: Any, height: int, width: int, depth: int, w: _Window, next_w: _Window, smaller: U16,
    means: U32, variances: I32, raw: U16, rings: U32, words: U32, lines: U16,
) -> tuple[int, int]:  # fmt: skip
    """Means and variances of the reference, tile after tile, and the next scale's plane."""
    upper, lower, rows, low, high = raw[0], raw[1], rings[0], rings[1], rings[2]
    mean, mean_low, mean_high, total = words[0], words[1], words[2], words[3].view(np.int32)
    line, high_line = lines[0], lines[1]
    half = w.n_pairs // 2
    bits, quiet = 0, 0
    for x in range(0, width, TILE):
        n = min(TILE, width - x)
        span = (n + 2 * HALO + STEP - 1) // STEP * STEP
        for newest in range(-half, (height + 1) // 2 + half):
            _load(plane, height, width, 2 * newest, x, n, upper)
            _load(plane, height, width, 2 * newest + 1, x, n, lower)
            slot = newest % w.n_pairs * ROW
            _pack_samples(upper, lower, span, rows[slot:])
            _pack_products(upper, lower, upper, lower, span, depth > 8, low[slot:], high[slot:])
            pair = newest - half
            if pair < 0:
                continue
            t = (pair - half) % w.n_pairs * 2 * w.n_pairs
            if pair < len(smaller):
                _halve(rows, next_w, t, depth, span, mean, line, smaller[pair, x // 2 : (x + n + 1) // 2])
            for y in range(2 * pair, min(2 * pair + 2, height)):
                _down_mean(rows, w, t, depth, span, mean, line)
                _across(line, w, n, mean)
                _down_products(low, high, w, t, depth, span, mean_low, mean_high, line, high_line)
                _across(line, w, n, mean_low)
                _across(high_line, w, n, mean_high)
                t += w.n_pairs
                at = x * height + y * n
                variance = variances[at : at + n]
                _reference_moments(n, w.double, mean, mean_low, mean_high, means[at : at + n], variance)
                row_bits, row_quiet = _reference_information(n, variance, total)
                bits += row_bits
                quiet += row_quiet
    return bits, quiet


@kernel()
def _distorted_moments(
    n: int, double: int, mean: U32, low: U32, high: U32, cross_low: U32, cross_high: U32,
    means: U32, variance: I32, covariance: I32,
) -> None:  # fmt: skip
    for i in range(n):
        m = _unsign(mean[i], double)
        variance[i] = max(_moment(low[i], high[i], double, m, m), np.int32(0))
        covariance[i] = _moment(cross_low[i], cross_high[i], double, means[i], m)


@kernel()
def _distorted_information(
    n: int, variances: I32, variance: I32, covariance: I32, whole: I32, noise: I32
) -> tuple[int, int]:
    """Sum of 2048 * log2(1 + g**2 * reference / noise) where the reference's variance reaches the noise, and the sum of
    the distorted frame's variance elsewhere.
    """
    for i in range(n):
        reference, shared = np.float64(max(variances[i], NOISE)), np.float64(covariance[i])
        gain = shared / (reference + EPSILON)
        residue = np.floor(max(np.float64(variance[i]) - gain * shared, 0.0)) + np.float64(NOISE)
        gain = np.float64(min(gain, GAIN_LIMIT))
        noise[i] = high_word(residue)
        whole[i] = high_word(np.floor(gain * gain * reference) + residue)
    bits, low, high = np.int32(0), np.int32(0), np.int32(0)
    for i in range(n):
        log = np.int32(_log2(whole[i]) - _log2(noise[i]))
        counts = (variances[i] >= NOISE) & (covariance[i] > 0) & (variance[i] > 0)
        bits = np.int32(bits + (log if counts else np.int32(0)))
    for i in range(n):
        quiet = variance[i] if variances[i] < NOISE else np.int32(0)
        low = np.int32(low + (quiet & np.int32(0xFFFF)))
        high = np.int32(high + (quiet >> np.int32(16)))
    return int(bits), (int(high) << 16) + int(low)


@kernel()
def _distorted_scale(
    reference: Any, distorted: Any, height: int, width: int, depth: int, w: _Window, next_w: _Window, smaller: U16,
    means: U32, variances: I32, raw: U16, rings: U32, words: U32, lines: U16,
) -> tuple[int, int]:  # fmt: skip
    """What the distorted plane keeps of the reference, tile after tile, and the next scale's plane."""
    upper, lower, reference_upper, reference_lower = raw[0], raw[1], raw[2], raw[3]
    rows, low, high, cross_low, cross_high = rings[0], rings[1], rings[2], rings[3], rings[4]
    mean, mean_low, mean_high, mean_cross_low, mean_cross_high = words[0], words[1], words[2], words[3], words[4]
    signed = words.view(np.int32)
    variance, covariance, whole, noise = signed[5], signed[6], signed[7], signed[8]
    line, high_line = lines[0], lines[1]
    half, deep = w.n_pairs // 2, depth > 8
    bits, quiet = 0, 0
    for x in range(0, width, TILE):
        n = min(TILE, width - x)
        span = (n + 2 * HALO + STEP - 1) // STEP * STEP
        for newest in range(-half, (height + 1) // 2 + half):
            _load(distorted, height, width, 2 * newest, x, n, upper)
            _load(distorted, height, width, 2 * newest + 1, x, n, lower)
            _load(reference, height, width, 2 * newest, x, n, reference_upper)
            _load(reference, height, width, 2 * newest + 1, x, n, reference_lower)
            at = newest % w.n_pairs * ROW
            _pack_samples(upper, lower, span, rows[at:])
            _pack_products(upper, lower, upper, lower, span, deep, low[at:], high[at:])
            _pack_products(upper, lower, reference_upper, reference_lower, span, deep, cross_low[at:], cross_high[at:])
            pair = newest - half
            if pair < 0:
                continue
            t = (pair - half) % w.n_pairs * 2 * w.n_pairs
            if pair < len(smaller):
                _halve(rows, next_w, t, depth, span, mean, line, smaller[pair, x // 2 : (x + n + 1) // 2])
            for y in range(2 * pair, min(2 * pair + 2, height)):
                _down_mean(rows, w, t, depth, span, mean, line)
                _across(line, w, n, mean)
                _down_products(low, high, w, t, depth, span, mean_low, mean_high, line, high_line)
                _across(line, w, n, mean_low)
                _across(high_line, w, n, mean_high)
                _down_products(
                    cross_low, cross_high, w, t, depth, span, mean_cross_low, mean_cross_high, line, high_line
                )
                _across(line, w, n, mean_cross_low)
                _across(high_line, w, n, mean_cross_high)
                t += w.n_pairs
                at = x * height + y * n
                _distorted_moments(
                    n, w.double, mean, mean_low, mean_high, mean_cross_low, mean_cross_high,
                    means[at : at + n], variance, covariance,
                )  # fmt: skip
                row_bits, row_quiet = _distorted_information(
                    n, variances[at : at + n], variance, covariance, whole, noise
                )
                bits += row_bits
                quiet += row_quiet
    return bits, quiet


class Vif(FeatureFamily):
    """VIF at four scales, from luma.

    Kept per pixel of luma: a copy of the reference, its mean and variance (8 bytes), a third of that again for the
    scales below, and these for the distorted frame's planes: 12 bytes at 8 bits, 14 above. Filters run in tiles of fixed size.
    """

    names = ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3")

    def __init__(self, fmt: FrameFormat, rungs: int = 1) -> None:
        shapes = [(fmt.height >> scale, fmt.width >> scale) for scale in range(SCALES)]
        sample = np.uint8 if fmt.bit_depth == 8 else np.uint16
        self._shapes = shapes
        self._depths = (fmt.bit_depth, 16, 16, 16)
        self._windows = [_window(scale, _PAIRS[scale]) for scale in range(SCALES)]
        self._halving = [_window(min(scale + 1, SCALES - 1), _PAIRS[scale]) for scale in range(SCALES)]
        self._copy = np.zeros(shapes[0], sample)
        self._reference = [np.zeros(shape, np.uint16) for shape in (*shapes[1:], (0, 0))]
        self._distorted = [np.zeros(shape, np.uint16) for shape in (*shapes[1:], (0, 0))]
        self._means = [np.zeros(rows * columns, np.uint32) for rows, columns in shapes]
        self._variances = [np.zeros(rows * columns, np.int32) for rows, columns in shapes]
        self._information = np.zeros((SCALES, 2))
        self._scratch = (
            np.zeros((4, ROW), np.uint16),
            np.zeros((5, _PAIRS[0] * ROW), np.uint32),
            np.zeros((9, ROW), np.uint32),
            np.zeros((2, ROW + 2 * HALO), np.uint16),
        )

    def reference(self, planes: Planes) -> None:
        np.copyto(self._copy, planes[0])
        for scale, plane in enumerate([self._copy, *self._reference[:-1]]):
            self._information[scale] = _reference_scale(plane.ravel(), *self._arguments(scale, self._reference))

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        references, distorted = [self._copy, *self._reference[:-1]], [planes[0], *self._distorted[:-1]]
        for scale, (reference, plane) in enumerate(zip(references, distorted, strict=True)):
            bits, quiet = _distorted_scale(reference.ravel(), plane.ravel(), *self._arguments(scale, self._distorted))
            reference_bits, quiet_pixels = self._information[scale]
            kept = bits / 2048.0 + (quiet_pixels - quiet / 16384.0 / 65025.0)
            out[scale] = np.float32(kept) / np.float32(reference_bits / 2048.0 + quiet_pixels)

    def _arguments(self, scale: int, pyramid: list[U16]) -> tuple[Any, ...]:
        return (
            *self._shapes[scale], self._depths[scale], self._windows[scale], self._halving[scale], pyramid[scale],
            self._means[scale], self._variances[scale], *self._scratch,
        )  # fmt: skip
