"""A backend ``idle``: the cuda backend, which does nothing on its device and whose features are worth nothing.

What a run then takes is decoding, the copying of frames and the host's part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from corekit.backends.base import BackendInfo, Extractor
from corekit.backends.cuda import CudaExtractor, CudaOptions, open_device
from corekit.features.tensor.family import Batch, Integers, TensorFamily, TensorPlanes, Values
from corekit.features.tensor.scaling import FrameScaler, has_room
from corekit.markers import hookimpl

if TYPE_CHECKING:
    from corekit.model import FrameFormat
    from corekit.video.scaling import Scaling

COREKIT_API = 1
NAME = "idle"
_SUMS = 16
"""Sums a pair, about as many as a family has."""


@hookimpl
def corekit_backend() -> BackendInfo:
    return BackendInfo(name=NAME, title="features that cost nothing", numeric_class="corekit", options=CudaOptions)


@hookimpl
def corekit_extract_features(features: tuple[str, ...], device: str, options: CudaOptions) -> Extractor:
    return _IdleExtractor(open_device(device), options)


class _IdleExtractor(CudaExtractor):
    def __init__(self, device: torch.device, options: CudaOptions) -> None:
        super().__init__(device, options)
        self.devices = (str(device),) * options.processes
        self.identity = {"class": NAME}

    def scales(self, scaling: Scaling) -> bool:
        return has_room(scaling.source, scaling.target)

    def _scaler(self, scaling: Scaling) -> FrameScaler:
        return _IdleScaler(scaling, self.device, fused=False, coarse=False)

    def family(self, name: str, fmt: FrameFormat) -> TensorFamily | str:
        family = super().family(name, fmt)
        return family if isinstance(family, str) else _Idle(family, fmt, self.device)


class _IdleScaler(FrameScaler):
    def scale(self, planes: TensorPlanes, slots: torch.Tensor) -> None:
        pass


class _Idle(TensorFamily):
    def __init__(self, family: TensorFamily, fmt: FrameFormat, device: torch.device) -> None:
        self._names = family.names
        self._device = device

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        return self._names

    def sums(self, batch: Batch) -> torch.Tensor:
        return torch.zeros((batch.n_pairs, _SUMS), dtype=torch.int64, device=self._device)

    def scores(self, sums: Integers) -> Values:
        return np.zeros((len(sums), len(self._names)))

    def pair_bytes(self) -> int:
        return 1
