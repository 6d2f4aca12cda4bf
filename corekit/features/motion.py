"""motion, motion2, motion3: how much the reference changes from one frame to the next.

Luma is blurred by a 5-tap Gaussian in both directions, in fixed point, and the sum of absolute differences of
successive blurred frames is divided by the number of pixels: the mean change of a pixel in 8-bit code values, 0 to 256.

- ``motion`` of a frame is its distance to the frame before; that of the first frame is 0.
- ``motion2`` is the lesser of this frame's motion and the next one's, so that a lone scene cut does not count.
- ``motion3`` is motion2 with the first frame given the second one's motion instead of 0.

Source: libvmaf/src/feature/integer_motion.c (Netflix, BSD-2-Clause-Patent). There are two definitions. Since libvmaf 3.2
the difference of the frames is blurred; up to 3.1 each frame was blurred and rounded by itself, and the score
rounded to float32, which moves motion by up to 1e-4. libvmaf up to 3.1 has no motion3: here it follows the same rule.

Exactness: equal to scalar libvmaf to the last bit; all integer arithmetic.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from corekit.features._jit import kernel
from corekit.features.family import FeatureFamily, Planes, Values
from corekit.model import FrameFormat

Definition = Literal["3.2", "3.1"]

# The Gaussian of integer_motion.h, in units of 2**-16; symmetric about its third tap.
_EDGE, _SIDE, _CENTRE = np.int32(3571), np.int32(16004), np.int32(26386)
_RADIUS = 2
_TAPS = 2 * _RADIUS + 1


class Motion(FeatureFamily):
    """Motion of the reference, computed once per frame for all rungs: a rung's own frames play no part.

    ``definition`` is the oldest libvmaf that computes the same numbers, "3.2", or the newest of those before, "3.1".
    Keeps one luma plane: 1 or 2 bytes a pixel at 8 or more bits ("3.1": always 2).
    """

    names = ("motion", "motion2", "motion3")

    def __init__(self, fmt: FrameFormat, rungs: int = 1, *, definition: Definition = "3.2") -> None:
        self._fmt = fmt
        self._definition = definition
        stored = np.uint8 if definition == "3.2" and fmt.bit_depth == 8 else np.uint16
        self._previous: Any = np.zeros(fmt.shapes[0], stored)
        self._ring = np.zeros((_TAPS, fmt.width), np.int32)
        self._row = np.zeros(fmt.width + 2 * _RADIUS, np.int32)
        self._started = False
        self._motion = 0.0

    def reference(self, planes: Planes) -> None:
        sad_kernel = _difference_sad if self._definition == "3.2" else _blurred_sad
        sad = sad_kernel(
            planes[0], self._previous, self._ring, self._row, self._fmt.width, self._fmt.height, self._fmt.bit_depth
        )
        self._motion = self._mean(sad) if self._started else 0.0
        self._started = True

    def compare(self, rung: int, planes: Planes, out: Values) -> None:
        out[:] = self._motion

    def finish(self, rung: int, frames: Values) -> None:
        motion, motion2, motion3 = frames.T
        np.minimum(motion[:-1], motion[1:], out=motion2[:-1])
        motion2[-1:] = motion[-1:]
        motion3[:] = motion2
        motion3[:1] = motion[1:2] if len(motion) > 1 else 0.0

    def _mean(self, sad: int) -> float:
        pixels = self._fmt.width * self._fmt.height
        if self._definition == "3.2":
            return sad / 256.0 / pixels
        return float(np.float32(sad / 256.0) / np.float32(pixels))


@kernel()
def _difference_sad(current: Any, previous: Any, ring: Any, row: Any, width: int, height: int, depth: int) -> Any:
    """Sum of ``|blur(previous - current)|`` in units of 1/256; overwrites ``previous`` with ``current``.

    ``ring`` has room for five rows of differences and ``row`` for one with its margins.
    """
    sad = np.int64(0)
    for y in range(-_RADIUS, height):
        below = y + _RADIUS
        if below < height:
            _load_difference(current[below], previous[below], ring[below % _TAPS])
        if y < 0:
            continue
        bits = _blur_columns(ring, row[_RADIUS : _RADIUS + width], y, height, depth)
        if bits != 0:
            _mirror_ends(row, width)
            sad += _row_sad(row, width, bits < 1 << 15)
    return sad


@kernel()
def _blurred_sad(current: Any, previous: Any, ring: Any, row: Any, width: int, height: int, depth: int) -> Any:
    """Sum of ``|previous - blur(current)|`` in units of 1/256; overwrites ``previous`` with ``blur(current)``."""
    sad = np.int64(0)
    for y in range(-_RADIUS, height):
        below = y + _RADIUS
        if below < height:
            _load(current[below], ring[below % _TAPS])
        if y >= 0:
            _blur_columns(ring, row[_RADIUS : _RADIUS + width], y, height, depth)
            _mirror_ends(row, width)
            sad += _row_sad_against(row, previous[y])
    return sad


@kernel(inline=True)
def _load_difference(current: Any, previous: Any, out: Any) -> None:
    for x in range(len(current)):
        sample = current[x]
        out[x] = np.int32(previous[x]) - np.int32(sample)
        previous[x] = sample


@kernel(inline=True)
def _load(current: Any, out: Any) -> None:
    for x in range(len(current)):
        out[x] = np.int32(current[x])


@kernel(inline=True)
def _blur_columns(ring: Any, out: Any, y: int, height: int, depth: int) -> Any:
    """Blur the rows around ``y``, reflected about the first and the last, to 1/256 of an 8-bit code value.

    Returns the bits in use: less than 2**15 if every value written is less than that in size.
    """
    last = height - 1
    rows = (
        ring[abs(y - 2) % _TAPS],
        ring[abs(y - 1) % _TAPS],
        ring[y % _TAPS],
        ring[(last - abs(last - y - 1)) % _TAPS],
        ring[(last - abs(last - y - 2)) % _TAPS],
    )
    # A shift by a literal stays in 32-bit lanes.
    if depth == 8:
        return _blur_rows(rows, out, 8)
    if depth == 10:
        return _blur_rows(rows, out, 10)
    if depth < 16:
        return _blur_rows(rows, out, depth)
    return _blur_rows_wide(rows, out)


@kernel(inline=True)
def _blur_rows(rows: Any, out: Any, shift: int) -> Any:
    a, b, c, d, e = rows
    half = np.int32(1 << (shift - 1))
    bits = np.int32(0)
    for x in range(len(out)):
        value = np.int32(np.int32(_weigh(a[x], b[x], c[x], d[x], e[x]) + half) >> shift)
        out[x] = value
        bits |= _magnitude(value)
    return bits


@kernel(inline=True)
def _blur_rows_wide(rows: Any, out: Any) -> Any:
    a, b, c, d, e = rows
    bits = np.int32(0)
    for x in range(len(out)):
        value = _weighted_mean(a[x], b[x], c[x], d[x], e[x])
        out[x] = value
        bits |= _magnitude(value)
    return bits


@kernel(inline=True)
def _mirror_ends(row: Any, width: int) -> None:
    """Fill the margins by reflection about the first and the last sample."""
    for k in range(1, _RADIUS + 1):
        row[_RADIUS - k] = row[_RADIUS + k]
        row[_RADIUS + width - 1 + k] = row[_RADIUS + width - 1 - k]


@kernel(inline=True)
def _row_sad(row: Any, width: int, narrow: bool) -> Any:
    total = np.uint32(0)
    if narrow:
        for x in range(width):
            blurred = _narrow_mean(row[x], row[x + 1], row[x + 2], row[x + 3], row[x + 4])
            total = np.uint32(total + np.uint32(abs(blurred)))
    else:
        for x in range(width):
            blurred = _weighted_mean(row[x], row[x + 1], row[x + 2], row[x + 3], row[x + 4])
            total = np.uint32(total + np.uint32(abs(blurred)))
    return np.int64(total)


@kernel(inline=True)
def _row_sad_against(row: Any, previous: Any) -> Any:
    total = np.uint32(0)
    for x in range(len(previous)):
        blurred = _weighted_mean(row[x], row[x + 1], row[x + 2], row[x + 3], row[x + 4])
        total = np.uint32(total + np.uint32(abs(np.int32(np.int32(previous[x]) - blurred))))
        previous[x] = blurred
    return np.int64(total)


@kernel(inline=True)
def _weigh(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """The five samples by the Gaussian's taps, in units of 2**-16. Fits int32 if the samples are below 2**15."""
    return np.int32(_EDGE * np.int32(a + e) + _SIDE * np.int32(b + d) + _CENTRE * c)


@kernel(inline=True)
def _narrow_mean(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """The weighted mean of five samples below 2**15 in size, rounded, in int32."""
    return np.int32(np.int32(_weigh(a, b, c, d, e) + np.int32(1 << 15)) >> 16)


@kernel(inline=True)
def _weighted_mean(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """The weighted mean of five samples below 2**16 in size, rounded, in int32.

    The sum in units of 2**-16 needs 33 bits: the samples' halves and lowest bits are summed apart.
    """
    one = np.int32(1)
    halves = _weigh(np.int32(a >> 1), np.int32(b >> 1), np.int32(c >> 1), np.int32(d >> 1), np.int32(e >> 1))
    bits = _weigh(np.int32(a & one), np.int32(b & one), np.int32(c & one), np.int32(d & one), np.int32(e & one))
    return np.int32(np.int32(halves + np.int32(np.int32(bits + np.int32(1 << 15)) >> 1)) >> 15)


@kernel(inline=True)
def _magnitude(value: Any) -> Any:
    """``value``, or its complement if it is negative."""
    return np.int32(value ^ np.int32(value >> 31))
