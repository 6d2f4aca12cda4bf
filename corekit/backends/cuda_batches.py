"""Batches for a device: frames of many content groups gathered, uploaded while others are computed, their sums handed back.

Several threads push frames. A frame is copied once, into page-locked memory; a full stage goes to the device as one batch, in the
order in which stages were begun, while the next one fills. Where the device is the CPU a stage is computed where it lies.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from corekit.backends.base import DeviceLost
from corekit.errors import ClipError
from corekit.features.tensor.family import Batch, Integers, TensorFamily, TensorPlanes
from corekit.model import FrameFormat

if TYPE_CHECKING:
    from corekit.planes import Planes

MOST_PAIRS = 64
"""Frame pairs of 1080p in a batch, or as many pixels of another size. 32 keep a device busy; but every launch waits its turn among the
decoding threads."""
_PIXELS = 1920 * 1080
_STAGES = 3
"""One fills, one is uploaded, one is computed."""
_STAGE_BYTES = 512 << 20
"""A power of two, as torch page-locks memory in such pieces."""
_STAGE_SHARE = 0.04
"""Of what a batch may take on a device, what one stage takes at most."""
_CPU_STAGE_BYTES = 64 << 20
_PATIENCE_S = 0.02
"""What a finished group waits for others to fill the batch that its last frames are in."""
_WATCH_S = 1.0


@dataclass(frozen=True)
class Needs:
    """Families that need the frame before, of either side."""

    reference_before: frozenset[str]
    distorted_before: frozenset[str]


@dataclass
class _Member:
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


@dataclass
class _Answer:
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
        self.answers: list[_Answer] = []
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


class _Stage:
    """Memory for the frames of one batch, on the host and on the device: reference frames from the front, distorted from the back."""

    def __init__(self, n_bytes: int, device: torch.device) -> None:
        self.n_bytes = n_bytes
        self.device = device
        on_gpu = device.type == "cuda"
        self._host = torch.empty(n_bytes, dtype=torch.uint8, pin_memory=on_gpu)
        self._memory = torch.empty(n_bytes, dtype=torch.uint8, device=device) if on_gpu else self._host
        self.answer: _Answer | None = None
        """What is computed of it; once that has arrived nothing reads it any more."""

    def begin(self, fmt: FrameFormat) -> None:
        """Start anew with frames of ``fmt``."""
        self.fmt = fmt
        self.capacity = self.n_bytes // frame_bytes(fmt)
        self.host = _planes_of(self._host, fmt, self.capacity)
        self.planes = _planes_of(self._memory, fmt, self.capacity)
        self.front, self.back = 0, self.capacity
        self.members: dict[int, _Member] = {}
        self.filled: set[int] = set()
        """Slots that hold a frame on the host."""
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

    def write(self, slot: int, planes: Any) -> None:
        """Copy a frame to its slot: arrays to the host's side, tensors of the device to the device's."""
        if isinstance(planes[0], torch.Tensor):
            for target, plane in zip(self.planes, planes, strict=True):
                target[slot].copy_(plane)
            return
        for host, plane in zip(self.host, planes, strict=True):
            np.copyto(host[slot].numpy().view(plane.dtype), plane)

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


class Batcher:
    """All groups of one device: where their frames wait, and the order in which they are computed.

    Parameters
    ----------
    family
        The family of that name for frames of a format, made once.
    budget
        Bytes that one batch may take at the peak.
    needs
        Names of the families that need the frame before.
    """

    def __init__(
        self,
        device: torch.device,
        family: Callable[[str, FrameFormat], TensorFamily],
        budget: Callable[[], float],
        needs: Needs,
    ) -> None:
        self._device = device
        self._family = family
        self._budget = budget
        self._needs = needs
        self._on_gpu = device.type == "cuda"
        self._changed = threading.Condition()
        self._stages = 0
        self._most_stages = _STAGES
        self._idle: list[_Stage] = []
        self._filling: dict[FrameFormat, _Stage] = {}
        self._full: deque[_Stage] = deque()
        self._launching = False
        self._launched: deque[_Stage] = deque()
        self._lanes: set[Lane] = set()
        self._most: dict[tuple[str, FrameFormat], int] = {}
        self._uploads = torch.cuda.Stream(device) if self._on_gpu else None  # type: ignore[no-untyped-call]

    def open(self, fmt: FrameFormat, families: Sequence[frozenset[str]]) -> Lane:
        """Begin a group whose pairs need ``families``."""
        lane = Lane(fmt, families, self._needs)
        with self._changed:
            self._lanes.add(lane)
        return lane

    def close(self, lane: Lane) -> None:
        """Forget a group; safe more than once."""
        with self._changed:
            self._lanes.discard(lane)
            lane.answers = []
            lane.last_reference, lane.last_distorted = None, {}

    def push(self, lane: Lane, reference: Planes, distorted: Sequence[Planes | None]) -> None:
        """Take a frame of a group's reference and of every pair that has one."""
        self._raise(lane)
        wanted = [pair for pair, planes in enumerate(distorted) if planes is not None and lane.families[pair]]
        if not wanted:
            return
        stage, writes = self._reserve(lane, wanted, reference, distorted)
        try:
            for slot, planes in writes:
                stage.write(slot, planes)
        finally:
            with self._changed:
                stage.writers -= 1
            self._pump()

    def drain(self, lane: Lane) -> None:
        """Compute what is left of a group; its answers are complete afterwards."""
        with self._changed:
            if self._holds(lane) and len(self._lanes) > 1:
                self._changed.wait_for(lambda: not self._holds(lane), timeout=_PATIENCE_S)
            if self._holds(lane):
                self._submit(lane.fmt)
        self._pump()
        with self._changed:
            self._changed.wait_for(lambda: not lane.pending)
        self._raise(lane)

    def _holds(self, lane: Lane) -> bool:
        """Whether frames of a group lie in a stage that still fills."""
        stage = self._filling.get(lane.fmt)
        return stage is not None and id(lane) in stage.members

    def _raise(self, lane: Lane) -> None:
        if lane.error is not None:
            raise lane.error

    def _reserve(
        self, lane: Lane, wanted: Sequence[int], reference: Planes, distorted: Sequence[Planes | None]
    ) -> tuple[_Stage, list[tuple[int, Any]]]:
        """Slots for one frame of a group, and what has to be copied to them."""
        # A frame of each side, and where the group goes on in a new stage the ones before.
        frames = 2 * (1 + len(wanted))
        with self._changed:
            stage = self._stage_for(lane.fmt, frames, len(wanted))
            member = stage.members.get(id(lane))
            if member is None:
                member = stage.members[id(lane)] = _Member(lane)
                lane.pending += 1
                if lane.started and lane.keeps_reference:
                    member.context = stage.reference_slot()
                if lane.started:
                    for pair in wanted:
                        if lane.keeps_distorted[pair]:
                            member.distorted_context[pair] = stage.distorted_slot()
            lane.started = True
            slot = stage.reference_slot()
            member.references.append(slot)
            writes: list[tuple[int, Any]] = [(slot, reference)]
            for pair in wanted:
                planes = distorted[pair]
                own = stage.distorted_slot()
                member.pairs.append((pair, slot, own))
                if planes is reference:
                    member.itself.add(own)
                else:
                    writes.append((own, planes))
            stage.n_pairs += len(wanted)
            stage.filled.update(slot for slot, planes in writes if not isinstance(planes[0], torch.Tensor))
            stage.writers += 1
        return stage, writes

    def _stage_for(self, fmt: FrameFormat, frames: int, pairs: int) -> _Stage:
        """The stage that fills with frames of a format, with room for that many; called with the lock held."""
        while True:
            stage = self._filling.get(fmt)
            if stage is not None:
                if stage.room >= frames and stage.n_pairs + pairs <= max(most_pairs(fmt), pairs):
                    return stage
                self._submit(fmt)
                self._pump_unlocked()
                continue
            stage = self._take(frames * frame_bytes(fmt))
            if stage is not None:
                stage.begin(fmt)
                self._filling[fmt] = stage

    def _take(self, n_bytes: int) -> _Stage | None:
        """An idle stage of at least ``n_bytes``, or None where the lock was given up in waiting for one."""
        if self._idle:
            stage = self._idle.pop()
            if stage.n_bytes >= n_bytes:
                return stage
            self._stages -= 1
        if self._stages < self._most_stages:
            self._stages += 1
            try:
                return self._new_stage(n_bytes)
            except BaseException as error:
                self._stages -= 1
                if "out of memory" not in str(error):
                    raise
                if not self._stages:
                    raise ClipError(
                        "compare", f"the memory of {self._device} does not hold one batch ({error})"
                    ) from error
                self._most_stages = self._stages
                return None
        if self._launched:
            stage = self._launched.popleft()
            self._changed.release()
            try:
                if stage.answer is not None:
                    stage.answer.sums()
            finally:
                stage.answer = None
                self._changed.acquire()
            self._idle.append(stage)
            self._changed.notify_all()
            return None
        if self._filling and not self._full and not self._launching:
            # Every stage is half full with frames of another format.
            self._submit(next(iter(self._filling)))
            self._pump_unlocked()
            return None
        self._changed.wait(timeout=_WATCH_S)
        return None

    def _new_stage(self, n_bytes: int) -> _Stage:
        stage = _Stage(max(self._stage_bytes(), n_bytes), self._device)
        if self._uploads is not None:
            # Its memory may be that of tensors which kernels that are still queued write to.
            self._uploads.wait_stream(torch.cuda.current_stream(self._device))
        return stage

    def _stage_bytes(self) -> int:
        """What a stage takes if it need not be larger: on the host page-locked, and as much on the device."""
        if not self._on_gpu:
            return _CPU_STAGE_BYTES
        share = max(1, int(_STAGE_SHARE * self._budget()))
        return min(_STAGE_BYTES, 1 << (share.bit_length() - 1))

    def _submit(self, fmt: FrameFormat) -> None:
        """Let a stage take no more frames; it is computed when all have been written."""
        self._full.append(self._filling.pop(fmt))
        self._changed.notify_all()

    def _pump_unlocked(self) -> None:
        self._changed.release()
        try:
            self._pump()
        finally:
            self._changed.acquire()

    def _pump(self) -> None:
        """Compute the full stages in their order, unless another thread is at it."""
        while True:
            with self._changed:
                if self._launching or not self._full or self._full[0].writers:
                    return
                stage = self._full.popleft()
                self._launching = True
            try:
                self._launch(stage)
            finally:
                with self._changed:
                    self._launching = False
                    for member in stage.members.values():
                        member.lane.pending -= 1
                    self._launched.append(stage)
                    self._changed.notify_all()

    def _launch(self, stage: _Stage) -> None:
        lanes = [member.lane for member in stage.members.values()]
        try:
            with self._current_device():
                answer = self._computed(stage)
        except torch.OutOfMemoryError as error:
            self._fail(lanes, ClipError("compare", f"the memory of {self._device} does not hold one frame ({error})"))
        except RuntimeError as error:
            if "CUDA error" in str(error):
                raise DeviceLost(f"{self._device} was lost: {str(error).splitlines()[0]}") from error
            self._fail(lanes, error)
        except Exception as error:
            self._fail(lanes, error)
        else:
            for lane in lanes:
                lane.answers.append(answer)

    def _fail(self, lanes: Iterable[Lane], error: Exception) -> None:
        for lane in lanes:
            lane.error = lane.error or error
        if self._on_gpu:  # what the batch has begun may still write to its stage, which others get next
            try:
                torch.cuda.synchronize(self._device)
            except RuntimeError as lost:
                raise DeviceLost(f"{self._device} was lost: {str(lost).splitlines()[0]}") from lost

    def _current_device(self) -> AbstractContextManager[Any]:
        return torch.cuda.device(self._device) if self._on_gpu else nullcontext()

    def _computed(self, stage: _Stage) -> _Answer:
        stage.upload(self._uploads)
        self._restore(stage)
        batch, pairs = self._batch(stage)
        self._keep_last(stage)
        wanting: dict[str, list[int]] = {}
        for row, (lane, pair) in enumerate(pairs):
            for name in lane.families[pair]:
                wanting.setdefault(name, []).append(row)
        sums = {name: self._sums(name, batch, rows) for name, rows in wanting.items()}
        places: dict[str, dict[tuple[int, int], list[int]]] = {}
        for name, rows in wanting.items():
            by_pair = places.setdefault(name, {})
            for place, row in enumerate(rows):
                lane, pair = pairs[row]
                by_pair.setdefault((id(lane), pair), []).append(place)
        return self._on_the_way(stage, sums, places)

    def _batch(self, stage: _Stage) -> tuple[Batch, list[tuple[Lane, int]]]:
        """The stage as a batch, and lane and pair of each of its rows."""
        members = list(stage.members.values())
        itself = {slot for member in members for slot in member.itself}
        everything = {slot for member in members for _, _, slot in member.pairs}
        with_itself = everything == itself
        reference_before = [-1] * stage.front
        distorted_before = [-1] * (stage.capacity - stage.back)
        rows: list[tuple[Lane, int]] = []
        of_reference, of_distorted = [], []
        for member in members:
            before = -1 if member.context is None else member.context
            for slot in member.references:
                reference_before[slot] = before
                before = slot
            last = {pair: slot - stage.back for pair, slot in member.distorted_context.items()}
            for pair, reference, slot in member.pairs:
                rows.append((member.lane, pair))
                of_reference.append(reference)
                if with_itself:
                    of_distorted.append(reference)
                    continue
                if slot in member.itself:
                    for plane in stage.planes:
                        plane[slot].copy_(plane[reference])
                index = slot - stage.back
                of_distorted.append(index)
                distorted_before[index] = last.get(pair, -1)
                last[pair] = index
        references = [plane[: stage.front] for plane in stage.planes]
        distorted = [plane[stage.back :] for plane in stage.planes]
        indices = [of_reference, of_distorted, reference_before, reference_before if with_itself else distorted_before]
        tensors = _to_device(indices, self._device)
        samples = _as_samples(references, stage.fmt)
        batch = Batch(
            fmt=stage.fmt,
            reference=samples,
            distorted=samples if with_itself else _as_samples(distorted, stage.fmt),
            pair_reference=tensors[0],
            pair_distorted=tensors[1],
            reference_previous=tensors[2],
            distorted_previous=tensors[3],
        )
        return batch, rows

    def _restore(self, stage: _Stage) -> None:
        """Put the last frames of the batches before into their slots."""
        saved: dict[int, TensorPlanes | None] = {}
        for member in stage.members.values():
            if member.context is not None:
                saved[member.context] = member.lane.last_reference
            for pair, slot in member.distorted_context.items():
                saved[slot] = member.lane.last_distorted.get(pair)
        # There is none where the batch before failed, and its lane with it.
        frames = {slot: planes for slot, planes in saved.items() if planes is not None}
        if frames:
            slots = _to_device([list(frames)], self._device)[0]
            for target, each in zip(stage.planes, zip(*frames.values(), strict=True), strict=True):
                target.index_copy_(0, slots, torch.stack(each))

    def _keep_last(self, stage: _Stage) -> None:
        """Copy the frames that reach into the batches to come, all at once: what is many launches holds up the decoders' threads."""
        kept: list[int] = []
        owners: list[tuple[Lane, int | None]] = []
        for member in stage.members.values():
            lane = member.lane
            if lane.keeps_reference:
                kept.append(member.references[-1])
                owners.append((lane, None))
            last = {
                pair: reference if slot in member.itself else slot
                for pair, reference, slot in member.pairs
                if lane.keeps_distorted[pair]
            }
            kept += last.values()
            owners += [(lane, pair) for pair in last]
        if not kept:
            return
        slots = _to_device([kept], self._device)[0]
        y, cb, cr = (plane.index_select(0, slots) for plane in stage.planes)
        for index, (lane, pair) in enumerate(owners):
            frame = y[index], cb[index], cr[index]
            if pair is None:
                lane.last_reference = frame
            else:
                lane.last_distorted[pair] = frame

    def _sums(self, name: str, batch: Batch, rows: Sequence[int]) -> torch.Tensor:
        """Sums of a family for some rows; where the device's memory does not hold them, in smaller parts from then on."""
        family = self._family(name, batch.fmt)
        key = name, batch.fmt
        if key not in self._most:
            self._most[key] = int(max(1, min(most_pairs(batch.fmt), self._budget() // max(1, family.pair_bytes()))))
        if len(rows) < batch.n_pairs:
            batch = _some(batch, _to_device([list(rows)], self._device)[0])
        parts = []
        start = 0
        while start < len(rows):
            most = self._most[key]
            try:
                parts.append(family.sums(_some(batch, slice(start, start + most))))
            except torch.OutOfMemoryError:
                if most == 1:
                    raise
                self._most[key] = most // 2
                if self._on_gpu:
                    torch.cuda.empty_cache()
                continue
            start += most
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _on_the_way(
        self, stage: _Stage, sums: Mapping[str, torch.Tensor], rows: dict[str, dict[tuple[int, int], list[int]]]
    ) -> _Answer:
        """Start the sums' way to the host, in one transfer."""
        flat, done = torch.cat([tensor.flatten() for tensor in sums.values()]), None
        if self._on_gpu:
            arriving = torch.empty(flat.shape, dtype=flat.dtype, pin_memory=True)
            arriving.copy_(flat, non_blocking=True)
            done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            done.record(torch.cuda.current_stream(self._device))
            flat = arriving
        shapes = {name: (tensor.shape[0], tensor.shape[1]) for name, tensor in sums.items()}
        stage.answer = _Answer(flat, done, shapes, rows)
        return stage.answer


def most_pairs(fmt: FrameFormat, of_full_hd: int = MOST_PAIRS) -> int:
    """Pairs in a batch of frames of ``fmt`` that have the pixels of so many at 1080p; at most 256, when they are launches no more."""
    return max(1, min(256, of_full_hd * _PIXELS // (fmt.width * fmt.height)))


def frame_bytes(fmt: FrameFormat) -> int:
    """Bytes of one frame of a format in a stage."""
    samples = sum(rows * columns for rows, columns in fmt.shapes)
    return samples * (1 if fmt.bit_depth == 8 else 2)


def _planes_of(memory: torch.Tensor, fmt: FrameFormat, frames: int) -> TensorPlanes:
    """The three planes of ``frames`` frames in flat memory, one plane of all frames behind the other."""
    samples = memory if fmt.bit_depth == 8 else memory[: memory.numel() // 2 * 2].view(torch.int16)
    planes, start = [], 0
    for rows, columns in fmt.shapes:
        size = frames * rows * columns
        planes.append(samples[start : start + size].view(frames, rows, columns))
        start += size
    return planes[0], planes[1], planes[2]


def _as_samples(planes: Sequence[torch.Tensor], fmt: FrameFormat) -> TensorPlanes:
    """Planes as the families take them: samples of 16 bits do not fit a signed type of as many."""
    if fmt.bit_depth > 15:
        planes = [plane.to(torch.int32) & 0xFFFF for plane in planes]
    y, cb, cr = planes
    return y, cb, cr


def _runs(slots: Iterable[int]) -> list[tuple[int, int]]:
    """Slots as ranges ``[start, stop)`` without gaps."""
    runs: list[tuple[int, int]] = []
    for slot in sorted(slots):
        if runs and runs[-1][1] == slot:
            runs[-1] = runs[-1][0], slot + 1
        else:
            runs.append((slot, slot + 1))
    return runs


def _to_device(lists: Sequence[list[int]], device: torch.device) -> list[torch.Tensor]:
    """Lists of integers as int64 tensors, in one transfer."""
    joined = torch.tensor([value for values in lists for value in values], dtype=torch.int64)
    if device.type == "cuda":
        joined = joined.pin_memory().to(device, non_blocking=True)
    return list(torch.split(joined, [len(values) for values in lists]))


def _some(batch: Batch, rows: slice | torch.Tensor) -> Batch:
    """Some of a batch's pairs."""
    from dataclasses import replace

    return replace(batch, pair_reference=batch.pair_reference[rows], pair_distorted=batch.pair_distorted[rows])


def _wait(event: Any) -> None:
    if event is None:
        return
    try:
        event.synchronize()
    except RuntimeError as error:
        raise DeviceLost(f"the device was lost: {str(error).splitlines()[0]}") from error
