"""Headers read in earnest: videos that are sound, cut, wrong or hostile, and probers that crash, hang or are stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from corekit import Clip, Label, RawVideo, audit
from corekit.driver.audit import probing
from corekit.driver.audit.probing import probe_all
from corekit.driver.audit.report import Folder
from corekit.driver.prober import Answer, Question, answer
from corekit.model import FrameFormat
from tests.audit.yard import Yard, found
from tests.run.kit import video
from tests.video.media import X264, moving, remux, write, write_raw

SMALL = FrameFormat(64, 48, 8, "420")


def clip(path: str, raw: RawVideo | None = None) -> Clip:
    return Clip(name=path.rpartition("/")[2], path=path, content=path, label=Label(kind="none"), raw=raw)


def made(path: Path) -> Path:
    """A small video in the container that the suffix names; an MP4 has its index in front, as files for the web have."""
    if path.suffix == ".avi":
        return write(path)
    whole = write(path.with_suffix(".whole.mkv"), codec="libx264", options=X264)
    return remux(whole, path, **({"movflags": "+faststart"} if path.suffix == ".mp4" else {}))


@pytest.mark.parametrize("name", ["a.mp4", "b.mkv", "c.avi"])
def test_a_sound_file_is_probed_and_whole(tmp_path: Path, name: str) -> None:
    made(tmp_path / name)
    reply = answer(tmp_path, Question(name))
    assert reply.probe is not None
    assert (reply.probe.width, reply.probe.height, reply.cut, reply.problem) == (64, 48, "", "")


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("a.mp4", "100 bytes of its last mdat box are missing"),
        ("b.mkv", "100 bytes of its segment are missing"),
        ("c.avi", "100 bytes of its last RIFF chunk are missing"),
    ],
)
def test_a_download_that_stopped_is_seen_in_the_structure(tmp_path: Path, name: str, missing: str) -> None:
    path = made(tmp_path / name)
    path.write_bytes(path.read_bytes()[:-100])
    reply = answer(tmp_path, Question(name))
    assert reply.probe is not None
    assert reply.cut == missing


def test_a_raw_video_is_taken_as_its_corpus_says(tmp_path: Path) -> None:
    write_raw(tmp_path / "a.yuv", moving(SMALL, 3))
    raw = RawVideo(width=64, height=48, pix_fmt="yuv420p", framerate="24/1")
    reply = answer(tmp_path, Question("a.yuv", raw))
    assert reply.probe is not None
    assert (reply.probe.n_frames, reply.cut) == (3, "")


def test_messages_name_files_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    assert answer(tmp_path, Question("a.mp4")).problem.startswith("a.mp4: this is no video file that can be read (")
    assert answer(tmp_path, Question("b.mp4")) == Answer(
        problem="b.mp4: the file cannot be opened (No such file or directory); check the path"
    )


def test_answers_come_in_the_order_of_the_clips(tmp_path: Path) -> None:
    names = [f"{number}.y4m" for number in range(40)]
    for number, name in enumerate(names):
        if number % 3:
            (tmp_path / name).write_bytes(video(width=2 * number + 16, height=32))
    replies = list(probe_all(tmp_path, [clip(name) for name in names], workers=3))
    assert [asked.name for asked, _ in replies] == names
    for number, (_, reply) in enumerate(replies):
        assert reply.probe.width == 2 * number + 16 if reply.probe else not number % 3


class Obedient(probing._Prober):
    """A prober that runs a program of the test's."""

    program = ""
    started = 0

    def _start(self) -> subprocess.Popen[bytes]:
        type(self).started += 1
        return subprocess.Popen([sys.executable, "-c", self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_a_clip_on_which_the_decoder_crashes_harms_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crashing(Obedient):
        program = (
            "import os, sys\nfor line in sys.stdin:\n"
            " if 'bad' in line: os.abort()\n"
            ' print(\'{"cut": "x"}\', flush=True)'
        )

    monkeypatch.setattr(probing, "_Prober", Crashing)
    replies = [reply for _, reply in probe_all(tmp_path, [clip("a"), clip("bad"), clip("c")], workers=1)]
    crashed = Answer(problem="bad: the decoder crashed on its header; fetch it again")
    assert replies == [Answer(cut="x"), crashed, Answer(cut="x")]
    assert Crashing.started == 2


def test_a_clip_on_which_the_decoder_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Obedient):
        program = "import time; time.sleep(60)"

    monkeypatch.setattr(probing, "_Prober", Hanging)
    monkeypatch.setattr(probing, "TIMEOUT_S", 0.2)
    [(_, reply)] = probe_all(tmp_path, [clip("a.mp4")], workers=1)
    assert reply == Answer(problem="a.mp4: reading its header took more than 0.2 s; fetch it again")


def test_whoever_stops_listening_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    processes: list[subprocess.Popen[bytes]] = []
    start = probing._Prober._start

    def remember(self: Any) -> subprocess.Popen[bytes]:
        processes.append(start(self))
        return processes[-1]

    monkeypatch.setattr(probing._Prober, "_start", remember)
    replies = probe_all(tmp_path, [clip(f"{number}.mp4") for number in range(100)], workers=2)
    next(replies)
    replies.close()  # type: ignore[attr-defined]
    assert processes
    assert all(process.poll() is not None for process in processes)


def test_no_module_of_the_working_folder_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit")
    (tmp_path / "a.y4m").write_bytes(video())
    monkeypatch.chdir(tmp_path)
    [(_, reply)] = probe_all(tmp_path, [clip("a.y4m")], workers=1)
    assert reply.probe is not None


def test_a_corpus_of_real_files(real_yard: Yard) -> None:
    for number, row in enumerate(real_yard.rows):
        name = row["path"].rpartition("/")[2]
        real_yard.clip(name).write_bytes(video(seed=number, frames=6 if name == "a_1.mp4" else 3))
    real_yard.clip("b_1.mp4").write_text("no video")
    report = real_yard.audit(workers=2)
    # A Y4M file declares no number of frames, so the longer clip shows in its duration alone.
    assert set(found(report)) == {"unreadable-header", "duration-differs"}
    assert report.headers is not None
    assert (report.headers.asked, report.headers.read) == (9, 8)
    assert [(each.clips, each.width, each.height) for each in report.headers.formats] == [(8, 64, 64)]
    assert report.headers.rates == {"25": 8}


def test_members_of_an_archive_are_clips_as_well(real_yard: Yard) -> None:
    names = [row["path"].rpartition("/")[2] for row in real_yard.rows]
    with ZipFile(real_yard.root / "pack.zip", "w") as archive:
        for number, name in enumerate(names[1:]):
            archive.writestr(f"Videos/{name}", video(seed=number))
        archive.writestr("Videos/more.mp4", "an orphan")
        archive.writestr("Videos/notes.txt", "no video")
    for row, name in zip(real_yard.rows, names, strict=True):
        row["path"] = f"pack.zip/Videos/{name}"
        real_yard.clip(name).unlink()
    report = real_yard.audit(pairing="nr")
    findings = found(report)
    assert set(findings) == {"missing-clip", "orphan-file"}
    assert findings["missing-clip"].examples == ("pack.zip/Videos/a_ref.mp4 (yard.csv:2)",)
    assert findings["orphan-file"].examples == ("pack.zip/Videos/more.mp4",)
    assert report.folders == (Folder(path="pack.zip/Videos", named=9, present=8, files=9),)
    assert report.counts.bytes_present == 8 * len(video())
    assert report.headers is not None
    assert report.headers.read == 8


def test_a_damaged_member_and_copies_within_an_archive(real_yard: Yard) -> None:
    names = [row["path"].rpartition("/")[2] for row in real_yard.rows]
    with ZipFile(real_yard.root / "pack.zip", "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(f"Videos/{name}", video(seed=max(number, 1)))
        offset = archive.getinfo("Videos/c_2.mp4").header_offset
    data = bytearray((real_yard.root / "pack.zip").read_bytes())
    data[offset + 2000] ^= 0xFF
    (real_yard.root / "pack.zip").write_bytes(data)
    for row, name in zip(real_yard.rows, names, strict=True):
        row["path"] = f"pack.zip/Videos/{name}"
    findings = found(real_yard.audit())
    assert set(findings) == {"unreadable-header", "duplicate-content"}
    assert (
        findings["unreadable-header"].examples[0].startswith("pack.zip/Videos/c_2.mp4 cannot be unpacked (Bad CRC-32")
    )
    assert findings["duplicate-content"].examples == (
        "pack.zip/Videos/a_1.mp4 (train) = pack.zip/Videos/a_ref.mp4 (train)",
    )


def test_the_report_does_not_depend_on_the_number_of_workers(real_yard: Yard) -> None:
    for number, row in enumerate(real_yard.rows):
        name = row["path"].rpartition("/")[2]
        real_yard.clip(name).write_bytes(video(seed=number // 2) if number % 4 else b"no video")
    one = real_yard.audit(workers=1)
    assert one == audit("yard", real_yard.root, workers=3)
    assert {"unreadable-header", "duplicate-content"} < set(found(one))
