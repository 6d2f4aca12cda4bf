"""Frames as batches on a device, and a clip's features from the sums of several batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from corekit.features.family import Planes
from corekit.features.tensor.family import Batch, TensorFamily, TensorPlanes
from corekit.model import FrameFormat

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def stacked(frames: Sequence[Planes]) -> TensorPlanes:
    y, cb, cr = (torch.from_numpy(np.stack([frame[i] for frame in frames])) for i in range(3))
    if y.dtype == torch.uint16:
        y, cb, cr = y.view(torch.int16), cb.view(torch.int16), cr.view(torch.int16)
    return y.to(DEVICE), cb.to(DEVICE), cr.to(DEVICE)


def batch(fmt: FrameFormat, reference: Sequence[Planes], rungs: Sequence[Sequence[Planes]]) -> Batch:
    """All frames of a reference and its rungs; pairs in the order of the rungs, then of the frames."""
    n = len(reference)
    distorted = [frame for rung in rungs for frame in rung]
    wide = fmt.bit_depth > 15  # samples of 16 bits do not fit int16
    previous = torch.arange(-1, n - 1)
    return Batch(
        fmt=fmt,
        reference=_widened(stacked(reference)) if wide else stacked(reference),
        distorted=_widened(stacked(distorted)) if wide else stacked(distorted),
        pair_reference=torch.arange(n).repeat(len(rungs)).to(DEVICE),
        pair_distorted=torch.arange(n * len(rungs)).to(DEVICE),
        reference_previous=previous.to(DEVICE),
        distorted_previous=previous.repeat(len(rungs)).to(DEVICE),
    )


def _widened(planes: TensorPlanes) -> TensorPlanes:
    y, cb, cr = (plane.to(torch.int32) & 0xFFFF for plane in planes)
    return y, cb, cr


def values(
    family: TensorFamily, fmt: FrameFormat, reference: Sequence[Planes], distorted: Sequence[Planes]
) -> npt.NDArray[np.float64]:
    """Features of one clip, shape ``(n_frames, len(names))``."""
    sums = family.sums(batch(fmt, reference, [distorted]))
    assert sums.dtype == torch.int64
    return family.scores(sums.cpu().numpy())
