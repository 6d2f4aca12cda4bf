"""Procedural HDR pictures for the sample: moving texture, gradients, edges, lettering, skin tones; PQ and BT.2020.

Nothing here is taken from a real video. Colours are given in cd/m2, diffuse white at 203 (ITU-R BT.2408); they are
mixed after the PQ curve (SMPTE ST 2084), where equal steps look equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    import numpy.typing as npt

    Picture = npt.NDArray[np.float64]

WHITE = 203.0


class Scene(Struct, frozen=True, kw_only=True):
    """What is to be seen: every content of the sample has its own."""

    seed: int
    top: tuple[float, float, float]
    """Linear R, G, B in cd/m2 at the upper end of the background gradient."""
    bottom: tuple[float, float, float]
    texture: float
    """Amplitude of the moving texture in PQ units (1.0 is 10,000 cd/m2)."""
    speed: float
    """Movement of the texture in picture widths per frame."""


def planes(scene: Scene, *, width: int, height: int, frames: int) -> Iterator[tuple[Picture, Picture, Picture]]:
    """Yield Y', Cb, Cr of each frame as 10-bit narrow-range values before rounding, chroma halved both ways."""
    texture = _texture(scene.seed, width, height)
    for index in range(frames):
        red, green, blue = _rgb(scene, texture, index)
        luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
        yield 64 + 876 * luma, _chroma((blue - luma) / 1.8814), _chroma((red - luma) / 1.4746)


def shrink(plane: Picture, scale: Fraction) -> Picture:
    """Resample a plane to ``scale`` of its size (at most 1) by the mean over each output sample's area."""
    rows, columns = (int(side * scale) for side in plane.shape)
    fine = plane.repeat(scale.numerator, axis=0).repeat(scale.numerator, axis=1)
    mean: Picture = fine.reshape(rows, scale.denominator, columns, scale.denominator).mean(axis=(1, 3))
    return mean


def _rgb(scene: Scene, texture: Picture, index: int) -> Picture:
    """PQ-coded R'G'B' of shape ``(3, height, width)``, 0 to 1."""
    height, width = texture.shape
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    slope = (y / y.max())[None]
    picture = _pq(scene.top)[:, None, None] * (1 - slope) + _pq(scene.bottom)[:, None, None] * slope
    # The upper part stays smooth: that is where compression makes bands.
    rough = scene.texture * np.clip(3 * slope - 1, 0, 1)
    picture = picture + rough * np.roll(texture, round(index * scene.speed * width), axis=1)
    letters = _lettering(scene.seed, x, y)
    picture = np.where(letters, _pq((WHITE, WHITE, WHITE))[:, None, None], picture)
    face = ((x - 0.32 - 0.004 * index) / 0.10) ** 2 + ((y - 0.30) / 0.14) ** 2
    shade = np.clip(1.15 - 0.35 * face, 0.8, 1.15)
    picture = np.where(face < 1, _pq((110.0, 72.0, 48.0))[:, None, None] * shade, picture)
    lamp = np.hypot(x - 0.45 + 0.006 * index, y - 0.12) < 0.035
    picture = np.where(lamp, _pq((1000.0, 920.0, 700.0))[:, None, None], picture)
    return np.clip(picture, 0.0, 1.0)


def _pq(nits: tuple[float, float, float]) -> Picture:
    """SMPTE ST 2084 inverse EOTF: cd/m2 to 0..1."""
    linear = (np.array(nits) / 10000.0) ** 0.1593017578125
    coded: Picture = ((0.8359375 + 18.8515625 * linear) / (1 + 18.6875 * linear)) ** 78.84375
    return coded


def _texture(seed: int, width: int, height: int) -> Picture:
    """Noise of four octaves, -1 to 1."""
    random = np.random.Generator(np.random.PCG64(seed))
    total = np.zeros((height, width))
    for octave in range(4):
        cell = 4 << octave
        coarse = random.uniform(-1, 1, (-(-height // cell) + 1, -(-width // cell)))
        total += np.kron(coarse, np.ones((cell, cell)))[:height, :width] / 4
    for shift in (1, 2):
        total = (np.roll(total, shift, axis=1) + total + np.roll(total, -shift, axis=1)) / 3
    return total


def _lettering(seed: int, x: Picture, y: Picture) -> npt.NDArray[np.bool_]:
    """Rows of upright strokes, irregular like print."""
    random = np.random.Generator(np.random.PCG64(seed + 1))
    strokes = random.integers(0, 2, (3, 48)).astype(bool)
    row = np.floor((y - 0.44) / 0.03).astype(int)
    inside = (row >= 0) & (row < 3) & ((y - 0.44) % 0.03 < 0.02) & (x > 0.06) & (x < 0.50)
    shown: npt.NDArray[np.bool_] = inside & strokes[np.clip(row, 0, 2), np.clip((x * 96).astype(int), 0, 47)]
    return shown


def _chroma(difference: Picture) -> Picture:
    rows, columns = difference.shape
    halved: Picture = difference.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
    return 512 + 896 * halved
