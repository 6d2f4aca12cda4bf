"""What the one scaler does to the frames of a clip, measured on itself: so that a GPU can do the same.

libswscale's filters are weighted sums of integers down to its roundings. Their weights are read off from how it scales single bright
samples, and depend on properties of the frame that cannot be asked for (where chroma samples lie). How it rounds is a matter of
depth, processor and version; whoever scales by these weights proves it on the sample.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from av import FFmpegError, VideoFrame

from corekit.model import Chroma, FrameFormat
from corekit.planes import Plane, Planes
from corekit.video.formats import fill, layout_of, required_layout, unpack
from corekit.video.scale import Scaler

ACROSS_BITS, DOWN_BITS = 14, 12
"""Fixed-point bits of the weights along the rows and down the columns; what is summed along a row is kept to 15 bits."""
_MOST_BITS = 14
"""Depth up to which samples between the two passes have 15 bits."""
_ONE = 1 << 15
"""A bright sample of 16 bits: times a weight and shifted by 15 it is that weight."""
_GREY = 1 << 12
"""What dark samples are in 15 bits, for weights below zero."""
_SMALL = 48
_KEPT = 64
"""Scalings that a process remembers, some 100 kB each."""

Integers = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Taps:
    """One direction of a plane's filter."""

    start: Integers
    """First input sample of each output sample, shape ``(n_out,)``."""
    weights: Integers
    """Of that sample and those that follow, shape ``(n_out, n_taps)``."""


@dataclass(frozen=True)
class PlaneTaps:
    """The filter of a plane: along the rows (14 bits), then down the columns (12 bits)."""

    across: Taps
    down: Taps


@dataclass(frozen=True, eq=False)
class Scaling:
    """From one format to another, for frames of one kind."""

    key: Hashable
    """Equal where the filters are."""
    source: FrameFormat
    target: FrameFormat
    luma: PlaneTaps
    chroma: PlaneTaps
    digest: bytes
    """Of what the scaler makes of the sample."""

    def sample(self) -> Planes:
        """A frame of noise in the source's format, half of its samples the darkest or the brightest."""
        return _noise(self.source)

    def is_right(self, scaled: Planes) -> bool:
        """Whether ``scaled`` is what the scaler makes of the sample, to the last bit."""
        return _digest(scaled) == self.digest


class Unscaled(tuple[Plane, Plane, Plane]):
    """A frame still in its clip's format, for a backend that scales frames itself."""

    scaling: Scaling

    def __new__(cls, planes: Planes, scaling: Scaling) -> Self:
        frame = super().__new__(cls, planes)
        frame.scaling = scaling
        return frame


class Scales:
    """Which frames of a clip are left to a backend that scales them itself.

    ``trusted`` is asked of each scaling: whether what the backend makes of its sample is right.
    """

    def __init__(self, trusted: Callable[[Scaling], bool]) -> None:
        self._trusted = trusted
        self._known: dict[tuple[str, FrameFormat, FrameFormat], Scaling | None] = {}

    def of(self, frame: VideoFrame, target: FrameFormat) -> Scaling | None:
        """How a frame of the clip is to be scaled; None where it is the CPU's."""
        layout = layout_of(frame.format.name)
        # Fields of an interlaced frame are scaled each on its own.
        if layout is None or layout.packing != "planar" or layout.big_endian or frame.interlaced_frame:
            return None
        source = layout.format(frame.width, frame.height)
        key = frame.format.name, source, target
        if key not in self._known:
            scaling = scaling_of(frame, source, target)
            self._known[key] = scaling if scaling is not None and self._trusted(scaling) else None
        return self._known[key]


_lock = threading.Lock()
_measured: OrderedDict[Hashable, Scaling | None] = OrderedDict()


def scaling_of(frame: VideoFrame, source: FrameFormat, target: FrameFormat) -> Scaling | None:
    """How a frame of format ``source``, and what is like it, is scaled; None where that is not so simple. Any thread may ask."""
    if not is_filtered(source, target):
        return None
    try:
        key = source, target, frame.format.name, _properties(frame, source)
        with _lock:
            if key not in _measured:
                _measured[key] = measure(frame, source, target)
            _measured.move_to_end(key)
            while len(_measured) > _KEPT:
                _measured.popitem(last=False)
            return _measured[key]
    except (FFmpegError, ValueError):  # whoever scales the frame itself will meet it again, and say so
        return None


def is_filtered(source: FrameFormat, target: FrameFormat) -> bool:
    """Whether scaling is the two passes of weighted sums, as long as the frame is progressive."""
    deep_enough = target.bit_depth == 8 == source.bit_depth or 8 < target.bit_depth <= _MOST_BITS
    return (
        source.chroma == target.chroma
        and (source.width, source.height) != (target.width, target.height)
        and source.bit_depth <= _MOST_BITS
        and deep_enough
    )


def measure(frame: VideoFrame, source: FrameFormat, target: FrameFormat) -> Scaling | None:
    """Measure the scaling of frames that have the properties of ``frame``; None where the scaler's answers are no such filter."""
    across = _taps(frame, source.width, target.width, source.chroma, axis=1)
    down = _taps(frame, source.height, target.height, source.chroma, axis=0)
    if across is None or down is None:
        return None
    luma, chroma = (PlaneTaps(across[plane], down[plane]) for plane in (0, 1))
    scaled = _scaled(frame, _noise(source), source, target, pix_fmt=frame.format.name)
    key = (
        source,
        target,
        frame.format.name,
        _digest([array for taps in (*across, *down) for array in (taps.start, taps.weights)]),
    )
    return Scaling(key, source, target, luma, chroma, _digest(scaled))


def _noise(fmt: FrameFormat) -> Planes:
    """A frame of which half the samples are the darkest or the brightest: sums that go out of bounds are among theirs."""
    random, top = np.random.default_rng(16), (1 << fmt.bit_depth) - 1
    dtype: Any = np.uint8 if fmt.bit_depth == 8 else np.uint16
    y, cb, cr = (random.integers(-top // 2, top + top // 2, shape).clip(0, top).astype(dtype) for shape in fmt.shapes)
    return y, cb, cr


def _scaled(
    frame: VideoFrame, planes: Planes, source: FrameFormat, target: FrameFormat, *, pix_fmt: str = ""
) -> Planes:
    """What the scaler makes of ``planes`` in a frame that has the properties of ``frame``."""
    small = FrameFormat(_SMALL + 2 * (frame.width == _SMALL), _SMALL, 16, source.chroma)
    # Its properties go with a frame where it is scaled; and what is scaled is a copy, which can be written to.
    carrier = Scaler().scale(Scaler().scale(frame, small), source, pix_fmt=pix_fmt)
    fill(carrier, planes, source)
    scaled = Scaler().scale(carrier, target)
    return unpack(scaled, required_layout(scaled.format.name, "a scaled frame"))


def _properties(frame: VideoFrame, source: FrameFormat) -> bytes:
    """A digest that tells frames apart that are scaled differently."""
    small, large = FrameFormat(32, 32, 14, source.chroma), FrameFormat(40, 44, 14, source.chroma)
    return _digest(_scaled(frame, _noise(small), small, large))


def _digest(arrays: Iterable[npt.NDArray[Any]]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(array.tobytes())
    return digest.digest()


def _taps(frame: VideoFrame, n_in: int, n_out: int, chroma: Chroma, *, axis: int) -> tuple[Taps, Taps] | None:
    """The filters of luma and chroma in one direction, the other one left as it is; None where they are none of the kind."""
    bits = ACROSS_BITS if axis == 1 else DOWN_BITS
    # Bright samples so far apart that no sum has two.
    apart = 16 * max(1, -(-n_in // n_out))
    lanes = 2 * apart

    def fmt(n: int, depth: int) -> FrameFormat:
        return FrameFormat(n, lanes, depth, chroma) if axis == 1 else FrameFormat(lanes, n, depth, chroma)

    source, target = fmt(n_in, 16), fmt(n_out, 14)
    if n_in == n_out:
        return tuple(_identity(shape[axis], bits) for shape in source.shapes[:2])  # type: ignore[return-value]
    answers = []
    for grey in (_GREY, _GREY + 1):
        planes = [_impulses(shape, axis, apart, 2 * grey) for shape in source.shapes]
        answers.append(_scaled(frame, (planes[0], planes[1], planes[2]), source, target))
    found = []
    for even, odd, before, after in zip(*answers, source.shapes, target.shapes, strict=True):
        one, other = (plane.astype(np.int64) if axis == 1 else plane.T.astype(np.int64) for plane in (even, odd))
        once = one - _GREY // 2
        # Along the rows 15 bits are rounded to 14: half the weight rounded up, and half the weight rounded down.
        weights = once + (other - _GREY // 2 - 1) if axis == 1 else once // 2
        taps = _gathered(weights, before[axis], after[axis], apart, bits)
        if taps is None:
            return None
        found.append(taps)
    return found[0], found[1]


def _impulses(shape: tuple[int, int], axis: int, apart: int, dark: int) -> npt.NDArray[np.uint16]:
    """Lanes along ``axis`` with every ``apart``-th sample bright, each other ones."""
    n, lanes = shape[axis], shape[1 - axis]
    samples = np.full((lanes, n), dark, np.uint16)
    phase = np.arange(lanes) * apart // lanes
    samples[np.arange(n)[None, :] % apart == phase[:, None]] += _ONE
    return samples if axis == 1 else np.ascontiguousarray(samples.T)


def _gathered(weights: npt.NDArray[np.int64], n_in: int, n_out: int, apart: int, bits: int) -> Taps | None:
    """Weights by lane and output as weights by output and input: each is the bright sample's that is nearest."""
    lanes = weights.shape[0] // apart
    weights = weights[::lanes]
    phase = np.arange(apart)
    centre = (np.arange(n_out) + 0.5) * n_in / n_out - 0.5
    at = (np.round((centre[:, None] - phase) / apart) * apart + phase).astype(np.int64)
    order = np.argsort(at, axis=1)
    at, found = np.take_along_axis(at, order, 1), np.take_along_axis(weights.T, order, 1)
    used = found != 0
    if not used.any(1).all() or (used & ((at < 0) | (at >= n_in))).any():
        return None
    first = at[np.arange(n_out), used.argmax(1)]
    last = at[np.arange(n_out), apart - 1 - used[:, ::-1].argmax(1)]
    n_taps = int((last - first).max()) + 1
    start = np.minimum(first, n_in - n_taps)
    if n_taps >= apart or start.min() < 0:
        return None
    columns = at - start[:, None]
    inside = (columns >= 0) & (columns < n_taps)
    taps = np.zeros((n_out, n_taps), np.int32)
    rows = np.broadcast_to(np.arange(n_out)[:, None], columns.shape)
    taps[rows[inside], columns[inside]] = found[inside]
    if (taps.sum(1) != 1 << bits).any():
        return None
    return Taps(start.astype(np.int32), taps)


def _identity(n: int, bits: int) -> Taps:
    return Taps(np.arange(n, dtype=np.int32), np.full((n, 1), 1 << bits, np.int32))
