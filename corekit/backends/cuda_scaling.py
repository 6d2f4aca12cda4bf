"""Frame scalers of the ``cuda`` backend, used where they give the samples of the CPU's scaler."""

from __future__ import annotations

import numpy as np
import torch

from corekit.backends.cuda_families import has_triton
from corekit.backends.cuda_faults import is_lost, lost
from corekit.features.tensor.scaling import FrameScaler, has_room, room_for
from corekit.video.scaling import Scaling


def scaler_for(scaling: Scaling, device: torch.device) -> FrameScaler | None:
    """A scaler that makes of the sample what libswscale makes of it; None where there is none."""
    if not has_room(scaling.source, scaling.target):
        return None
    for fused in (True, False) if device.type == "cuda" and has_triton() else (False,):
        for coarse in (True, False) if scaling.target.bit_depth == 8 else (False,):
            try:
                scaler = FrameScaler(scaling, device, fused=fused, coarse=coarse)
                if _is_right(scaler, scaling, device):
                    return scaler
            except Exception as error:  # whatever a compiler or a driver throws
                if is_lost(error):
                    raise lost(device, error, " while it scaled") from error
    return None


def _is_right(scaler: FrameScaler, scaling: Scaling, device: torch.device) -> bool:
    dtype = torch.uint8 if scaling.target.bit_depth == 8 else torch.int16
    y, cb, cr = (torch.empty((1, *shape), dtype=dtype, device=device) for shape in scaling.target.shapes)
    for plane, samples, shape in zip((y, cb, cr), scaling.sample(), scaling.source.shapes, strict=True):
        target = room_for(plane, shape, scaling.source.bit_depth)[0]
        target.copy_(torch.from_numpy(samples.view(np.int16) if samples.itemsize == 2 else samples))
    scaler.scale((y, cb, cr), torch.zeros(1, dtype=torch.int64, device=device))
    return scaling.is_right((y[0].cpu().numpy(), cb[0].cpu().numpy(), cr[0].cpu().numpy()))
