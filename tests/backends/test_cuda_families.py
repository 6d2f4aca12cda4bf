"""Which family is whose, and that none is used on a device before it gives what torch gives on the CPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from corekit import FrameFormat
from corekit.backends import cuda_families
from corekit.backends.base import DeviceLost
from corekit.backends.cuda_families import FAMILIES, Verdict, _tried, families_of, make, trial_format, try_out
from corekit.features.registry import undefined
from corekit.schema import FEATURES, VMAF
from tests.backends.test_cpu import pair

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
FULL_HD = FrameFormat(1920, 1080, 8, "420")


def test_every_feature_has_its_family() -> None:
    named = [feature for features in FAMILIES.values() for feature in features]
    assert set(named) == set(FEATURES) - {VMAF}
    assert families_of(pair((VMAF,))) == {"adm", "vif", "motion"}
    assert families_of(pair(("cambi",))) == {"cambi bt1886"}
    assert families_of(pair(("cambi", "psnr_cb"), eotf="pq")) == {"cambi pq", "psnr"}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_the_features_that_it_is_said_to_have(name: str) -> None:
    assert make(name, FULL_HD, DEVICE, motion="3.2", fused=False).names == FAMILIES[name]


@pytest.mark.parametrize(
    "fmt", [FULL_HD, FrameFormat(961, 541, 10, "420"), FrameFormat(3840, 2160, 12, "422")], ids=str
)
def test_the_trial_is_like_the_frames_and_large_enough_for_all(fmt: FrameFormat) -> None:
    small = trial_format(fmt)
    assert (small.width % 16, small.height % 16) == (fmt.width % 16, fmt.height % 16)
    assert (small.bit_depth, small.chroma) == (fmt.bit_depth, fmt.chroma)
    assert all(undefined(name, small) == undefined(name, fmt) for name in FEATURES)


@pytest.fixture
def tampered(monkeypatch: pytest.MonkeyPatch) -> dict[Any, Any]:
    """``{fused: what}``: what becomes of a family's sums on the device; the first family made is the CPU's, to compare with."""
    faults: dict[Any, Any] = {}
    made: list[Any] = []

    def tampering(name: str, fmt: FrameFormat, device: Any, *, motion: Any, fused: bool) -> Any:
        family: Any = make(name, fmt, device, motion=motion, fused=False)
        made.append(family)
        fault, sums = faults.get(fused), family.sums
        if len(made) > 1 and fault is not None:
            family.sums = lambda batch: fault(sums(batch))
        return family

    monkeypatch.setattr(cuda_families, "make", tampering)
    return faults


def off_by_one(sums: torch.Tensor) -> torch.Tensor:
    return sums + 1


def broken(sums: torch.Tensor) -> torch.Tensor:
    raise NotImplementedError("no such card\nand more")


def lost(sums: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("CUDA error: device-side assert triggered\nmore")


def verdict() -> Verdict:
    return _tried("psnr", FrameFormat(64, 48, 8, "420"), DEVICE, Verdict("triton"), "3.2")


def test_right_kernels_are_used(tampered: dict[Any, Any]) -> None:
    assert verdict() == Verdict("triton")


def test_kernels_that_differ_leave_it_to_torch(tampered: dict[Any, Any]) -> None:
    tampered[True] = off_by_one
    found = verdict()
    assert found.how == "torch"
    assert found.reason.startswith("its Triton kernels fail (psnr_y differs from the CPU's by ")
    assert found.reason.endswith("); torch is used")


def test_kernels_that_do_not_compile_leave_it_to_torch(tampered: dict[Any, Any]) -> None:
    tampered[True] = broken
    assert verdict() == Verdict("torch", "its Triton kernels fail (NotImplementedError: no such card); torch is used")


def test_a_family_that_is_wrong_either_way_is_not_computed(tampered: dict[Any, Any]) -> None:
    tampered |= {True: broken, False: off_by_one}
    found = verdict()
    assert found.how == "none"
    assert found.reason.startswith(f"psnr cannot be computed on {DEVICE} (psnr_y differs from the CPU's by ")


def test_a_device_that_is_lost_in_the_trial_ends_the_worker(tampered: dict[Any, Any]) -> None:
    tampered[True] = lost
    with pytest.raises(DeviceLost, match=r"was lost while psnr was tried: CUDA error: device-side assert triggered$"):
        verdict()


@pytest.mark.skipif(DEVICE.type == "cuda", reason="a GPU is here")
def test_on_the_cpu_there_is_nothing_to_try() -> None:
    assert try_out("vif", FULL_HD, DEVICE, motion="3.2") == Verdict("torch", "the device is the CPU")


@pytest.mark.skipif(DEVICE.type == "cpu", reason="needs a GPU")
@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_passes_on_the_device(name: str, depth: int) -> None:
    fmt = FrameFormat(1920, 1080, depth, "420")
    planned = cuda_families.plan(name, DEVICE)
    assert try_out(name, trial_format(fmt), DEVICE, motion="3.2") == planned


def test_a_feature_that_cannot_be_computed_is_null_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    from corekit.backends import cuda
    from tests.backends.test_cpu import measure, moving_picture

    extractor = cuda.CudaExtractor(cuda.open_device(DEVICE.type), cuda.CudaOptions())
    real = extractor.verdict
    monkeypatch.setattr(
        extractor, "verdict", lambda name, fmt: Verdict("none", "no luck") if name == "vif" else real(name, fmt)
    )
    fmt = FrameFormat(80, 66, 8, "420")
    clip = moving_picture(fmt, 2, seed=1)
    (result,) = measure(extractor, fmt, [pair(("vif_scale0", "psnr_y", VMAF))], clip, [clip])
    assert list(result.values) == ["psnr_y"]
    assert result.nulls == {"vif_scale0": "no luck", VMAF: "vif_scale0: no luck"}
