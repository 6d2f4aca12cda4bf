"""Read libvmaf's JSON logs: whatever generation of key names, to the features of the locked order."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from corekit.schema import FEATURES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_OLD_NAMES = {
    "VMAF_integer_feature_motion_sad_score": "motion",
    "VMAF_integer_feature_motion_v2_sad_score": "motion",
    "cambi_eotf_pq": "cambi",
    "ciede": "ciede2000",
    "ms_ssim": "float_ms_ssim",
    "ssim": "float_ssim",
}
_KNOWN = frozenset(FEATURES)
MOTION_3_2_KEY = "VMAF_integer_feature_motion_sad_score"
"""Only libvmaf >= 3.2 writes it: the sign of its definition of motion."""


class LibvmafLog:
    """Per-frame features of one log: name to float64 array of shape ``(n_frames,)``, NaN where the log has none."""

    def __init__(self, values: Mapping[str, npt.NDArray[np.float64]], n_frames: int, version: str, motion: str) -> None:
        self.values = values
        self.n_frames = n_frames
        self.version = version
        self.motion_definition = motion


def feature_of(key: str) -> str | None:
    """The feature that a key of a log stands for, or None for a key that is no feature of ours.

    Integer variants carry the prefix ``integer_`` in newer versions. Options that are not the default are appended to the
    name: ``cambi_eotf_pq`` is ours, ``adm2_egl_1`` or ``cambi_source`` are other measures.
    """
    name = key.removeprefix("integer_")
    name = _OLD_NAMES.get(name, name)
    return name if name in _KNOWN else None


def parse_log(content: bytes) -> LibvmafLog:
    """Parse a JSON log; infinite values of identical frames come as ``null`` and become infinity where that is meant.

    Raises
    ------
    ValueError
        The text is not a libvmaf log, its frames are not numbered from 0 without a gap, a value is no number, or two keys claim one
        feature.
    """
    import numpy as np

    document = _document(content)
    frames = document["frames"]
    if [frame.get("frameNum") for frame in frames] != list(range(len(frames))):
        raise ValueError("its frames are not numbered 0, 1, 2 without a gap")
    claimed: dict[str, str] = {}
    for key in dict.fromkeys(key for frame in frames for key in frame["metrics"]):
        feature = feature_of(key)
        if feature is None:
            continue
        if feature in claimed:
            raise ValueError(f"its keys {claimed[feature]!r} and {key!r} both stand for {feature}")
        claimed[feature] = key
    values = {
        feature: np.array([_number(frame, key) for frame in frames], dtype=np.float64)
        for feature, key in claimed.items()
    }
    motion = "3.2" if MOTION_3_2_KEY in claimed.values() else "3.1"
    return LibvmafLog(values, len(frames), str(document.get("version", "")), motion)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error})") from error
    frames = document.get("frames") if isinstance(document, dict) else None
    if not isinstance(frames, list) or not all(
        isinstance(f, dict) and isinstance(f.get("metrics"), dict) for f in frames
    ):
        raise ValueError("it has no list of frames with metrics")
    return dict(document)


def _number(frame: Mapping[str, Any], key: str) -> float:
    value = frame["metrics"].get(key, float("nan"))
    if value is None:
        return float("inf")
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if not math.isinf(number := float(value)):
                return number
    raise ValueError(f"frame {frame['frameNum']} has {value!r} for {key}, which is no number")
