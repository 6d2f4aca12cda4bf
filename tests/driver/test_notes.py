"""What the manifest says was noticed of a clip, its reference's part told apart."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import corekit
from corekit.driver.measure import _noticed, _Work
from corekit.driver.tasks import Task
from corekit.model import Clip, FrameFormat, Label
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
