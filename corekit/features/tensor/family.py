"""The contract of a tensor family: a batch of frame pairs in, one number per pair and feature out; no files, no plugins."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch

from corekit.model import FrameFormat

Integers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

TensorPlanes = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""``(y, cb, cr)`` of several frames, each of shape ``(n_frames, rows, columns)``, contiguous: uint8 for 8 bits, int16 for 9 to 15, int32 for 16."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Frames of one format on one device, of one or many content groups, and which of them belong together.

    Several distorted frames may share a reference frame (the rungs of a ladder). A frame that no pair names is there
    as the predecessor of another. Where a clip is compared with itself ``distorted`` may be the very tensors of ``reference``.
    """

    fmt: FrameFormat
    reference: TensorPlanes
    """``n_reference`` frames."""
    distorted: TensorPlanes
    """``n_distorted`` frames."""
    pair_reference: torch.Tensor
    """int64, shape ``(n_pairs,)``: the index in ``reference`` of each pair's reference frame."""
    pair_distorted: torch.Tensor
    """int64, shape ``(n_pairs,)``: the index in ``distorted`` of each pair's distorted frame, no index twice."""
    reference_previous: torch.Tensor
    """int64, shape ``(n_reference,)``: the index in ``reference`` of the frame before, -1 of a clip's first frame."""
    distorted_previous: torch.Tensor
    """int64, shape ``(n_distorted,)``: likewise in ``distorted``."""

    @property
    def n_pairs(self) -> int:
        return self.pair_reference.shape[0]


class TensorFamily(ABC):
    """Features that share their arithmetic, computed over batches of frame pairs.

    What is summed over a frame is summed on the device in integers, whose order does not matter; the last few operations, where
    rounding and the C library would show, are the host's. So every device gives the same bits. An instance serves one format on one
    device, keeps its tables there and holds no state of a clip: whatever needs the frame before finds it in the batch.
    Nothing waits for the device (no ``.item()``, no ``.cpu()``).
    """

    names: ClassVar[tuple[str, ...]]
    """Names of the features yielded, in the order of the columns."""

    @abstractmethod
    def __init__(self, fmt: FrameFormat, device: torch.device) -> None: ...

    @abstractmethod
    def sums(self, batch: Batch) -> torch.Tensor:
        """Sums over each pair: int64 (the bits of float64 where integers cannot hold them), shape ``(n_pairs, n_sums)``, on the device."""

    @abstractmethod
    def scores(self, sums: Integers) -> Values:
        """Features of frame pairs in the order of one clip, shape ``(n_frames, len(names))``, from their sums on the host."""

    @abstractmethod
    def pair_bytes(self) -> int:
        """Upper estimate of the memory that one more pair in a batch takes at the peak of ``sums``, in bytes."""
