"""The scaler's weights as they are measured, and which frames are left to a backend that scales by them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from corekit.model import FrameFormat
from corekit.video import VideoReader
from corekit.video.scaling import Scales, Taps, Unscaled, is_filtered, measure
from tests.video.media import SMALL, ffmpeg, write

LARGE = FrameFormat(96, 72, 8, "420")


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (FrameFormat(640, 360, 10, "420"), FrameFormat(1920, 1080, 10, "420")),
        (FrameFormat(1920, 1080, 8, "420"), FrameFormat(853, 479, 10, "420")),
        (FrameFormat(101, 75, 12, "422"), FrameFormat(333, 75, 12, "422")),
        (FrameFormat(16, 16, 8, "444"), FrameFormat(37, 61, 8, "444")),
    ],
    ids=str,
)
def test_weights_sum_to_one_and_are_the_bicubic_ones(source: FrameFormat, target: FrameFormat, tmp_path: Path) -> None:
    with VideoReader(write(tmp_path / "a.mkv", source, 1)) as reader:
        scaling = measure(reader.first, source, target)
    assert scaling is not None
    for plane, before, after in zip((scaling.luma, scaling.chroma), source.shapes, target.shapes, strict=False):
        for taps, bits, n_in, n_out in ((plane.down, 12, before[0], after[0]), (plane.across, 14, before[1], after[1])):
            assert (taps.weights.sum(1) == 1 << bits).all()
            assert taps.start.min() >= 0 and taps.start.max() + taps.weights.shape[1] <= n_in
            if n_in < n_out and plane is scaling.luma:
                _check_bicubic(taps, n_in, n_out, bits)


def _check_bicubic(taps: Taps, n_in: int, n_out: int, bits: int) -> None:
    """Away from the ends: the cubic of B = 0, C = 0.6 about the output sample's centre."""
    for x in range(n_out // 4, 3 * n_out // 4):
        distance = np.abs(taps.start[x] + np.arange(taps.weights.shape[1]) - ((x + 0.5) * n_in / n_out - 0.5))
        near = 1.4 * distance**3 - 2.4 * distance**2 + 1
        far = -0.6 * distance**3 + 3 * distance**2 - 4.8 * distance + 2.4
        cubic = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
        # libswscale leaves out what is next to nothing at the rim, and rounds the distance of two outputs to 1/65536.
        np.testing.assert_allclose(taps.weights[x] / (1 << bits), cubic, atol=0.01)


@pytest.mark.parametrize(
    ("source", "target", "filtered"),
    [
        (SMALL, LARGE, True),
        (SMALL, FrameFormat(64, 72, 8, "420"), True),
        (SMALL, FrameFormat(64, 48, 10, "420"), False),
        (SMALL, FrameFormat(96, 72, 8, "444"), False),
        (FrameFormat(64, 48, 10, "420"), LARGE, False),
        (FrameFormat(64, 48, 16, "420"), FrameFormat(96, 72, 16, "420"), False),
    ],
)
def test_only_filters_are_measured(source: FrameFormat, target: FrameFormat, filtered: bool, tmp_path: Path) -> None:
    assert is_filtered(source, target) == filtered
    with VideoReader(write(tmp_path / "a.mkv", source, 1)) as reader:
        assert (Scales(lambda scaling: True).of(reader.first, target) is not None) == filtered


def test_frames_are_left_unscaled_where_the_backend_is_trusted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", SMALL, 3)
    asked = []

    def trusted(scaling: object) -> bool:
        asked.append(scaling)
        return len(asked) > 1

    with VideoReader(path, target=LARGE, scales=Scales(trusted)) as reader:
        assert [planes[0].shape for planes in reader] == [(72, 96)] * 3
    with VideoReader(path, target=LARGE, scales=Scales(trusted)) as reader, VideoReader(path) as own:
        for planes, expected in zip(reader, own, strict=True):
            assert isinstance(planes, Unscaled)
            assert (planes.scaling.source, planes.scaling.target) == (SMALL, LARGE)
            assert all(np.array_equal(a, b) for a, b in zip(planes, expected, strict=True))
    assert len(asked) == 2, "a clip's scaling is asked for once"


def test_frames_in_the_format_that_is_wanted_are_nobodys_to_scale(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", SMALL, 2)
    with VideoReader(path, target=SMALL, scales=Scales(lambda scaling: True)) as reader:
        assert not any(isinstance(planes, Unscaled) for planes in reader)


def test_turned_and_interlaced_frames_are_scaled_on_the_cpu(tmp_path: Path) -> None:
    path, turned, fields = write(tmp_path / "a.mp4", SMALL, 3, codec="libx264"), tmp_path / "b.mp4", tmp_path / "c.mp4"
    ffmpeg("-display_rotation", "90", "-i", path, "-c", "copy", turned)
    ffmpeg("-i", path, "-c:v", "libx264", "-flags", "+ildct+ilme", "-x264opts", "tff=1", fields)
    for clip in (turned, fields):
        with VideoReader(clip, target=LARGE, scales=Scales(lambda scaling: True)) as reader:
            frames = list(reader)
        assert len(frames) == 3 and not any(isinstance(planes, Unscaled) for planes in frames)


def test_where_chroma_samples_lie_shows_in_the_weights(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", SMALL, 2)
    found = []
    for place in ("left", "center", "topleft"):
        clip = tmp_path / f"{place}.mp4"
        ffmpeg(
            "-i",
            path,
            "-c:v",
            "libx265",
            "-x265-params",
            f"log-level=error:chromaloc={('left', 'center', 'topleft').index(place)}",
            clip,
        )
        with VideoReader(clip) as reader:
            scaling = measure(reader.first, SMALL, LARGE)
        assert scaling is not None
        found.append(scaling)
    left, centre, top = found
    assert len({scaling.key for scaling in found}) == 3
    assert all(np.array_equal(left.luma.across.weights, other.luma.across.weights) for other in (centre, top))
    assert not np.array_equal(left.chroma.across.weights, centre.chroma.across.weights)
    assert not np.array_equal(left.chroma.down.weights, top.chroma.down.weights)
