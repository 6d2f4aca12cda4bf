"""Which frames a feature is defined for: smallest sizes and layouts, as libvmaf's own code demands them."""

from __future__ import annotations

from corekit.model import FrameFormat
from corekit.schema import FEATURES, VMAF

# Smallest width and height of the plane that the feature reads; below them libvmaf refuses or reads past its rows.
_MINIMUM = {
    **dict.fromkeys([f for f in FEATURES if f.startswith("adm")], 17),
    **dict.fromkeys([f for f in FEATURES if f.startswith("vif")], 16),
    VMAF: 17,
    "float_ms_ssim": 176,
    "speed_temporal": 80,
}
_MINIMUM_CHROMA = {"speed_chroma_u": 80, "speed_chroma_v": 80, "speed_chroma_uv": 80}
_CAMBI_MINIMUM = 216


def undefined(feature: str, fmt: FrameFormat) -> str | None:
    """Why a feature is not defined for frames of ``fmt``, as one clause, or None where it is."""
    width, height = fmt.width, fmt.height
    side = _MINIMUM.get(feature, 1)
    if min(width, height) < side:
        return f"needs at least {side}x{side} pixels, the frames have {width}x{height}"
    side = _MINIMUM_CHROMA.get(feature, 1)
    if min(fmt.chroma_width, fmt.chroma_height) < side:
        return f"needs chroma of at least {side}x{side} samples, the frames have {fmt.chroma_width}x{fmt.chroma_height}"
    if feature == "cambi" and max(width, height) < _CAMBI_MINIMUM:
        return f"needs at least {_CAMBI_MINIMUM} pixels on one side, the frames have {width}x{height}"
    if feature == "ciede2000" and fmt.chroma == "422":
        return "is not defined for 4:2:2 (libvmaf reads past its chroma rows)"
    return None
