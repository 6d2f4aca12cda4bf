"""A damaged or truncated file is an error that names the frame, never a shorter clip."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit.errors import ClipError
from corekit.model import FrameFormat
from corekit.video import VideoReader
from corekit.video.structure import unfinished_box, unfinished_segment
from tests.video.media import SMALL, X264, X265, ffmpeg, moving, raw_of, read, remux, write, write_raw

FRAMES = 36
FORMAT = FrameFormat(96, 80, 8, "420")
PLACES = st.floats(0, 1, exclude_max=True)
NOISE = bytes(range(255, 55, -2))
END = "; the file is damaged or cut short, fetch it again"


def make(folder: Path, kind: str) -> Path:
    """A whole clip of ``FRAMES`` frames; ``kind`` is codec-container."""
    codec, container = kind.split("-")
    encoder, options = {"h264": ("libx264", X264), "hevc": ("libx265", X265), "ffv1": ("ffv1", {})}[codec]
    suffix = {"first": "mp4", "last": "mp4", "fragments": "mp4"}.get(container, container)
    plain = write(folder / f"{kind}.{suffix}", FORMAT, FRAMES, codec=encoder, options=options)
    if container == "first":
        return remux(plain, folder / f"{kind}-moved.mp4", movflags="faststart")
    if container == "fragments":
        return remux(plain, folder / f"{kind}-split.mp4", movflags="frag_keyframe+empty_moov")
    return plain


KINDS = ["h264-first", "h264-last", "h264-mkv", "hevc-first", "hevc-last", "hevc-mkv", "ffv1-mkv"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    return {kind: make(folder, kind).read_bytes() for kind in [*KINDS, "h264-fragments", "h264-avi", "h264-ts"]}


def pictures(data: bytes, kind: str) -> tuple[int, int]:
    """Where the coded pictures of a clip begin and end; damage to an MP4's index cannot always be told."""
    if kind.endswith("mkv"):
        return data.index(b"\x1f\x43\xb6\x75"), len(data)
    start, index = data.index(b"mdat") + 4, data.index(b"moov") - 4
    return start, index if index > start else len(data)


def attempt(path: Path, data: bytes) -> tuple[int, str | None]:
    """Frames that came out of ``data``, and the error where there was one; any other exception is a bug."""
    path.write_bytes(data)
    frames = 0
    try:
        with VideoReader(path) as reader:
            for _ in reader:
                frames += 1
    except ClipError as error:
        assert error.stage == ("decode" if frames else error.stage)
        assert error.stage in ("open", "decode")
        assert str(error).startswith(f"{path}: ")
        assert "Errno" not in str(error)
        return frames, str(error)
    return frames, None


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_pass(tmp_path: Path, whole: dict[str, bytes], kind: str) -> None:
    suffix = "mkv" if kind.endswith("mkv") else "mp4"
    assert attempt(tmp_path / f"a.{suffix}", whole[kind]) == (FRAMES, None)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(PLACES)
def test_a_file_cut_anywhere_is_never_a_shorter_clip(
    tmp_path_factory: pytest.TempPathFactory, whole: dict[str, bytes], kind: str, place: float
) -> None:
    kept = 1 + int(place * (len(whole[kind]) - 1))
    suffix = "mkv" if kind.endswith("mkv") else "mp4"
    frames, error = attempt(tmp_path_factory.getbasetemp() / f"cut.{suffix}", whole[kind][:kept])
    assert error is not None or frames == FRAMES


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(PLACES, st.one_of(st.binary(min_size=1, max_size=64), st.just(bytes(64)), st.just(bytes(600))))
def test_a_file_with_foreign_bytes_is_never_a_shorter_clip(
    tmp_path_factory: pytest.TempPathFactory, whole: dict[str, bytes], kind: str, place: float, patch: bytes
) -> None:
    intact = whole[kind]
    first, last = pictures(intact, kind)
    at = first + int(place * (last - len(patch) - first))
    suffix = "mkv" if kind.endswith("mkv") else "mp4"
    damaged = intact[:at] + patch + intact[at + len(patch) :]
    frames, error = attempt(tmp_path_factory.getbasetemp() / f"patched.{suffix}", damaged)
    assert error is not None or frames == FRAMES


def test_damage_inside_a_picture_is_found(tmp_path: Path, whole: dict[str, bytes]) -> None:
    # FFV1 carries checksums; H.264 notices when what it reads makes no sense.
    for kind, at_least in (("h264-first", 0.6), ("ffv1-mkv", 1.0)):
        intact, suffix = whole[kind], "mkv" if kind.endswith("mkv") else "mp4"
        places = range(len(intact) // 3, len(intact) * 9 // 10, len(intact) // 40)
        damaged = [intact[:at] + NOISE + intact[at + len(NOISE) :] for at in places]
        found = [attempt(tmp_path / f"a.{suffix}", data)[1] is not None for data in damaged]
        assert sum(found) >= at_least * len(found)


def test_the_sentence_names_the_frame(tmp_path: Path, whole: dict[str, bytes]) -> None:
    path = tmp_path / "a.mp4"
    frames, error = attempt(path, whole["h264-first"][: len(whole["h264-first"]) * 2 // 3])
    assert 0 < frames < FRAMES
    assert error is not None
    assert error.removeprefix(f"{path}: decoding failed at frame ").split(" ", 1)[1] == f"(its data end early){END}"


def test_a_header_without_its_pictures(tmp_path: Path, whole: dict[str, bytes]) -> None:
    header = whole["h264-first"].index(b"mdat") + 4
    path = tmp_path / "a.mp4"
    frames, error = attempt(path, whole["h264-first"][:header])
    assert frames == 0
    assert error is not None and "decoding failed at frame 0 (stream 0, offset 0x" in error


def test_a_declared_frame_that_is_not_there(tmp_path: Path, whole: dict[str, bytes]) -> None:
    intact, path = whole["h264-mkv"], tmp_path / "a.mkv"
    at = intact.index(b"DURATION") + len("DURATION")
    stamp = intact.index(b"00:00:01.440", at)
    frames, error = attempt(path, intact[:stamp] + b"00:00:02.440" + intact[stamp + 12 :])
    assert frames == FRAMES
    assert error == f"{path}: the video ends early after frame 35 (2.440 s are declared and 1.440 s are there){END}"


def test_a_fragmented_file_that_ends_inside_a_fragment(tmp_path: Path, whole: dict[str, bytes]) -> None:
    intact, path = whole["h264-fragments"], tmp_path / "a.mp4"
    assert attempt(path, intact) == (FRAMES, None)
    second = intact.index(b"moof", intact.index(b"moof") + 4)
    frames, error = attempt(path, intact[: second + 10])
    assert frames == 12
    assert error is not None and "bytes of its last moof box are missing" in error


def test_an_avi_cut_short(tmp_path: Path, whole: dict[str, bytes]) -> None:
    intact, path = whole["h264-avi"], tmp_path / "a.avi"
    assert attempt(path, intact) == (FRAMES, None)
    for kept in range(len(intact) // 3, len(intact) * 9 // 10, len(intact) // 11):
        assert attempt(path, intact[:kept])[1] is not None


def test_a_transport_stream_with_a_lost_packet(tmp_path: Path, whole: dict[str, bytes]) -> None:
    intact, path = whole["h264-ts"], tmp_path / "a.ts"
    assert attempt(path, intact) == (FRAMES, None)
    places = range(len(intact) // 3 // 188 * 188, len(intact) * 9 // 10, 188)
    found = [attempt(path, intact[:at] + intact[at + 188 :])[1] is not None for at in places]
    assert sum(found) >= 0.5 * len(found)


def test_a_y4m_file_with_half_a_frame(tmp_path: Path) -> None:
    raw, path = write_raw(tmp_path / "a.yuv", moving(SMALL, 3)), tmp_path / "a.y4m"
    ffmpeg("-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "64x48", "-i", raw, path)
    frames, error = attempt(path, path.read_bytes()[:-1000])
    assert frames == 2
    assert error == (
        f"{path}: the video ends early after frame 1 (3614 bytes of an unfinished frame are left over){END}"
    )


def test_a_raw_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.yuv", moving(FrameFormat(640, 480, 8, "420"), 4))
    raw = raw_of(FrameFormat(640, 480, 8, "420"))
    with VideoReader(path, raw=raw) as reader, pytest.raises(ClipError) as failure:
        next(reader)
        path.write_bytes(path.read_bytes()[: 2 * 460800])
        list(reader)
    assert str(failure.value) == (
        f"{path}: the video ends early after frame 1 (4 frames are declared and 2 are there){END}"
    )


def test_errors_of_the_decoder_that_cost_no_frame_are_noted(tmp_path: Path) -> None:
    options = {"g": "12", "x264-params": "open-gop=1:scenecut=0:b-adapt=0:ref=3:bframes=3"}
    whole, cut = write(tmp_path / "a.mp4", n=48, codec="libx264", options=options), tmp_path / "b.mp4"
    ffmpeg("-ss", "1", "-i", whole, "-c", "copy", cut)
    with VideoReader(cut) as reader:
        list(reader)
        assert all(note.startswith("decoder errors: ") for note in reader.notes)


def test_nothing_is_printed(tmp_path: Path, whole: dict[str, bytes], capfd: pytest.CaptureFixture[str]) -> None:
    for kind in ("h264-first", "ffv1-mkv"):
        data = bytearray(whole[kind])
        data[len(data) // 2 : len(data) // 2 + 500] = bytes(500)
        attempt(tmp_path / ("a.mkv" if kind.endswith("mkv") else "a.mp4"), bytes(data))
    assert capfd.readouterr() == ("", "")


def test_whole_structures_are_whole(tmp_path: Path, whole: dict[str, bytes]) -> None:
    mp4, mkv = tmp_path / "a.mp4", tmp_path / "a.mkv"
    mp4.write_bytes(whole["h264-first"])
    mkv.write_bytes(whole["h264-mkv"])
    assert unfinished_box(BytesIO(mp4.read_bytes()), mp4.stat().st_size) is None
    assert unfinished_segment(BytesIO(mkv.read_bytes()), mkv.stat().st_size) is None
    missing = unfinished_segment(BytesIO(mkv.read_bytes()), mkv.stat().st_size - 9)
    assert missing == "9 bytes of its segment are missing"
    assert read(mp4)


def test_a_lost_first_picture_is_no_shorter_clip(tmp_path: Path) -> None:
    """The header of the first slice spoilt: the decoder begins with what is left of its group, out of order."""
    path = write(tmp_path / "a.mp4", FORMAT, 10, codec="libx264", options={"preset": "medium", "crf": "23"})
    data = path.read_bytes()
    at = data.index(b"mdat") + 4
    while data[at + 4] & 0x1F != 5:  # the type of an IDR picture, behind its length
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    for place in range(at + 4, at + 9):
        for bit in range(8):
            spoilt = bytearray(data)
            spoilt[place] ^= 1 << bit
            frames, said = attempt(path, bytes(spoilt))
            assert frames == 10 or said is not None, (place - at, bit)
