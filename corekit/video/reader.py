"""Frames of a video file as planes, in display order: at their own depth, or brought to another clip's format."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from av import FFmpegError, VideoFrame

from corekit.errors import ClipError
from corekit.model import FrameFormat, Probe, RawVideo
from corekit.planes import Planes
from corekit.video.formats import layout_of, required_layout, unpack
from corekit.video.probe import frame_format, probe_source
from corekit.video.scale import Scaler, turn, turned
from corekit.video.scaling import Scales, Unscaled
from corekit.video.source import Source


class VideoReader:
    """A video file, opened, from which each frame can be taken once.

    ``raw`` describes a headerless ``.yuv`` file. ``target`` is the format in which frames are wanted: a frame of
    another geometry, depth or subsampling goes through the one ``Scaler``, a frame that has it already is untouched.
    Without ``target`` frames come in the clip's own format, upright. What ``scales`` takes is left as it is, ``Unscaled``. Interlaced frames are not deinterlaced.
    Decoding is exact and repeatable whatever ``threads`` is. ``content`` holds the bytes of a video that is no file of its
    own, such as an archive's member or an encode in memory: seekable, untouched by others meanwhile, not closed here;
    ``path`` then only names it in messages.

    The planes may be views of the decoder's memory: they stay valid while they are held, and must not be written to.

    Raises ``ClipError``: stage ``open`` on construction (see ``probe``), stage ``decode`` while iterating where a
    frame is damaged or fewer frames come out than the container declares (``completeness`` says what cannot be
    detected).
    """

    def __init__(
        self,
        path: Path,
        *,
        raw: RawVideo | None = None,
        target: FrameFormat | None = None,
        content: BinaryIO | None = None,
        threads: int = 1,
        scales: Scales | None = None,
    ) -> None:
        source = Source(path, raw, content=content, threads=threads)
        try:
            probe = probe_source(source)
            _check_turn(path, probe.rotation, target)
        except BaseException:
            source.close()
            raise
        self._begin(source, probe, target, scales)

    def _begin(self, source: Source, probe: Probe, target: FrameFormat | None, scales: Scales | None) -> None:
        self._source = source
        self.probe = probe
        self.fmt = target or frame_format(probe)
        """Format of the planes that are yielded."""
        self.frames = 0
        """Frames yielded so far."""
        self.remark = ""
        """What else is to be told of how it is read."""
        self._stored = turned(self.fmt, self.probe.rotation)
        self._fixed = target is None
        self._scaler = Scaler()
        self._scales = None if probe.rotation else scales
        self._changed = ""
        self._planes = self._iterate()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; no frame can be read afterwards."""
        self._closed = True
        self._planes.close()
        self._source.close()

    def __iter__(self) -> Iterator[Planes]:
        return self

    def __next__(self) -> Planes:
        if self._closed:
            raise ValueError(f"{self._source.path}: this reader is closed; open another one")
        return next(self._planes)

    @property
    def first(self) -> VideoFrame:
        """The first frame, as it was decoded."""
        return self._source.first

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the frames seen so far; complete after the last one."""
        source, notes = self._source, []
        if spread := source.tally.varying(source.stream.time_base):
            shortest, longest = spread
            notes.append(f"variable frame rate: {shortest:.4f} to {longest:.4f} s between frames, compared by number")
        if source.tally.interlaced:
            notes.append("interlaced frames: not deinterlaced")
        if source.complaints:
            notes.append(f"decoder errors: {source.complaints}, the first: {source.complaint}")
        if self._changed:
            notes.append(self._changed)
        if source.video_streams > 1:
            notes.append(f"{source.video_streams} video streams: stream {source.stream.index} is read")
        if self.remark:
            notes.append(self.remark)
        return tuple(notes)

    def _iterate(self) -> Generator[Planes]:
        for frame in self._source.frames():
            planes = self._upright(frame)
            self.frames += 1
            yield planes

    def _upright(self, frame: VideoFrame) -> Planes:
        if _shape(frame) != _shape(self._source.first):
            self._note_change(frame)
        layout = layout_of(frame.format.name)
        if layout is None or layout.format(frame.width, frame.height) != self._stored:
            scaling = self._scales.of(frame, self._stored) if self._scales else None
            if scaling is not None:
                return Unscaled(unpack(frame, required_layout(frame.format.name, self._source.path)), scaling)
            frame = self._scaled(frame)
            layout = required_layout(frame.format.name, self._source.path)
        return turn(unpack(frame, layout), self.probe.rotation)

    def _scaled(self, frame: VideoFrame) -> VideoFrame:
        try:
            return self._scaler.scale(frame, self._stored)
        except (FFmpegError, ValueError) as error:
            raise ClipError(
                "decode",
                f"{self._source.path}: frame {self.frames} ({_shape(frame)}) cannot be scaled to"
                f" {self._stored.width}x{self._stored.height} {self._stored.pix_fmt}; convert the clip",
            ) from error

    def _note_change(self, frame: VideoFrame) -> None:
        change = f"frame {self.frames} is {_shape(frame)}, the first one {_shape(self._source.first)}"
        if self._fixed:
            raise ClipError("decode", f"{self._source.path}: {change}; cut or convert the clip")
        self._changed = self._changed or f"format change: {change}; all are scaled to one format"


def _shape(frame: VideoFrame) -> str:
    return f"{frame.width}x{frame.height} {frame.format.name}"


def _check_turn(path: Path, rotation: int, target: FrameFormat | None) -> None:
    if rotation % 180 and target is not None and target.chroma == "422":
        raise ClipError(
            "open", f"{path}: a picture turned by {rotation} degrees cannot be brought to 4:2:2; convert the clip"
        )
