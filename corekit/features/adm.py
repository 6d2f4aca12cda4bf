"""Additive distortion: how much detail was lost, and how much was added, where the eye would see it.

Li, Zhang, Ma and Ngan (Image quality assessment by separately evaluating detail losses and additive impairments, 2011).
Reference and distorted luma are split by a Daubechies-2 wavelet into four scales of horizontal, vertical and
diagonal detail. Each distorted coefficient is divided into a *restored* part, which is the reference's own
detail scaled down (or contrast-enhanced: same direction within one degree), and the *added* rest. Both are
weighted by the visibility of their frequency at three picture heights, and each is masked by the other around it.

* ``adm_scaleN``: restored detail over reference detail, pooled with exponent 3 over the middle 80 % of scale N.
* ``adm2``: the same, summed over the scales. 1 means no detail lost.
* ``adm3``: mean of ``adm2`` and ``1 - aim``, where ``aim`` is the added detail over the reference detail.

Follows ``integer_adm.c`` of libvmaf 3.2 (Netflix, BSD-2-Clause-Patent) bit by bit, in its scalar form. What is 32-bit there
is computed in 64-bit integers or in float64 that holds every intermediate exactly, so all scales share one code.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from corekit.features._adm_layout import ScaleLayout, scale_layout
from corekit.features._adm_pool import cubes, noise_of, pool, visibility_cubes
from corekit.features._bits import from_high_word, high_word
from corekit.features._jit import kernel
from corekit.features._pairfir import LANES, pair_fir
from corekit.features.family import FeatureFamily, Planes, Values
from corekit.model import FrameFormat

SCALES = 4
# integer_adm.h: dwt2_db2_coeffs_lo and _hi, in units of 2**-15
LOW = (15826, 27411, 7345, -4240)
HIGH = (-4240, -7345, 27411, -15826)

COS_1_DEGREE_SQUARED = float(np.float32(math.cos(math.pi / 180) ** 2))
GAIN_LIMIT = 100.0

I32 = npt.NDArray[np.int32]


def _packed(taps: tuple[int, ...]) -> npt.NDArray[np.uint32]:
    return np.array(taps, "<i2").view("<u4").astype(np.uint32)


_fir = pair_fir(2)
_LOW, _HIGH = _packed(LOW), _packed(HIGH)
MARGIN = 8
"""Samples before the first in a line; the wavelet reaches one."""
SLACK = 2 * MARGIN + 3 * LANES


@kernel(inline=True)
def _mirror(i: int, n: int) -> int:
    """The wavelet's borders: without repeating the first sample, with repeating the last."""
    i = abs(i)
    return 2 * n - 1 - i if i >= n else i


@kernel(inline=True)
def _round_shift(value: np.int64, shift: int) -> np.int64:
    return (value + (np.int64(1) << np.int64(shift) >> np.int64(1))) >> np.int64(shift)


@kernel()
def _pack_rows(plane: Any, width: int, a: int, b: int, pairs: Any) -> None:
    upper, lower = plane[a * width : (a + 1) * width], plane[b * width : (b + 1) * width]
    for j in range(width):
        pairs[j] = (np.uint32(upper[j]) | np.uint32(lower[j]) << np.uint32(16)) ^ np.uint32(0x80008000)


@kernel()
def _narrow(sums: Any, correction: int, shift: int, line: Any, n: int) -> None:
    inner, add = line[MARGIN : MARGIN + n], np.uint32(correction)
    for j in range(n):
        inner[j] = np.int16(np.int32(np.int32(np.uint32(sums[j] + add)) >> np.int32(shift & 31)))
    _extend(line, n)


@kernel()
def _extend(line: Any, n: int) -> None:
    line[MARGIN - 1] = line[MARGIN + 1]
    line[MARGIN + n] = line[MARGIN + n - 1]
    line[MARGIN + n + 1] = line[MARGIN + n - 2]


@kernel()
def _across_samples(line: Any, taps: Any, first: int, n: int, sums: Any, out: I32) -> None:
    _fir(sums, 0, n, line, MARGIN - 1 + 2 * first, 2, taps, 0)
    for j in range(n):
        out[j] = np.int32(np.int32(np.uint32(sums[j] + np.uint32(1 << 15))) >> np.int32(16))


@kernel()
def _transform_samples(
    plane: Any, height: int, width: int, i: int, depth: int, first: int, last: int, detail: bool,
    pairs: Any, sums: Any, low: Any, high: Any, approximation: I32, bands: I32,
) -> None:  # fmt: skip
    """Row ``i`` of the finest wavelet bands; ``bands`` holds columns ``[first, last)`` of h, v, d."""
    stride = width + SLACK
    upper = i % 2
    if i == 0:
        _pack_rows(plane, width, 1, 0, pairs)
    _pack_rows(plane, width, _mirror(2 * i + 1, height), _mirror(2 * i + 2, height), pairs[(1 - upper) * stride :])
    start, step = upper * stride, (1 - 2 * upper) * stride
    middle, half = (1 << 15) - (1 << (depth - 1)), 1 << (depth - 1)
    _fir(sums, 0, width, pairs, start, step, _LOW, 0)
    _narrow(sums, 46342 * middle + half, depth, low, width)
    _across_samples(low, _LOW, 0, (width + 1) // 2, sums, approximation)
    if detail:
        _fir(sums, 0, width, pairs, start, step, _HIGH, 0)
        _narrow(sums, half, depth, high, width)
        _across_samples(high, _LOW, first, last - first, sums, bands[0])
        _across_samples(low, _HIGH, first, last - first, sums, bands[1])
        _across_samples(high, _HIGH, first, last - first, sums, bands[2])


@kernel()
def _down_coefficients(a: I32, b: I32, c: I32, d: I32, n: int, taps: Any, shift: int, line: Any) -> None:
    inner = line[MARGIN : MARGIN + n]
    t0, t1, t2, t3 = np.int32(taps[0]), np.int32(taps[1]), np.int32(taps[2]), np.int32(taps[3])
    for j in range(n):
        total = np.int64(t0) * np.int64(a[j]) + np.int64(t1) * np.int64(b[j])
        total += np.int64(t2) * np.int64(c[j]) + np.int64(t3) * np.int64(d[j])
        inner[j] = np.int32(_round_shift(total, shift))
    _extend(line, n)


@kernel()
def _across_coefficients(line: I32, taps: Any, first: int, n: int, shift: int, out: I32) -> None:
    source = line[MARGIN - 1 + 2 * first :]
    t0, t1, t2, t3 = np.int32(taps[0]), np.int32(taps[1]), np.int32(taps[2]), np.int32(taps[3])
    for j in range(n):
        total = np.int64(t0) * np.int64(source[2 * j]) + np.int64(t1) * np.int64(source[2 * j + 1])
        total += np.int64(t2) * np.int64(source[2 * j + 2]) + np.int64(t3) * np.int64(source[2 * j + 3])
        out[j] = np.int32(_round_shift(total, shift))


@kernel()
def _transform_coefficients(
    source: I32, height: int, width: int, i: int, down: int, across: int, first: int, last: int, detail: bool,
    low: I32, high: I32, approximation: I32, bands: I32,
) -> None:  # fmt: skip
    """Row ``i`` of the bands of a coarser scale, from the approximation of the one before."""
    a, b = _mirror(2 * i - 1, height) * width, 2 * i * width
    c, d = _mirror(2 * i + 1, height) * width, _mirror(2 * i + 2, height) * width
    rows = source[a:], source[b:], source[c:], source[d:]
    _down_coefficients(rows[0], rows[1], rows[2], rows[3], width, LOW, down, low)
    _across_coefficients(low, LOW, 0, (width + 1) // 2, across, approximation)
    if detail:
        _down_coefficients(rows[0], rows[1], rows[2], rows[3], width, HIGH, down, high)
        _across_coefficients(high, LOW, first, last - first, across, bands[0])
        _across_coefficients(low, HIGH, first, last - first, across, bands[1])
        _across_coefficients(high, HIGH, first, last - first, across, bands[2])


@kernel()
def _reference_energy(row: I32, start: int, n: int, square_round: int, square_shift: int, cube_shift: int) -> np.int64:
    """Sum of cubed magnitudes."""
    inner = row[start : start + n]
    total = np.int64(0)
    for j in range(n):
        m = np.int64(np.uint32(abs(inner[j])))
        square = (m * m + np.int64(square_round)) >> np.int64(square_shift)
        total += _round_shift(square * m, cube_shift)
    return total


@kernel()
def _aligned(o: I32, t: I32, n: int, flags: Any) -> None:
    """Where the distorted gradient points within one degree of the reference's."""
    oh, ov, th, tv = o[0], o[1], t[0], t[1]
    for j in range(n):
        a, b, c, d = np.int64(oh[j]), np.int64(ov[j]), np.int64(th[j]), np.int64(tv[j])
        dot = np.float64(np.float32(a * c + b * d))
        bound = COS_1_DEGREE_SQUARED * np.float64(np.float32(a * a + b * b)) * np.float64(np.float32(c * c + d * d))
        flags[j] = np.int32((dot >= 0.0) & (dot * dot >= bound))


@kernel()
def _restore(o: I32, t: I32, n: int, flags: Any, restored: I32, added: I32) -> None:
    """Split distorted coefficients ``t`` into what is left of the reference's ``o`` and the rest.

    The quotient of the two is cut to [0, 1] in steps of 2**-15. Its divisor is rounded to 15 leading bits and
    its reciprocal is an integer, as in libvmaf's table; float64 holds every step exactly where it matters.
    """
    for j in range(n):
        reference, distorted = np.float64(o[j]), np.float64(t[j])
        magnitude = abs(reference)
        excess = max((high_word(magnitude) >> 20) - (1023 + 14), 0)
        unit = from_high_word(np.int32((1023 - excess) << 20))
        reciprocal = np.floor(2.0**30 / max(np.floor(magnitude * unit + 0.5), 1.0)) * unit * 2.0**-15
        quotient = np.floor(reciprocal * (distorted if reference >= 0.0 else -distorted) + 0.5)
        quotient = min(max(quotient, 0.0), 32768.0)
        part = np.floor((quotient * reference + 16384.0) * 2.0**-15)
        limited = max(part * GAIN_LIMIT, distorted) if reference < 0.0 else min(part * GAIN_LIMIT, distorted)
        enhanced = (flags[j] != 0) & (quotient > 0.0) & (reference != 0.0)
        kept = np.int32(limited if enhanced else part)
        restored[j] = kept
        added[j] = t[j] - kept


@kernel()
def _mask(
    row: I32, n: int, weight: int, weight_round: int, weight_shift: int, near: int, centre: int, mask_round: int, mask_shift: int,
    centre_bits: int, around: I32, excess: I32, clear: bool,
) -> None:  # fmt: skip
    """Add one band's masking: what a coefficient gives to its neighbours, and by how much more to its own place."""
    w, m1, m2 = np.int32(weight), np.int32(near), np.int32(centre)
    for j in range(n):
        visible = (np.int64(w) * np.int64(row[j]) + np.int64(weight_round)) >> np.int64(weight_shift)
        visible = np.int64(np.int32(abs(visible)))
        aside = (np.int64(m1) * visible + np.int64(mask_round)) >> np.int64(mask_shift)
        here = (np.int64(m2) * visible + np.int64(mask_round)) >> np.int64(mask_shift)
        here = here << np.int64(64 - centre_bits) >> np.int64(64 - centre_bits)
        around[j] = np.int32(aside) if clear else np.int32(around[j] + np.int32(aside))
        excess[j] = np.int32(here - aside) if clear else np.int32(excess[j] + np.int32(here - aside))


@kernel()
def _box_row(around: I32, n: int, box: I32) -> None:
    """Sums of three neighbours; the frame's first column is mirrored, its last repeated."""
    inner = around[1:-1]
    for j in range(n):
        box[j] = np.int32(np.int32(around[j] + inner[j]) + around[j + 2])


@kernel()
def _contrast(
    row: I32, a: I32, b: I32, c: I32, excess: I32, start: int, n: int, weight: int,
    scored_round: int, scored_shift: int, threshold_shift: int, square_shift: int, cube_shift: int,
) -> np.int64:  # fmt: skip
    """Sum of cubed magnitudes above the threshold that the neighbourhood of the other part sets."""
    w = np.int32(weight)
    total = np.int64(0)
    row, a, b, c, excess = row[start:], a[start:], b[start:], c[start:], excess[start:]
    for j in range(n):
        threshold = np.int32(np.int32(a[j] + b[j]) + np.int32(c[j] + excess[j]))
        visible = abs((np.int64(w) * np.int64(row[j]) + np.int64(scored_round)) >> np.int64(scored_shift))
        above = np.int32(visible - np.int64(np.int32(np.int64(threshold) << np.int64(threshold_shift))))
        x = np.int64(np.uint32(max(above, np.int32(0))))
        square = np.int64(np.uint32(_round_shift(x * x, square_shift)))
        total += _round_shift(square * x, cube_shift)
    return total


@kernel()
def _reference_scale(
    plane: Any, source: I32, height: int, width: int, finest: bool, s: ScaleLayout,
    pairs: Any, sums: Any, low: Any, high: Any, low_line: I32, high_line: I32, approximation: I32, reference: I32, totals: Any,
) -> None:  # fmt: skip
    """Bands of the reference around the scored region, shape ``(rows, 3, columns)``, and its energy per band."""
    first, last = max(s.left - 1, 0), min(s.right + 1, s.width)
    upper, lower = max(s.top - 1, 0), min(s.bottom + 1, s.height)
    totals[:] = 0
    for i in range(s.height):
        detail = upper <= i < lower
        bands = reference[i - upper if detail else 0]
        row = approximation[i * s.width : (i + 1) * s.width]
        if finest:
            _transform_samples(
                plane, height, width, i, s.down_shift, first, last, detail, pairs, sums, low, high, row, bands
            )
        else:
            _transform_coefficients(
                source, height, width, i, s.down_shift, s.across_shift, first, last, detail,
                low_line, high_line, row, bands,
            )  # fmt: skip
        if s.top <= i < s.bottom:
            for band in range(3):
                energy = _reference_energy(
                    bands[band], s.left - first, s.right - s.left,
                    s.reference_square_round, s.reference_square_shift, s.reference_cube_shift,
                )  # fmt: skip
                totals[band] += _round_shift(energy, s.reference_row_shift)


@kernel()
def _mask_row(part: I32, n: int, s: ScaleLayout, around: I32, excess: I32, box: I32) -> None:
    inner = around[1:]
    for band in range(3):
        _mask(
            part[band], n, s.weight[band], s.weight_round[band], s.weight_shift[band],
            s.near, s.centre, s.mask_round, s.mask_shift, s.centre_bits, inner, excess, band == 0,
        )  # fmt: skip
    around[0], around[n + 1] = around[2], around[n]
    _box_row(around, n, box)


@kernel()
def _score_row(part: I32, boxes: I32, excess: I32, y: int, start: int, s: ScaleLayout, totals: Any) -> None:
    """Pool one row of one part, masked by three rows of the other; all are rings of three rows."""
    above, below = (y - 1 if y else 1) % 3, (y + 1 if y < s.height - 1 else y) % 3
    for band in range(3):
        row = _contrast(
            part[band], boxes[above], boxes[y % 3], boxes[below], excess, start, s.right - s.left, s.weight[band],
            s.scored_round, s.scored_shift, s.threshold_shift[band], s.square_shift[band], s.cube_shift[band],
        )  # fmt: skip
        totals[band] += _round_shift(row, s.row_shift)


@kernel()
def _distorted_scale(
    plane: Any, source: I32, height: int, width: int, finest: bool, s: ScaleLayout,
    pairs: Any, sums: Any, low: Any, high: Any, low_line: I32, high_line: I32, approximation: I32, reference: I32, totals: Any,
    bands: I32, flags: I32, parts: I32, around: I32, excess: I32, boxes: I32,
) -> None:  # fmt: skip
    """Pooled cubes of the restored part (three bands), then of the added part."""
    first, last = max(s.left - 1, 0), min(s.right + 1, s.width)
    upper, lower = max(s.top - 1, 0), min(s.bottom + 1, s.height)
    n = last - first
    totals[:] = 0
    for i in range(s.height + 1):
        detail = upper <= i < lower
        if i < s.height:
            row = approximation[i * s.width : (i + 1) * s.width]
            if finest:
                _transform_samples(
                    plane, height, width, i, s.down_shift, first, last, detail, pairs, sums, low, high, row, bands
                )
            else:
                _transform_coefficients(
                    source, height, width, i, s.down_shift, s.across_shift, first, last, detail,
                    low_line, high_line, row, bands,
                )  # fmt: skip
        if detail:
            slot, original = i % 3, reference[i - upper]
            _aligned(original, bands, n, flags)
            for band in range(3):
                _restore(original[band], bands[band], n, flags, parts[0, slot, band], parts[1, slot, band])
            for part in range(2):
                _mask_row(parts[part, slot], n, s, around, excess[part, slot], boxes[part, slot])
        y = i - 1
        if s.top <= y < s.bottom:
            for part in range(2):
                _score_row(
                    parts[part, y % 3], boxes[1 - part], excess[1 - part, y % 3], y, s.left - first, s,
                    totals[3 * part : 3 * part + 3],
                )  # fmt: skip


class Adm(FeatureFamily):
    """ADM from luma: its scales, and the two ways of summing them.

    Kept per pixel of luma: the reference's bands around the scored region (2.6 bytes) and one pyramid of
    approximations (1.3 bytes); everything else is a few rows.
    """

    names = ("adm2", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3", "adm3")

    def __init__(self, fmt: FrameFormat, rungs: int = 1) -> None:
        sizes = [(fmt.height, fmt.width)]
        for _ in range(SCALES):
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        self._sizes = sizes
        self._layouts = [scale_layout(k, sizes[k + 1][1], sizes[k + 1][0], fmt.bit_depth) for k in range(SCALES)]
        self._approximations = [np.zeros(rows * columns, np.int32) for rows, columns in sizes[1:]]
        self._bands = [np.zeros((s.bottom - s.top + 2, 3, s.right - s.left + 2), np.int32) for s in self._layouts]
        self._noise = noise_of(self._layouts)
        self._weights = [visibility_cubes(k) for k in range(SCALES)]
        self._energies = np.zeros(SCALES, np.float32)
        line = fmt.width + SLACK
        self._scratch = (
            np.zeros(2 * line, np.uint32),
            np.zeros(line, np.uint32),
            np.zeros(line, np.int16),
            np.zeros(line, np.int16),
            np.zeros(line, np.int32),
            np.zeros(line, np.int32),
        )
        half = sizes[1][1] + 2
        self._rows: tuple[Any, ...] = (
            np.zeros((3, half), np.int32),
            np.zeros(half, np.int32),
            np.zeros((2, 3, 3, half), np.int32),
            np.zeros(half, np.int32),
            np.zeros((2, 3, half), np.int32),
            np.zeros((2, 3, half), np.int32),
        )
        self._totals = np.zeros(6, np.int64)

    def reference(self, planes: Planes) -> None:
        for k, s in enumerate(self._layouts):
            _reference_scale(*self._arguments(planes, k))
            energies = self._totals[:3] / 2.0**s.reference_point * self._weights[k]
            self._energies[k] = pool(energies.astype(np.float32), self._noise[k])

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        restored, added = np.zeros(SCALES, np.float32), np.zeros(SCALES, np.float32)
        for k, s in enumerate(self._layouts):
            _distorted_scale(*self._arguments(planes, k, *self._rows))
            restored[k] = pool(cubes(self._totals[:3], s.point, k), self._noise[k])
            added[k] = pool(cubes(self._totals[3:], s.point, k), np.float32(0))
        energy = sum(map(float, self._energies))
        adm2 = sum(map(float, restored)) / energy
        aim = sum(map(float, added)) / energy
        out[0] = adm2
        out[1:5] = restored.astype(np.float64) / self._energies
        out[5] = max(adm2 * 0.5 + (1 - aim) * 0.5, 0.0)

    def _arguments(self, planes: Planes, k: int, *more: Any) -> tuple[Any, ...]:
        source = self._approximations[k - 1] if k else self._approximations[0]
        return (
            planes[0].ravel(), source, *self._sizes[k], k == 0, self._layouts[k], *self._scratch,
            self._approximations[k], self._bands[k], self._totals, *more,
        )  # fmt: skip
