"""Generated pairs of clips of any geometry, for the tests of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from corekit.features.family import Planes
from corekit.model import Chroma, FrameFormat

Picture = npt.NDArray[Any]  # floating point, in code values of 8 bits, not yet rounded

CONTENTS = ("flat", "gradient", "noise", "text", "dark", "saturated")
DAMAGES = ("none", "one sample", "faint", "coarse", "fade")


def formats(
    smallest: int,
    largest: int,
    *,
    depths: Sequence[int] = (8, 10, 12),
    chromas: Sequence[Chroma] = ("420", "422", "444"),
) -> st.SearchStrategy[FrameFormat]:
    """Frame formats with sides of even length: libvmaf cannot be trusted with the chroma of odd ones."""
    sides = st.integers(smallest // 2, largest // 2).map(lambda half: 2 * half)
    return st.builds(FrameFormat, sides, sides, st.sampled_from(depths), st.sampled_from(chromas))


def generate(fmt: FrameFormat, content: str, damage: str, frames: int, seed: int) -> tuple[list[Planes], list[Planes]]:
    """A moving reference of the given content, and itself damaged; ``seed`` fixes both."""
    rng = np.random.default_rng(seed)
    still = [_draw(shape, content, plane, rng) for plane, shape in enumerate(fmt.shapes)]
    reference, distorted = [], []
    for index in range(frames):
        moved = [np.roll(picture, (index, 2 * index), (0, 1)) for picture in still]
        reference.append(_quantize(moved, fmt))
        distorted.append(_damage(moved, damage, index, fmt, rng))
    return reference, distorted


def _draw(shape: tuple[int, int], content: str, plane: int, rng: np.random.Generator) -> Picture:
    x: Picture
    y: Picture
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    middle = 128.0
    match content:
        case "flat":
            return np.full(shape, (90.0, 118.0, 141.0)[plane])
        case "gradient":
            return 20 + 200 * (x + 2 * y) / (shape[1] + 2 * shape[0]) if plane == 0 else middle + 40 * y / shape[0]
        case "noise":
            return rng.uniform(16, 235, shape)
        case "text":
            strokes = rng.random((-(-shape[0] // 3), -(-shape[1] // 2))) < 0.3
            ink: Picture = np.kron(strokes, np.ones((3, 2)))[: shape[0], : shape[1]]
            return 225 - 200 * ink if plane == 0 else middle + 10 * ink
        case "dark":
            return (18.0 if plane == 0 else middle) + rng.normal(0, 1.5, shape)
        case _:
            return (81.0, 90.0, 240.0)[plane] + rng.normal(0, 6, shape)


def _damage(picture: list[Picture], damage: str, index: int, fmt: FrameFormat, rng: np.random.Generator) -> Planes:
    match damage:
        case "none":
            return _quantize(picture, fmt)
        case "one sample":
            changed = _quantize(picture, fmt)
            changed[0][fmt.height // 2, fmt.width // 3] ^= 1 << (fmt.bit_depth - 4)
            return changed
        case "faint":
            return _quantize([plane + rng.normal(0, 0.7, plane.shape) for plane in picture], fmt)
        case "coarse":
            return _quantize([np.floor(plane / 12) * 12 + 6 for plane in picture], fmt)
        case _:
            return _quantize([plane * (0.9 - 0.1 * index) for plane in picture], fmt)


def _quantize(picture: Sequence[Picture], fmt: FrameFormat) -> Planes:
    scale, peak = 1 << (fmt.bit_depth - 8), (1 << fmt.bit_depth) - 1
    dtype: Any = np.uint8 if fmt.bit_depth == 8 else np.uint16
    y, cb, cr = (np.clip(np.round(plane * scale), 0, peak).astype(dtype) for plane in picture)
    return y, cb, cr
