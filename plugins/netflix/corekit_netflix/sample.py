"""A small invented corpus in the Netflix Public layout: raw references and distorted clips, and their label file.

The clips are smaller than the real 1920x1080, and the label file says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from corekit import UsageError
from corekit_netflix.info import LABEL_FILE
from corekit_netflix.reader import DISTORTED, REFERENCES

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[np.uint8]

WIDTH, HEIGHT, FRAMES = 384, 216, 8


class _Content(Struct, frozen=True):
    name: str
    fps: int
    seed: int
    speed: int
    """Movement of the texture in pixels per frame."""
    dmos_offset: float


class _Encode(Struct, frozen=True):
    expert: str
    height: int
    kbps: int
    shrink: int
    """Side of the squares of samples that become one."""
    step: int
    """Distance of the code values that are left."""
    dmos: float


_CONTENTS = (
    _Content("PaperKites", 25, 21, 3, 0.0),
    _Content("GlassRoof", 30, 22, 6, -6.25),
    _Content("TramTower", 24, 23, 1, 4.5),
)
_ENCODES = (
    _Encode("05", 288, 375, 4, 12, 22.5),
    _Encode("50", 480, 1050, 2, 6, 58.75),
    _Encode("90", 1080, 4300, 1, 3, 97.5),
)
_HEAD = f"""dataset_name = 'corekit_sample'
yuv_fmt = 'yuv420p'
width = {WIDTH}
height = {HEIGHT}

ref_dir = '[path to dataset videos]/ref'
dis_dir = '[path to dataset videos]/dis'
"""


def write_sample(root: Path) -> None:
    """Write the sample below ``root``, which is made if it is missing; the label file comes last.

    Equal calls write equal bytes. Raises ``UsageError`` where the folder holds anything.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root}: a sample is written into a new or empty folder; name another.")
    for folder in (REFERENCES, DISTORTED):
        (root / folder).mkdir(parents=True)
    for content in _CONTENTS:
        frames = list(_frames(content))
        _write(root / REFERENCES / _reference_name(content), frames)
        for encode in _ENCODES:
            path = root / DISTORTED / _encode_name(content, encode)
            _write(path, [[_coarse(plane, encode) for plane in planes] for planes in frames])
    (root / LABEL_FILE).write_text(_label_file(), encoding="ascii", newline="\n")


def _reference_name(content: _Content) -> str:
    return f"{content.name}_{content.fps}fps.yuv"


def _encode_name(content: _Content, encode: _Encode) -> str:
    return f"{content.name}_{encode.expert}_{encode.height}_{encode.kbps}.yuv"


def _write(path: Path, frames: list[list[Plane]]) -> None:
    path.write_bytes(b"".join(plane.tobytes() for planes in frames for plane in planes))


def _frames(content: _Content) -> Iterator[list[Plane]]:
    """A sky that fades down to a moving texture, with a bright bar that wanders over it."""
    random = np.random.Generator(np.random.PCG64(content.seed))
    texture = sum(
        np.kron(random.uniform(-1, 1, (-(-HEIGHT // cell), WIDTH // cell)), np.ones((cell, cell)))[:HEIGHT] * cell
        for cell in (2, 4, 8, 16)
    )
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    tint = random.uniform(-30, 30, 2)
    for index in range(FRAMES):
        moved = np.roll(texture, content.speed * index, axis=1) * np.clip(3 * y / HEIGHT - 1, 0, 1)
        bar = np.abs(x + y - WIDTH / 2 - content.speed * index) < 6
        luma = np.where(bar, 225, 180 - 100 * y / HEIGHT + moved)
        slope = y[::2, ::2] / HEIGHT
        yield [_coded(luma), _coded(128 + tint[0] * slope), _coded(128 + tint[1] * slope)]


def _coded(plane: npt.NDArray[np.float64]) -> Plane:
    return np.rint(np.clip(plane, 16, 235)).astype(np.uint8)


def _coarse(plane: Plane, encode: _Encode) -> Plane:
    """The plane with fewer samples and fewer code values, by exact arithmetic: equal bytes on every machine."""
    rows, columns = plane.shape
    side = encode.shrink if rows % encode.shrink == 0 else encode.shrink // 2
    squares = plane.reshape(rows // side, side, columns // side, side).mean(axis=(1, 3))
    left = np.clip(np.rint(squares / encode.step) * encode.step, 16, 235).astype(np.uint8)
    large: Plane = left.repeat(side, axis=0).repeat(side, axis=1)
    return large


def _label_file() -> str:
    references = [
        f" {{'content_id': {number},\n  'content_name': '{content.name}',\n"
        f"  'path': ref_dir + '/{_reference_name(content)}'}}"
        for number, content in enumerate(_CONTENTS)
    ]
    rated = [(number, dmos, path) for number, content in enumerate(_CONTENTS) for dmos, path in _rated_of(content)]
    distorted = [
        f" {{'asset_id': {asset},\n  'content_id': {number},\n  'dmos': {dmos},\n  'path': {path},\n }}"
        for asset, (number, dmos, path) in enumerate(rated)
    ]
    return f"{_HEAD}\n{_listed('ref_videos', references)}\n{_listed('dis_videos', distorted)}"


def _listed(name: str, entries: list[str]) -> str:
    joined = ",\n".join(entries)
    return f"{name} = [\n{joined}\n]\n"


def _rated_of(content: _Content) -> Iterator[tuple[float, str]]:
    yield 100.0, f"ref_dir + '/{_reference_name(content)}'"
    for encode in _ENCODES:
        yield encode.dmos + content.dmos_offset, f"dis_dir + '/{_encode_name(content, encode)}'"
