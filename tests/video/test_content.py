"""Videos whose bytes are in memory or in a file without a name are read as if they were files."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import pytest

from corekit.errors import ClipError
from corekit.model import Probe
from corekit.video import VideoReader, encode_in_memory, frame_format, probe
from tests.video.media import SMALL, X264, digest, moving, raw_of, read, write, write_raw

NAMED = Path("archive.zip/a.mp4")


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("mkv", "ffv1"), ("avi", "ffv1"), ("y4m", "rawvideo")]
)
def test_content_gives_the_frames_and_the_header_of_the_file(tmp_path: Path, suffix: str, codec: str) -> None:
    path = write(tmp_path / f"a.{suffix}", codec=codec, options=X264 if codec == "libx264" else {})
    content = BytesIO(path.read_bytes())
    assert read(NAMED, content=content) == read(path)
    assert probe(NAMED, content=content) == probe(path)
    assert not content.closed


def test_a_raw_files_content(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.yuv", moving(SMALL, 3))
    content = BytesIO(path.read_bytes())
    assert read(NAMED, content=content, raw=raw_of(SMALL)) == digest(moving(SMALL, 3))


def test_a_spooled_file_that_went_to_disk(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", codec="libx264", options=X264)
    with SpooledTemporaryFile(max_size=100) as content:
        content.write(path.read_bytes())
        assert read(NAMED, content=cast(BinaryIO, content)) == read(path)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_content_cut_short_is_told_by_its_name(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", codec="ffv1" if suffix == "mkv" else "libx264")
    with pytest.raises(ClipError, match=r"^archive\.zip/a\.mp4: ") as caught:
        read(NAMED, content=BytesIO(path.read_bytes()[:-900]))
    assert caught.value.stage in ("open", "decode")


def test_empty_content(tmp_path: Path) -> None:
    with pytest.raises(ClipError) as caught:
        probe(NAMED, content=BytesIO())
    assert str(caught.value) == "archive.zip/a.mp4: the file is empty; fetch it again"


def colour() -> Probe:
    return Probe(
        width=64, height=48, pix_fmt="yuv420p", bit_depth=8, codec="h264", framerate="25/1", duration_s=1.0,
        transfer="bt709", primaries="bt709", matrix="bt709", color_range="limited",
    )  # fmt: skip


def test_an_encode_in_memory_has_the_bytes_of_the_file(tmp_path: Path) -> None:
    tags: Any = {"transfer": "bt709", "primaries": "bt709", "matrix": "bt709"}
    path = write(tmp_path / "a.mp4", codec="libx264", options=X264, color_range="limited", **tags)
    content = encode_in_memory(
        "a", moving(SMALL, 24), SMALL, framerate=Fraction(25), codec="libx264", options=X264, colour=colour()
    )
    assert content.getvalue() == path.read_bytes()
    with VideoReader(Path("a"), content=content) as reader:
        assert frame_format(reader.probe) == SMALL and len(list(reader)) == 24


def test_an_encode_that_fails_says_of_what(tmp_path: Path) -> None:
    with pytest.raises(ClipError) as caught:
        encode_in_memory("x.mp4", [], SMALL, framerate=Fraction(25), codec="libx264", options=X264, colour=colour())
    assert str(caught.value) == (
        "x.mp4: encoding with libx264 failed (no frames were given); check its options and the format yuv420p"
    )
