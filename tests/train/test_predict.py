"""A clip scored from its pixels: the same features as a run measures, the interval, and what is said of strange clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from corekit import ClipError, FrameFormat, UsageError, train
from corekit.driver.predict import PredictOptions, predict_clip
from tests.train.clips import columns, options, write_table
from tests.video.media import write

FMT = FrameFormat(96, 64, 8, "420")


def model_on(tmp_path: Path, features: str, **more: object) -> Path:
    values = columns()
    table = write_table(
        tmp_path / "t.parquet",
        {"psnr_y_mean": np.linspace(20, 60, 90), "width": np.linspace(90, 200, 90), "chug_bitrate_label": ["0.5M", "1M", "2M"] * 30,
         "motion2_mean": values["motion2_mean"], "color_transfer_class": ["pq"] * 90},
    )  # fmt: skip
    return train(options(table, features=features, out=tmp_path / "m", **more)).folder


def test_a_clip_against_its_reference(tmp_path: Path) -> None:
    folder = model_on(tmp_path, "psnr_y,width")
    reference = write(tmp_path / "ref.mkv", FMT, 6)
    clip = write(tmp_path / "dis.mp4", FMT, 6, codec="libx264", options={"crf": "40", "preset": "ultrafast"})
    found = predict_clip(PredictOptions(model=folder, clip=clip, reference=reference, backend="cpu"))
    psnr = found.inputs["psnr_y_mean"]
    assert psnr is not None and 20 < psnr < 45
    assert found.inputs["width"] == 96.0
    assert found.low is not None and found.high is not None and found.low < found.score < found.high
    assert found.warnings == ["the clip's transfer is unknown; the model learnt from pq alone"]
    identical = predict_clip(PredictOptions(model=folder, clip=reference, reference=reference, backend="cpu"))
    assert identical.inputs["psnr_y_mean"] == 60.0


def test_a_clip_alone_needs_a_model_of_what_it_tells(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.mkv", FMT, 6)
    folder = model_on(tmp_path, "motion2,width")
    found = predict_clip(PredictOptions(model=folder, clip=clip, backend="cpu"))
    assert found.inputs["motion2_mean"] is not None
    folder = model_on(tmp_path, "psnr_y")
    with pytest.raises(
        UsageError, match="needs psnr_y, which compare the clip with its pristine version; give it with --reference"
    ):
        predict_clip(PredictOptions(model=folder, clip=clip, backend="cpu"))


def test_an_input_that_no_clip_tells_is_asked_for(tmp_path: Path) -> None:
    clip = write(tmp_path / "a.mkv", FMT, 6)
    folder = model_on(tmp_path, "chug_bitrate_label,width")
    with pytest.raises(
        UsageError, match="needs chug_bitrate_label, which the clip does not tell; give each with --value"
    ):
        predict_clip(PredictOptions(model=folder, clip=clip))
    found = predict_clip(PredictOptions(model=folder, clip=clip, values={"chug_bitrate_label": 90_000.0}))
    assert found.backend == "none"
    assert found.warnings[0] == (
        "extrapolation: 1 of 2 features lie outside the range that the model learnt from: chug_bitrate_label (90000, learnt 500..2000)"
    )


def test_a_broken_clip_is_an_error_of_that_clip(tmp_path: Path) -> None:
    folder = model_on(tmp_path, "motion2,width")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(ClipError, match=r"broken\.mp4"):
        predict_clip(PredictOptions(model=folder, clip=tmp_path / "broken.mp4", backend="cpu"))
    with pytest.raises(UsageError, match="there is no such clip"):
        predict_clip(PredictOptions(model=folder, clip=tmp_path / "none.mp4", backend="cpu"))


def test_bit_rates_are_learnt_in_kilobits(tmp_path: Path) -> None:
    folder = model_on(tmp_path, "chug_bitrate_label")
    report = (folder / "report.json").read_text()
    assert '"low": 500.0' in report and '"high": 2000.0' in report
    assert pq.read_table(tmp_path / "t.parquet").schema.field("chug_bitrate_label").type == "string"
