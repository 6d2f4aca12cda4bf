"""What the headers of a few clips tell before a run starts: how long it will take, how much it will write."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from msgspec import Struct

from corekit.driver.corpus import Corpus
from corekit.driver.options import RunOptions
from corekit.driver.tasks import Task
from corekit.errors import ClipError
from corekit.model import FrameFormat
from corekit.schema import INFORMATIVE

_SAMPLE = 8
_PIXELS_1080P = 1920 * 1080
_ROW_BYTES = 1500
_LEDGER_BYTES = 5000

# Milliseconds per 1080p frame and core: decoding two clips, encoding one, and each family by backend (docs/performance.md).
_DECODE_MS = 9.0
_ENCODE_MS = 40.0
_COST_MS = {
    "cpu": {
        "adm": 10.0, "vif": 34.0, "motion": 1.8, "psnr": 0.9, "float_ssim": 3.9, "float_ms_ssim": 42.0, "psnr_hvs": 16.0,
        "ciede": 57.0, "cambi": 6.3, "ssimulacra2": 97.0, "speed_temporal": 3.0, "speed_chroma": 1.5, "vmaf": 0.1,
    },
    "libvmaf": {
        "adm": 13.0, "vif": 36.0, "motion": 3.6, "psnr": 1.3, "float_ssim": 25.0, "float_ms_ssim": 295.0, "psnr_hvs": 50.0,
        "ciede": 1150.0, "cambi": 20.0, "speed_temporal": 20.0, "speed_chroma": 8.0, "vmaf": 0.1,
    },
}  # fmt: skip
_DEFAULT = "cpu"


class Estimate(Struct, frozen=True, kw_only=True):
    """A guess from the headers of a few clips; null where none could be read."""

    seconds: float | None
    table_bytes: int
    state_bytes: int
    sampled_clips: int


def estimate(corpus: Corpus, tasks: Sequence[Task], options: RunOptions, features: Sequence[str]) -> Estimate:
    """Guess from the headers of at most eight clips spread over the plan."""
    frames: list[float] = []
    pixels: list[float] = []
    for task in tasks[:: max(1, len(tasks) // _SAMPLE)][:_SAMPLE]:
        source = task.reference or task.clip
        try:
            header = corpus.places.probe(source)
        except ClipError:
            continue
        count = header.n_frames or header.duration_s * header.fps
        frames.append(count)
        pixels.append(count * header.width * header.height)
    mean_frames = sum(frames) / len(frames) if frames else 0.0
    milliseconds = [
        sum(pixels) / len(pixels) / _PIXELS_1080P * _milliseconds_per_frame(task, options, features) for task in tasks
    ] if pixels else []  # fmt: skip
    frame_bytes = int(mean_frames * 8 * len(features)) if options.frames else 0
    return Estimate(
        seconds=round(sum(milliseconds) / 1000 / options.workers, 1) if frames or not tasks else None,
        table_bytes=len(tasks) * (_ROW_BYTES + frame_bytes),
        state_bytes=len(tasks) * (_LEDGER_BYTES + frame_bytes),
        sampled_clips=len(frames),
    )


def first_format(corpus: Corpus, tasks: Sequence[Task]) -> FrameFormat | None:
    """The frame format of the first task whose header can be read."""
    from corekit.video import frame_format

    for task in tasks[:_SAMPLE]:
        source = task.reference or task.clip
        with contextlib.suppress(ClipError):
            return frame_format(corpus.places.probe(source))
    return None


def _milliseconds_per_frame(task: Task, options: RunOptions, features: Sequence[str]) -> float:
    alone = task.reference is None and options.identity != "compute"
    families = {_family(feature) for feature in features if not alone or feature in INFORMATIVE}
    fixed = (_DECODE_MS if features else 0.0) + (_ENCODE_MS if features and task.encode else 0.0)
    costs = _COST_MS.get(options.backend, _COST_MS[_DEFAULT])
    return fixed + sum(costs.get(family, 0.0) for family in families)


def _family(feature: str) -> str:
    for prefix in ("adm", "vif", "motion", "psnr_hvs", "psnr", "ciede", "speed_chroma"):
        if feature.startswith(prefix):
            return prefix
    return feature
