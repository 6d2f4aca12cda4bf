"""The ``recorded`` backend: logs of earlier work, found by the clip's stem."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corekit.backends.base import Extractor, Group, Pair, PairFeatures
from corekit.backends.recorded import RecordedOptions, corekit_backend, corekit_extract_features
from corekit.errors import BackendError, ClipError
from corekit.model import Clip, FrameFormat, Label

FMT = FrameFormat(16, 16, 8, "420")


def clip(name: str) -> Clip:
    return Clip(name=name, path=name, content="c", label=Label(kind="none"))


def record(folder: Path, stem: str, *frames: dict[str, Any]) -> Path:
    path = folder / f"{stem}.json"
    path.write_text(json.dumps({"frames": [{"frameNum": i, "metrics": m} for i, m in enumerate(frames)]}))
    return path


def extractor(folder: Path, features: tuple[str, ...] = ("vmaf",)) -> Extractor:
    return corekit_extract_features(features, "auto", RecordedOptions(logs=str(folder)))


def ask(folder: Path, *names: str, features: tuple[str, ...] = ("adm2", "vmaf")) -> list[PairFeatures | ClipError]:
    pairs = tuple(Pair(clip=clip(name), features=features) for name in names)
    session = extractor(folder).open_group(Group(content="c", fmt=FMT, framerate="25/1", pairs=pairs))
    answers = session.finish()
    session.close()
    session.close()
    return answers


def test_it_describes_itself_and_reads_no_video(tmp_path: Path) -> None:
    record(tmp_path, "a", {"vmaf": 1.0})
    assert (corekit_backend().name, corekit_backend().numeric_class) == ("recorded", "recorded")
    backend = extractor(tmp_path)
    assert backend.reads_video is False
    assert backend.identity == {"class": "recorded"}
    backend.close()


def test_each_pair_gets_its_log_by_stem(tmp_path: Path) -> None:
    record(tmp_path, "a", {"integer_adm2": 0.5, "vmaf": 80.0, "psnr_y": 1.0}, {"integer_adm2": 0.75, "vmaf": 90.0})
    record(tmp_path, "b.c", {"adm2": 1.0})
    first, second = ask(tmp_path, "a.mp4", "b.c.mkv")
    assert isinstance(first, PairFeatures)
    assert isinstance(second, PairFeatures)
    assert {name: values.tolist() for name, values in first.values.items()} == {
        "adm2": [0.5, 0.75],
        "vmaf": [80.0, 90.0],
    }
    assert (first.n_frames, first.nulls) == (2, {})
    assert list(second.values) == ["adm2"]
    assert second.nulls == {"vmaf": "the recorded log has no such feature"}


def test_clips_of_one_stem_have_logs_by_their_names(tmp_path: Path) -> None:
    record(tmp_path, "a", {"vmaf": 1.0})
    record(tmp_path, "a.mkv", {"vmaf": 2.0})
    first, second = ask(tmp_path, "a.mp4", "a.mkv", features=("vmaf",))
    assert isinstance(first, PairFeatures) and isinstance(second, PairFeatures)
    assert (first.values["vmaf"].tolist(), second.values["vmaf"].tolist()) == ([1.0], [2.0])
    assert extractor(tmp_path).side_inputs(clip("a.mkv")) == (tmp_path / "a.mkv.json",)


def test_infinite_values_stay_infinite(tmp_path: Path) -> None:
    record(tmp_path, "a", {"psnr_hvs": None})
    (answer,) = ask(tmp_path, "a.mp4", features=("psnr_hvs",))
    assert isinstance(answer, PairFeatures)
    assert np.isposinf(answer.values["psnr_hvs"]).all()


def test_one_bad_log_is_that_clips_error_alone(tmp_path: Path) -> None:
    record(tmp_path, "good", {"vmaf": 1.0})
    record(tmp_path, "empty")
    (tmp_path / "broken.json").write_bytes(b"{")
    (tmp_path / "twice.json").write_text('{"frames": [{"frameNum": 0, "metrics": {"adm2": 1, "integer_adm2": 1}}]}')
    good, *bad = ask(tmp_path, "good.mp4", "empty.mp4", "broken.mp4", "twice.mp4", "none.mp4")
    assert isinstance(good, PairFeatures)
    messages = [str(error) for error in bad if isinstance(error, ClipError)]
    assert messages == [
        "empty.json is a libvmaf log without frames; record it again",
        "broken.json is not a libvmaf log: it is not JSON (Expecting property name enclosed in double quotes: line 1 "
        "column 2 (char 1)); record it again",
        "twice.json is not a libvmaf log: its keys 'adm2' and 'integer_adm2' both stand for adm2; record it again",
        f"none.mp4 has no log none.json in {tmp_path}; record it, or leave the clip out",
    ]
    assert {error.stage for error in bad if isinstance(error, ClipError)} == {"compare"}


def test_the_log_is_part_of_a_clips_identity(tmp_path: Path) -> None:
    path = record(tmp_path, "a", {"vmaf": 1.0})
    backend = extractor(tmp_path)
    assert backend.side_inputs(clip("a.mp4")) == (path,)
    assert backend.side_inputs(clip("b.mp4")) == ()


def test_no_folder_was_named() -> None:
    with pytest.raises(BackendError) as caught:
        corekit_extract_features(("vmaf",), "auto", RecordedOptions())
    assert str(caught.value) == "the recorded backend needs the folder of logs: give --set logs=DIR"


def test_the_folder_is_none(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    with pytest.raises(BackendError) as caught:
        extractor(folder)
    assert str(caught.value) == (
        f"--set logs={folder}: {folder} is not a folder; give the folder of <clip stem>.json logs"
    )


def test_the_folder_holds_no_log(tmp_path: Path) -> None:
    (tmp_path / "a.xml").touch()
    with pytest.raises(BackendError) as caught:
        extractor(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds no .json log; give the folder of <clip stem>.json logs with --set logs=DIR"
    )
