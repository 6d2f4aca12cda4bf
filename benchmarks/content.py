"""Frames to measure on: procedural pictures with the statistics of camera footage, and coded versions of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from corekit.model import FrameFormat
from corekit.video import VideoReader, encode_video

if TYPE_CHECKING:
    from corekit.video import Plane, Planes

Picture = npt.NDArray[np.float32]

FRAMERATE = Fraction(30)
_PAN = (3, 1)  # pixels per frame, across and down
_OCTAVES = 9
_PERSISTENCE = 0.65  # amplitude of an octave of texture against the one below
_GRAIN = 0.004  # standard deviation of the sensor's noise, of full scale


class Clips(Struct, frozen=True):
    """Frames of a reference and of its distorted version, in memory, both of ``fmt``."""

    title: str
    fmt: FrameFormat
    reference: list[Planes]
    distorted: list[Planes]


def generated_clips(fmt: FrameFormat, frames: int, *, seed: int = 1) -> Clips:
    """``frames`` procedural frames, and the same through x264 (8 bits) or x265 (10 bits) at a middling quality."""
    reference = list(scene(fmt, frames, seed=seed))
    codec = "libx264" if fmt.bit_depth == 8 else "libx265"
    with tempfile.TemporaryDirectory(prefix="corekit-benchmark-") as folder:
        path = Path(folder, "distorted.mp4")
        encode(path, reference, fmt, codec=codec, crf=32)
        with VideoReader(path) as reader:
            distorted = [_kept(planes) for planes in reader]
    title = f"{fmt.width}x{fmt.height} {fmt.bit_depth}-bit"
    return Clips(title, fmt, reference, distorted)


def clips_of_files(reference: Path, distorted: Path, frames: int) -> Clips:
    """The first ``frames`` frames of two video files, the distorted one in the reference's format."""
    with VideoReader(reference) as first, VideoReader(distorted, target=first.fmt) as second:
        pairs = list(islice(zip(first, second, strict=False), frames))
        title = f"{first.fmt.width}x{first.fmt.height} {first.fmt.bit_depth}-bit ({distorted.name})"
        return Clips(title, first.fmt, [_kept(pair[0]) for pair in pairs], [_kept(pair[1]) for pair in pairs])


def encode(
    path: Path, frames: Iterable[Planes], fmt: FrameFormat, *, codec: str, crf: int, preset: str = "veryfast"
) -> None:
    """Code frames into ``path``; 10 bits are tagged as PQ and BT.2020, 8 bits as BT.709."""
    hdr = fmt.bit_depth > 8
    encode_video(
        path, frames, fmt, framerate=FRAMERATE, codec=codec, options={"preset": preset, "crf": str(crf)},
        transfer="smpte2084" if hdr else "bt709", primaries="bt2020" if hdr else "bt709",
        matrix="bt2020nc" if hdr else "bt709", color_range="limited",
    )  # fmt: skip


def scene(fmt: FrameFormat, frames: int, *, seed: int) -> Iterator[Planes]:
    """A panned picture: smooth sky, ground of fractal texture, sharp edges that move against it, grain; limited range."""
    random = np.random.default_rng(seed)
    height, width = fmt.height, fmt.width
    across, down = _PAN[0] * frames, _PAN[1] * frames
    luma = _landscape(random, height + down, width + across)
    chroma = [0.12 * (_texture(random, height + down, width + across, octaves=4) - 0.5) for _ in range(2)]
    grain = random.standard_normal((height + 64, width + 64), dtype=np.float32) * np.float32(_GRAIN)
    for index in range(frames):
        y, x = _PAN[1] * index, _PAN[0] * index
        picture = luma[y : y + height, x : x + width].copy()
        _draw_edges(picture, index, seed)
        dy, dx = random.integers(0, 64, 2)
        picture += grain[dy : dy + height, dx : dx + width]
        planes = [_quantised(picture, fmt.bit_depth, 16, 219)]
        for plane, shape in zip(chroma, fmt.shapes[1:], strict=True):
            reduced = _reduced(plane[y : y + height, x : x + width], shape)
            planes.append(_quantised(reduced, fmt.bit_depth, 128, 224))
        yield planes[0], planes[1], planes[2]


def _landscape(random: np.random.Generator, height: int, width: int) -> Picture:
    rows = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None]
    columns = np.linspace(0.0, 1.0, width, dtype=np.float32)[None, :]
    sky = 0.82 - 0.35 * rows - 0.05 * columns
    ground = 0.08 + 0.75 * _texture(random, height, width, octaves=_OCTAVES) ** 1.5
    horizon = 0.45 + 0.12 * (_texture(random, 1, width, octaves=5) - 0.5)
    share = np.clip((rows - horizon) * 60.0, 0.0, 1.0)
    return (sky * (1 - share) + ground * share).astype(np.float32)


def _texture(random: np.random.Generator, height: int, width: int, *, octaves: int) -> Picture:
    """Value noise over ``octaves`` octaves, in ``[0, 1]``."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = 4 << octave
        grid = random.random((min(cells, height) + 1, min(cells, width) + 1), dtype=np.float32)
        total += _stretched(grid, height, width) * _PERSISTENCE**octave
    total -= total.min()
    total /= total.max()
    return total


def _stretched(grid: Picture, height: int, width: int) -> Picture:
    """``grid`` brought to a size by bilinear interpolation."""
    y, x = np.linspace(0, grid.shape[0] - 1.001, height), np.linspace(0, grid.shape[1] - 1.001, width)
    top, left = y.astype(int), x.astype(int)
    v, u = (y - top).astype(np.float32)[:, None], (x - left).astype(np.float32)[None, :]
    wide = grid[:, left] * (1 - u) + grid[:, left + 1] * u
    stretched: Picture = wide[top] * (1 - v) + wide[top + 1] * v
    return stretched


def _draw_edges(picture: Picture, index: int, seed: int) -> None:
    """Blocks and a striped board that move across the picture."""
    height, width = picture.shape
    for number in range(4):
        side = height // (6 + 2 * number)
        x = (seed * 131 + number * width // 4 + (5 + 3 * number) * index) % (width - side)
        y = (seed * 57 + number * height // 5 + 2 * index) % (height - side)
        picture[y : y + side, x : x + side] = 0.1 + 0.2 * number
    board = picture[height // 2 : height // 2 + height // 8, width // 3 : width // 3 + width // 6]
    stripes = (np.arange(board.shape[1]) + 2 * index) // 7 % 2
    board[:] = np.where(stripes, 0.75, 0.2).astype(np.float32)


def _reduced(plane: Picture, shape: tuple[int, int]) -> Picture:
    return plane[:: plane.shape[0] // shape[0], :: plane.shape[1] // shape[1]][: shape[0], : shape[1]]


def _quantised(picture: Picture, bit_depth: int, foot: int, span: int) -> Plane:
    scale = 1 << (bit_depth - 8)
    levels = np.rint(picture * np.float32(span * scale) + np.float32(foot * scale))
    low, high = (16 * scale, 240 * scale)
    clipped: Picture = np.clip(levels, low, high)
    return clipped.astype(np.uint8) if bit_depth == 8 else clipped.astype(np.uint16)


def _kept(planes: Planes) -> Planes:
    y, cb, cr = planes
    return y.copy(), cb.copy(), cr.copy()
