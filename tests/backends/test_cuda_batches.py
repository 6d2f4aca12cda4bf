"""Frames of many groups in the batches of one device: whatever meets in a batch, every group gets the numbers that it gets alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from av import VideoFrame

from corekit import FrameFormat, PairFeatures
from corekit.backends import cuda_batches, cuda_stages
from corekit.backends.base import Group, GroupSession, Pair
from corekit.backends.cpu import CpuExtractor, CpuOptions
from corekit.backends.cuda import CudaExtractor, CudaOptions, open_device
from corekit.planes import Planes
from corekit.video.formats import fill, required_layout, unpack
from corekit.video.scale import Scaler
from corekit.video.scaling import Scaling, Unscaled, measure
from tests.backends.test_cpu import moving_picture, pair

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SMALL, TALL, DEEP = FrameFormat(48, 40, 8, "420"), FrameFormat(35, 61, 8, "444"), FrameFormat(64, 40, 10, "422")
FEATURES = ("motion2", "psnr_y", "psnr_cb", "vif_scale0")


class Case:
    """A group, its frames, and what the cpu backend says of it."""

    def __init__(
        self,
        cpu: CpuExtractor,
        fmt: FrameFormat,
        seed: int,
        lengths: Sequence[int],
        *,
        itself: bool,
        smaller: FrameFormat | None = None,
    ) -> None:
        """Where a format is ``smaller`` the first rung's frames have it, and are scaled."""
        self.group = Group(
            content=str(seed), fmt=fmt, framerate="25/1", pairs=tuple(_pair(seed, i) for i in range(len(lengths)))
        )
        self.reference = moving_picture(fmt, max(lengths), seed=seed)
        self.rungs = [moving_picture(fmt, n, seed=seed + i, noise=0.02 * (i + 1)) for i, n in enumerate(lengths)]
        self.itself = itself
        self.scaling: Scaling | None = None
        self.unscaled: list[Unscaled] = []
        if smaller is not None:
            self.scaling = measure(VideoFrame(64, 64, smaller.pix_fmt), smaller, fmt)
            assert self.scaling is not None
            own = moving_picture(smaller, lengths[0], seed=seed, noise=0.03)
            self.unscaled = [Unscaled(planes, self.scaling) for planes in own]
            self.rungs[0] = [scaled(planes, smaller, fmt) for planes in own]
        self.expected = self.measure(cpu)

    def measure(self, extractor: Any) -> list[Any]:
        session = self.open(extractor)
        try:
            for index, planes in enumerate(self.reference):
                session.push(planes, self._distorted(index, planes, extractor.scales_frames))
            return list(session.finish())
        finally:
            session.close()

    def open(self, extractor: Any) -> GroupSession:
        if extractor.scales_frames and self.scaling is not None:
            assert extractor.scales(self.scaling)
        session: GroupSession = extractor.open_group(self.group)
        return session

    def check(self, results: Sequence[Any]) -> None:
        for got, expected in zip(results, self.expected, strict=True):
            assert isinstance(got, PairFeatures) and got.n_frames == expected.n_frames
            assert list(got.values) == list(expected.values)
            for name, values in got.values.items():
                np.testing.assert_array_equal(values, expected.values[name], err_msg=f"{self.group.content} {name}")

    def _distorted(self, index: int, planes: Planes, scales: bool = False) -> list[Planes | None]:
        distorted = [rung[index] if index < len(rung) else None for rung in self.rungs]
        if self.itself:  # the last pair, and only it, or every one where there is one
            distorted[-1] = planes
        if scales and index < len(self.unscaled):
            distorted[0] = self.unscaled[index]
        return distorted


def scaled(planes: Planes, source: FrameFormat, target: FrameFormat) -> Planes:
    frame = VideoFrame(source.width, source.height, source.pix_fmt)
    fill(frame, planes, source)
    return unpack(Scaler().scale(frame, target), required_layout(target.pix_fmt, "a frame"))


def _pair(seed: int, index: int) -> Pair:
    """Pairs of one group want different features."""
    return pair(FEATURES if (seed + index) % 3 else ("motion2", "psnr_y"), f"{seed}.{index}")


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    cpu = CpuExtractor(CpuOptions())
    less, shallow = FrameFormat(36, 29, 8, "420"), FrameFormat(47, 40, 8, "422")
    shapes: list[tuple[FrameFormat, list[int], bool, FrameFormat | None]] = [
        (SMALL, [7, 5, 7], False, None), (SMALL, [9], True, None), (TALL, [4], False, None), (DEEP, [6, 6, 6, 2], False, shallow),
        (SMALL, [3], True, None), (SMALL, [6, 6], True, less), (DEEP, [1], False, None), (TALL, [8, 8], False, None),
        (SMALL, [5], False, less), (DEEP, [2, 7], False, shallow),
    ]  # fmt: skip
    return [
        Case(cpu, fmt, 10 * n, lengths, itself=itself, smaller=smaller)
        for n, (fmt, lengths, itself, smaller) in enumerate(shapes, start=1)
    ]


@pytest.fixture(params=["as it is", "small stages", "memory of its own"])
def extractor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> CudaExtractor:
    if request.param == "memory of its own" and DEVICE == "cpu":
        _give_stages_device_memory(monkeypatch)
    if request.param != "as it is":
        monkeypatch.setattr(cuda_batches, "_CPU_STAGE_BYTES", 11 * SMALL.frame_bytes)
        monkeypatch.setattr(cuda_batches, "_STAGE_BYTES", 11 * SMALL.frame_bytes)
    return CudaExtractor(open_device(DEVICE), CudaOptions())


def _give_stages_device_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are uploaded as to a GPU: what is not uploaded, or overwrites what lies there already, is wrong."""
    begin = cuda_stages.Stage.begin

    def begin_apart(stage: Any, fmt: FrameFormat) -> None:
        stage._memory = torch.full_like(stage._host, 77)
        stage._host.fill_(99)
        begin(stage, fmt)

    monkeypatch.setattr(cuda_stages.Stage, "begin", begin_apart)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(wait_stream=lambda stream: None))


def test_one_group_after_the_other(extractor: CudaExtractor, cases: list[Case]) -> None:
    for case in cases:
        case.check(case.measure(extractor))


@pytest.mark.parametrize("threads", [2, 6])
def test_groups_side_by_side(extractor: CudaExtractor, cases: list[Case], threads: int) -> None:
    """More formats than stages, groups that end early, clips against themselves beside ladders."""
    with ThreadPoolExecutor(threads) as pool:
        several = cases * 3
        results = list(pool.map(lambda case: case.measure(extractor), several))
    for case, result in zip(several, results, strict=True):
        case.check(result)


def test_frames_of_groups_in_turn(extractor: CudaExtractor, cases: list[Case]) -> None:
    """In one thread, frame by frame: every batch holds frames of several groups."""
    few = [case for case in cases if case.group.fmt == SMALL]
    sessions = [case.open(extractor) for case in few]
    for index in range(9):
        for case, session in zip(few, sessions, strict=True):
            if index < len(case.reference):
                session.push(case.reference[index], case._distorted(index, case.reference[index], scales=True))
    for case, session in zip(few, sessions, strict=True):
        case.check(session.finish())
        session.close()


def test_frames_may_be_overwritten_after_they_were_pushed(extractor: CudaExtractor, cases: list[Case]) -> None:
    case = cases[0]
    session = extractor.open_group(case.group)
    buffers = [tuple(plane.copy() for plane in case.reference[0]) for _ in range(1 + len(case.rungs))]
    for index, planes in enumerate(case.reference):
        given: list[Any] = []
        for buffer, frame in zip(buffers, [planes, *case._distorted(index, planes)], strict=True):
            if frame is not None:
                for own, plane in zip(buffer, frame, strict=True):
                    own[...] = plane
            given.append(None if frame is None else buffer)
        session.push(given[0], given[1:])
    case.check(session.finish())


@pytest.mark.parametrize("all_of_them", [False, True])
def test_frames_that_lie_on_the_device(extractor: CudaExtractor, cases: list[Case], all_of_them: bool) -> None:
    """The reference decoded on the device, the distorted clips on the CPU or there too."""
    for case in cases:
        session = case.open(extractor)
        for index, planes in enumerate(case.reference):
            own = _on_device(planes)
            distorted = [
                own if frame is planes else _on_device(frame) if all_of_them and frame is not None else frame
                for frame in case._distorted(index, planes, scales=True)
            ]
            session.push(own, distorted)
        case.check(session.finish())
        session.close()


def _on_device(planes: Planes) -> Any:
    tensors: Any = tuple(
        torch.from_numpy(plane.view(np.int16) if plane.itemsize == 2 else plane).to(DEVICE) for plane in planes
    )
    return Unscaled(tensors, planes.scaling) if isinstance(planes, Unscaled) else tensors


def test_sixteen_bits(extractor: CudaExtractor) -> None:
    case = Case(CpuExtractor(CpuOptions()), FrameFormat(48, 40, 16, "420"), 3, [4, 4], itself=False)
    case.check(case.measure(extractor))


def test_a_failed_batch_fails_the_groups_that_are_in_it_and_no_other(
    extractor: CudaExtractor, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    family = extractor.family("psnr", TALL)
    assert not isinstance(family, str)

    def broken(batch: Any) -> Any:
        raise ValueError("a spring broke")

    monkeypatch.setattr(family, "sums", broken)
    for case in cases:
        if case.group.fmt == TALL:
            with pytest.raises(ValueError, match="a spring broke"):
                case.measure(extractor)
        else:
            case.check(case.measure(extractor))


def test_a_writer_that_is_late_holds_up_its_own_batch_alone(
    extractor: CudaExtractor, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread stalls in the middle of a copy; the frames of the others must wait for it where they share its batch, and come out."""
    case, other = cases[0], cases[1]
    write, late = cuda_stages.Stage.write, threading.Event()

    def stalling(stage: Any, slot: int, planes: Any) -> None:
        if planes is case.reference[2] and not late.is_set():
            late.set()
            time.sleep(0.3)
        write(stage, slot, planes)

    monkeypatch.setattr(cuda_stages.Stage, "write", stalling)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(case.measure, extractor)
        late.wait(5)
        second = pool.submit(other.measure, extractor)
        case.check(first.result(20))
        other.check(second.result(20))
