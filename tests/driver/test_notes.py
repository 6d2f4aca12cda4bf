"""What the manifest says was noticed of a clip, its reference's part told apart."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import corekit
from corekit.driver.measure import _noticed, _other_count, _unlike, _Work
from corekit.driver.tasks import Task
from corekit.model import Clip, FrameFormat, Label, Probe
from corekit.video import VideoReader, encode_video

FMT = FrameFormat(64, 64, 8, "420")


def reader(path: Path, color_range: Literal["limited", "full", ""]) -> VideoReader:
    planes: Any = tuple(np.full(shape, 128, np.uint8) for shape in FMT.shapes)
    encode_video(
        path, [planes] * 3, FMT, framerate=Fraction(25), codec="ffv1", options={}, color_range=color_range
    )  # fmt: skip
    return VideoReader(path)


@pytest.mark.parametrize(
    ("own", "theirs", "notes"),
    [
        ("full", "limited", ("its samples have full range, those of its reference limited; neither is converted",)),
        ("limited", "limited", ()),
        ("", "limited", ()),
    ],
)
def test_a_range_that_differs_is_noted(
    tmp_path: Path, own: Literal["limited", "full", ""], theirs: Literal["limited", "full", ""], notes: tuple[str, ...]
) -> None:
    clip = Clip(name="d.mkv", path="d.mkv", content="c", label=Label(kind="none"))
    with reader(tmp_path / "r.mkv", theirs) as reference, reader(tmp_path / "d.mkv", own) as distorted:
        work = _Work(
            Task(clip=clip, reference=corekit.Clip(name="r", path="r", content="c", label=clip.label), pairing="fr")
        )
        work.reader = distorted
        assert _noticed(work, reference) == notes


def probe(**more: Any) -> Probe:
    plain: dict[str, Any] = {
        "width": 1920, "height": 1080, "pix_fmt": "yuv420p", "bit_depth": 8, "codec": "h264", "framerate": "25/1", "duration_s": 1.0,
    }  # fmt: skip
    return Probe(**{**plain, **more})


@pytest.mark.parametrize(
    ("own", "notes"),
    [
        ({"framerate": "50/1"}, ("it has 50 frames a second, its reference 25; they are compared by number",)),
        ({"framerate": "24000/1001"}, ("it has 23.976 frames a second, its reference 25; they are compared by number",)),
        ({"framerate": "2500/101"}, ("it has 24.7525 frames a second, its reference 25; they are compared by number",)),
        ({"framerate": "0/1"}, ()),
        ({"framerate": "2499/100"}, ()),
        ({"width": 1080, "height": 1920}, ("its picture is 1080x1920, that of its reference 1920x1080; it is stretched to it",)),
        ({"width": 720, "height": 576}, ("its picture is 720x576, that of its reference 1920x1080; it is stretched to it",)),
        ({"width": 144, "height": 82}, ()),
        ({"transfer": "smpte2084"}, ()),
    ],
)  # fmt: skip
def test_clips_that_are_hardly_comparable_are_noted(own: dict[str, Any], notes: tuple[str, ...]) -> None:
    assert _unlike(probe(**own), probe()) == notes


def test_another_transfer_is_noted() -> None:
    said = "its transfer is sdr, that of its reference pq; neither is converted"
    assert _unlike(probe(transfer="bt709"), probe(transfer="smpte2084")) == (said,)


def test_a_log_of_another_length_is_noted() -> None:
    assert _other_count(probe(n_frames=10), 10) == _other_count(probe(), 5) == ()
    assert _other_count(probe(n_frames=10), 5) == ("its log has 5 frames, the clip 10; the log is taken as it is",)
