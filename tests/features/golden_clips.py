"""Clips of the shared test data with libvmaf's values for every frame."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from corekit.features.family import FeatureFamily, Planes
from corekit.model import FrameFormat
from tests.shared_data import SHARED

CLIP_PAIRS = (
    "bbb_576x324_420_8",
    "bikes_640x272_420_10",
    "carphone_176x144_420_8",
    "ident_bbb_576x324_420_8",
    "sparks_480x270_420_10",
    "src01_160x90_420_8",
)


class GoldenPair(NamedTuple):
    """Frames of both sides, values by feature (None is infinite), and cambi under PQ where the clip is HDR."""

    fmt: FrameFormat
    reference: list[Planes]
    distorted: list[Planes]
    features: dict[str, list[float | None]]
    features_hdr: dict[str, list[float | None]]


@cache
def clip_pair(name: str, n_frames: int = 12) -> GoldenPair:
    """One of ``CLIP_PAIRS``."""
    golden = json.loads((SHARED / f"clips/golden/{name}.json").read_text())
    return _pair(golden, SHARED / "clips" / golden["ref"], SHARED / "clips" / golden["dis"], n_frames)


@cache
def corpus_pairs(corpus: str, n_frames: int = 12) -> tuple[GoldenPair, ...]:
    """The pairs of ``chug``, ``k150k`` (a clip and itself) or ``netflix`` (1080p)."""
    truth = json.loads((SHARED / "TRUTH.json").read_text())
    root = SHARED / "corpora" / corpus
    pairs = []
    for golden in truth["golden"]:
        if golden["corpus"] != corpus:
            continue
        if corpus == "chug":
            first, second = (root / f"CHUG_Videos/{golden[side]}.mp4" for side in ("ref", "dis"))
        elif corpus == "k150k":
            first = second = root / "k150ka_extracted" / golden["clip"]
        else:
            first, second = ((root / "packed" / golden[side]).with_suffix(".mkv") for side in ("ref", "dis"))
        pairs.append(_pair(golden, first, second, n_frames))
    return tuple(pairs)


def run(
    family: FeatureFamily, reference: list[Planes], distorted: list[Planes]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values of one rung, shape ``(n_frames, len(names))``."""
    values = np.full((len(distorted), len(family.names)), np.nan)
    for i, (first, second) in enumerate(zip(reference, distorted, strict=True)):
        family.reference(first)
        family.compare(0, second, values[i])
    family.finish(0, values)
    return values


def _pair(golden: dict[str, Any], reference: Path, distorted: Path, n_frames: int) -> GoldenPair:
    depth = 10 if golden["pix_fmt"].endswith("10le") else 8
    fmt = FrameFormat(golden["width"], golden["height"], depth, "420")
    sides = _decode(reference, fmt, n_frames), _decode(distorted, fmt, n_frames)
    return GoldenPair(fmt, sides[0], sides[1], golden["features"], golden.get("features_hdr", {}))


def _decode(path: Path, fmt: FrameFormat, n_frames: int) -> list[Planes]:
    frames: list[Planes] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if (frame.width, frame.height) != (fmt.width, fmt.height):
                frame = VideoReformatter().reformat(
                    frame, fmt.width, fmt.height, fmt.pix_fmt, interpolation=Interpolation.BICUBIC, threads=1
                )
            y, cb, cr = (_plane(plane, fmt) for plane in frame.planes)
            frames.append((y, cb, cr))
            if len(frames) == n_frames:
                break
    return frames


def _plane(plane: Any, fmt: FrameFormat) -> Any:
    samples = np.frombuffer(plane, np.uint8 if fmt.bit_depth == 8 else np.uint16)
    return np.ascontiguousarray(samples.reshape(plane.height, -1)[:, : plane.width])
