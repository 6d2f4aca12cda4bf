"""Equal frames give equal bytes, tags survive, and a file appears whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from corekit.errors import ClipError, UsageError
from corekit.model import FrameFormat
from corekit.video import Planes, VideoReader, encode_video, encoder_version, probe
from tests.video.media import SMALL, X264, X265, digest, moving, read, write

TEN = FrameFormat(64, 48, 10, "420")


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize(("codec", "options"), [("libx264", X264), ("libx265", X265), ("ffv1", {})])
def test_the_same_frames_give_the_same_bytes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str, codec: str, options: dict[str, str]
) -> None:
    first = write(tmp_path / f"a.{suffix}", TEN, codec=codec, options=options).read_bytes()
    second = write(tmp_path / f"b.{suffix}", TEN, codec=codec, options=options).read_bytes()
    assert first == second
    assert capfd.readouterr() == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{suffix}", f"b.{suffix}"]


def test_tags_rate_and_rotation_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    tags = {"transfer": "arib-std-b67", "primaries": "bt2020", "matrix": "bt2020nc"}
    rate = Fraction(30000, 1001)
    encode_video(
        path,
        moving(TEN, 6),
        TEN,
        framerate=rate,
        codec="libx265",
        options=X265,
        **tags,
        color_range="full",
        rotation=270,
    )
    found = probe(path)
    assert (found.transfer, found.primaries, found.matrix) == ("arib-std-b67", "bt2020", "bt2020nc")
    assert (found.color_range, found.rotation, found.framerate) == ("full", 270, "30000/1001")
    assert (found.n_frames, found.pix_fmt) == (6, "yuv420p10le")


def test_raw_frames_can_be_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yuv", SMALL, 3, codec="rawvideo")
    assert path.read_bytes() == b"".join(plane.tobytes() for planes in moving(SMALL, 3) for plane in planes)


def test_options_reach_the_encoder(tmp_path: Path) -> None:
    sizes = [
        write(tmp_path / f"{crf}.mp4", codec="libx264", options={**X264, "crf": crf}).stat().st_size
        for crf in ("10", "30", "50")
    ]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3
    lossless = {"preset": "ultrafast", "x265-params": "lossless=1"}
    assert read(write(tmp_path / "a.mkv", codec="libx265", options=lossless)) == digest(moving(SMALL, 24))


def test_an_unknown_encoder(tmp_path: Path) -> None:
    said = "the encoder 'libx999' is not in this build of PyAV; choose another encoder"
    with pytest.raises(UsageError) as failure:
        write(tmp_path / "a.mp4", codec="libx999")
    assert str(failure.value) == said
    with pytest.raises(UsageError, match=re.escape(said)):
        encoder_version("libx999")


def test_an_unknown_option(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as failure:
        write(tmp_path / "a.mp4", codec="libx264", options={"crv": "35"})
    assert str(failure.value) == "the encoder libx264 has no option 'crv'; see `ffmpeg -h encoder=libx264`"


def test_an_unknown_tag(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the colour transfer 'pq' is unknown; take one of bt709, .*smpte2084"):
        write(tmp_path / "a.mp4", transfer="pq")


@pytest.mark.parametrize(
    ("codec", "options", "reason"),
    [("libx264", {"preset": "nonesuch"}, r"\(.+\)"), ("libx264", {}, r"\(no frames were given\)")],
)
def test_what_the_encoder_refuses(tmp_path: Path, codec: str, options: dict[str, str], reason: str) -> None:
    frames = moving(SMALL, 3) if options else iter(())
    with pytest.raises(ClipError, match=rf"encoding with {codec} failed {reason}; check its options") as failure:
        encode_video(tmp_path / "a.mp4", frames, SMALL, framerate=Fraction(25), codec=codec, options=options)
    assert failure.value.stage == "worker"
    assert not list(tmp_path.iterdir())


def test_planes_of_a_wrong_shape(tmp_path: Path) -> None:
    flat = np.zeros((48, 64), np.uint8)
    with pytest.raises(ClipError, match=r"a plane of \(48, 64\) uint8 is not the \(24, 32\) that yuv420p has"):
        encode_video(tmp_path / "a.mkv", [(flat, flat, flat)], SMALL, framerate=Fraction(25), codec="ffv1", options={})


def test_a_failure_of_the_source_leaves_the_old_file(tmp_path: Path) -> None:
    def broken() -> Iterator[Planes]:
        yield from moving(SMALL, 3)
        raise ClipError("decode", "the source broke")

    path = write(tmp_path / "a.mkv")
    before = path.read_bytes()
    with pytest.raises(ClipError, match="the source broke"):
        encode_video(path, broken(), SMALL, framerate=Fraction(25), codec="ffv1", options={})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_frames_of_a_reader_can_be_encoded(tmp_path: Path) -> None:
    source = write(tmp_path / "a.mkv", TEN, 12)
    with VideoReader(source) as reader:
        encode_video(tmp_path / "b.mkv", reader, reader.fmt, framerate=Fraction(25), codec="ffv1", options={})
    assert read(tmp_path / "b.mkv") == read(source)


@pytest.mark.parametrize(
    ("codec", "pattern"),
    [("libx264", r"\d+"), ("libx265", r"\d+\.\d+\S*"), ("ffv1", r"Lavc\d+\.\d+\.\d+")],
)
def test_encoders_name_their_version(codec: str, pattern: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert re.fullmatch(pattern, encoder_version(codec))
    assert capfd.readouterr() == ("", "")
