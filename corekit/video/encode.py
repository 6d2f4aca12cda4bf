"""Encoding of planes to a file: synthetic distortions and the samples of a corpus; equal input gives equal bytes."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Literal

import av
from av import FFmpegError, VideoFrame
from av.codec import Codec
from av.codec.context import CodecContext
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from corekit.errors import ClipError, UsageError
from corekit.model import FrameFormat, Probe
from corekit.planes import Planes
from corekit.video.formats import MATRICES, PRIMARIES, RANGES, TRANSFERS, fill

_UNSPECIFIED = 2
# The encoders' own parameters. libx264's AVX-512 macroblock tree reads memory that nobody wrote, so that a few encodes
# in a hundred differ; its portable one does not. libx265 takes its threads and its chatter from here alone.
_MOST_CRF = {"libx264": 51, "libx265": 51, "libsvtav1": 63, "libaom-av1": 63, "libvpx-vp9": 63}
_OWN_PARAMS = {
    "libx264": ("x264-params", {"cpu-independent": "1"}),
    "libx265": ("x265-params", {"log-level": "none", "pools": "none", "frame-threads": "1"}),
}
_BANNERS = (rb"x264 - core (\d+(?: r\d+\w*)?)", rb"x265 \(build \d+\) - ([\w.+-]+)")


class _Tags:
    """Code points of the colour tags, checked."""

    def __init__(self, transfer: str, primaries: str, matrix: str, color_range: str) -> None:
        self.color_trc = _code(TRANSFERS, transfer, "transfer")
        self.color_primaries = _code(PRIMARIES, primaries, "primaries")
        self.colorspace = _code(MATRICES, matrix, "matrix")
        self.color_range = _code(RANGES, color_range, "range", unspecified=0)

    def apply(self, to: VideoCodecContext | VideoFrame) -> None:
        to.color_trc = self.color_trc
        to.color_primaries = self.color_primaries
        to.colorspace = self.colorspace
        to.color_range = self.color_range


def encode_video(
    path: Path,
    frames: Iterable[Planes],
    fmt: FrameFormat,
    *,
    framerate: Fraction,
    codec: str,
    options: Mapping[str, str],
    transfer: str = "",
    primaries: str = "",
    matrix: str = "",
    color_range: Literal["limited", "full", ""] = "",
    rotation: int = 0,
) -> None:
    """Encode ``frames`` of ``fmt`` to ``path``; its suffix chooses the container.

    ``codec`` and ``options`` are an FFmpeg encoder and its options, such as ``libx264`` with ``{"crf": "35"}``. The
    colour tags are FFmpeg's names, empty for unspecified. ``rotation`` is written as the display matrix: clockwise
    degrees by which a player turns the frames, which are stored as given. One thread, no time stamp, no random
    identifier: the same frames give the same bytes. The file appears under its name when it is whole.

    Raises ``UsageError`` for an unknown encoder, option or tag, ``ClipError`` of stage ``worker`` where encoding fails.
    """
    tags = _Tags(transfer, primaries, matrix, color_range)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        with _reporting(str(path), codec, fmt):
            _encode(str(partial.absolute()), None, frames, fmt, framerate, codec, options, tags, rotation)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def encode_in_memory(
    name: str,
    frames: Iterable[Planes],
    fmt: FrameFormat,
    *,
    framerate: Fraction,
    codec: str,
    options: Mapping[str, str],
    colour: Probe,
) -> io.BytesIO:
    """Encode as ``encode_video`` does, with the colour tags of a probed clip, to an MP4 that never touches a disk.

    ``name`` is what messages call it.
    """
    tags = _Tags(colour.transfer, colour.primaries, colour.matrix, colour.color_range)
    content = io.BytesIO()
    with _reporting(name, codec, fmt):
        _encode(content, "mp4", frames, fmt, framerate, codec, options, tags, 0)
    content.seek(0)
    return content


def recipe_options(codec: str, *, preset: str, crf: int, extra_params: str) -> dict[str, str]:
    """Options of ``codec`` for a preset, a constant rate factor and its own parameters, ``key=value`` joined by colons.

    Raises ``UsageError`` where the encoder takes no such factor or no parameters of its own, or is not in this build of PyAV.
    """
    if crf > (most := _MOST_CRF.get(codec, crf)):  # x264 would take its largest without a word
        raise UsageError(f"the encoder {codec} takes a crf of 0 to {most}, not {crf}; give it such a one")
    options = {"preset": preset, "crf": str(crf)}
    if extra_params:
        if codec not in _OWN_PARAMS:
            names = " and ".join(_OWN_PARAMS)
            raise UsageError(
                f"extra parameters ({extra_params}) are known of {names} alone, not of {codec}; leave them out"
            )
        options[_OWN_PARAMS[codec][0]] = extra_params
    _check_encoder(codec, options)
    return options


def own_params(codec: str, options: Mapping[str, str]) -> str:
    """The encoder's own parameters in force with ``options``: those given, and those that make it repeatable."""
    return _with_own_params(codec, options)[_OWN_PARAMS[codec][0]] if codec in _OWN_PARAMS else ""


def codec_of(encoder: str) -> str:
    """FFmpeg's name of the format that an encoder writes, ``h264`` of libx264; ``unknown`` where this build lacks it."""
    try:
        return Codec(encoder, "w").canonical_name
    except ValueError:
        return "unknown"


@contextmanager
def _reporting(name: str, codec: str, fmt: FrameFormat) -> Iterator[None]:
    try:
        yield
    except (FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ClipError(
            "worker", f"{name}: encoding with {codec} failed ({reason}); check its options and the format {fmt.pix_fmt}"
        ) from error


def _encode(
    target: str | BinaryIO,
    kind: str | None,
    frames: Iterable[Planes],
    fmt: FrameFormat,
    framerate: Fraction,
    codec: str,
    options: Mapping[str, str],
    tags: _Tags,
    rotation: int,
) -> None:
    _check_encoder(codec, options)
    with av.open(target, "w", format=kind, container_options={"fflags": "+bitexact"}) as container:
        stream = _add_stream(container, fmt, framerate, codec, options)
        tags.apply(stream.codec_context)
        if rotation:
            stream.set_display_rotation(-rotation)
        _write(container, stream, frames, fmt, tags)


def encoder_version(codec: str, options: Mapping[str, str] | None = None, pix_fmt: str = "yuv420p") -> str:
    """Version of the encoder ``codec``: what it writes of itself into a stream, else that of libavcodec.

    One small frame of ``pix_fmt`` is encoded with ``options`` for it. Raises ``UsageError`` where PyAV's build has no such
    encoder, or the encoder does not take them.
    """
    options = options or {}
    _check_encoder(codec, options)
    context = CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    try:
        context.width, context.height, context.pix_fmt, context.time_base = 64, 64, pix_fmt, Fraction(1, 25)
        context.thread_count = 1
        context.options = _with_own_params(codec, options)
        frame = VideoFrame(64, 64, pix_fmt)
        frame.pts = 0
        stream = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    except (FFmpegError, ValueError) as error:
        given = ", ".join(f"{name}={value}" for name, value in options.items())
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"the encoder {codec} does not take {given} with {pix_fmt} ({reason}); correct them"
        ) from error
    for banner in _BANNERS:
        if match := re.search(banner, stream):
            return match[1].decode("ascii")
    return "Lavc" + ".".join(map(str, av.library_versions["libavcodec"]))


def _add_stream(
    container: OutputContainer, fmt: FrameFormat, framerate: Fraction, codec: str, options: Mapping[str, str]
) -> VideoStream:
    stream = container.add_stream(codec, rate=framerate, options=_with_own_params(codec, options))
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = fmt.width, fmt.height, fmt.pix_fmt
    stream.codec_context.thread_count = 1
    return stream


def _write(
    container: OutputContainer, stream: VideoStream, frames: Iterable[Planes], fmt: FrameFormat, tags: _Tags
) -> None:
    count = 0
    rate = stream.codec_context.framerate
    for count, planes in enumerate(frames, start=1):
        frame = VideoFrame(fmt.width, fmt.height, fmt.pix_fmt)
        fill(frame, planes, fmt)
        tags.apply(frame)
        frame.pts, frame.time_base = count - 1, 1 / rate
        container.mux(stream.encode(frame))
    if count == 0:
        raise ValueError("no frames were given")
    container.mux(stream.encode(None))


def _check_encoder(codec: str, options: Mapping[str, str]) -> None:
    try:
        supported = CodecContext.create(Codec(codec, "w"), "w").supported_options
    except (ValueError, FFmpegError) as error:
        raise UsageError(f"the encoder {codec!r} is not in this build of PyAV; choose another encoder") from error
    known = {option.name for option in (*supported.generic, *supported.private)}
    if unknown := sorted(set(options) - known):
        names = ", ".join(map(repr, unknown))
        raise UsageError(f"the encoder {codec} has no option {names}; see `ffmpeg -h encoder={codec}`")


def _with_own_params(codec: str, options: Mapping[str, str]) -> dict[str, str]:
    if codec not in _OWN_PARAMS:
        return dict(options)
    name, ours = _OWN_PARAMS[codec]
    given = dict(item.partition("=")[::2] for item in options.get(name, "").split(":") if item)
    params = ":".join(f"{key}={value}" if value else key for key, value in (ours | given).items())
    return {**options, name: params}


def _code(names: Mapping[int, str], name: str, what: str, *, unspecified: int = _UNSPECIFIED) -> int:
    if not name:
        return unspecified
    for code, known in names.items():
        if known == name:
            return code
    raise UsageError(f"the colour {what} {name!r} is unknown; take one of {', '.join(names.values())}")
