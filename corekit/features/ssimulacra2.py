"""SSIMULACRA 2: perceptual distance of two pictures in the XYB colour space, at six scales.

Frames are taken as BT.709 limited range, turned into linear RGB and halved five times. At each scale they go to XYB (X: red
against green, Y: luma, B: blue against luma), and each channel is blurred (sigma 1.5). Three maps are made per channel:

* ``ssim``: ``1 - (1 - (mu1 - mu2)^2) (2 s12 + C) / (s11 + s22 + C)``, structural dissimilarity;
* ``ringing`` and ``blur``: how much further from (or closer to) its blurred self a pixel of the distorted clip is than that
  of the reference, ``(1 + |b - mu2|) / (1 + |a - mu1|) - 1``, split by its sign.

Their means and 4-norms are weighted, summed and mapped to a score: 100 is identical, 90 hard to tell from it, 50 medium,
below 0 very low quality.

Source: ``ssimulacra2.c`` of the libvmaf fork lusoris/vmaf (BSD-2-Clause-Patent), after J. Sneyers, "SSIMULACRA 2", and
libjxl's ``tools/ssimulacra2.cc`` (BSD-3-Clause). Netflix's libvmaf has none. The blur is not a filter kernel but libjxl's
recursive one, whose rounding errors never decay: it is run in float32, in order, without fused multiply-add, as in C.
Exact up to the order of the float64 sums of the maps (below 1e-6).

56 of the 108 weights are 0: X and B at full size, which show only ringing, need neither second moments nor float64.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from corekit.features._jit import kernel
from corekit.features._recursive_blur import (
    BAND,
    LANES,
    REACH,
    RING_TILE,
    SPAN,
    STEPS,
    TILE,
    blur_columns,
    blur_rows,
    multiply_columns,
    transpose,
)
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
    HALF,
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
    N_SCALES,
    ONE,
    OPSIN_BIAS,
    QUARTER,
    THIRD,
    TWO,
    X_OFFSET,
    X_SCALE,
    Y_OFFSET,
    ZERO,
    F,
    pyramid,
    score,
)
from corekit.features._ssimulacra2_weights import WEIGHTS
from corekit.features.family import FeatureFamily, Planes, Values
from corekit.model import FrameFormat


class Ssimulacra2(FeatureFamily):
    """SSIMULACRA 2 of the distorted clips, at most 100.

    What is kept of the reference for all rungs takes 32 bytes per luma pixel, the linear light of the smaller scales
    4 more; all else is of the size of a band of 12 rows.
    """

    names: ClassVar[tuple[str, ...]] = ("ssimulacra2",)

    def __init__(self, fmt: FrameFormat, rungs: int = 1) -> None:
        shapes = pyramid(fmt.height, fmt.width)
        self._peak = F((1 << fmt.bit_depth) - 1)
        self._shifts = (int(fmt.chroma == "420"), int(fmt.chroma != "444"))
        linear = [np.zeros((3, *shape), np.float32) for shape in shapes[1:]]
        linear = [np.zeros((3, 0, 0), np.float32), *linear, np.zeros((3, 0, 0), np.float32)]
        self._linear = list(pairwise(linear))
        self._kept = [_kept_of_reference(scale, *shape) for scale, shape in enumerate(shapes)]
        self._work = _work(fmt)
        self._norms = np.zeros((3, N_SCALES, 2, 3))

    def reference(self, planes: Planes) -> None:
        for kept, (linear, halved) in zip(self._kept, self._linear, strict=False):
            _take_reference(planes, self._peak, self._shifts, linear, halved, kept, self._work)

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        for scale, (kept, (linear, halved)) in enumerate(zip(self._kept, self._linear, strict=False)):
            height, width = kept.shape
            _compare(planes, self._peak, self._shifts, linear, halved, kept, self._work)
            means = self._work.sums.reshape(3, 6, TILE).sum(axis=2) / (height * width)
            self._norms[:, scale, 0] = means[:, :3]
            self._norms[:, scale, 1] = np.sqrt(np.sqrt(means[:, 3:]))
        out[0] = score(float((WEIGHTS * self._norms).sum()))


class _Kept(NamedTuple):
    """What is kept of the reference at one scale.

    Of a channel whose ``ssim`` has a weight (``is_full``) the plane, its blur and that of its square, of one that only
    shows ringing the distance of plane and blur. ``place`` is a channel's place in these, -1 for one without weights.
    """

    shape: tuple[int, int]
    is_full: npt.NDArray[np.bool_]
    place: npt.NDArray[np.int64]
    xyb: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32]
    square: npt.NDArray[np.float32]
    edges: npt.NDArray[np.float32]


def _kept_of_reference(scale: int, height: int, width: int) -> _Kept:
    is_full = np.asarray(WEIGHTS[:, scale, :, 0].any(axis=1))
    is_ringing = WEIGHTS[:, scale].any(axis=(1, 2)) & ~is_full
    place = np.where(is_full, np.cumsum(is_full), np.where(is_ringing, np.cumsum(is_ringing), 0)) - 1
    xyb, mean, square = (np.zeros((int(is_full.sum()), height, width), np.float32) for _ in range(3))
    edges = np.zeros((int(is_ringing.sum()), height, width), np.float32)
    return _Kept((height, width), is_full, place, xyb, mean, square, edges)


class _Work(NamedTuple):
    """Buffers for a band of rows, for the state of the blur and for the sums of the maps."""

    rgb: npt.NDArray[np.float32]
    chroma: npt.NDArray[np.float32]
    cones: npt.NDArray[np.float32]
    rows: npt.NDArray[np.float32]
    columns: npt.NDArray[np.float32]
    row_state: npt.NDArray[np.float32]
    row_out: npt.NDArray[np.float32]
    ring: npt.NDArray[np.float32]
    column_state: npt.NDArray[np.float32]
    tile: npt.NDArray[np.float32]
    sums: npt.NDArray[np.float64]


def _work(fmt: FrameFormat) -> _Work:
    width, n_slots = fmt.width, 9 * -(-fmt.width // TILE)
    return _Work(
        rgb=np.zeros((3, BAND, width), np.float32),
        chroma=np.zeros((2, 2 * fmt.chroma_width), np.float32),
        cones=np.zeros((2, 3, width), np.float32),
        rows=np.zeros((3, BAND + REACH, width), np.float32),
        columns=np.zeros((STEPS * (2 + width // STEPS) + SPAN) * LANES, np.float32),
        row_state=np.zeros(6 * LANES, np.float32),
        row_out=np.zeros(STEPS * LANES, np.float32),
        ring=np.zeros(n_slots * RING_TILE, np.float32),
        column_state=np.zeros(n_slots * 6 * TILE, np.float32),
        tile=np.zeros(3 * BAND * TILE, np.float32),
        sums=np.zeros((3, 6 * TILE), np.float64),
    )


@kernel()
def _take_reference(
    planes: Any, peak: np.float32, shifts: Any, linear: Any, halved: Any, kept: _Kept, work: _Work
) -> None:
    """Keep of one scale of the reference all that the maps need of it."""
    height, width = kept.shape
    _clear(work, width)
    for band in range((height + REACH + BAND - 1) // BAND):
        _load_band(planes, peak, shifts, linear, halved, band, height, width, work)
        _keep_band(band, height, width, kept, work)


@kernel()
def _compare(planes: Any, peak: np.float32, shifts: Any, linear: Any, halved: Any, kept: _Kept, work: _Work) -> None:
    """Sum the maps of one scale of a distorted frame by columns: means of ssim, ringing, blur, then of their fourth powers."""
    height, width = kept.shape
    _clear(work, width)
    work.sums[:] = 0.0
    for band in range((height + REACH + BAND - 1) // BAND):
        _load_band(planes, peak, shifts, linear, halved, band, height, width, work)
        _compare_band(band, height, width, kept, work)


@kernel()
def _clear(work: _Work, width: int) -> None:
    """Forget the picture before: the rows above a picture are 0."""
    n_slots = 9 * ((width + TILE - 1) // TILE)
    work.ring[: n_slots * RING_TILE] = ZERO
    work.column_state[: n_slots * 6 * TILE] = ZERO


@kernel()
def _load_band(
    planes: Any, peak: np.float32, shifts: Any, linear: Any, halved: Any, band: int, height: int, width: int, work: _Work
) -> None:  # fmt: skip
    """Bring a band to XYB, from the frame's planes or from ``linear`` RGB, and write it ``halved`` for the next scale."""
    if linear.size == 0:
        _linear_rgb(planes, peak, shifts, band, work.chroma, work.rgb)
    else:
        _copy_band(linear, band, work.rgb)
    if halved.size > 0:
        _halve(work.rgb, band, height, width, halved)
    _convert_band(work.rgb, band, height, width, work.cones, work.rows)


@kernel()
def _linear_rgb(planes: Any, peak: np.float32, shifts: Any, band: int, chroma: Any, rgb: Any) -> None:
    y, cb, cr = planes
    shift_y, shift_x = shifts
    height, width = y.shape
    scale = ONE / peak
    blue, red = chroma[0], chroma[1]
    for i in range(min(BAND, height - BAND * band)):
        row = BAND * band + i
        _spread(cb[row >> shift_y], scale, shift_x, blue)
        _spread(cr[row >> shift_y], scale, shift_x, red)
        luma, r, g, b = y[row], rgb[0, i], rgb[1, i], rgb[2, i]
        for j in range(width):
            signal = (F(luma[j]) * scale - LUMA_OFFSET) * LUMA_SCALE
            r[j] = _eotf(signal + CR_R * red[j])
            g[j] = _eotf(signal + CB_G * blue[j] + CR_G * red[j])
            b[j] = _eotf(signal + CB_B * blue[j])


@kernel()
def _spread(row: Any, scale: np.float32, shift_x: int, out: Any) -> None:
    """Repeat each chroma sample for the luma columns that it covers."""
    if shift_x:
        for j in range(len(row)):
            value = (F(row[j]) * scale - HALF) * CHROMA_SCALE
            out[2 * j] = value
            out[2 * j + 1] = value
    else:
        for j in range(len(row)):
            out[j] = (F(row[j]) * scale - HALF) * CHROMA_SCALE


@kernel(inline=True)
def _eotf(signal: Any) -> Any:
    position = min(max(signal, ZERO), ONE) * F(EOTF_TOP)
    i = min(np.int32(position), np.int32(EOTF_TOP - 1))
    low, high = EOTF[np.uint64(i)], EOTF[np.uint64(i + 1)]
    return low + (high - low) * (position - F(i))


@kernel()
def _copy_band(linear: Any, band: int, rgb: Any) -> None:
    for channel in range(3):
        for i in range(min(BAND, linear.shape[1] - BAND * band)):
            source, row = linear[channel, BAND * band + i], rgb[channel, i]
            for j in range(len(source)):
                row[j] = source[j]


@kernel()
def _halve(rgb: Any, band: int, height: int, width: int, linear: Any) -> None:
    """Mean of 2x2 pixels; an odd last row or column is doubled."""
    n_rows = min(BAND, height - BAND * band)
    for channel in range(3):
        for i in range(0, n_rows, 2):
            upper, lower = rgb[channel, i], rgb[channel, min(i + 1, n_rows - 1)]
            row = linear[channel, (BAND * band + i) // 2]
            for j in range(width // 2):
                row[j] = (((upper[2 * j] + upper[2 * j + 1]) + lower[2 * j]) + lower[2 * j + 1]) * QUARTER
            if width % 2:
                row[width // 2] = (
                    ((upper[width - 1] + upper[width - 1]) + lower[width - 1]) + lower[width - 1]
                ) * QUARTER


@kernel()
def _convert_band(rgb: Any, band: int, height: int, width: int, cones: Any, rows: Any) -> None:
    """Move the last ``REACH`` rows of the band before to the front of ``rows`` and append this band's in XYB."""
    for channel in range(3):
        for i in range(REACH):
            source, row = rows[channel, BAND + i], rows[channel, i]
            for j in range(width):
                row[j] = source[j]
    for i in range(min(BAND, height - BAND * band)):
        _xyb(rgb[0, i], rgb[1, i], rgb[2, i], width, cones, rows[:, REACH + i])


@kernel()
def _xyb(r: Any, g: Any, b: Any, width: int, cones: Any, out: Any) -> None:
    long, medium, short = cones[0, 0], cones[0, 1], cones[0, 2]
    for j in range(width):
        long[j] = max(M00 * r[j] + M01 * g[j] + M02 * b[j] + OPSIN_BIAS, ZERO)
        medium[j] = max(M10 * r[j] + M11 * g[j] + M12 * b[j] + OPSIN_BIAS, ZERO)
        short[j] = max(M20 * r[j] + M21 * g[j] + M22 * b[j] + OPSIN_BIAS, ZERO)
    for cone in range(3):
        _cube_root(cones[0, cone], width, cones[1, cone])
    root_l, root_m, root_s = cones[1, 0], cones[1, 1], cones[1, 2]
    x, y, blue = out[0], out[1], out[2]
    for j in range(width):
        green_red = HALF * (root_l[j] - root_m[j])
        luma = HALF * (root_l[j] + root_m[j])
        blue[j] = (root_s[j] - luma) + B_OFFSET
        x[j] = green_red * X_SCALE + X_OFFSET
        y[j] = luma + Y_OFFSET


@kernel()
def _cube_root(values: Any, width: int, out: Any) -> None:
    """Cube root less that of the bias: a third of the exponent, then two of Newton's steps."""
    bits, seeds = values.view(np.uint32), out.view(np.uint32)
    for j in range(width):
        seeds[j] = bits[j] // np.uint32(3) + np.uint32(CUBE_ROOT_SEED)
    for j in range(width):
        root = out[j]
        root = (TWO * root + values[j] / (root * root)) * THIRD
        root = (TWO * root + values[j] / (root * root)) * THIRD
        out[j] = (root if values[j] > ZERO else ZERO) - BIAS_ROOT


@kernel()
def _keep_band(band: int, height: int, width: int, kept: _Kept, work: _Work) -> None:
    """Keep the band's XYB rows, and the blur of them and of their squares for the rows that it completes."""
    n_rows = max(min(BAND, height - BAND * band), 0)
    first = BAND * band - REACH
    columns, ring, tile, column_state = work.columns, work.ring, work.tile, work.column_state
    for channel in range(3):
        place = kept.place[channel]
        if place < 0:
            continue
        rows = work.rows[channel]
        transpose(rows[REACH:], n_rows, width, columns, 0)
        n_fields = 1
        if kept.is_full[channel]:
            n_fields = 2
            multiply_columns(columns, width, 0, BAND)
            for i in range(n_rows):
                _copy(rows[REACH + i], kept.xyb[place, BAND * band + i])
        blur_rows(columns, n_fields, width, work.row_state, work.row_out, ring, 3 * channel)
        for at in range(0, width, TILE):
            n = min(TILE, width - at)
            slot = 3 * (3 * (at // TILE) + channel)
            for field in range(n_fields):
                blur_columns(ring, column_state, slot + field, n, tile, field)
            if n_fields == 2:
                _keep_tile(tile, 0, at, n, first, kept.mean[place])
                _keep_tile(tile, 1, at, n, first, kept.square[place])
            else:
                _keep_edges(rows, tile, at, n, first, kept.edges[place])


@kernel()
def _compare_band(band: int, height: int, width: int, kept: _Kept, work: _Work) -> None:
    """Blur the band and add the maps of the rows that it completes to the sums."""
    n_rows = max(min(BAND, height - BAND * band), 0)
    first = BAND * band - REACH
    columns, ring, tile, column_state = work.columns, work.ring, work.tile, work.column_state
    for channel in range(3):
        place = kept.place[channel]
        if place < 0:
            continue
        rows, sums = work.rows[channel], work.sums[channel]
        transpose(rows[REACH:], n_rows, width, columns, 0)
        n_fields = 1
        if kept.is_full[channel]:
            n_fields = 3
            transpose(kept.xyb[place, BAND * band :], n_rows, width, columns, 2 * BAND)
            multiply_columns(columns, width, 0, BAND)
            multiply_columns(columns, width, 2 * BAND, 2 * BAND)
        blur_rows(columns, n_fields, width, work.row_state, work.row_out, ring, 3 * channel)
        for at in range(0, width, TILE):
            n = min(TILE, width - at)
            slot = 3 * (3 * (at // TILE) + channel)
            for field in range(n_fields):
                blur_columns(ring, column_state, slot + field, n, tile, field)
            if n_fields == 3:
                _add_ssim(kept.mean[place], kept.square[place], tile, at, n, first, sums)
                _add_edges(kept.xyb[place], kept.mean[place], rows, tile, at, n, first, sums)
            else:
                _add_ringing(kept.edges[place], rows, tile, at, n, first, sums)


@kernel()
def _copy(source: Any, out: Any) -> None:
    for j in range(len(out)):
        out[j] = source[j]


@kernel()
def _keep_tile(tile: Any, field: int, start: int, width: int, first: int, plane: Any) -> None:
    """Copy a field of the tile to the plane's columns from ``start`` and rows from ``first`` (negative: above the plane)."""
    for i in range(max(0, -first), min(BAND, plane.shape[0] - first)):
        row, own = plane[first + i], np.uint64((field * BAND + i) * TILE)
        for x in range(np.uint64(width)):
            row[np.uint64(start) + x] = tile[own + x]


@kernel()
def _keep_edges(rows: Any, tile: Any, start: int, width: int, first: int, plane: Any) -> None:
    """Keep the distance of each pixel from its blurred self."""
    for i in range(max(0, -first), min(BAND, plane.shape[0] - first)):
        picture, row, own = rows[i], plane[first + i], np.uint64(i * TILE)
        for x in range(np.uint64(width)):
            at = np.uint64(start) + x
            row[at] = abs(picture[at] - tile[own + x])


@kernel()
def _add_ssim(mean: Any, square: Any, tile: Any, start: int, width: int, first: int, sums: Any) -> None:
    """Add the dissimilarity and its fourth power to the sums of each column of the tile."""
    for i in range(max(0, -first), min(BAND, mean.shape[0] - first)):
        means, squares, own = mean[first + i], square[first + i], np.uint64(i * TILE)
        for x in range(np.uint64(width)):
            at = np.uint64(start) + x
            mu1, mu2 = means[at], tile[own + x]
            luminance = ONE - (mu1 - mu2) * (mu1 - mu2)
            structure = TWO * (tile[own + np.uint64(2 * BAND * TILE) + x] - mu1 * mu2) + C2
            energy = (squares[at] - mu1 * mu1) + (tile[own + np.uint64(BAND * TILE) + x] - mu2 * mu2) + C2
            loss = max(1.0 - np.float64(luminance) * np.float64(structure) / np.float64(energy), 0.0)
            sums[x] += loss
            sums[np.uint64(3 * TILE) + x] += (loss * loss) * (loss * loss)


@kernel()
def _add_edges(
    reference: Any, mean: Any, distorted: Any, tile: Any, start: int, width: int, first: int, sums: Any
) -> None:
    """Add ringing and blur and their fourth powers to the sums of each column of the tile."""
    for i in range(max(0, -first), min(BAND, mean.shape[0] - first)):
        picture, means, other, own = reference[first + i], mean[first + i], distorted[i], np.uint64(i * TILE)
        for x in range(np.uint64(width)):
            at = np.uint64(start) + x
            edge1 = abs(np.float64(picture[at]) - np.float64(means[at]))
            edge2 = abs(np.float64(other[at]) - np.float64(tile[own + x]))
            change = (1.0 + edge2) / (1.0 + edge1) - 1.0
            ringing, blur = max(change, 0.0), max(-change, 0.0)
            sums[np.uint64(TILE) + x] += ringing
            sums[np.uint64(2 * TILE) + x] += blur
            sums[np.uint64(4 * TILE) + x] += (ringing * ringing) * (ringing * ringing)
            sums[np.uint64(5 * TILE) + x] += (blur * blur) * (blur * blur)


@kernel()
def _add_ringing(edges: Any, distorted: Any, tile: Any, start: int, width: int, first: int, sums: Any) -> None:
    """The ringing map in float32, for the channels of scale 0 whose weights are below 0.001."""
    for i in range(max(0, -first), min(BAND, edges.shape[0] - first)):
        edges1, other, own = edges[first + i], distorted[i], np.uint64(i * TILE)
        for x in range(np.uint64(width)):
            at = np.uint64(start) + x
            edge1, edge2 = edges1[at], abs(other[at] - tile[own + x])
            ringing = max((edge2 - edge1) / (ONE + edge1), ZERO)
            sums[np.uint64(TILE) + x] += np.float64(ringing)
            sums[np.uint64(4 * TILE) + x] += np.float64((ringing * ringing) * (ringing * ringing))
