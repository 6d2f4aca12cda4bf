"""A small invented corpus in CHUG's real layout: four contents, seven rungs each, as HEVC in PQ and BT.2020."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from corekit import FrameFormat, UsageError
from corekit.split import unit_hash
from corekit_chug import scene
from corekit_chug.reader import CLIP_FOLDERS, LABEL_FILES

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[np.uint16]

FRAMES = 24
LONG_SIDE, SHORT_SIDE = 384, 216
HEADER = "Video,mos_j,sos_j,ref,name,bitladder,resolution,bitrate,orientation,framerate,content_name,height,width"


class _Rung(Struct, frozen=True):
    name: str
    scale: Fraction
    """Size relative to the reference."""
    crf: int
    mos: float


_RUNGS = (
    _Rung("360p_0.2M_", Fraction(1, 3), 36, 31.0),
    _Rung("1080p_0.5M_", Fraction(1), 41, 40.0),
    _Rung("720p_0.5M_", Fraction(2, 3), 34, 44.0),
    _Rung("720p_2M_", Fraction(2, 3), 26, 53.0),
    _Rung("1080p_1M_", Fraction(1), 31, 56.5),
    _Rung("1080p_3M_", Fraction(1), 26, 61.0),
    _Rung("1080p_ref_", Fraction(1), 10, 61.8),
)
"""In the order of the mean MOS of CHUG's rungs; the reference is hardly above the best encode, and not always."""


class _Content(Struct, frozen=True):
    name: str
    portrait: bool
    framerate: Fraction
    framerate_label: str
    """The rate as the label file writes it."""
    mos_offset: float
    scene: scene.Scene


_CONTENTS = (
    _Content(
        "Files_Jul4_IMG_1204_0_1.mp4", False, Fraction(30), "30.0", 4.0,
        scene.Scene(seed=11, top=(20, 60, 150), bottom=(120, 150, 170), texture=0.05, speed=0.010),
    ),
    _Content(
        "Files_Jul9_IMG_0418_5_6.mp4", True, Fraction(30000, 1001), "29.97", -6.0,
        scene.Scene(seed=12, top=(2, 2, 6), bottom=(30, 22, 14), texture=0.08, speed=0.004),
    ),
    _Content(
        "Files_Jul15_IMG_2020_1_2.mp4", True, Fraction(24), "24.0", 9.0,
        scene.Scene(seed=13, top=(150, 110, 60), bottom=(15, 40, 12), texture=0.06, speed=0.020),
    ),
    _Content(
        "Files_Jul21_PXL_20230721_120000000_0_1.mp4", False, Fraction(60000, 1001), "59.94", -1.0,
        scene.Scene(seed=14, top=(90, 120, 140), bottom=(60, 50, 40), texture=0.10, speed=0.006),
    ),
)  # fmt: skip
"""Under the corpus's own split seed the first and third are train, the second val, the fourth test."""


def write_sample(root: Path) -> None:
    """Write the sample below ``root``, which is made if it is missing; the label file comes last.

    Equal calls write equal bytes with one encoder build. Raises ``UsageError`` where the folder holds anything.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UsageError(f"{root}: a sample is written into a new or empty folder; name another.")
    (root / CLIP_FOLDERS[0]).mkdir(parents=True)
    for content in _CONTENTS:
        _write_ladder(root / CLIP_FOLDERS[0], content)
    rows = sorted((_label(content, rung) for content in _CONTENTS for rung in _RUNGS), key=lambda label: label[0])
    lines = [HEADER, *(row for _, row in rows)]
    (root / LABEL_FILES[0]).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def _write_ladder(folder: Path, content: _Content) -> None:
    from corekit.video import encode_video

    full = _format(content, Fraction(1))
    pristine = list(scene.planes(content.scene, width=full.width, height=full.height, frames=FRAMES))
    for rung in _RUNGS:
        fmt = _format(content, rung.scale)
        encode_video(
            folder / f"{_video_id(content, rung)}.mp4",
            _frames(pristine, rung.scale),
            fmt,
            framerate=content.framerate,
            codec="libx265",
            options={"preset": "superfast", "crf": str(rung.crf)},
            transfer="smpte2084",
            primaries="bt2020",
            matrix="bt2020nc",
            color_range="limited",
        )


def _frames(
    pristine: list[tuple[scene.Picture, scene.Picture, scene.Picture]], scale: Fraction
) -> Iterator[tuple[Plane, Plane, Plane]]:
    for frame in pristine:
        y, cb, cr = (np.rint(scene.shrink(plane, scale)).astype(np.uint16) for plane in frame)
        yield y, cb, cr


def _format(content: _Content, scale: Fraction) -> FrameFormat:
    long, short = int(LONG_SIDE * scale), int(SHORT_SIDE * scale)
    width, height = (short, long) if content.portrait else (long, short)
    return FrameFormat(width=width, height=height, bit_depth=10, chroma="420")


def _video_id(content: _Content, rung: _Rung) -> str:
    return hashlib.blake2s(f"{rung.name}#{content.name}".encode(), digest_size=16).hexdigest()


def _label(content: _Content, rung: _Rung) -> tuple[float, str]:
    """The MOS and the label file's line; both numbers are invented, and scattered by a hash of the name."""
    video = _video_id(content, rung)
    mos = rung.mos + content.mos_offset + 2 * unit_hash(f"mos {video}") - 1
    spread = 1.4 + 3.2 * unit_hash(f"sos {video}")
    fmt = _format(content, rung.scale)
    reference = rung.name == "1080p_ref_"
    resolution, bitrate = ("ref", "ref") if reference else rung.name.rstrip("_").split("_")
    cells = (
        video, mos, spread, int(reference), f"{rung.name}#{content.name}", rung.name, resolution, bitrate,
        "Portrait" if content.portrait else "Landscape", content.framerate_label, content.name, fmt.height, fmt.width,
    )  # fmt: skip
    return mos, ",".join(map(str, cells))
