"""Page-locked memory in which frames of many groups meet, and the same on the device."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from corekit.features.tensor.scaling import room_for
from corekit.video.scaling import Scaling, Unscaled

if TYPE_CHECKING:
    from corekit.backends.cuda_lanes import Answer, Member
    from corekit.features.tensor.family import TensorPlanes
    from corekit.model import FrameFormat


class Stage:
    """Memory for the frames of one batch, on the host and on the device: reference frames from the front, distorted from the back."""

    def __init__(self, n_bytes: int, device: torch.device) -> None:
        self.n_bytes = n_bytes
        self.device = device
        on_gpu = device.type == "cuda"
        self._host = torch.empty(n_bytes, dtype=torch.uint8, pin_memory=on_gpu)
        self._memory = torch.empty(n_bytes, dtype=torch.uint8, device=device) if on_gpu else self._host
        self.answer: Answer | None = None
        """What is computed of it; once that has arrived nothing reads it any more."""

    def begin(self, fmt: FrameFormat) -> None:
        """Start anew with frames of ``fmt``."""
        self.fmt = fmt
        self.capacity = self.n_bytes // fmt.frame_bytes
        self.host = _planes_of(self._host, fmt, self.capacity)
        self.planes = _planes_of(self._memory, fmt, self.capacity)
        self.front, self.back = 0, self.capacity
        self.members: dict[int, Member] = {}
        self.filled: set[int] = set()
        """Slots that hold a frame on the host."""
        self.unscaled: dict[Hashable, tuple[Scaling, list[int]]] = {}
        """Slots whose frames are not scaled yet, by their scaling's key."""
        self.writers = 0
        self.n_pairs = 0

    def reference_slot(self) -> int:
        self.front += 1
        return self.front - 1

    def distorted_slot(self) -> int:
        self.back -= 1
        return self.back

    @property
    def room(self) -> int:
        """Frames that it can still take."""
        return self.back - self.front

    def expect(self, slot: int, planes: Any) -> None:
        """Note what will be written to a slot."""
        if not isinstance(planes[0], torch.Tensor):
            self.filled.add(slot)
        if isinstance(planes, Unscaled):
            self.unscaled.setdefault(planes.scaling.key, (planes.scaling, []))[1].append(slot)

    def write(self, slot: int, planes: Any) -> None:
        """Copy a frame to its slot: arrays to the host's side, tensors of the device to the device's; a smaller one to its beginning."""
        on_device = isinstance(planes[0], torch.Tensor)
        targets: Sequence[torch.Tensor] = self.planes if on_device else self.host
        if isinstance(planes, Unscaled):
            source = planes.scaling.source
            targets = [
                room_for(plane, shape, source.bit_depth) for plane, shape in zip(targets, source.shapes, strict=True)
            ]
        for target, plane in zip(targets, planes, strict=True):
            if on_device:
                target[slot].copy_(plane)
            else:
                np.copyto(target[slot].numpy().view(plane.dtype), plane)

    def upload(self, stream: Any) -> None:
        """Bring the frames of the host to the device, behind what runs there; the current stream waits for them."""
        if self._memory is self._host:
            return
        # Slots of frames that are restored later are copied too, whatever they hold: a run that is whole is one copy a plane.
        restored = {slot for member in self.members.values() for slot in member.restored}
        with torch.cuda.stream(stream):
            for start, stop in _runs(self.filled | restored if self.filled else ()):
                for host, plane in zip(self.host, self.planes, strict=True):
                    plane[start:stop].copy_(host[start:stop], non_blocking=True)
        torch.cuda.current_stream(self.device).wait_stream(stream)


def _planes_of(memory: torch.Tensor, fmt: FrameFormat, frames: int) -> TensorPlanes:
    """The three planes of ``frames`` frames in flat memory, one plane of all frames behind the other."""
    samples = memory if fmt.bit_depth == 8 else memory[: memory.numel() // 2 * 2].view(torch.int16)
    planes, start = [], 0
    for rows, columns in fmt.shapes:
        size = frames * rows * columns
        planes.append(samples[start : start + size].view(frames, rows, columns))
        start += size
    return planes[0], planes[1], planes[2]


def _runs(slots: Iterable[int]) -> list[tuple[int, int]]:
    """Slots as ranges ``[start, stop)`` without gaps."""
    runs: list[tuple[int, int]] = []
    for slot in sorted(slots):
        if runs and runs[-1][1] == slot:
            runs[-1] = runs[-1][0], slot + 1
        else:
            runs.append((slot, slot + 1))
    return runs


def to_device(lists: Sequence[list[int]], device: torch.device) -> list[torch.Tensor]:
    """Lists of integers as int64 tensors, in one transfer."""
    joined = torch.tensor([value for values in lists for value in values], dtype=torch.int64)
    if device.type == "cuda":
        joined = joined.pin_memory().to(device, non_blocking=True)
    return list(torch.split(joined, [len(values) for values in lists]))


def current_device(device: torch.device) -> AbstractContextManager[Any]:
    """What a thread must be in to launch kernels on a GPU; on the CPU nothing."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
