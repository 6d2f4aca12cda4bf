"""SpEED: how far the entropy of natural-scene statistics moves, in time (luma) and in colour (Cb, Cr).

A band-pass picture of a natural scene, cut into 5x5 blocks, is well described by one covariance matrix ``K`` and one
variance per block (a Gaussian scale mixture). Neural noise hides small differences, so the entropy of a block in
noise is what the eye can use. Distortion moves it. For each plane:

1. the plane is low-pass filtered (9 taps), decimated by 16, and its local mean (3 taps) is subtracted;
2. ``K`` is the covariance of the 25 shifts of a 5x5 block over the picture;
3. each block ``y`` has the variance ``s = y' inv(K) y / 25`` and, over the eigenvalues ``l`` of ``K``, the entropy
   ``sum(log2(l s + 0.29) + log2(2 pi e))``;
4. the score is the mean over blocks of ``|entropy log2(1 + s)`` of the reference minus that of the distorted clip``|``.

``speed_chroma_u`` and ``_v`` do this for Cb and Cr, ``_uv`` is their mean. ``speed_temporal`` does it for the difference
of successive luma planes; it is 0 at the first frame. Where ``K`` of one side is singular, as in small or flat planes, the
score is 0: in 4:2:0 chroma up to about 640x272 that is so for every frame.

Source: libvmaf ``speed.c`` and ``vif_tools.c`` (3.2.0, BSD-2-Clause-Patent); C. G. Bampis et al., "SpEED-QA: Spatial
Efficient Entropic Differencing for Image and Video Quality", IEEE SPL 2017. Every float32 operation is done in
libvmaf's scalar order, since the matrix is badly conditioned: builds of libvmaf that differ in it differ by 3e-5.
Depths that libvmaf misreads (9, 11, 13 to 15 bits) and odd chroma (which it floors) follow the same definition.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from corekit.features._jit import kernel
from corekit.features._small_matrix import EPSILON, N, find_eigenvalues, solve
from corekit.features._speed_model import ANTIALIAS, BLOCK, DECIMATION, MIN_SIDE, REACH, TAPS, gaussian
from corekit.features.family import FeatureFamily, Planes, Values
from corekit.model import FrameFormat

LANES = 8
BATCH = 8
NEURAL_NOISE = 0.29
MAX_SCORE = 1000.0
NOISE = np.float32(NEURAL_NOISE)
GAUSSIAN_ENTROPY = math.log2(2.0 * math.pi * math.e)
BASE_ENTROPY = np.float32(N * (math.log2(float(NOISE)) + GAUSSIAN_ENTROPY))
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)


LOCAL_MEAN = gaussian(3, 0.6)


class Speed(FeatureFamily):
    """SpEED of luma differences and of chroma; 0 is no change, 10 to 20 is strong.

    Per rung, and once for the reference, the luma rows that the filter reads are kept for the next frame:
    0.56 samples per luma pixel. All else is of the size of the decimated planes.
    """

    names: ClassVar[tuple[str, ...]] = ("speed_temporal", "speed_chroma_u", "speed_chroma_v", "speed_chroma_uv")

    def __init__(self, fmt: FrameFormat, rungs: int = 1) -> None:
        dtype = np.uint8 if fmt.bit_depth == 8 else np.uint16
        self._scale = np.float32(1.0 / (1 << (fmt.bit_depth - 8)))
        self._statistics = PairStatistics(fmt)
        height, width = fmt.height, fmt.width
        kept = (rungs + 1, height // DECIMATION, TAPS, width) if self._statistics.has_luma else (rungs + 1, 0, 0, 0)
        self._previous = np.zeros(kept, dtype)
        self._is_first = [True] * (rungs + 1)

    def reference(self, planes: Planes) -> None:
        self._measure(-1, planes, REFERENCE)

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        is_first = self._is_first[rung]
        self._measure(rung, planes, DISTORTED)
        self._statistics.scores(out, is_first=is_first)

    def _measure(self, slot: int, planes: Planes, side: int) -> None:
        statistics = self._statistics
        if statistics.has_luma:
            model = statistics.model(0)
            _decimate_difference(planes[0], self._previous[slot], self._scale, model.row, model.small)
            statistics.fit(side, 0)
            self._is_first[slot] = False
        if statistics.has_chroma:
            for number in (1, 2):
                model = statistics.model(number)
                _decimate(planes[number], self._scale, model.row, model.small)
                statistics.fit(side, number)


REFERENCE, DISTORTED = 0, 1


class PairStatistics:
    """Block statistics of both frames' planes, from the decimated planes, and the scores that follow."""

    def __init__(self, fmt: FrameFormat) -> None:
        self._shapes = fmt.shapes
        luma, chroma, _ = fmt.shapes
        self.has_luma, self.has_chroma = min(luma) >= MIN_SIDE, min(chroma) >= MIN_SIDE
        self._models = {shape: _BlockModel(*shape) for shape in (luma, chroma) if min(shape) >= MIN_SIDE}
        self._sides = [[_BlockStatistics(*shape) for shape in fmt.shapes] for _ in (REFERENCE, DISTORTED)]

    def model(self, plane: int) -> _BlockModel:
        """The buffers of a plane; ``small`` is where its decimated samples (luma: those of the difference) are written."""
        return self._models[self._shapes[plane]]

    def fit(self, side: int, plane: int) -> None:
        """Take the statistics of a plane of ``REFERENCE`` or ``DISTORTED`` from its model's ``small``."""
        self.model(plane).fit(self._sides[side][plane])

    def scores(self, out: Values, *, is_first: bool) -> None:
        """Write the scores of a frame; ``is_first`` where there is none before it."""
        scores = [self._score(plane) for plane in range(3)]
        out[0] = scores[0]
        if is_first and self.has_luma:
            out[0] = 0.0
        out[1:3] = scores[1:]
        out[3] = self._mean_of_chroma(scores[1], scores[2])
        np.minimum(out, MAX_SCORE, out=out)

    def _score(self, plane: int) -> float:
        """Score of one plane, 0 where the model of just one side is singular, NaN where the plane is too small."""
        reference, distorted = (side[plane] for side in self._sides)
        if not (self.has_chroma if plane else self.has_luma):
            return math.nan
        if reference.is_singular != distorted.is_singular:
            return 0.0
        return float(_difference(reference.entropies, reference.variances, distorted.entropies, distorted.variances))

    def _mean_of_chroma(self, u: float, v: float) -> float:
        """Mean of Cb and Cr, or the one of them whose models exist."""
        u_is_singular, v_is_singular = (any(side[plane].is_singular for side in self._sides) for plane in (1, 2))
        if u_is_singular != v_is_singular:
            return v if u_is_singular else u
        return float(np.float32(np.float32(u) + np.float32(v)) / TWO)


class _BlockStatistics:
    """Entropy and variance of each block of one plane, or the knowledge that its covariance is singular."""

    def __init__(self, height: int, width: int) -> None:
        n_blocks = (height // MIN_SIDE) * (width // MIN_SIDE)
        self.entropies = np.zeros(n_blocks, np.float32)
        self.variances = np.zeros(n_blocks, np.float32)
        self.is_singular = False


class _BlockModel:
    """Buffers in which the block statistics of planes of one size are computed."""

    def __init__(self, height: int, width: int) -> None:
        small = (height // DECIMATION, width // DECIMATION)
        n_blocks = (height // MIN_SIDE) * (width // MIN_SIDE)
        self.row = np.zeros(width, np.float32)
        self.small = np.zeros(small, np.float32)
        self._band = np.zeros(small, np.float32)
        self._vertical = np.zeros(small[1], np.float32)
        self._means = np.zeros(N, np.float32)
        self._centred = np.zeros((-(-small[1] // BATCH) * BATCH, N + LANES), np.float64)
        self._sums = np.zeros((N, N + LANES), np.float64)
        self._covariance = np.zeros((N, N), np.float32)
        self._eigenvalues = np.zeros(N, np.float32)
        self._square = np.zeros((4, N, N), np.float32)
        self._vectors = np.zeros((3, N), np.float32)
        self._blocks = np.zeros((2, N, n_blocks), np.float32)
        self._solution = np.zeros((N, n_blocks), np.float32)

    def fit(self, result: _BlockStatistics) -> None:
        """Fit the scale mixture to ``small`` and write its block statistics to ``result``."""
        _subtract_local_mean(self.small, self._vertical, self._band)
        _fit_covariance(self._band, self._means, self._centred, self._sums, self._covariance)
        find_eigenvalues(self._covariance, self._square[0], self._eigenvalues, self._vectors)
        _gather_blocks(self._band, self._blocks[0])
        is_regular = float(self._eigenvalues.min()) >= EPSILON and solve(
            self._covariance, self._square, self._vectors[0], self._blocks[0], self._blocks[1], self._solution
        )
        result.is_singular = not is_regular
        if not is_regular:
            self._solution[:] = 0
        _describe_blocks(self._blocks[0], self._solution, self._eigenvalues, result.variances, result.entropies)


@kernel()
def _decimate(plane: Any, scale: np.float32, row: Any, small: Any) -> None:
    """Low-pass filter the plane, brought to 8-bit scale about 0, at every 16th row and column."""
    for i in range(small.shape[0]):
        row[:] = 0
        for tap in range(TAPS):
            source = plane[abs(DECIMATION * i + tap - REACH)]
            weight = ANTIALIAS[tap]
            for j in range(len(row)):
                row[j] += weight * (np.float32(source[j]) * scale - np.float32(128))
        _decimate_row(row, small[i])


@kernel()
def _decimate_difference(plane: Any, previous: Any, scale: np.float32, row: Any, small: Any) -> None:
    """The same for ``previous`` minus ``plane``; then keep the plane's rows as ``previous``, shape ``(rows, TAPS, width)``."""
    for i in range(small.shape[0]):
        row[:] = 0
        for tap in range(TAPS):
            source, kept = plane[abs(DECIMATION * i + tap - REACH)], previous[i, tap]
            weight = ANTIALIAS[tap]
            for j in range(len(row)):
                row[j] += weight * (np.float32(np.int32(kept[j]) - np.int32(source[j])) * scale)
            for j in range(len(row)):
                kept[j] = source[j]
        _decimate_row(row, small[i])


@kernel()
def _decimate_row(row: Any, out: Any) -> None:
    for j in range(len(out)):
        total = ZERO
        for tap in range(TAPS):
            total += ANTIALIAS[tap] * row[abs(DECIMATION * j + tap - REACH)]
        out[j] = total


@kernel()
def _subtract_local_mean(small: Any, vertical: Any, band: Any) -> None:
    """Subtract the 3x3 Gaussian mean; rows and columns are mirrored about the outermost ones."""
    height, width = small.shape
    w0, w1, w2 = LOCAL_MEAN[0], LOCAL_MEAN[1], LOCAL_MEAN[2]
    for i in range(height):
        above, below = small[abs(i - 1)], small[i + 1 if i + 1 < height else i - 1]
        for j in range(width):
            vertical[j] = (w0 * above[j] + w1 * small[i, j]) + w2 * below[j]
        for j in range(width):
            left, right = vertical[abs(j - 1)], vertical[j + 1 if j + 1 < width else j - 1]
            band[i, j] = small[i, j] - ((w0 * left + w1 * vertical[j]) + w2 * right)


@kernel()
def _fit_covariance(band: Any, means: Any, centred: Any, sums: Any, covariance: Any) -> None:
    """Covariance of the 25 shifts of a block: means summed in float32, products in float64, both in raster order."""
    height = band.shape[0] // BLOCK * BLOCK - BLOCK + 1
    width = band.shape[1] // BLOCK * BLOCK - BLOCK + 1
    _shift_means(band, height, width, means)
    sums[:] = 0
    for i in range(height):
        for k in range(N):
            row, mean, shift = band[i + k // BLOCK], np.float64(means[k]), k % BLOCK
            for j in range(width):
                centred[j, k] = np.float64(row[j + shift]) - mean
        for j in range(0, width, BATCH):  # beyond the width ``centred`` is 0
            _add_products(centred, j, sums)
    for k in range(N):
        for other in range(k + 1):
            covariance[k, other] = np.float32(sums[k, other] / (width * height))
            covariance[other, k] = covariance[k, other]


@kernel()
def _shift_means(band: Any, height: int, width: int, means: Any) -> None:
    for shift in range(BLOCK):
        a = b = c = d = e = ZERO
        for i in range(height):
            row = band[i + shift]
            for j in range(width):
                a += row[j]
                b += row[j + 1]
                c += row[j + 2]
                d += row[j + 3]
                e += row[j + 4]
        means[shift * BLOCK : (shift + 1) * BLOCK] = (a, b, c, d, e)
    for k in range(N):
        means[k] /= np.float32(width * height)


@kernel()
def _add_products(centred: Any, first: int, sums: Any) -> None:
    """Add to the lower triangle of ``sums`` the outer products of ``BATCH`` vectors with themselves, one after another."""
    batch = centred[first : first + BATCH]
    for k in range(N):
        totals = sums[k]
        for i in range((k + LANES) // LANES * LANES):
            total = totals[i]
            for vector in range(BATCH):
                total += batch[vector, k] * batch[vector, i]
            totals[i] = total


@kernel()
def _gather_blocks(band: Any, blocks: Any) -> None:
    """``blocks[k, b]``: pixel ``k`` of the ``b``-th block in raster order."""
    across = band.shape[1] // BLOCK
    for k in range(N):
        for b in range(blocks.shape[1]):
            blocks[k, b] = band[b // across * BLOCK + k // BLOCK, b % across * BLOCK + k % BLOCK]


@kernel()
def _describe_blocks(blocks: Any, solution: Any, eigenvalues: Any, variances: Any, entropies: Any) -> None:
    """Variance ``y' inv(K) y / 25`` of each block and its entropy in neural noise, in bits."""
    variances[:] = 0
    entropies[:] = 0
    for k in range(N):
        for b in range(len(variances)):
            variances[b] += (solution[k, b] * blocks[k, b]) / np.float32(N)
    for k in range(N):
        eigenvalue = max(eigenvalues[k], ZERO)
        for b in range(len(entropies)):
            bits = math.log2(np.float64(eigenvalue * variances[b] + NOISE)) + GAUSSIAN_ENTROPY
            entropies[b] = np.float32(np.float64(entropies[b]) + bits)


@kernel()
def _difference(entropies: Any, variances: Any, other_entropies: Any, other_variances: Any) -> Any:
    """Mean over blocks of the difference of entropies, each weighted by the logarithm of its block's variance."""
    total = ZERO
    for b in range(len(entropies)):
        if entropies[b] < BASE_ENTROPY and other_entropies[b] < BASE_ENTROPY:
            continue
        own = np.float32(np.float64(entropies[b]) * math.log2(np.float64(ONE + variances[b])))
        other = np.float32(np.float64(other_entropies[b]) * math.log2(np.float64(ONE + other_variances[b])))
        total += abs(own - other)
    return total / np.float32(len(entropies))
