"""A small invented corpus in KoNViD-150k's real layout: part a extracted, part b in its nested folder, H.264 clips."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from corekit import FrameFormat, UsageError
from corekit_k150k.labels import LABEL_FILES

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[np.uint8]

FRAMES = 24
FORMAT = FrameFormat(width=384, height=216, bit_depth=8, chroma="420")
FOLDERS = {"a": "k150ka_extracted", "b": "k150kb/k150kb"}


class _Clip(Struct, frozen=True):
    """An invented clip: its Flickr id, label and look."""

    id: int
    part: str
    score: float
    framerate: str
    crf: int
    speed: int
    """Movement of the texture in pixels per frame."""
    grain: int
    """Amplitude of the noise of each frame in code values."""
    missing: bool = False


_CLIPS = (
    _Clip(8100000107, "a", 4.2, "30000/1001", 21, 2, 1),
    _Clip(8100000229, "a", 3.6, "25/1", 25, 5, 2),
    _Clip(8100000337, "a", 1.8, "30/1", 43, 1, 8),
    _Clip(8100000451, "a", 2.6, "24/1", 36, 9, 4),
    _Clip(8100000563, "a", 3.0, "30000/1001", 31, 0, 6),
    _Clip(10200000677, "a", 3.4, "25/1", 28, 3, 3, missing=True),
    _Clip(10200000789, "a", 2.2, "30/1", 39, 7, 5),
    _Clip(10200000893, "a", 4.6, "24/1", 18, 1, 0),
    _Clip(8100000911, "b", 3.37, "30/1", 27, 2, 3),
    _Clip(10200001013, "b", 2.08, "25/1", 40, 4, 6),
    _Clip(10200001129, "b", 4.41, "30000/1001", 20, 2, 1),
)


def write_sample(root: Path) -> None:
    """Write the sample below ``root``, which is made if it is missing; the label files come last.

    One labelled clip is left out, as some 2,500 of the real part a are. Equal calls write equal bytes with one encoder
    build. Raises ``UsageError`` where the folder holds anything.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root}: a sample is written into a new or empty folder; name another.")
    for folder in FOLDERS.values():
        (root / folder).mkdir(parents=True)
    for clip in _CLIPS:
        if not clip.missing:
            _write_clip(root / FOLDERS[clip.part] / _name(clip), clip)
    part_a = [f"{_name(clip)},{clip.score}" for clip in _CLIPS if clip.part == "a"]
    part_b = [f"{_name(clip)},{clip.score},{round(clip.score * 0.97, 3)}" for clip in _CLIPS if clip.part == "b"]
    _write_lines(root / LABEL_FILES["a"], ["video_name,video_score", *part_a])
    _write_lines(root / LABEL_FILES["b"], ["video_name,mos,video_score", *part_b])


def _name(clip: _Clip) -> str:
    return f"orig_{clip.id}_540_5s.mp4"


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
        options={"preset": "veryfast", "crf": str(clip.crf)},
        transfer="bt709",
        primaries="bt709",
        matrix="bt709",
        color_range="limited",
    )


def _frames(clip: _Clip) -> Iterator[tuple[Plane, Plane, Plane]]:
    """A sky that fades down to a moving texture, and a bright disk that wanders over it."""
    random = np.random.Generator(np.random.PCG64(clip.id))
    height, width = FORMAT.height, FORMAT.width
    texture = sum(
        np.kron(random.uniform(-1, 1, (-(-height // cell), width // cell)), np.ones((cell, cell)))[:height] * cell
        for cell in (2, 4, 8, 16)
    )
    y, x = np.mgrid[0:height, 0:width]
    sky, ground = random.integers(120, 200), random.integers(50, 110)
    tint = random.uniform(-30, 30, 2)
    for index in range(FRAMES):
        moved = np.roll(texture, clip.speed * index, axis=1) * np.clip(3 * y / height - 1, 0, 1)
        disk = (x - width / 3 - clip.speed * index) ** 2 + (y - height / 3) ** 2 < (height / 9) ** 2
        luma = np.where(disk, 225, sky + (ground - sky) * y / height + moved)
        luma = luma + clip.grain * random.uniform(-1, 1, luma.shape)
        slope = (y[::2, ::2] / height)[None] * tint[:, None, None]
        yield _coded(luma), _coded(128 + slope[0]), _coded(128 + slope[1])


def _coded(plane: npt.NDArray[np.float64]) -> Plane:
    return np.rint(np.clip(plane, 16, 235)).astype(np.uint8)
