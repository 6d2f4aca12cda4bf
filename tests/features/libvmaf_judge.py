"""The real libvmaf as a judge: frames from memory in, per-frame values out; nothing of corekit's features is used.

libvmaf runs as a filter of the FFmpeg in the wheel ``imageio-ffmpeg``. It prints six decimals and runs SIMD code,
so hold a feature to 1e-4 where SIMD and scalar paths differ and to 1e-6 where they do not.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from corekit.features.family import Planes
from corekit.model import FrameFormat


def libvmaf_scores(
    reference: Sequence[Planes],
    distorted: Sequence[Planes],
    fmt: FrameFormat,
    features: Sequence[str],
    model: bool = False,
) -> dict[str, list[float | None]]:
    r"""Per-frame values of ``features``, one list per name, by the names that corekit gives them.

    A feature is an extractor of libvmaf with its options, such as ``psnr`` or ``cambi:eotf=pq``; a name in the
    answer carries every option that is not the default (``cambi_eotf_pq``). ``model`` adds ``vmaf`` (v0.6.1) and
    the features that it needs. None stands for an infinite value. Chroma of an odd 4:2:0 frame
    is cut short on its way to libvmaf, so no chroma feature can be judged there.

    Raises ``AssertionError`` with FFmpeg's last words if it fails, or crashes as libvmaf does on frames too small.
    """
    with tempfile.TemporaryDirectory() as folder:
        sides = [Path(folder, "distorted.yuv"), Path(folder, "reference.yuv")]
        for path, frames in zip(sides, (distorted, reference), strict=True):
            _write_raw(path, frames, fmt)
        log = Path(folder, "scores.json")
        command = [_ffmpeg(), "-hide_banner", "-loglevel", "error", "-nostdin"]
        for path in sides:
            command += ["-f", "rawvideo", "-pix_fmt", fmt.pix_fmt, "-s", f"{fmt.width}x{fmt.height}", "-i", str(path)]
        command += ["-lavfi", _filter(features, model, log), "-f", "null", "-"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"ffmpeg exited with {done.returncode}: {done.stderr[-2000:]}"
        frames = json.loads(log.read_text())["frames"]
    return _by_name([frame["metrics"] for frame in frames])


def numbers(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """Values from a log of libvmaf as an array, with inf for None."""
    return np.array([np.inf if value is None else value for value in values])


@cache
def _ffmpeg() -> str:
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def _write_raw(path: Path, frames: Sequence[Planes], fmt: FrameFormat) -> None:
    dtype = np.uint8 if fmt.bit_depth == 8 else np.uint16
    with path.open("wb") as file:
        for planes in frames:
            for plane, shape in zip(planes, fmt.shapes, strict=True):
                assert plane.shape == shape and plane.dtype == dtype, (plane.shape, plane.dtype, shape, dtype)
                file.write(np.ascontiguousarray(plane).tobytes())


def _filter(features: Sequence[str], model: bool, log: Path) -> str:
    parts = [f"log_path={log}", "log_fmt=json", "model=" + ("version=vmaf_v0.6.1" if model else "")]
    if features:
        options = "|".join("name=" + feature.replace(":", r"\\:") for feature in features)
        parts.append(f"feature={options}")
    return "libvmaf=" + ":".join(parts)


def _by_name(frames: Sequence[dict[str, float | None]]) -> dict[str, list[float | None]]:
    keys = dict.fromkeys(key for frame in frames for key in frame)
    return {_name(key): [frame.get(key) for frame in frames] for key in keys}


def _name(key: str) -> str:
    """corekit's name of a key in libvmaf's log: ``integer_adm2`` is ``adm2``, the SAD itself is ``motion``."""
    name = key.removeprefix("VMAF_integer_feature_").removeprefix("integer_").removesuffix("_score")
    return "motion" if name == "motion_sad" else name
