"""A backend ``idle``: the cuda backend with features that cost nothing and are worth nothing. What a run then takes is decoding and the host's part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from corekit.backends.base import BackendInfo, Extractor
from corekit.backends.cuda import CudaExtractor, CudaOptions, open_device
from corekit.features.tensor.family import Batch, Integers, TensorFamily, Values
from corekit.markers import hookimpl

if TYPE_CHECKING:
    from corekit.model import FrameFormat

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

    def family(self, name: str, fmt: FrameFormat) -> TensorFamily | str:
        family = super().family(name, fmt)
        return family if isinstance(family, str) else _Idle(family, fmt, self.device)


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
