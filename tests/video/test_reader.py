"""Frames come out bit for bit, in display order, at their own depth, upright, whatever the container."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit.errors import ClipError
from corekit.model import Chroma, FrameFormat
from corekit.video import Planes, VideoReader, encode_video, probe
from tests.video.media import SMALL, X264, X265, digest, ffmpeg, ffmpeg_digest, moving, raw_of, read, write, write_raw

CHROMAS: list[Chroma] = ["420", "422", "444"]


@pytest.mark.parametrize("chroma", CHROMAS)
@pytest.mark.parametrize("depth", [8, 10, 12, 16])
@pytest.mark.parametrize("size", [(64, 48), (33, 17), (35, 50)])
def test_lossless_files_give_back_what_went_in(
    tmp_path: Path, chroma: Chroma, depth: int, size: tuple[int, int]
) -> None:
    fmt = FrameFormat(*size, depth, chroma)
    path = write(tmp_path / "a.mkv", fmt, 3)
    with VideoReader(path) as reader:
        assert (reader.fmt, reader.frames) == (fmt, 0)
        assert digest(reader) == digest(moving(fmt, 3))
        assert (reader.frames, reader.notes) == (3, ())


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([8, 9, 10, 12, 14, 16]), st.sampled_from(CHROMAS))
def test_raw_files_of_any_size_give_back_what_went_in(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, depth: int, chroma: Chroma
) -> None:
    fmt = FrameFormat(width, height, depth, chroma)
    path = write_raw(tmp_path_factory.getbasetemp() / "any.yuv", moving(fmt, 2))
    with VideoReader(path, raw=raw_of(fmt)) as reader:
        assert reader.fmt == fmt
        assert digest(reader) == digest(moving(fmt, 2))


def test_planes_have_the_type_of_the_format_and_stay_valid(tmp_path: Path) -> None:
    fmt = FrameFormat(35, 50, 10, "422")
    with VideoReader(write(tmp_path / "a.mkv", fmt, 5)) as reader:
        held = list(reader)
    for planes in held:
        assert [plane.shape for plane in planes] == list(fmt.shapes)
        assert {plane.dtype for plane in planes} == {np.dtype(np.uint16)}
    assert digest(held) == digest(moving(fmt, 5))


@pytest.mark.parametrize(
    ("name", "codec", "options", "depth"),
    [
        ("a.mp4", "libx264", X264, 8),
        ("a.mkv", "libx264", X264, 10),
        ("a.mp4", "libx265", X265, 10),
        ("a.mkv", "libx265", X265, 8),
        ("a.webm", "libvpx-vp9", {"cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "12"}, 8),
        ("a.mp4", "libsvtav1", {"preset": "12"}, 10),
        ("a.mov", "prores_ks", {}, 10),
        ("a.avi", "mpeg4", {"bf": "2"}, 8),
    ],
)
def test_another_decoder_sees_the_same(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], depth: int
) -> None:
    fmt = FrameFormat(128, 96, depth, "422" if codec == "prores_ks" else "420")
    path = write(tmp_path / name, fmt, 30, codec=codec, options=options)
    assert read(path) == ffmpeg_digest(path, fmt.pix_fmt)
    assert read(path, threads=2) == read(path)


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("chroma", CHROMAS)
def test_y4m_files(tmp_path: Path, depth: int, chroma: Chroma) -> None:
    fmt = FrameFormat(33, 17, depth, chroma)
    raw, path = write_raw(tmp_path / "a.yuv", moving(fmt, 4)), tmp_path / "a.y4m"
    ffmpeg("-f", "rawvideo", "-pix_fmt", fmt.pix_fmt, "-s", "33x17", "-i", raw, "-strict", "-1", path)
    with VideoReader(path) as reader:
        assert (reader.fmt, reader.probe.duration_s) == (fmt, 0.16)
        assert digest(reader) == digest(moving(fmt, 4))


SEMIPLANAR = {8: {"420": "nv12", "422": "nv16", "444": "nv24"}, 10: {"420": "p010le", "422": "p210le", "444": "p410le"}}


@pytest.mark.parametrize("chroma", CHROMAS)
@pytest.mark.parametrize("depth", [8, 10])
def test_interleaved_chroma_is_unpacked_without_loss(tmp_path: Path, depth: int, chroma: Chroma) -> None:
    fmt = FrameFormat(34, 18, depth, chroma)

    def pack(planes: Planes) -> bytes:
        y, cb, cr = planes
        scale = 1 if depth == 8 else 1 << (16 - depth)
        both = np.stack([cb, cr], axis=-1)
        return bytes(np.multiply(y, scale, dtype=y.dtype).tobytes() + np.multiply(both, scale, dtype=y.dtype).tobytes())

    path = tmp_path / "a.yuv"
    path.write_bytes(b"".join(pack(planes) for planes in moving(fmt, 3)))
    raw = raw_of(fmt, SEMIPLANAR[depth][chroma])
    assert probe(path, raw).pix_fmt == raw.pix_fmt
    assert read(path, raw=raw) == digest(moving(fmt, 3))


@pytest.mark.parametrize(
    "pix_fmt", ["nv21", "nv42", "yuyv422", "yvyu422", "uyvy422", "p012le", "p016be", "yuv444p12be"]
)
def test_other_packings_agree_with_ffmpeg(tmp_path: Path, pix_fmt: str) -> None:
    packed, planar = tmp_path / "a.yuv", tmp_path / "b.yuv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=34x18:d=0.2", "-f", "rawvideo", "-pix_fmt", pix_fmt, packed)
    with VideoReader(packed, raw=raw_of(FrameFormat(34, 18, 8, "420"), pix_fmt)) as reader:
        found, target = digest(reader), reader.fmt.pix_fmt
    source = ("-f", "rawvideo", "-pix_fmt", pix_fmt, "-s", "34x18", "-i", packed)
    ffmpeg(*source, "-f", "rawvideo", "-pix_fmt", target, planar)
    assert found == read(planar, raw=raw_of(FrameFormat(34, 18, 8, "420"), target))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("chroma", ["420", "444"])
def test_turned_clips_come_upright(tmp_path: Path, rotation: int, chroma: Chroma) -> None:
    fmt = FrameFormat(66, 48, 8, chroma)
    path = write(tmp_path / "a.mp4", fmt, 5, codec="libx264", options=X264, rotation=rotation)
    with VideoReader(path) as reader:
        assert (reader.fmt.width, reader.fmt.height) == ((66, 48) if rotation % 180 == 0 else (48, 66))
        assert digest(reader) == ffmpeg_digest(path, fmt.pix_fmt)  # FFmpeg's program turns by itself


def test_frames_that_an_edit_list_hides_are_not_missed(tmp_path: Path) -> None:
    for codec, options in (("libx264", X264), ("libx265", X265)):
        whole = write(tmp_path / f"{codec}.mp4", n=48, codec=codec, options=options)
        for start in ("0.2", "0.5", "0.96"):
            cut = tmp_path / f"{codec}-{start}.mp4"
            ffmpeg("-ss", start, "-i", whole, "-c", "copy", cut)
            with VideoReader(cut) as reader:
                assert digest(reader) == ffmpeg_digest(cut, "yuv420p")
                assert reader.frames == 48 - ceil(25 * float(start))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"g": "12", "x264-params": "open-gop=1:scenecut=0:b-adapt=0"}),
        ("libx265", {"x265-params": "keyint=12:min-keyint=12:open-gop=1:scenecut=0:b-adapt=0"}),
    ],
)
def test_a_cut_through_an_open_group_of_pictures_is_no_damage(
    tmp_path: Path, suffix: str, codec: str, options: dict[str, str]
) -> None:
    whole, cut = write(tmp_path / f"a.{suffix}", n=48, codec=codec, options=options), tmp_path / f"b.{suffix}"
    ffmpeg("-ss", "1", "-i", whole, "-c", "copy", cut)
    with VideoReader(cut) as reader:
        assert digest(reader) == ffmpeg_digest(cut, "yuv420p")
        assert 0 < reader.frames < 48


def test_interlaced_frames_come_as_they_are_and_are_noted(tmp_path: Path) -> None:
    options = {**X264, "flags": "+ildct+ilme", "x264-params": "tff=1"}
    path = write(tmp_path / "a.mp4", FrameFormat(64, 64, 8, "420"), codec="libx264", options=options)
    with VideoReader(path) as reader:
        assert digest(reader) == ffmpeg_digest(path, "yuv420p")
        assert reader.notes == ("interlaced frames: not deinterlaced",)
        assert not reader.probe.variable_rate


def two_sizes(tmp_path: Path) -> Path:
    """An elementary stream whose picture grows from 64x48 to 96x80 in frame 24."""
    small = write(tmp_path / "s.h264", SMALL, codec="libx264", options=X264)
    large = write(tmp_path / "l.h264", FrameFormat(96, 80, 8, "420"), codec="libx264", options=X264)
    path = tmp_path / "a.h264"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    return path


def test_a_picture_that_changes_its_size_is_refused(tmp_path: Path) -> None:
    path = two_sizes(tmp_path)
    with VideoReader(path) as reader, pytest.raises(ClipError) as failure:
        list(reader)
    assert str(failure.value) == (
        f"{path}: frame 24 is 96x80 yuv420p, the first one 64x48 yuv420p; cut or convert the clip"
    )
    assert failure.value.stage == "decode"


def test_a_picture_that_changes_its_size_is_scaled_to_a_target(tmp_path: Path) -> None:
    with VideoReader(two_sizes(tmp_path), target=SMALL) as reader:
        assert all([plane.shape for plane in planes] == list(SMALL.shapes) for planes in reader)
        assert reader.frames == 48
        assert reader.notes == (
            "format change: frame 24 is 96x80 yuv420p, the first one 64x48 yuv420p; all are scaled to one format",
        )


def test_a_closed_reader_does_not_look_like_an_empty_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv")
    with VideoReader(path) as reader:
        next(reader)
    with pytest.raises(ValueError, match="this reader is closed; open another one"):
        next(reader)


def test_readers_may_be_interleaved(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.mkv"), write(tmp_path / "b.mp4", codec="libx264", options=X264)
    with VideoReader(first) as one, VideoReader(second) as two:
        pairs = list(zip(one, two, strict=True))
    assert digest(pair[0] for pair in pairs) == read(first)
    assert digest(pair[1] for pair in pairs) == read(second)


def test_frames_are_in_display_order(tmp_path: Path) -> None:
    def grey() -> list[Planes]:
        levels = range(16, 16 + 10 * 20, 10)
        flat = [np.full((48, 64), level, np.uint8) for level in levels]
        return [(luma, luma[::2, ::2].copy(), luma[::2, ::2].copy()) for luma in flat]

    path = tmp_path / "a.mp4"
    encode_video(path, grey(), SMALL, framerate=Fraction(25), codec="libx264", options={"bf": "3", "crf": "10"})
    with VideoReader(path) as reader:
        levels = [float(planes[0].mean()) for planes in reader]
    assert levels == sorted(levels) and len(levels) == 20
