"""A small invented corpus in KoNViD-1k's real layout: today's file names, stale names in the attributes file."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from corekit import FrameFormat, UsageError
from corekit_konvid.labels import LABEL_FILES, LABEL_FOLDERS, VIDEOS

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[np.uint8]

FRAMES = 24
FORMAT = FrameFormat(width=384, height=216, bit_depth=8, chroma="420")


class _Clip(Struct, frozen=True):
    """An invented clip: its Flickr id, label and look."""

    id: int
    mos: float
    framerate: str
    speed: int
    """Movement of the picture in pixels per frame."""
    grain: int
    """Amplitude of the noise of each frame in code values."""


_CLIPS = (
    _Clip(2900000107, 4.06, "30000/1001", 2, 1),
    _Clip(3200000229, 2.16, "25/1", 5, 6),
    _Clip(4100000353, 3.42, "24/1", 1, 2),
    _Clip(5300000462, 1.58, "30/1", 8, 9),
    _Clip(6400000563, 2.88, "30000/1001", 0, 4),
    _Clip(13291000677, 3.1, "24000/1001", 3, 3),
)


def write_sample(root: Path) -> None:
    """Write the sample below ``root``, which is made if it is missing; the label files come last.

    Equal calls write equal bytes with one encoder build. Raises ``UsageError`` where the folder holds anything.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root}: a sample is written into a new or empty folder; name another.")
    (root / VIDEOS).mkdir(parents=True)
    metadata = root / LABEL_FOLDERS[0]
    metadata.mkdir()
    for clip in _CLIPS:
        _write_clip(root / VIDEOS / f"{clip.id}.mp4", clip)
    mos, attributes = LABEL_FILES
    _write_lines(metadata / mos, ["flickr_id,mos", *(f"{clip.id},{clip.mos}" for clip in _CLIPS)])
    rows = (
        f"{clip.id},{number},{clip.id}_original_centercrop_960x540_8s.mp4,{clip.mos}"
        for number, clip in enumerate(_CLIPS, start=1)
    )
    _write_lines(metadata / attributes, ["flickr_id,no,file_name,MOS", *rows])


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="ascii", newline="\n")


def _write_clip(path: Path, clip: _Clip) -> None:
    from corekit.video import encode_video

    encode_video(
        path,
        _frames(clip),
        FORMAT,
        framerate=Fraction(clip.framerate),
        codec="libx264",
        options={"preset": "veryfast", "crf": "17"},
        transfer="bt709",
        primaries="bt709",
        matrix="bt709",
        color_range="limited",
    )


def _frames(clip: _Clip) -> Iterator[tuple[Plane, Plane, Plane]]:
    """Hills under a sky, seen from a camera that moves sideways, with grain."""
    random = np.random.Generator(np.random.PCG64(clip.id))
    height, width = FORMAT.height, FORMAT.width
    y, x = np.mgrid[0:height, 0:width]
    sky, ground, cb, cr = random.integers(130, 210), random.integers(50, 110), *random.integers(110, 146, 2)
    rough = np.kron(random.uniform(-24, 24, (height // 2, width // 2)), np.ones((2, 2)))
    for index in range(FRAMES):
        place = 2 * np.pi * (x + clip.speed * index) / width
        ridge = height * (0.5 + 0.12 * np.sin(2 * place) + 0.06 * np.sin(7 * place + 1))
        hills = ground + np.roll(rough, -clip.speed * index, axis=1)
        luma = np.where(y < ridge, sky - 40 * y / height, hills)
        luma = luma + clip.grain * random.uniform(-1, 1, luma.shape)
        below = (y > ridge)[::2, ::2]
        yield _coded(luma), _coded(np.where(below, cb, 140.0)), _coded(np.where(below, cr, 120.0))


def _coded(plane: npt.NDArray[np.float64]) -> Plane:
    return np.rint(np.clip(plane, 16, 235)).astype(np.uint8)
