"""The cuda backend scales frames itself where it does so to the last sample, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from av import VideoFrame

from corekit.backends import cuda_scaling
from corekit.backends.base import DeviceLost
from corekit.backends.cuda import CudaExtractor, CudaOptions, open_device
from corekit.features.tensor.scaling import FrameScaler
from corekit.model import FrameFormat
from corekit.video.scaling import PlaneTaps, Scaling, Taps, measure

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SMALL, LARGE = FrameFormat(40, 30, 8, "420"), FrameFormat(64, 48, 8, "420")


def scaling_of(source: FrameFormat, target: FrameFormat) -> Scaling:
    scaling = measure(VideoFrame(64, 64, source.pix_fmt), source, target)
    assert scaling is not None
    return scaling


def test_a_scaling_is_taken_that_gives_the_samples() -> None:
    assert isinstance(cuda_scaling.scaler_for(scaling_of(SMALL, LARGE), DEVICE), FrameScaler)


def test_weights_that_are_wrong_by_the_least_are_not_used() -> None:
    scaling = scaling_of(SMALL, LARGE)
    weights = scaling.chroma.across.weights.copy()
    weights[:, :2] += [1, -1]
    changed = replace(scaling, chroma=PlaneTaps(Taps(scaling.chroma.across.start, weights), scaling.chroma.down))
    assert cuda_scaling.scaler_for(changed, DEVICE) is None


def test_larger_frames_are_left_to_the_cpu() -> None:
    assert cuda_scaling.scaler_for(scaling_of(LARGE, SMALL), DEVICE) is None


def test_a_scaler_that_breaks_is_not_used_but_a_lost_device_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, planes: Any, slots: Any) -> None:
        raise RuntimeError(message)

    monkeypatch.setattr(FrameScaler, "scale", broken)
    message = "no such instruction"
    assert cuda_scaling.scaler_for(scaling_of(SMALL, LARGE), DEVICE) is None
    message = "CUDA error: unspecified launch failure"
    with pytest.raises(DeviceLost, match="was lost while it scaled: CUDA error: unspecified launch failure"):
        cuda_scaling.scaler_for(scaling_of(SMALL, LARGE), DEVICE)


def test_a_scaling_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    extractor, tried = CudaExtractor(open_device("cpu"), CudaOptions()), []
    monkeypatch.setattr(cuda_scaling, "scaler_for", lambda scaling, device: tried.append(scaling))
    first, again, other = (
        scaling_of(SMALL, LARGE),
        scaling_of(SMALL, LARGE),
        scaling_of(SMALL, FrameFormat(70, 48, 8, "420")),
    )
    assert first is not again and first.key == again.key != other.key
    assert not any(extractor.scales(scaling) for scaling in (first, again, other, first))
    assert tried == [first, other]
