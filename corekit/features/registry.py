"""What each feature is: unit, range, direction, inputs, smallest frame, value of identical frames, tolerance, source.

The one place that says so; documentation is generated from it, and every backend asks it what a geometry forbids. It imports no
arithmetic.
"""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

from corekit.model import FrameFormat
from corekit.schema import FEATURES

Direction = Literal["higher is better", "lower is better", "describes the content"]

NETFLIX = "Netflix libvmaf 3.2, BSD-2-Clause-Patent"
XIPH = "Xiph.Org, BSD-2-Clause; in libvmaf 3.2"
CLOUDINARY = "Jon Sneyers, Cloudinary, BSD-3-Clause; float32 recursive blur as in the lusoris fork of libvmaf"


class FeatureInfo(Struct, frozen=True, kw_only=True):
    """One feature of the locked order."""

    name: str
    what: str
    unit: str = ""
    low: float | None = 0.0
    """Lower end of the range, None where it has none."""
    high: float | None
    direction: Direction
    inputs: str
    """The planes read: ``luma``, ``luma, chroma``, of ``reference``, ``distorted`` or both (unsaid)."""
    smallest: int = 1
    """Smallest width and height of the picture."""
    smallest_chroma: int = 1
    """Smallest width and height of a chroma plane."""
    identical: str
    """Value where reference and distorted frame are equal."""
    tolerance: float = 1e-9
    """Largest difference to scalar libvmaf that the cpu and cuda backends allow themselves."""
    source: str
    licence: str = NETFLIX


def _adm(name: str, what: str) -> FeatureInfo:
    return FeatureInfo(
        name=name, what=what, high=None, direction="higher is better", inputs="luma", smallest=33,
        identical="1 within 5e-5", source="integer_adm.c; Li et al., IEEE TMM 2011",
    )  # fmt: skip


def _vif(scale: int) -> FeatureInfo:
    return FeatureInfo(
        name=f"vif_scale{scale}", what=f"visual information fidelity at 1/{2**scale} of the resolution", high=None,
        direction="higher is better", inputs="luma", smallest=16, identical="1 within 1e-5",
        source="integer_vif.c; Sheikh and Bovik, IEEE TIP 2006",
    )  # fmt: skip


def _motion(name: str, what: str) -> FeatureInfo:
    return FeatureInfo(
        name=name, what=what, unit="8-bit code values", high=256.0, direction="describes the content",
        inputs="reference luma", smallest=3, identical="as ever: it describes the reference",
        source="integer_motion.c",
    )  # fmt: skip


def _psnr(plane: str) -> FeatureInfo:
    return FeatureInfo(
        name=f"psnr_{plane}", what=f"peak signal-to-noise ratio of the {plane} plane", unit="dB", high=None,
        direction="higher is better", inputs="luma" if plane == "y" else "chroma",
        identical="6 * depth + 12 (60 at 8 bits, 72 at 10), also the cap", source="integer_psnr.c",
    )  # fmt: skip


def _speed(name: str, what: str, inputs: str, smallest: int, smallest_chroma: int) -> FeatureInfo:
    return FeatureInfo(
        name=name, what=what, high=None, direction="lower is better", inputs=inputs, smallest=smallest,
        smallest_chroma=smallest_chroma, identical="0", tolerance=1e-4, source="speed.c; Bampis et al., IEEE SPL 2017",
    )  # fmt: skip


REGISTRY: dict[str, FeatureInfo] = {
    info.name: info
    for info in (
        _adm("adm2", "detail loss, all scales"),
        *(_adm(f"adm_scale{scale}", f"detail loss at wavelet scale {scale}") for scale in range(4)),
        *(_vif(scale) for scale in range(4)),
        _motion("motion", "mean change since the last frame; 0 in the first"),
        _motion("motion2", "the lesser of this and the next frame's motion"),
        _motion("motion3", "motion2, its first frame given the second's motion"),
        *(_psnr(plane) for plane in ("y", "cb", "cr")),
        FeatureInfo(
            name="float_ssim", what="structural similarity after automatic downscaling", low=-1.0, high=1.0,
            direction="higher is better", inputs="luma", smallest=11, identical="1",
            source="ssim.c, iqa/; Wang et al., IEEE TIP 2004",
        ),
        FeatureInfo(
            name="float_ms_ssim", what="multi-scale structural similarity, 5 scales", high=1.0,
            direction="higher is better", inputs="luma", smallest=176, identical="1",
            source="ms_ssim.c, iqa/; Wang et al., Asilomar 2003",
        ),
        FeatureInfo(
            name="cambi", what="banding (contrast-aware multiscale banding index)", high=24.0,
            direction="lower is better", inputs="distorted luma", identical="as ever: it reads the distorted clip alone",
            source="cambi.c; Tandon et al., PCS 2021",
        ),
        FeatureInfo(
            name="ciede2000", what="45 - 20 log10 of the mean CIEDE2000 colour difference", unit="dB", low=None,
            high=None, direction="higher is better", inputs="luma, chroma", identical="infinite (null)",
            tolerance=2e-6, source="ciede.c; Sharma et al., Color Res. Appl. 2005",
        ),
        FeatureInfo(
            name="psnr_hvs", what="PSNR of 8x8 DCT blocks weighted by contrast sensitivity", unit="dB", low=None,
            high=None, direction="higher is better", inputs="luma, chroma", smallest=8, smallest_chroma=8, identical="infinite (null)",
            source="third_party/xiph/psnr_hvs.c; Egiazarian et al., VPQM 2006", licence=XIPH,
        ),
        FeatureInfo(
            name="ssimulacra2", what="SSIMULACRA 2.1, structure and edges in XYB", low=None, high=100.0,
            direction="higher is better", inputs="luma, chroma", smallest=8, identical="100", tolerance=1e-6,
            source="ssimulacra2.cc; feature/ssimulacra2.c of the fork", licence=CLOUDINARY,
        ),
        _speed("speed_temporal", "SpEED of frame differences", "luma", 80, 1),
        *(_speed(f"speed_chroma_{plane}", f"SpEED of {what}", "chroma", 1, 80)
          for plane, what in (("u", "Cb"), ("v", "Cr"), ("uv", "both chroma planes"))),
        _adm("adm3", "mean of adm2 and of the added impairment's complement"),
        FeatureInfo(
            name="vmaf", what="VMAF, model vmaf_v0.6.1, of adm2, motion2 and vif_scale0..3", high=100.0,
            direction="higher is better", inputs="luma", smallest=33, identical="97.4 and up, with motion2",
            tolerance=1e-6, source="svm.cpp, predict.c, vmaf_v0.6.1.json",
        ),
    )
}  # fmt: skip

assert tuple(REGISTRY) == FEATURES

IDENTITY_CONSTANTS = {
    "adm2": 1.0000015,
    "adm_scale0": 1.00001,
    "adm_scale1": 1.0000004,
    "adm_scale2": 1.0000005,
    "adm_scale3": 1.0000005,
    "adm3": 1.0000008,
    **{f"vif_scale{scale}": 0.9999995 for scale in range(4)},
    "float_ssim": 1.0,
    "float_ms_ssim": 1.0,
    "ciede2000": math.inf,
    "psnr_hvs": math.inf,
    "ssimulacra2": 100.0,
    "speed_temporal": 0.0,
    "speed_chroma_u": 0.0,
    "speed_chroma_v": 0.0,
    "speed_chroma_uv": 0.0,
}
"""What ``--identity floor`` writes for a frame compared with itself: within 2e-5 of what camera pictures give."""

CAMBI_SMALLEST = 216
CAMBI_LARGEST_SUM = 6092
PSNR_HVS_DEEPEST = 12


def identity_value(feature: str, fmt: FrameFormat) -> float:
    """The constant of a full-reference feature where reference and distorted frame are equal; infinite where it has no end."""
    if feature in ("psnr_y", "psnr_cb", "psnr_cr"):
        return 6.0 * fmt.bit_depth + 12.0
    return IDENTITY_CONSTANTS[feature]


def undefined(feature: str, fmt: FrameFormat) -> str | None:
    """Why a feature is not defined for frames of ``fmt``, as one clause, or None where it is."""
    info = REGISTRY[feature]
    size = f"the clip has {fmt.width}x{fmt.height}"
    if min(fmt.width, fmt.height) < info.smallest:
        return f"needs at least {info.smallest}x{info.smallest} pixels, {size}"
    if min(fmt.chroma_width, fmt.chroma_height) < info.smallest_chroma:
        least, chroma = f"{info.smallest_chroma}x{info.smallest_chroma}", f"{fmt.chroma_width}x{fmt.chroma_height}"
        return f"needs chroma planes of at least {least} samples, the clip's have {chroma}"
    if feature == "cambi":
        if max(fmt.width, fmt.height) < CAMBI_SMALLEST:
            return f"needs at least {CAMBI_SMALLEST} pixels on one side, {size}"
        if fmt.width + fmt.height > CAMBI_LARGEST_SUM:
            return f"needs width and height to sum to {CAMBI_LARGEST_SUM} pixels at most, {size}"
    if feature == "ciede2000" and fmt.chroma == "422":
        return "is not defined for 4:2:2 (libvmaf reads past its chroma rows)"
    if feature == "psnr_hvs" and fmt.bit_depth > PSNR_HVS_DEEPEST:
        return f"needs at most {PSNR_HVS_DEEPEST} bits a sample, the clip has {fmt.bit_depth}"
    return None
