"""The tensor families of the ``cuda`` backend: which feature is whose, how one is made, and whether it gives right values here.

Importing this loads neither torch nor numpy.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from corekit.backends.base import Pair
from corekit.features.registry import REGISTRY
from corekit.model import FrameFormat
from corekit.schema import VMAF

if TYPE_CHECKING:
    import torch

    from corekit.features.tensor.family import Batch, TensorFamily

FAMILIES: dict[str, tuple[str, ...]] = {
    "vif": ("vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3"),
    "adm": ("adm2", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3", "adm3"),
    "motion": ("motion", "motion2", "motion3"),
    "psnr": ("psnr_y", "psnr_cb", "psnr_cr"),
    "cambi bt1886": ("cambi",),
    "cambi pq": ("cambi",),
    "float_ssim": ("float_ssim",),
    "float_ms_ssim": ("float_ms_ssim",),
    "ciede2000": ("ciede2000",),
    "psnr_hvs": ("psnr_hvs",),
    "ssimulacra2": ("ssimulacra2",),
    "speed": ("speed_temporal", "speed_chroma_u", "speed_chroma_v", "speed_chroma_uv"),
}
"""Features by family; cambi is one for each transfer."""
REFERENCE_BEFORE = frozenset({"motion", "speed"})
DISTORTED_BEFORE = frozenset({"speed"})
"""Families that need the frame before, of either side."""
_TRIAL_FRAMES = 3


class Verdict(Struct, frozen=True):
    """How a family is computed on a device, and why not by its kernels, or not at all."""

    how: Literal["triton", "torch", "none"]
    reason: str = ""


def families_of(pair: Pair) -> frozenset[str]:
    """The families that a pair's features need."""
    from corekit.features.vmaf import INPUTS

    wanted = set(pair.features)
    if VMAF in wanted:
        wanted |= set(INPUTS)
    eotf = pair.options.get("cambi_eotf", "bt1886")
    return frozenset(
        name
        for name, features in FAMILIES.items()
        if wanted & set(features) and (features != ("cambi",) or name == f"cambi {eotf}")
    )


def has_triton() -> bool:
    """Whether Triton is installed."""
    return importlib.util.find_spec("triton") is not None


def make(
    name: str, fmt: FrameFormat, device: torch.device, *, motion: Literal["3.2", "3.1"], fused: bool
) -> TensorFamily:
    """A family for frames of ``fmt`` on ``device``; ``fused`` takes its Triton kernels, where it has some."""
    from corekit.features.tensor.adm import Adm
    from corekit.features.tensor.cambi import Cambi
    from corekit.features.tensor.ciede2000 import Ciede2000
    from corekit.features.tensor.motion import Motion
    from corekit.features.tensor.psnr import Psnr
    from corekit.features.tensor.psnr_hvs import PsnrHvs
    from corekit.features.tensor.speed import Speed
    from corekit.features.tensor.ssim import FloatMsSsim, FloatSsim
    from corekit.features.tensor.ssimulacra2 import Ssimulacra2
    from corekit.features.tensor.vif import Vif

    makers: dict[str, Any] = {
        "vif": Vif, "adm": Adm, "float_ssim": FloatSsim, "float_ms_ssim": FloatMsSsim, "ciede2000": Ciede2000,
        "psnr": Psnr, "psnr_hvs": PsnrHvs, "speed": Speed, "ssimulacra2": Ssimulacra2,
    }  # fmt: skip
    if name == "motion":
        return Motion(fmt, device, definition=motion, fused=fused)
    if name.startswith("cambi "):
        return Cambi(fmt, device, eotf="pq" if name == "cambi pq" else "bt1886", fused=fused)
    family: TensorFamily = makers[name](fmt, device, fused=fused)
    return family


def trial_format(fmt: FrameFormat) -> FrameFormat:
    """Small pictures that kernels treat as those of ``fmt``: same depth and subsampling, same remainders of 16.

    Large enough for every feature, and for float_ssim to average down.
    """
    return FrameFormat(400 + fmt.width % 16, 400 + fmt.height % 16, fmt.bit_depth, fmt.chroma)


def plan(name: str, device: torch.device) -> Verdict:
    """How a family would be computed on ``device`` if nothing goes wrong."""
    if device.type == "cpu":
        return Verdict("torch", "the device is the CPU")
    if not has_triton():
        return Verdict("torch", "Triton is not installed (pip install triton)")
    return Verdict("triton")


def try_out(name: str, fmt: FrameFormat, device: torch.device, *, motion: Literal["3.2", "3.1"]) -> Verdict:
    """Whether a family's kernels, or else its torch code, give on ``device`` what torch gives on the CPU.

    That code is held to libvmaf's numbers by tests; a driver, a compiler or a card that gives others must not go unnoticed. On the
    CPU there is nothing to try.
    """
    planned = plan(name, device)
    return planned if device.type == "cpu" else _tried(name, fmt, device, planned, motion)


def _tried(
    name: str, fmt: FrameFormat, device: torch.device, planned: Verdict, motion: Literal["3.2", "3.1"]
) -> Verdict:
    import torch

    from corekit.backends.cuda_faults import first_line, is_lost, lost

    why_torch = planned.reason
    host = torch.device("cpu")
    expected = _trial(make(name, fmt, host, motion=motion, fused=False), fmt, host)
    for fused in (True, False) if planned.how == "triton" else (False,):
        try:
            got = _trial(make(name, fmt, device, motion=motion, fused=fused), fmt, device)
            fault = _difference(name, got, expected)
        except Exception as error:  # whatever a compiler or a driver throws
            if is_lost(error):
                raise lost(device, error, f" while {name} was tried") from error
            fault = f"{type(error).__name__}: {first_line(error)[:200]}"
        if not fault:
            return planned if fused else Verdict("torch", why_torch)
        if fused:
            why_torch = f"its Triton kernels fail ({fault}); torch is used"
    return Verdict("none", f"{name} cannot be computed on {device} ({fault}); the cpu backend computes it")


def _trial(family: TensorFamily, fmt: FrameFormat, device: torch.device) -> Any:
    """Scores of a few small pictures."""
    return family.scores(family.sums(_trial_batch(fmt, device)).cpu().numpy())


def _trial_batch(fmt: FrameFormat, device: torch.device) -> Batch:
    """Three frames of a ramp with noise, each against two distortions of itself."""
    import numpy as np
    import torch

    from corekit.features.tensor.family import Batch

    random = np.random.default_rng(4)
    top = (1 << fmt.bit_depth) - 1
    dtype = np.uint8 if fmt.bit_depth == 8 else np.int16 if fmt.bit_depth < 16 else np.int32
    planes: tuple[list[Any], list[Any]] = ([], [])
    for rows, columns in fmt.shapes:
        ramp = np.linspace(0.1, 0.9, columns) + 0.05 * np.sin(np.arange(rows) / 7)[:, None]
        texture = ramp + random.normal(0, 0.03, (_TRIAL_FRAMES, rows, columns))
        damage = np.repeat(texture, 2, axis=0) + random.normal(0, 0.02, (2 * _TRIAL_FRAMES, rows, columns))
        damage[1::2] = np.floor(damage[1::2] * 24) / 24
        for side, samples in zip(planes, (texture, damage), strict=True):
            side.append(torch.from_numpy((np.clip(samples, 0, 1) * top).round().astype(dtype)).to(device))
    n = 2 * _TRIAL_FRAMES
    return Batch(
        fmt=fmt,
        reference=(planes[0][0], planes[0][1], planes[0][2]),
        distorted=(planes[1][0], planes[1][1], planes[1][2]),
        pair_reference=torch.arange(n, device=device) // 2,
        pair_distorted=torch.arange(n, device=device),
        reference_previous=torch.arange(-1, _TRIAL_FRAMES - 1, device=device),
        distorted_previous=(torch.arange(n, device=device) - 2).clamp_min(-1),
    )


def _difference(name: str, got: Any, expected: Any) -> str:
    """Which feature differs by more than its tolerance, and by how much; empty where none does."""
    import numpy as np

    for column, feature in enumerate(FAMILIES[name]):
        one, other = got[:, column], expected[:, column]
        if not np.allclose(one, other, rtol=0.0, atol=REGISTRY[feature].tolerance, equal_nan=True):
            return f"{feature} differs from the CPU's by {np.nanmax(np.abs(one - other)):.3g}"
    return ""
