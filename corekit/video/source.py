"""An opened video file: its one video stream, its first frame and every frame after it, or the reason why not."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from fractions import Fraction
from os import SEEK_END
from pathlib import Path
from stat import S_ISREG
from types import TracebackType
from typing import BinaryIO, Self

import av
from av import FFmpegError, Packet, VideoFrame
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from corekit.errors import ClipError
from corekit.model import RawVideo
from corekit.video.completeness import Tally, check_complete
from corekit.video.formats import required_layout
from corekit.video.log import Report, listen
from corekit.video.raw import raw_frame_count, raw_options

# Playlists and scripts (hls, concat, ...) could make a file name other files or hosts: only true containers are opened.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,mxf,nut,ivf,ogg,dv,gxf,"
    "h264,hevc,vvc,obu,yuv4mpegpipe"
)
_MOST_RATE = 2000
_CHECKSUMMED = frozenset({"ffv1"})


class Source:
    """A video file opened for one pass from its first frame to its last.

    ``content`` holds its bytes where ``path`` is no file of its own (an archive's member, an encode in memory) and then only
    names it in messages; it must be seekable, nobody else may move it meanwhile, and it is not closed here. ``hardware`` decodes on
    a device and leaves the frames there.

    Raises ``ClipError`` of stage ``open`` where the file is missing or empty, or holds no video that can be decoded
    to planar Y'CbCr.
    """

    def __init__(
        self,
        path: Path,
        raw: RawVideo | None = None,
        *,
        content: BinaryIO | None = None,
        threads: int = 1,
        hardware: HWAccel | None = None,
    ) -> None:
        self.path = path
        self._content = content
        self.size_bytes = _size(path, content)
        self.raw_frames = raw_frame_count(path, raw, self.size_bytes) if raw else None
        self.hardware = hardware
        self.container = _open(path, raw, content, hardware)
        try:
            self.stream = _video_stream(path, self.container)
            self.declared_frames = self._declared_frames()
            self.tally = Tally()
            self.complaints = 0
            """Errors that the decoder logged and yet gave a frame that it takes for sound."""
            self.complaint = ""
            self._frames = self._decode(threads)
            self.first = self._first_frame()
        except BaseException:
            self.container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; no frame can be read afterwards."""
        self._frames.close()
        self.container.close()

    def _declared_frames(self) -> int | None:
        """Packets of the whole file; the index of an MP4 or AVI leaves out what an edit list or empty chunk hides."""
        if self.raw_frames is not None:
            return self.raw_frames
        return min(self.stream.frames, len(self.stream.index_entries) or self.stream.frames) or None

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec, whichever decoder serves it."""
        return self.stream.codec.canonical_name

    @property
    def rate(self) -> Fraction:
        """Average frames per second, exact; 0 where unknown. A raw DV file averages over the ticks of its clock."""
        average = self.stream.average_rate
        if average and average > _MOST_RATE:
            return self.stream.guessed_rate or Fraction(0)
        return average or self.stream.guessed_rate or Fraction(0)

    @property
    def video_streams(self) -> int:
        """Video streams of the file that are not cover pictures."""
        return len(_moving_pictures(self.container))

    @contextmanager
    def content(self) -> Iterator[BinaryIO]:
        """The bytes of the file, from their beginning."""
        if self._content is None:
            with self.path.open("rb") as file:
                yield file
        else:
            place = self._content.tell()
            self._content.seek(0)
            yield self._content
            self._content.seek(place)

    def frames(self) -> Iterator[VideoFrame]:
        """Every frame in display order. Raises ``ClipError`` of stage ``decode`` where one is damaged or missing."""
        yield self.first
        yield from self._frames
        check_complete(self)

    def _first_frame(self) -> VideoFrame:
        try:
            frame = next(self._frames, None)
        except ClipError as error:
            raise ClipError("open", str(error)) from error
        if frame is None:
            raise ClipError("open", f"{self.path}: no frame of its video can be decoded; fetch the file again")
        if self.hardware is None:
            required_layout(frame.format.name, self.path)
        return frame

    def _decode(self, threads: int) -> Generator[VideoFrame]:
        context = self.stream.codec_context
        context.thread_count = threads
        context.options = {"err_detect": "explode"}
        packets = self.container.demux(self.stream)
        while True:
            try:
                with listen(active=threads == 1) as reports:
                    packet = next(packets, None)
                    frames = self._frames_of(packet) if packet is not None else []
            except FFmpegError as error:
                raise self._damaged(_reason(error)) from error
            if packet is None:
                return
            self._heed(reports)
            for frame in frames:
                if frame.is_corrupt:
                    raise self._damaged("the decoder met errors in it")
                self.tally.frame(frame)
                yield frame

    def _frames_of(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        if packet.has_sidedata("encryption_init_info") or packet.has_sidedata("encryption_info"):
            raise ClipError("open", f"{self.path}: its video is encrypted (DRM); get a clear copy")
        if packet.is_corrupt:
            raise self._damaged("its data end early")
        self.tally.packet(packet)
        try:
            return packet.decode()
        except FFmpegError:
            if self.tally.after_open_cut:
                return []
            raise

    def _heed(self, reports: list[Report]) -> None:
        """Fail on an error from the demuxer, or from a decoder that checks sums but flags no frame; count others."""
        for who, message in reports:
            if who == self.container.format.name or who in _CHECKSUMMED:
                raise self._damaged(message)
            self.complaint = self.complaint or message
            self.complaints += 1

    def _damaged(self, reason: str) -> ClipError:
        return ClipError(
            "decode",
            f"{self.path}: decoding failed at frame {self.tally.frames} ({reason});"
            " the file is damaged or cut short, fetch it again",
        )


def _size(path: Path, content: BinaryIO | None) -> int:
    size = _size_on_disk(path) if content is None else content.seek(0, SEEK_END)
    if size == 0:
        raise ClipError("open", f"{path}: the file is empty; fetch it again")
    return size


def _size_on_disk(path: Path) -> int:
    try:
        status = path.stat()
    except OSError as error:
        raise ClipError("open", f"{path}: the file cannot be opened ({error.strerror}); check the path") from error
    if not S_ISREG(status.st_mode):
        raise ClipError("open", f"{path}: this is not a regular file; name a video file")
    return status.st_size


def _open(path: Path, raw: RawVideo | None, content: BinaryIO | None, hardware: HWAccel | None) -> InputContainer:
    if raw is None and path.suffix.lower() == ".yuv":
        raise ClipError(
            "open",
            f"{path}: a .yuv file does not say what it holds; its corpus must give size, pix_fmt and frame rate",
        )
    kind = "rawvideo" if raw else None
    options = {"protocol_whitelist": "file", "format_whitelist": "rawvideo" if raw else _CONTAINERS}
    options |= raw_options(raw) if raw else {}
    try:
        with listen() as reports:
            # An absolute path cannot be taken for a protocol name.
            place: str | BinaryIO = str(path.absolute())
            if content is not None:
                content.seek(0)
                place = content
            container = av.open(
                place, "r", format=kind, container_options=options, metadata_errors="replace", hwaccel=hardware
            )
    except (FFmpegError, ValueError) as error:
        if isinstance(error, av.ArgumentError):  # what a format that is not on the list gets
            raise ClipError(
                "open",
                f"{path}: this is no video file that can be read (a picture, sound, a list or a format that is not supported);"
                " check that it is the right file",
            ) from error
        reason = _reason(error) if isinstance(error, FFmpegError) else "unknown format"
        raise ClipError("open", f"{path}: this is no video file that can be read ({reason}); fetch it again") from error
    for who, message in reports:
        # Matroska is read past its header while it is opened, and goes on behind a gap.
        if who == container.format.name and "matroska" in who:
            container.close()
            raise ClipError("open", f"{path}: its structure is damaged ({message}); fetch it again")
    return container


def _moving_pictures(container: InputContainer) -> list[VideoStream]:
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    candidates = _moving_pictures(container)
    if not candidates:
        raise ClipError("open", f"{path}: the file holds no video stream; check that it is the right file")
    best = container.streams.best("video")
    stream = best if best in candidates else candidates[0]
    assert isinstance(stream, VideoStream)
    if stream.codec_context is None:
        raise ClipError("open", f"{path}: no decoder is known for its video stream; convert it")
    return stream


def _reason(error: FFmpegError) -> str:
    return (error.strerror or type(error).__name__).rstrip(".").lower()
