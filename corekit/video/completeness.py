"""Whether all frames that a container declares have come out of it: counts, spans of time, and the size of the file.

What cannot be told: a transport stream, an elementary stream, an Ogg, FLV or WMV file or a fragmented MP4 that ends between two
frames declares nothing that is missing; a flipped bit that still decodes (only FFV1 carries checksums by default) gives a
wrong picture without an error; a damaged index of an MP4 that still parses may declare fewer frames than there were.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from av import Packet, VideoFrame
from av.video.stream import VideoStream

from corekit.errors import ClipError
from corekit.video.structure import unfinished_box, unfinished_riff, unfinished_segment

if TYPE_CHECKING:
    from corekit.video.source import Source

# Codecs of which each packet holds exactly one shown frame (VP8 and MPEG-4 part 2 hide some).
_ONE_FRAME_PER_PACKET = frozenset(
    {"h264", "hevc", "vvc", "av1", "vp9", "ffv1", "prores", "dnxhd", "mjpeg", "mpeg2video", "rawvideo"}
)

_ORDERED = ("mp4", "matroska")
"""Formats that give every picture a time of its own; others leave it to be guessed, or jump where they were joined."""


class Tally:
    """What has been read of a stream so far."""

    def __init__(self) -> None:
        self.packets = 0
        self.frames = 0
        self.expected = 0
        """Frames that the packets read so far must give, once one has come out.

        Pictures shown before the first key frame (leading pictures where a cut went through an open GOP) have no references and
        are not counted.
        """
        self.interlaced = False
        self.first_pts: int | None = None
        """Display time from which frames are expected, in ticks: that of the first key frame, or of what came out before it."""
        self.disordered = False
        """Whether a frame came out after one that is shown later."""
        self.end: Fraction | None = None
        """End of the last packet in seconds."""
        self.shortest: Fraction | None = None
        """Shortest and longest interval between the display times of successive frames, seconds."""
        self.longest: Fraction | None = None
        self.end_byte = 0
        """Position in the file behind the last packet, where the format gives positions."""
        self._last: Fraction | None = None
        self._first_key: int | None = None
        self._leading = (False, False)
        self._before_first: list[int] = []

    def packet(self, packet: Packet[VideoStream]) -> None:
        """Count one packet; the empty one that drains the decoder is none."""
        if packet.size == 0:
            return
        self.packets += 1
        self.end_byte = max(self.end_byte, (packet.pos or 0) + packet.size)
        if packet.is_keyframe and self._first_key is None:
            self._first_key = packet.pts
        self._leading = (self._leading[1], self._is_leading(packet.pts))
        if packet.pts is not None:
            if not packet.is_discard:
                self._expect(packet.pts)
            end = (packet.pts + (packet.duration or 0)) * packet.time_base
            self.end = end if self.end is None else max(self.end, end)

    def frame(self, frame: VideoFrame) -> None:
        """Count one decoded frame."""
        if self.frames == 0:
            self.first_pts = frame.pts
            if frame.pts is not None and self._first_key is not None:
                self.first_pts = min(frame.pts, self._first_key)
            for pts in self._before_first:
                self._expect(pts)
        self.frames += 1
        self.interlaced |= frame.interlaced_frame
        if frame.pts is None or frame.time_base is None:
            return
        now = frame.pts * frame.time_base
        if self._last is not None:
            interval = now - self._last
            self.disordered |= interval < 0
            self.shortest = interval if self.shortest is None else min(self.shortest, interval)
            self.longest = interval if self.longest is None else max(self.longest, interval)
        self._last = now

    def _expect(self, pts: int) -> None:
        if self.first_pts is not None:
            self.expected += pts >= self.first_pts
        elif self.frames == 0:
            self._before_first.append(pts)

    def _is_leading(self, pts: int | None) -> bool:
        # A cut Matroska file gives such packets no display time.
        return self._first_key is not None and self.frames == 0 and (pts is None or pts < self._first_key)

    @property
    def after_open_cut(self) -> bool:
        """Whether the last packet, or the one before it, is shown before the first key frame.

        Where a cut went through an open GOP such a picture has lost its references; its error may show one packet late.
        """
        return any(self._leading)

    def varying(self, tick: Fraction | None) -> tuple[float, float] | None:
        """Extreme intervals, seconds, where they differ by more than the ``tick`` of the stream's clock."""
        if self.shortest is None or self.longest is None or self.longest - self.shortest <= (tick or 0):
            return None
        if self.shortest <= 0:  # an AVI stores no display times
            return None
        return float(self.shortest), float(self.longest)


def check_complete(source: Source) -> None:
    """Raise ``ClipError`` of stage ``decode`` where ``source``, read to its end, gave less than it declares."""
    tally = source.tally
    declared = source.declared_frames
    if declared is not None and tally.packets < declared:
        raise _short(source, f"{declared} frames are declared and {tally.packets} are there")
    if tally.frames < tally.expected and not tally.interlaced and source.codec in _ONE_FRAME_PER_PACKET:
        raise _short(source, f"{tally.expected} frames are stored and {tally.frames} could be decoded")
    if tally.disordered and any(name in source.container.format.name for name in _ORDERED):
        raise ClipError(
            "decode",
            f"{source.path}: its frames come out in another order than they are shown; it is damaged, fetch it again",
        )
    duration = declared_duration(source.stream, source.container.duration, len(source.container.streams))
    if duration is not None and tally.end is not None and tally.end + _slack(source) < duration:
        raise _short(source, f"{float(duration):.3f} s are declared and {float(tally.end):.3f} s are there")
    if left := _left_over(source):
        raise _short(source, left)


def declared_duration(stream: VideoStream, container_duration: int | None, n_streams: int) -> Fraction | None:
    """Seconds that a Matroska or WebM header gives to the video stream, or None where it does not say."""
    assert stream.container is not None
    if "matroska" not in stream.container.format.name:
        return None
    tag = stream.metadata.get("DURATION") or stream.metadata.get("DURATION-eng")
    if tag:
        return _clock(tag)
    if n_streams == 1 and container_duration is not None:
        return Fraction(container_duration, 1_000_000)
    return None


def _left_over(source: Source) -> str | None:
    """What shows that the file stops inside something, in formats that declare neither frames nor a duration."""
    name = source.container.format.name
    if name == "yuv4mpegpipe" and source.tally.end_byte < source.size_bytes:
        return f"{source.size_bytes - source.tally.end_byte} bytes of an unfinished frame are left over"
    check = None
    if source.declared_frames is None and "mp4" in name:
        check = unfinished_box
    elif name == "avi":
        check = unfinished_riff
    elif "matroska" in name:
        check = unfinished_segment
    if check is None:
        return None
    with source.content() as file:
        return check(file, source.size_bytes)


def _clock(text: str) -> Fraction | None:
    try:
        hours, minutes, seconds = text.strip("\0 ").split(":")
        return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
    except ValueError:
        return None


def _slack(source: Source) -> Fraction:
    """Rounding of a millisecond clock, and the last frame's own duration where the container does not give it."""
    rate = source.rate
    return Fraction(2, 1000) + (Fraction(1, 2) / rate if rate else source.tally.longest or Fraction(0))


def _short(source: Source, what: str) -> ClipError:
    return ClipError(
        "decode",
        f"{source.path}: the video ends early after frame {source.tally.frames - 1} ({what});"
        " the file is damaged or cut short, fetch it again",
    )
