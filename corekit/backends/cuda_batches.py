"""Batches for a device: frames of many content groups gathered, uploaded while others are computed, their sums handed back.

Several threads push frames. A frame is copied once, into page-locked memory; a full stage goes to the device as one batch, in the
order in which stages were begun, while the next one fills. Where the device is the CPU a stage is computed where it lies.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from corekit.backends.base import DeviceLost
from corekit.backends.cuda_faults import first_line, is_lost, is_memory, lost
from corekit.backends.cuda_lanes import Answer, Lane, Member, Needs
from corekit.backends.cuda_rows import Places, batch_of, part_of
from corekit.backends.cuda_stages import Stage, current_device, to_device
from corekit.errors import ClipError
from corekit.features.tensor.family import Batch, TensorFamily, TensorPlanes
from corekit.model import FrameFormat

if TYPE_CHECKING:
    from corekit.features.tensor.scaling import FrameScaler
    from corekit.planes import Planes
    from corekit.video.scaling import Scaling

MOST_PAIRS = 64
"""Frame pairs of 1080p in a batch, or as many pixels of another size. 32 keep a device busy; twice as many halve the launches, each of which
asks the decoding threads for Python's lock."""
_PIXELS = 1920 * 1080
_STAGES = 3
"""One fills, one is uploaded, one is computed."""
_STAGE_BYTES = 512 << 20
"""A power of two, as torch page-locks memory in such pieces."""
_STAGE_SHARE = 0.04
"""Of what a batch may take on a device, what one stage takes at most."""
_CPU_STAGE_BYTES = 64 << 20
_SCALED_AT_ONCE = 16
"""Frames: torch's temporaries of a scaling are some 20 bytes a sample."""
_PATIENCE_S = 0.02
"""What a finished group waits for others to fill the batch that its last frames are in."""
_WATCH_S = 1.0


T = TypeVar("T")


class Batcher:
    """All groups of one device: where their frames wait, and the order in which they are computed.

    Parameters
    ----------
    family
        The family of that name for frames of a format, made once.
    scaler
        What scales the frames of a scaling, made once.
    budget
        Bytes that one batch may take at the peak.
    needs
        Names of the families that need the frame before.
    without_kernels
        Gives a family in plain torch where its kernels fail at work; raises the error where there are none to leave out.
    """

    def __init__(
        self,
        device: torch.device,
        family: Callable[[str, FrameFormat], TensorFamily],
        scaler: Callable[[Scaling], FrameScaler],
        budget: Callable[[], float],
        needs: Needs,
        without_kernels: Callable[[str, FrameFormat, Exception], TensorFamily],
    ) -> None:
        self._device = device
        self._family = family
        self._scaler = scaler
        self._budget = budget
        self._needs = needs
        self._without_kernels = without_kernels
        self._lost: DeviceLost | None = None
        """Why nothing can be computed any more; every thread that comes by ends with it."""
        self._on_gpu = device.type == "cuda"
        self._changed = threading.Condition()
        self._stages = 0
        self._most_stages = _STAGES
        self._idle: list[Stage] = []
        self._filling: dict[FrameFormat, Stage] = {}
        self._full: deque[Stage] = deque()
        self._launching = False
        self._launched: deque[Stage] = deque()
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
        except RuntimeError as error:
            if is_lost(error):
                self._lose(lost(self._device, error))
                raise lost(self._device, error) from error
            raise
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
            self._changed.wait_for(lambda: not lane.pending or self._lost)
        self._raise(lane)

    def _holds(self, lane: Lane) -> bool:
        """Whether frames of a group lie in a stage that still fills."""
        stage = self._filling.get(lane.fmt)
        return stage is not None and id(lane) in stage.members

    def _raise(self, lane: Lane) -> None:
        self._raise_lost()
        if lane.error is not None:
            raise lane.error

    def _reserve(
        self, lane: Lane, wanted: Sequence[int], reference: Planes, distorted: Sequence[Planes | None]
    ) -> tuple[Stage, list[tuple[int, Any]]]:
        """Slots for one frame of a group, and what has to be copied to them."""
        # A frame of each side, and where the group goes on in a new stage the ones before.
        frames = 2 * (1 + len(wanted))
        with self._changed:
            stage = self._stage_for(lane.fmt, frames, len(wanted))
            member = stage.members.get(id(lane))
            if member is None:
                member = stage.members[id(lane)] = Member(lane)
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
            for each, planes in writes:
                stage.expect(each, planes)
            stage.writers += 1
        return stage, writes

    def _stage_for(self, fmt: FrameFormat, frames: int, pairs: int) -> Stage:
        """The stage that fills with frames of a format, with room for that many; called with the lock held."""
        while True:
            self._raise_lost()
            stage = self._filling.get(fmt)
            if stage is not None:
                if stage.room >= frames and stage.n_pairs + pairs <= max(most_pairs(fmt), pairs):
                    return stage
                self._submit(fmt)
                self._pump_unlocked()
                continue
            stage = self._take(frames * fmt.frame_bytes)
            if stage is not None:
                stage.begin(fmt)
                self._filling[fmt] = stage

    def _take(self, n_bytes: int) -> Stage | None:
        """An idle stage of at least ``n_bytes``, or None where the lock was given up in waiting for one."""
        if self._idle:
            stage = self._idle.pop()
            if stage.n_bytes >= n_bytes:
                return stage
            self._stages -= 1
            del stage  # its memory is needed for the larger one
        if self._stages < self._most_stages:
            self._stages += 1
            try:
                return self._new_stage(n_bytes)
            except BaseException as error:
                self._stages -= 1
                if not is_memory(error):
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

    def _new_stage(self, n_bytes: int) -> Stage:
        stage = Stage(max(self._stage_bytes(), n_bytes), self._device)
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
                if self._launching or not self._full or self._full[0].writers or self._lost:
                    return
                stage = self._full.popleft()
                self._launching = True
            try:
                self._launch(stage)
            except DeviceLost as lost_one:  # the groups are not done: none must go on to its answers
                self._lose(lost_one)
                raise
            with self._changed:
                self._launching = False
                for member in stage.members.values():
                    member.lane.pending -= 1
                self._launched.append(stage)
                self._changed.notify_all()

    def _lose(self, error: DeviceLost) -> None:
        with self._changed:
            self._lost = self._lost or error
            self._changed.notify_all()

    def _raise_lost(self) -> None:
        if self._lost is not None:
            raise DeviceLost(str(self._lost))

    def _launch(self, stage: Stage) -> None:
        lanes = [member.lane for member in stage.members.values()]
        try:
            with current_device(self._device):
                answer = self._computed(stage)
        except Exception as error:
            if is_lost(error):
                raise lost(self._device, error) from error
            reason = f"the memory of {self._device} does not hold one frame ({first_line(error)})"
            self._fail(lanes, ClipError("compare", reason) if is_memory(error) else error)
        else:
            for lane in lanes:
                lane.answers.append(answer)

    def _fail(self, lanes: Iterable[Lane], error: Exception) -> None:
        if self._on_gpu:  # what the batch has begun may still write to its stage, which others get next
            try:
                torch.cuda.synchronize(self._device)
            except RuntimeError as gone:
                raise lost(self._device, gone) from gone
        for lane in lanes:
            lane.error = lane.error or error

    def _computed(self, stage: Stage) -> Answer:
        stage.upload(self._uploads)
        for scaling, slots in stage.unscaled.values():
            scaler = self._scaler(scaling)
            for part in torch.split(to_device([slots], self._device)[0], _SCALED_AT_ONCE):
                scaler.scale(stage.planes, part)
        self._roomy(lambda: self._restore(stage))
        batch, pairs, places_of = self._roomy(lambda: batch_of(stage, self._device))
        self._roomy(lambda: self._keep_last(stage))
        wanting: dict[str, list[int]] = {}
        for row, (lane, pair) in enumerate(pairs):
            for name in lane.families[pair]:
                wanting.setdefault(name, []).append(row)
        sums = {name: self._sums(name, batch, places_of, rows) for name, rows in wanting.items()}
        places: dict[str, dict[tuple[int, int], list[int]]] = {}
        for name, rows in wanting.items():
            by_pair = places.setdefault(name, {})
            for place, row in enumerate(rows):
                lane, pair = pairs[row]
                by_pair.setdefault((id(lane), pair), []).append(place)
        return self._roomy(lambda: self._on_the_way(stage, sums, places))

    def _roomy(self, step: Callable[[], T]) -> T:
        """A step that may be done twice; where memory is short, again with what torch holds for later given back."""
        try:
            return step()
        except Exception as error:
            if not is_memory(error):
                raise
        self._give_back()  # behind the handler: the error holds what the step had begun
        return step()

    def _give_back(self) -> None:
        if self._on_gpu:
            torch.cuda.empty_cache()

    def _restore(self, stage: Stage) -> None:
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
            slots = to_device([list(frames)], self._device)[0]
            for target, each in zip(stage.planes, zip(*frames.values(), strict=True), strict=True):
                target.index_copy_(0, slots, torch.stack(each))

    def _keep_last(self, stage: Stage) -> None:
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
        slots = to_device([kept], self._device)[0]
        y, cb, cr = (plane.index_select(0, slots) for plane in stage.planes)
        for index, (lane, pair) in enumerate(owners):
            frame = y[index], cb[index], cr[index]
            if pair is None:
                lane.last_reference = frame
            else:
                lane.last_distorted[pair] = frame

    def _sums(self, name: str, batch: Batch, places: Places, rows: Sequence[int]) -> torch.Tensor:
        """Sums of a family for some rows; where the device's memory does not hold them, in smaller parts from then on."""
        family = self._family(name, batch.fmt)
        key = name, batch.fmt
        if key not in self._most:
            self._most[key] = int(max(1, min(most_pairs(batch.fmt), self._budget() // max(1, family.pair_bytes()))))
        parts = []
        start = 0
        while start < len(rows):
            some = rows[start : start + self._most[key]]
            try:
                parts.append(
                    family.sums(part_of(batch, places, some, whole=len(some) == len(rows), device=self._device))
                )
            except Exception as error:
                if is_lost(error):
                    raise
                if not is_memory(error):
                    family = self._without_kernels(name, batch.fmt, error)
                elif len(some) > 1:
                    self._most[key] = len(some) // 2
                else:
                    raise
            else:
                start += len(some)
                continue
            self._give_back()
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _on_the_way(
        self, stage: Stage, sums: Mapping[str, torch.Tensor], rows: dict[str, dict[tuple[int, int], list[int]]]
    ) -> Answer:
        """Start the sums' way to the host, in one transfer."""
        flat, done = torch.cat([tensor.flatten() for tensor in sums.values()]), None
        if self._on_gpu:
            arriving = torch.empty(flat.shape, dtype=flat.dtype, pin_memory=True)
            arriving.copy_(flat, non_blocking=True)
            done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            done.record(torch.cuda.current_stream(self._device))
            flat = arriving
        shapes = {name: (tensor.shape[0], tensor.shape[1]) for name, tensor in sums.items()}
        stage.answer = Answer(flat, done, shapes, rows)
        return stage.answer


def most_pairs(fmt: FrameFormat, of_full_hd: int = MOST_PAIRS) -> int:
    """Pairs in a batch of frames of ``fmt`` that have the pixels of so many at 1080p; at most 256, when they are launches no more."""
    return max(1, min(256, of_full_hd * _PIXELS // (fmt.width * fmt.height)))
