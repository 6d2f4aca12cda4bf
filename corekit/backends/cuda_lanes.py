"""Content groups on their way through a device: which families their pairs need, their frames in a batch, the sums that come back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from corekit.backends.cuda_faults import lost

if TYPE_CHECKING:
    from corekit.features.tensor.family import Integers, TensorPlanes
    from corekit.model import FrameFormat


@dataclass(frozen=True)
class Needs:
    """Families that need the frame before, of either side."""

    reference_before: frozenset[str]
    distorted_before: frozenset[str]


@dataclass
class Answer:
    """Sums of one batch on their way to the host, those of all families one after the other."""

    arriving: torch.Tensor
    done: Any
    """Event after which they are there; None where there is nothing to wait for."""
    shapes: dict[str, tuple[int, int]]
    """Family to the shape of its sums."""
    rows: dict[str, dict[tuple[int, int], list[int]]]
    """Family to the rows of each lane's pair in its sums, in the order of its frames."""
    _sums: dict[str, Integers] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sums(self) -> dict[str, Integers]:
        """The sums by family, once they are there. They leave the page-locked memory, of which new pieces hold up the device."""
        with self._lock:
            if self._sums is None:
                _wait(self.done)
                flat, self._sums, start = self.arriving.numpy().copy(), {}, 0
                for name, (rows, columns) in self.shapes.items():
                    self._sums[name] = flat[start : start + rows * columns].reshape(rows, columns)
                    start += rows * columns
                self.arriving = torch.empty(0)
            return self._sums


class Lane:
    """One content group on its way: which families each of its pairs needs, and what has come back."""

    def __init__(self, fmt: FrameFormat, families: Sequence[frozenset[str]], needs: Needs) -> None:
        self.fmt = fmt
        self.families = tuple(families)
        used = frozenset().union(*families)
        self.keeps_reference = bool(used & needs.reference_before)
        self.keeps_distorted = tuple(bool(names & needs.distorted_before) for names in families)
        self.started = False
        self.last_reference: TensorPlanes | None = None
        """The last reference frame of the batch before, on the device."""
        self.last_distorted: dict[int, TensorPlanes] = {}
        self.answers: list[Answer] = []
        self.pending = 0
        """Stages that hold frames of it and are not launched."""
        self.error: Exception | None = None

    def gathered(self, pair: int, name: str) -> Integers:
        """Sums of a family for one pair, in the order of its frames: int64 of shape ``(n_frames, n_sums)``."""
        parts = []
        for answer in self.answers:
            rows = answer.rows.get(name, {}).get((id(self), pair))
            if rows:
                parts.append(answer.sums()[name][rows])
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.int64)


@dataclass
class Member:
    """A lane's frames in one stage."""

    lane: Lane
    context: int | None = None
    """Slot of the reference frame before the first, which the stage before held; None where there is none or none needs it."""
    distorted_context: dict[int, int] = field(default_factory=dict)
    """Pair to slot of its distorted frame before the first."""
    references: list[int] = field(default_factory=list)
    pairs: list[tuple[int, int, int]] = field(default_factory=list)
    """Pair of the group, slot of its reference frame, slot of its distorted frame."""
    itself: set[int] = field(default_factory=set)
    """Slots of distorted frames that are the reference frame itself, and were not filled."""

    @property
    def restored(self) -> list[int]:
        """Slots of the frames before the first of either side."""
        return [*([] if self.context is None else [self.context]), *self.distorted_context.values()]


def _wait(event: Any) -> None:
    if event is None:
        return
    try:
        event.synchronize()
    except RuntimeError as error:
        raise lost("the device", error) from error
