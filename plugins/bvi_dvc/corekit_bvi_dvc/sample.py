"""A few small invented sequences in BVI-DVC's real layout: 10-bit H.264 in ``Videos/``, one source in two tiers."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from corekit import FrameFormat, UsageError
from corekit_bvi_dvc.reader import VIDEOS

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[np.uint16]

FRAMES = 16


class _Sequence(Struct, frozen=True):
    """An invented sequence: its tier, source, rate and look."""

    tier: str
    source: str
    framerate: str
    fps_token: int
    seed: int
    speed: int
    """Movement in pixels of tier D per frame."""


_SIZES = {"C": (960, 544), "D": (480, 272)}
_SEQUENCES = (
    _Sequence("C", "HarbourInvented", "25/1", 25, 11, 2),
    _Sequence("D", "HarbourInvented", "25/1", 25, 11, 2),
    _Sequence("D", "ForestInvented", "30000/1001", 29, 23, 5),
    _Sequence("D", "PierInvented", "60/1", 60, 37, 1),
)


def write_sample(root: Path) -> None:
    """Write the sample below ``root``, which is made if it is missing.

    Equal calls write equal bytes with one encoder build. Raises ``UsageError`` where the folder holds anything.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root}: a sample is written into a new or empty folder; name another.")
    (root / VIDEOS).mkdir(parents=True)
    for sequence in _SEQUENCES:
        width, height = _SIZES[sequence.tier]
        name = f"{sequence.tier}{sequence.source}_{width}x{height}_{sequence.fps_token}fps_10bit_420.mp4"
        _write(root / VIDEOS / name, sequence)


def _write(path: Path, sequence: _Sequence) -> None:
    from corekit.video import encode_video

    width, height = _SIZES[sequence.tier]
    fmt = FrameFormat(width=width, height=height, bit_depth=10, chroma="420")
    encode_video(
        path,
        _frames(sequence, fmt),
        fmt,
        framerate=Fraction(sequence.framerate),
        codec="libx264",
        options={"preset": "veryfast", "crf": "14"},
        transfer="bt709",
        primaries="bt709",
        matrix="bt709",
        color_range="limited",
    )


def _frames(sequence: _Sequence, fmt: FrameFormat) -> Iterator[tuple[Plane, Plane, Plane]]:
    """Waves of several scales that run at different speeds, the same picture in every tier."""
    random = np.random.Generator(np.random.PCG64(sequence.seed))
    y, x = np.mgrid[0 : fmt.height, 0 : fmt.width] / fmt.height
    waves = [(2.0**octave, *random.uniform(-1, 1, 2), random.uniform(0, 6)) for octave in range(1, 7)]
    middle, cb, cr = random.integers(400, 620), *random.integers(440, 584, 2)
    for index in range(FRAMES):
        moved = x + sequence.speed * index / 272
        luma = middle + sum(
            (260 / scale**0.6) * np.sin(scale * (6 * a * moved + 6 * b * y) + phase) for scale, a, b, phase in waves
        )
        slope = 40 * y[::2, ::2]
        yield _coded(luma), _coded(cb + slope), _coded(cr - slope)


def _coded(plane: npt.NDArray[np.float64]) -> Plane:
    return np.rint(np.clip(plane, 64, 940)).astype(np.uint16)
