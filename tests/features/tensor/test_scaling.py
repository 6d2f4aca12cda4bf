"""Frames scaled on a device are those of libswscale to the last sample: torch and its kernel, any size, depth and place of chroma."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from corekit.features.tensor.scaling import FrameScaler, has_room, room_for
from corekit.model import FrameFormat
from corekit.video import VideoReader
from corekit.video.scaling import Scaling, measure
from tests.features.tensor.batches import DEVICE
from tests.features.tensor.compiled import compile_launches
from tests.video.media import ffmpeg, write

SIZES = [
    (FrameFormat(64, 36, 10, "420"), FrameFormat(96, 54, 10, "420")),
    (FrameFormat(101, 75, 8, "420"), FrameFormat(133, 101, 8, "420")),
    (FrameFormat(51, 35, 8, "444"), FrameFormat(133, 102, 8, "444")),
    (FrameFormat(35, 51, 12, "422"), FrameFormat(35, 71, 12, "422")),
    (FrameFormat(35, 51, 8, "422"), FrameFormat(70, 51, 8, "422")),
    (FrameFormat(40, 30, 8, "420"), FrameFormat(61, 47, 10, "420")),
    (FrameFormat(16, 16, 8, "420"), FrameFormat(128, 128, 8, "420")),
    (FrameFormat(50, 30, 14, "444"), FrameFormat(51, 31, 9, "444")),
]


def scaling_of(tmp_path: Path, source: FrameFormat, target: FrameFormat) -> Scaling:
    with VideoReader(write(tmp_path / "a.mkv", source, 1)) as reader:
        scaling = measure(reader.first, source, target)
    assert scaling is not None
    return scaling


def scaled(scaling: Scaling, *, fused: bool, coarse: bool) -> bool:
    """Whether the sample, in the midst of other frames, becomes what libswscale makes of it, and these stay as they are."""
    target = scaling.target
    scaler = FrameScaler(scaling, DEVICE, fused=fused, coarse=coarse)
    dtype = torch.uint8 if target.bit_depth == 8 else torch.int16
    y, cb, cr = (torch.full((4, *shape), 77, dtype=dtype, device=DEVICE) for shape in target.shapes)
    for plane, samples, shape in zip((y, cb, cr), scaling.sample(), scaling.source.shapes, strict=True):
        signed = torch.from_numpy(samples.view(np.int16) if samples.itemsize == 2 else samples).to(DEVICE)
        for slot in (3, 1):
            room_for(plane, shape, scaling.source.bit_depth)[slot].copy_(signed)
    scaler.scale((y, cb, cr), torch.tensor([3, 1], device=DEVICE))
    frames = [plane.cpu().numpy() for plane in (y, cb, cr)]
    assert all((plane[[0, 2]] == 77).all() and np.array_equal(plane[1], plane[3]) for plane in frames)
    return scaling.is_right((frames[0][1], frames[1][1], frames[2][1]))


@pytest.mark.parametrize("fused", [False, True], ids=["torch", "triton"])
@pytest.mark.parametrize(
    ("source", "target"), SIZES, ids=lambda fmt: f"{fmt.width}x{fmt.height} {fmt.bit_depth} {fmt.chroma}"
)
def test_samples_are_those_of_libswscale(source: FrameFormat, target: FrameFormat, fused: bool, tmp_path: Path) -> None:
    if fused:
        pytest.importorskip("triton")
    assert has_room(source, target)
    scaling = scaling_of(tmp_path, source, target)
    # How libswscale rounds 8 bits depends on the processor; either way is one of two.
    ways = [
        scaled(scaling, fused=fused, coarse=coarse) for coarse in ((True, False) if target.bit_depth == 8 else (False,))
    ]
    assert any(ways)


@pytest.mark.parametrize("place", [1, 2, 3], ids=["center", "topleft", "top"])
def test_chroma_is_taken_from_where_it_lies(place: int, tmp_path: Path) -> None:
    source, target = FrameFormat(64, 48, 10, "420"), FrameFormat(96, 72, 10, "420")
    path, placed = write(tmp_path / "a.mkv", source, 1), tmp_path / "b.mp4"
    ffmpeg("-i", path, "-c:v", "libx265", "-x265-params", f"log-level=error:chromaloc={place}", placed)
    with VideoReader(placed) as reader:
        scaling = measure(reader.first, source, target)
        planes = next(reader)
    with VideoReader(placed, target=target) as reader:
        expected = next(reader)
    assert scaling is not None and scaled(scaling, fused=False, coarse=False)
    y, cb, cr = (torch.zeros((1, *shape), dtype=torch.int16, device=DEVICE) for shape in target.shapes)
    for plane, samples, shape in zip((y, cb, cr), planes, source.shapes, strict=True):
        room_for(plane, shape, 10)[0].copy_(torch.from_numpy(samples.view(np.int16)))
    FrameScaler(scaling, DEVICE, fused=False, coarse=False).scale(
        (y, cb, cr), torch.zeros(1, dtype=torch.int64, device=DEVICE)
    )
    for plane, samples in zip((y, cb, cr), expected, strict=True):
        assert np.array_equal(plane[0].cpu().numpy().view(np.uint16), samples)


def test_a_frame_that_is_larger_has_no_room() -> None:
    full, half = FrameFormat(64, 48, 8, "420"), FrameFormat(32, 24, 8, "420")
    assert has_room(half, full) and has_room(full, FrameFormat(64, 48, 10, "420"))
    assert not has_room(full, half)
    assert not has_room(FrameFormat(64, 30, 10, "420"), FrameFormat(64, 48, 8, "420"))


@pytest.mark.parametrize(
    ("capability", "fmt"),
    [("80", FrameFormat(1920, 1080, 8, "420")), ("90", FrameFormat(1366, 768, 10, "444"))],
    ids=["80", "90"],
)
def test_the_kernel_compiles_for_gpus(capability: str, fmt: FrameFormat) -> None:
    pytest.importorskip("triton")
    assert "_scale" in compile_launches("Scaler", capability, fmt)
