"""Headerless ``.yuv`` files: what FFmpeg must be told about them, and whether their size can be right."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from corekit.errors import ClipError
from corekit.model import RawVideo
from corekit.video.formats import required_layout


def raw_options(raw: RawVideo) -> dict[str, str]:
    """Options of FFmpeg's ``rawvideo`` demuxer for a file of ``raw``."""
    return {
        "pixel_format": raw.pix_fmt,
        "video_size": f"{raw.width}x{raw.height}",
        "framerate": str(Fraction(raw.framerate)),
    }


def raw_frame_count(path: Path, raw: RawVideo, size: int) -> int:
    """Frames in a raw file of ``size`` bytes; chroma of odd sizes is rounded up, as FFmpeg writes it.

    Raises ``ClipError`` of stage ``open`` for an unknown pixel format and a size that is no whole number of frames.
    """
    layout = required_layout(raw.pix_fmt, path)
    frame_bytes = layout.format(raw.width, raw.height).frame_bytes
    count, rest = divmod(size, frame_bytes)
    if rest:
        raise ClipError(
            "open",
            f"{path}: {size} bytes are not a whole number of {raw.width}x{raw.height} {raw.pix_fmt} frames of"
            f" {frame_bytes} bytes ({rest} bytes are left over); check the geometry or fetch the file again",
        )
    return count
