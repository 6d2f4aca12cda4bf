"""One scaler, with one setting, and only for frames that need it."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation, VideoReformatter

from corekit.errors import ClipError
from corekit.model import Chroma, FrameFormat
from corekit.video import VideoReader
from corekit.video.formats import required_layout, unpack
from corekit.video.scale import turn, turned
from tests.video.media import SMALL, X264, digest, ffmpeg, moving, read, write


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (SMALL, FrameFormat(96, 80, 8, "420")),
        (SMALL, FrameFormat(33, 17, 10, "420")),
        (FrameFormat(64, 48, 10, "422"), FrameFormat(64, 48, 10, "420")),
        (FrameFormat(64, 48, 12, "444"), FrameFormat(64, 48, 8, "444")),
    ],
)
def test_frames_go_through_the_reformatter(tmp_path: Path, source: FrameFormat, target: FrameFormat) -> None:
    path = write(tmp_path / "a.mkv", source, 3)
    expected = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            scaled = VideoReformatter().reformat(
                frame,
                width=target.width,
                height=target.height,
                format=target.pix_fmt,
                interpolation=Interpolation.BICUBIC,
                threads=1,
            )
            expected.append(unpack(scaled, required_layout(target.pix_fmt, "a")))
    with VideoReader(path, target=target) as reader:
        assert reader.fmt == target
        assert (reader.probe.width, reader.probe.height) == (source.width, source.height)
        assert digest(reader) == digest(expected)


@pytest.mark.parametrize("depth", [8, 10])
def test_a_frame_in_the_target_format_is_untouched(tmp_path: Path, depth: int) -> None:
    fmt = FrameFormat(66, 50, depth, "420")
    assert read(write(tmp_path / "a.mkv", fmt, 3), target=fmt) == digest(moving(fmt, 3))


def test_more_bits_keep_the_values(tmp_path: Path) -> None:
    with VideoReader(write(tmp_path / "a.mkv", SMALL, 3), target=FrameFormat(64, 48, 10, "420")) as reader:
        for planes, original in zip(reader, moving(SMALL, 3), strict=True):
            for plane, before in zip(planes, original, strict=True):
                assert np.array_equal(plane, before.astype(np.uint16) << 2)


def test_the_range_is_never_converted(tmp_path: Path) -> None:
    fmt = FrameFormat(64, 48, 8, "420")
    plain = write(tmp_path / "a.mp4", codec="libx264", options=X264)
    full = write(tmp_path / "b.mp4", codec="libx264", options=X264, color_range="full")
    target = FrameFormat(96, 80, 10, "420")
    with VideoReader(full) as reader:
        assert reader.probe.color_range == "full"
    assert read(plain) == read(full)
    assert read(plain, target=target) == read(full, target=target)
    ffmpeg("-i", full, "-c:v", "mjpeg", "-q:v", "2", tmp_path / "c.avi")
    with VideoReader(tmp_path / "c.avi", target=fmt) as same, VideoReader(tmp_path / "c.avi", target=target) as scaled:
        for before, after in zip(same, scaled, strict=True):
            assert float(after[0].mean()) / 4 == pytest.approx(float(before[0].mean()), abs=1.0)
            assert int(before[0].min()) < 30 and int(after[0].min()) < 120


@pytest.mark.parametrize("matrix", ["gbr", "bt470bg", "bt2020c", "ictcp", "ycgco"])
def test_any_matrix_can_be_scaled(tmp_path: Path, matrix: str) -> None:
    fmt = FrameFormat(64, 48, 8, "444" if matrix == "gbr" else "420")
    tagged = write(tmp_path / "a.mkv", fmt, 2, matrix="" if matrix == "gbr" else matrix)
    plain, target = write(tmp_path / "b.mkv", fmt, 2), FrameFormat(96, 80, 8, "420")
    assert read(tagged, target=target) == read(plain, target=target)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_clip_is_scaled_as_stored_and_then_turned(tmp_path: Path, rotation: int) -> None:
    upright = write(tmp_path / "a.mp4", codec="libx264", options=X264)
    rotated = write(tmp_path / "b.mp4", codec="libx264", options=X264, rotation=rotation)
    target = FrameFormat(40, 60, 8, "420")
    stored = turned(target, rotation)
    with VideoReader(rotated, target=target) as reader, VideoReader(upright, target=stored) as plain:
        for planes, before in zip(reader, plain, strict=True):
            assert [plane.shape for plane in planes] == list(target.shapes)
            for plane, other in zip(planes, turn(before, rotation), strict=True):
                assert np.array_equal(plane, other)


def test_a_turned_clip_cannot_become_422(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", codec="libx264", options=X264, rotation=90)
    with pytest.raises(ClipError) as failure:
        VideoReader(path, target=FrameFormat(48, 64, 8, "422"))
    assert str(failure.value) == (
        f"{path}: a picture turned by 90 degrees cannot be brought to 4:2:2; convert the clip"
    )


@pytest.mark.parametrize("chroma", ["420", "444"])
def test_turning_is_exact(chroma: Chroma) -> None:
    fmt = FrameFormat(33, 17, 8, chroma)
    (planes,) = moving(fmt, 1)
    right = turn(planes, 90)
    assert [plane.shape for plane in right] == list(turned(fmt, 90).shapes)
    assert np.array_equal(right[0][0], planes[0][::-1, 0])  # the left column, read upwards, is the new top row
    assert digest([turn(turn(planes, 90), 270)]) == digest([turn(turn(planes, 180), 180)]) == digest([planes])
    assert digest([turn(planes, 0)]) == digest([planes])
