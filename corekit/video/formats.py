"""Pixel formats and colour tags: which of FFmpeg's formats can become planar Y'CbCr without loss, and how."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
from av import VideoFrame
from av.video.plane import VideoPlane
from msgspec import Struct

from corekit.errors import ClipError
from corekit.model import Chroma, FrameFormat
from corekit.planes import Plane, Planes

# Names as ffprobe prints them (libavutil/pixdesc.c), by code point of ITU-T H.273; 2 is "unspecified".
TRANSFERS = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "linear",
    9: "log100",
    10: "log316",
    11: "iec61966-2-4",
    12: "bt1361e",
    13: "iec61966-2-1",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    17: "smpte428",
    18: "arib-std-b67",
}
PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
    10: "smpte428",
    11: "smpte431",
    12: "smpte432",
    22: "ebu3213",
}
MATRICES = {
    0: "gbr",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    11: "smpte2085",
    12: "chroma-derived-nc",
    13: "chroma-derived-c",
    14: "ictcp",
}
Range = Literal["limited", "full", ""]
RANGES: dict[int, Range] = {1: "limited", 2: "full"}


class Layout(Struct, frozen=True):
    """How the samples of one of FFmpeg's pixel formats lie in memory."""

    chroma: Chroma
    bit_depth: int
    packing: Literal["planar", "semiplanar", "yuyv", "uyvy"] = "planar"
    swapped: bool = False
    """Cr stands before Cb."""
    shift: int = 0
    """Unused low bits of each sample."""
    big_endian: bool = False

    def format(self, width: int, height: int) -> FrameFormat:
        """The planar format of frames of this layout and size."""
        return FrameFormat(width, height, self.bit_depth, self.chroma)


_PLANAR = re.compile(r"yuvj?(420|422|444)p(?:(9|10|12|14|16)(le|be))?")
_SEMIPLANAR = {
    "nv12": Layout("420", 8, "semiplanar"),
    "nv21": Layout("420", 8, "semiplanar", swapped=True),
    "nv16": Layout("422", 8, "semiplanar"),
    "nv24": Layout("444", 8, "semiplanar"),
    "nv42": Layout("444", 8, "semiplanar", swapped=True),
    "nv20le": Layout("422", 10, "semiplanar"),
    "nv20be": Layout("422", 10, "semiplanar", big_endian=True),
}
_HIGH_BITS = re.compile(r"p(0|2|4)(10|12|16)(le|be)")
_HIGH_BITS_CHROMA: dict[str, Chroma] = {"0": "420", "2": "422", "4": "444"}
_PACKED = {
    "yuyv422": Layout("422", 8, "yuyv"),
    "yvyu422": Layout("422", 8, "yuyv", swapped=True),
    "uyvy422": Layout("422", 8, "uyvy"),
}


def required_layout(pix_fmt: str, path: Path | str) -> Layout:
    """The layout of ``pix_fmt``. Raises ``ClipError`` of stage ``open``, naming ``path``, where there is none."""
    layout = layout_of(pix_fmt)
    if layout is None:
        raise ClipError(
            "open",
            f"{path}: pixel format {pix_fmt} is not Y'CbCr 4:2:0, 4:2:2 or 4:4:4 of 8 to 16 bits; convert the clip",
        )
    return layout


def layout_of(pix_fmt: str) -> Layout | None:
    """The layout of FFmpeg's format ``pix_fmt``; None unless it is Y'CbCr 4:2:0, 4:2:2 or 4:4:4 of 8 to 16 bits."""
    if match := _PLANAR.fullmatch(pix_fmt):
        chroma, depth, order = match.groups()
        return Layout(chroma, int(depth or 8), big_endian=order == "be")  # type: ignore[arg-type]
    if match := _HIGH_BITS.fullmatch(pix_fmt):
        kind, depth, order = match.groups()
        return Layout(
            _HIGH_BITS_CHROMA[kind], int(depth), "semiplanar", shift=16 - int(depth), big_endian=order == "be"
        )
    return _SEMIPLANAR.get(pix_fmt) or _PACKED.get(pix_fmt)


def unpack(frame: VideoFrame, layout: Layout) -> Planes:
    """The planes of a decoded frame without line padding; where it has none, views of the decoder's own buffer."""
    fmt = layout.format(frame.width, frame.height)
    (rows, columns), (chroma_rows, chroma_columns), _ = fmt.shapes
    if layout.packing == "planar":
        y, cb, cr = (_rows(plane, layout, *shape) for plane, shape in zip(frame.planes, fmt.shapes, strict=True))
    elif layout.packing == "semiplanar":
        y = _rows(frame.planes[0], layout, rows, columns)
        both = _rows(frame.planes[1], layout, chroma_rows, 2 * chroma_columns)
        cb, cr = both[:, 0::2], both[:, 1::2]
    else:
        samples = _rows(frame.planes[0], layout, rows, 4 * chroma_columns)
        luma = 0 if layout.packing == "yuyv" else 1
        y = samples[:, luma::2][:, :columns]
        cb, cr = samples[:, 1 - luma :: 4], samples[:, 3 - luma :: 4]
    if layout.swapped:
        cb, cr = cr, cb
    return contiguous((y, cb, cr))


def fill(frame: VideoFrame, planes: Planes, fmt: FrameFormat) -> None:
    """Write ``planes`` into a frame of that planar format, which must be the only one that holds its buffer."""
    for plane, samples, shape in zip(frame.planes, planes, fmt.shapes, strict=True):
        if samples.shape != shape or samples.itemsize != fmt.bytes_per_sample:
            raise ValueError(f"a plane of {samples.shape} {samples.dtype} is not the {shape} that {fmt.pix_fmt} has")
        buffer = np.frombuffer(plane, dtype=samples.dtype)  # type: ignore[call-overload]
        buffer.reshape(-1, plane.line_size // samples.itemsize)[: shape[0], : shape[1]] = samples


def contiguous(planes: Planes) -> Planes:
    """``planes``, each copied where it is not C-contiguous."""
    y, cb, cr = planes
    return np.ascontiguousarray(y), np.ascontiguousarray(cb), np.ascontiguousarray(cr)  # type: ignore[return-value]


def _rows(plane: VideoPlane, layout: Layout, rows: int, columns: int) -> Plane:
    kind = "u1" if layout.bit_depth == 8 else ">u2" if layout.big_endian else "<u2"
    samples = np.frombuffer(plane, dtype=kind)  # type: ignore[call-overload]
    view = samples.reshape(-1, plane.line_size // samples.itemsize)[:rows, :columns]
    native = view.astype(view.dtype.newbyteorder("="), copy=False)
    return native >> layout.shift if layout.shift else native  # type: ignore[no-any-return]
