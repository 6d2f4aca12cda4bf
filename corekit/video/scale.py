"""The one scaler: brings frames to the geometry, depth and subsampling of the reference; and the turning of planes."""

from __future__ import annotations

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from corekit.model import FrameFormat
from corekit.planes import Planes
from corekit.video.formats import contiguous


class Scaler:
    """libswscale's bicubic filter with no other flag, on one thread.

    4:2:0 chroma is taken and made left-sited (libswscale's default for a frame without explicit siting), not centred
    as by FFmpeg's ``scale`` filter: the luma is the same, the chroma up to 8 steps apart. Values are never
    converted between limited and full range.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def scale(self, frame: VideoFrame, fmt: FrameFormat, *, pix_fmt: str = "") -> VideoFrame:
        """``frame`` in the geometry and sample layout of ``fmt``; ``pix_fmt`` is another name of that layout."""
        return self._reformatter.reformat(
            frame,
            width=fmt.width,
            height=fmt.height,
            format=pix_fmt or fmt.pix_fmt,
            interpolation=Interpolation.BICUBIC,
            threads=1,
        )


def turned(fmt: FrameFormat, rotation: int) -> FrameFormat:
    """``fmt`` with width and height exchanged where ``rotation`` is 90 or 270 degrees."""
    if rotation % 180 == 0:
        return fmt
    return FrameFormat(fmt.height, fmt.width, fmt.bit_depth, fmt.chroma)


def turn(planes: Planes, rotation: int) -> Planes:
    """``planes`` turned clockwise by 0, 90, 180 or 270 degrees, sample by sample."""
    if rotation == 0:
        return planes
    quarters = -rotation // 90
    y, cb, cr = planes
    return contiguous((np.rot90(y, quarters), np.rot90(cb, quarters), np.rot90(cr, quarters)))
