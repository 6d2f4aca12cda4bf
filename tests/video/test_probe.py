"""What a header says, and the sentence for each file that cannot be opened."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from corekit.errors import ClipError
from corekit.model import FrameFormat, RawVideo
from corekit.video import VideoReader, decoder_versions, frame_format, probe
from tests.video.media import SMALL, X264, ffmpeg, moving, raw_of, read, write, write_raw

FORMATS = "is not Y'CbCr 4:2:0, 4:2:2 or 4:4:4 of 8 to 16 bits; convert the clip"
HDR: dict[str, Any] = {"transfer": "smpte2084", "primaries": "bt2020", "matrix": "bt2020nc", "color_range": "limited"}


def refusal(path: Path, raw: RawVideo | None = None) -> str:
    """The sentence with which ``path`` is refused, the path cut out; the reader says the same."""
    with pytest.raises(ClipError) as probing:
        probe(path, raw)
    with pytest.raises(ClipError) as reading:
        VideoReader(path, raw=raw)
    assert str(probing.value) == str(reading.value)
    assert probing.value.stage == reading.value.stage == "open"
    return str(probing.value).removeprefix(f"{path}: ")


def test_a_header_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", FrameFormat(64, 48, 10, "420"), codec="libx265", options={"crf": "20"}, **HDR)
    found = probe(path)
    assert (found.width, found.height, found.pix_fmt, found.bit_depth) == (64, 48, "yuv420p10le", 10)
    assert (found.codec, found.framerate, found.n_frames, found.duration_s) == ("hevc", "25/1", 24, 0.96)
    assert (found.transfer, found.primaries, found.matrix) == ("smpte2084", "bt2020", "bt2020nc")
    assert (found.color_range, found.rotation, found.variable_rate) == ("limited", 0, False)
    assert found.size_bytes == path.stat().st_size
    assert found.is_hdr and found.transfer_class == "pq"
    assert frame_format(found) == FrameFormat(64, 48, 10, "420")


def test_what_is_unspecified_is_empty(tmp_path: Path) -> None:
    found = probe(write(tmp_path / "a.mp4", codec="libx264", options=X264))
    assert (found.transfer, found.primaries, found.matrix, found.color_range) == ("", "", "", "")
    assert found.transfer_class == "unknown" and not found.is_hdr


def test_tags_that_only_the_bitstream_holds_are_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h264", codec="libx264", options=X264, transfer="arib-std-b67", primaries="bt2020")
    found = probe(path)
    assert (found.transfer, found.primaries, found.n_frames) == ("arib-std-b67", "bt2020", None)


def test_full_range_is_told_by_tag_or_by_format(tmp_path: Path) -> None:
    tagged = write(tmp_path / "a.mp4", codec="libx264", options=X264, color_range="full")
    ffmpeg("-i", tagged, "-c:v", "mjpeg", tmp_path / "b.avi")
    found = probe(tmp_path / "b.avi")
    assert (probe(tagged).color_range, found.color_range, found.pix_fmt) == ("full", "full", "yuvj420p")
    assert frame_format(found) == SMALL


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotation_gives_the_displayed_geometry(tmp_path: Path, rotation: int) -> None:
    found = probe(write(tmp_path / "a.mp4", codec="libx264", options=X264, rotation=rotation))
    assert found.rotation == rotation
    assert (found.width, found.height) == ((64, 48) if rotation % 180 == 0 else (48, 64))


def test_a_rate_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=24000/1001:d=1", "-c:v", "libx264", "-pix_fmt", "yuv420p", path)
    assert probe(path).framerate == "24000/1001"


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("times", "variable"), [([0, 4, 8, 12, 16, 20], False), ([0, 4, 5, 12, 13, 20], True)])
def test_a_variable_rate_is_seen(tmp_path: Path, suffix: str, times: list[int], variable: bool) -> None:
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100)
        for time in times:
            frame = av.VideoFrame(64, 48, "yuv420p")
            frame.pts, frame.time_base = time, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with VideoReader(path) as reader:
        assert len(list(reader)) == 6
        assert reader.notes == (
            ("variable frame rate: 0.0100 to 0.0700 s between frames, compared by number",) if variable else ()
        )
    if suffix == "mp4":  # a Matroska header lists no frames
        assert probe(path).variable_rate is variable


def test_a_raw_file_is_as_it_was_described(tmp_path: Path) -> None:
    fmt = FrameFormat(33, 17, 10, "420")
    path = write_raw(tmp_path / "a.yuv", moving(fmt, 5))
    found = probe(path, RawVideo(width=33, height=17, pix_fmt="yuv420p10le", framerate="30000/1001"))
    assert (found.codec, found.n_frames, found.framerate) == ("rawvideo", 5, "30000/1001")
    assert found.duration_s == pytest.approx(5 * 1001 / 30000)
    assert frame_format(found) == fmt


def test_a_missing_file(tmp_path: Path) -> None:
    said = refusal(tmp_path / "a.mp4")
    assert said == "the file cannot be opened (No such file or directory); check the path"


def test_a_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path) == "this is not a regular file; name a video file"


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.touch()
    assert refusal(path) == "the file is empty; fetch it again"


def test_garbage(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(range(256)) * 40)
    assert refusal(path) == (
        "this is no video file that can be read (invalid data found when processing input); fetch it again"
    )


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.wav"])
def test_another_format_is_not_blamed_on_the_download(tmp_path: Path, name: str) -> None:
    source = "sine=d=0.1" if name.endswith("wav") else "testsrc=s=32x32:d=0.1"
    ffmpeg("-f", "lavfi", "-i", source, "-frames:a" if name.endswith("wav") else "-frames:v", "1", tmp_path / name)
    assert refusal(tmp_path / name) == (
        "this is no video file that can be read (a picture, sound, a list or a format that is not supported); check that it is "
        "the right file"
    )


def test_a_playlist_in_disguise_opens_no_other_file(tmp_path: Path) -> None:
    other = write(tmp_path / "other.ts", codec="libx264", options=X264)
    path = tmp_path / "a.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n")
    assert "this is no video file" in refusal(path)
    path.write_text(f"ffconcat version 1.0\nfile {other}\n")
    assert "this is no video file" in refusal(path)


def test_a_name_that_looks_like_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "plain.mkv").rename(tmp_path / "concat:plain.mkv")
    assert probe(Path("concat:plain.mkv")).codec == "ffv1"


def test_audio_alone_and_audio_with_a_cover(tmp_path: Path) -> None:
    sound = ("-f", "lavfi", "-i", "sine=d=1")
    ffmpeg(*sound, "-c:a", "aac", tmp_path / "a.m4a")
    assert refusal(tmp_path / "a.m4a") == "the file holds no video stream; check that it is the right file"
    cover = ("-f", "lavfi", "-i", "color=s=64x48:d=0.04", "-map", "0", "-map", "1", "-c:v", "mjpeg")
    ffmpeg(*sound, *cover, "-disposition:v", "attached_pic", tmp_path / "b.m4a")
    assert refusal(tmp_path / "b.m4a") == "the file holds no video stream; check that it is the right file"


def test_a_cover_beside_the_video_is_not_taken_for_it(tmp_path: Path) -> None:
    video, cover, path = (
        write(tmp_path / "a.mp4", codec="libx264", options=X264),
        tmp_path / "c.jpg",
        tmp_path / "b.mp4",
    )
    ffmpeg("-f", "lavfi", "-i", "color=s=320x240:d=0.04", "-frames:v", "1", cover)
    ffmpeg("-i", cover, "-i", video, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", path)
    assert (probe(path).codec, read(path)) == ("h264", read(video))


def test_of_two_video_streams_one_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    small, large = write(tmp_path / "s.mkv"), write(tmp_path / "l.mkv", FrameFormat(128, 96, 8, "420"))
    ffmpeg("-i", small, "-i", large, "-map", "0", "-map", "1", "-c", "copy", path)
    with VideoReader(path) as reader:
        assert len(list(reader)) == 24
        assert reader.notes == (f"2 video streams: stream {int(reader.fmt.width == 128)} is read",)


@pytest.mark.parametrize("pix_fmt", ["gray", "bgr0", "yuva420p", "yuv411p"])
def test_formats_that_are_not_planar_colour_difference(tmp_path: Path, pix_fmt: str) -> None:
    path = tmp_path / "a.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:d=0.2", "-c:v", "ffv1", "-pix_fmt", pix_fmt, path)
    assert refusal(path) == f"pixel format {pix_fmt} {FORMATS}"


def test_an_encrypted_file(tmp_path: Path) -> None:
    video, path = write(tmp_path / "a.mp4", codec="libx264", options=X264), tmp_path / "b.mp4"
    scheme = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "01" * 16, "-encryption_kid", "02" * 16)
    ffmpeg("-i", video, "-c", "copy", *scheme, path)
    assert refusal(path) == "its video is encrypted (DRM); get a clear copy"


def test_a_mirrored_picture(tmp_path: Path) -> None:
    video, path = write(tmp_path / "a.mp4", codec="libx264", options=X264), tmp_path / "b.mp4"
    ffmpeg("-display_hflip", "-i", video, "-c", "copy", path)
    assert refusal(path) == "its display matrix does more than turn the picture by quarters; convert the clip"


def test_a_turned_picture_of_422(tmp_path: Path) -> None:
    fmt = FrameFormat(64, 48, 8, "422")
    path = write(tmp_path / "a.mp4", fmt, codec="libx264", options=X264, rotation=90)
    assert refusal(path) == "a 4:2:2 picture cannot be turned by 90 degrees unresampled; convert the clip"


def test_a_raw_file_of_which_nothing_is_known(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.yuv", moving(SMALL, 1))
    assert refusal(path) == (
        "a .yuv file does not say what it holds; its corpus must give size, pix_fmt and frame rate"
    )


def test_a_raw_file_of_a_wrong_size(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.yuv", moving(SMALL, 2))
    path.write_bytes(path.read_bytes()[:-1])
    assert refusal(path, raw_of(SMALL)) == (
        "9215 bytes are not a whole number of 64x48 yuv420p frames of 4608 bytes (4607 bytes are left over);"
        " check the geometry or fetch the file again"
    )


def test_a_raw_file_of_an_unknown_format(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.yuv", moving(SMALL, 1))
    assert refusal(path, raw_of(SMALL, "gray")) == f"pixel format gray {FORMATS}"


def test_versions_name_the_libraries() -> None:
    versions = decoder_versions()
    assert set(versions) == {"av", "libavcodec", "libavformat", "libswscale"}
    assert versions["av"] == av.__version__
    assert all(version.split(".")[0].isdigit() for version in versions.values())


def test_importing_the_package_does_not_load_the_decoder() -> None:
    code = "import sys, corekit, corekit.model, corekit.errors; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
