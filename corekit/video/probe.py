"""What the header and the first frame of a video file say: geometry, rate, sample layout and colour."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from struct import unpack as unpack_struct
from typing import BinaryIO, cast

from av import VideoFrame
from av.sidedata.sidedata import SideData
from av.video.stream import VideoStream

from corekit.errors import ClipError
from corekit.model import FrameFormat, Probe, RawVideo
from corekit.video.formats import MATRICES, PRIMARIES, RANGES, TRANSFERS, required_layout
from corekit.video.scale import turned
from corekit.video.source import Source

# Signs of (a, b, c, d) of a display matrix, by clockwise degrees.
_QUARTER_TURNS = {(1, 0, 0, 1): 0, (0, 1, -1, 0): 90, (-1, 0, 0, -1): 180, (0, -1, 1, 0): 270}
_INDEX_ENTRIES_READ = 5000


def probe(path: Path, raw: RawVideo | None = None, *, content: BinaryIO | None = None) -> Probe:
    """Read the header and the first frame of ``path``; ``raw`` describes a headerless ``.yuv`` file.

    ``content`` holds the bytes where ``path`` is no file of its own, as ``VideoReader`` says.

    Raises ``ClipError`` of stage ``open`` where the file is missing, empty, encrypted, no video, or of a pixel format
    that is not Y'CbCr 4:2:0, 4:2:2 or 4:4:4 of 8 to 16 bits.
    """
    with Source(path, raw, content=content) as source:
        return probe_source(source)


def frame_format(probe: Probe) -> FrameFormat:
    """The planar format of a clip's own frames, upright."""
    return required_layout(probe.pix_fmt, "this clip").format(probe.width, probe.height)


def probe_source(source: Source) -> Probe:
    """The probe of an opened file."""
    frame, stream, context = source.first, source.stream, source.stream.codec_context
    rotation = _rotation(source.path, frame)
    pix_fmt = frame.format.name
    layout = required_layout(pix_fmt, source.path)
    if rotation % 180 and layout.chroma == "422":
        raise ClipError(
            "open",
            f"{source.path}: a 4:2:2 picture cannot be turned by {rotation} degrees unresampled; convert the clip",
        )
    fmt = turned(layout.format(frame.width, frame.height), rotation)
    full = pix_fmt.startswith("yuvj")
    return Probe(
        width=fmt.width,
        height=fmt.height,
        pix_fmt=pix_fmt,
        bit_depth=fmt.bit_depth,
        codec=source.codec,
        framerate=f"{source.rate.numerator}/{source.rate.denominator}",
        duration_s=_duration(source),
        n_frames=source.raw_frames if source.raw_frames is not None else stream.frames or None,
        transfer=TRANSFERS.get(context.color_trc) or TRANSFERS.get(frame.color_trc, ""),
        primaries=PRIMARIES.get(context.color_primaries) or PRIMARIES.get(frame.color_primaries, ""),
        matrix=MATRICES.get(context.colorspace) or MATRICES.get(frame.colorspace, ""),
        color_range="full" if full else RANGES.get(context.color_range) or RANGES.get(frame.color_range, ""),
        rotation=rotation,
        variable_rate=_variable_rate(stream),
        size_bytes=source.size_bytes,
    )


def _rotation(path: Path, frame: VideoFrame) -> int:
    """Clockwise degrees to the upright picture, from the display matrix (libavutil/display.h)."""
    data = cast(Mapping[str, SideData], frame.side_data).get("DISPLAYMATRIX")
    if data is None:
        return 0
    a, b, _, c, d, *_ = unpack_struct("=9i", bytes(data))
    degrees = _QUARTER_TURNS.get((_sign(a), _sign(b), _sign(c), _sign(d)))
    if degrees is None:
        raise ClipError(
            "open", f"{path}: its display matrix does more than turn the picture by quarters; convert the clip"
        )
    return degrees


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def _duration(source: Source) -> float:
    """Seconds: of the container, else of the stream, else frames over rate."""
    stream, frames = source.stream, source.raw_frames or source.stream.frames
    if source.container.duration is not None and source.raw_frames is None:
        return source.container.duration / 1_000_000
    if stream.duration is not None and stream.time_base is not None and source.raw_frames is None:
        return float(stream.duration * stream.time_base)
    return float(frames / source.rate) if source.rate else 0.0


def _variable_rate(stream: VideoStream) -> bool:
    """Whether the index shows frame intervals that differ by more than a tick, or base and average rate disagree.

    An interlaced stream has a base rate of two fields to a frame.
    """
    times = [entry.timestamp for entry in stream.index_entries[:_INDEX_ENTRIES_READ]]
    if stream.frames and len(times) > 2 and len(times) >= min(stream.frames, _INDEX_ENTRIES_READ):
        intervals = [after - before for before, after in pairwise(sorted(times))]
        return max(intervals) - min(intervals) > 1
    average, base = stream.average_rate, stream.base_rate
    if not average or not base:
        return False
    ratio = base / average
    return all(abs(ratio - factor) > Fraction(1, 100) * factor for factor in (1, 2))
