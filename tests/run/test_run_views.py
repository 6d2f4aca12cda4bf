"""What can lie beside the table: the v3 rows as strict JSON, the frames; and what the command prints."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from corekit.schema import FRAME_COLUMNS, V3_COLUMNS
from tests.run.kit import COMMAND, Lab, end, lines_of, start

V3_KEYS = [column.name for column in V3_COLUMNS]


def test_jsonl_is_strict_and_begins_with_the_54_keys(lab: Lab) -> None:
    assert lab.run("--jsonl").code == 0
    lines = list(lines_of(lab.out.with_suffix(".jsonl")))
    rows = list(lab.table().values())
    assert len(V3_KEYS) == 54 and len(lines) == len(rows) == 6
    for line, row in zip(lines, rows, strict=True):
        assert [*line] == [*row] and [*line][:54] == V3_KEYS
        assert line["adm2_mean"] is None and line["vmaf_score"] is None
        assert (line["encoder"], line["crf"], line["enc_internal_qp_mean"]) == ("", 0, 0.0)
        assert line["clip_name"] == row["clip_name"] and line["psnr_y_mean"] == row["psnr_y_mean"]


def test_old_readers_get_their_bare_nan(lab: Lab) -> None:
    assert lab.run("--jsonl", "--nan-literal").code == 0
    text = lab.out.with_suffix(".jsonl").read_text()
    first = json.loads(text.splitlines()[0])
    assert first["vmaf_score"] != first["vmaf_score"]
    assert '"vmaf_score":NaN' in text


def test_frames_pool_to_the_values_of_the_rows(lab: Lab) -> None:
    lab.make_trouble(dog_1="inf", dog_2="nan")
    assert lab.run("--frames", "--features", "psnr_y,motion2,ssimulacra2").code == 0
    frames = pq.ParquetFile(lab.out.with_suffix(".frames.parquet")).read()
    assert frames.column_names == [column.name for column in FRAME_COLUMNS]
    rows = lab.table()
    by_clip: dict[str, list[dict[str, Any]]] = {}
    for frame in frames.to_pylist():
        by_clip.setdefault(frame["clip_name"], []).append(frame)
    assert list(by_clip) == list(rows)
    for name, of_clip in by_clip.items():
        row = rows[name]
        assert [frame["frame_index"] for frame in of_clip] == [0, 1, 2] and row["n_frames"] == 3
        assert {(frame["source"], frame["codec"]) for frame in of_clip} == {(row["content"], "unknown")}
        assert {frame["ssimulacra2"] for frame in of_clip} == {None}
        for feature in ("psnr_y", "motion2"):
            finite = [frame[feature] for frame in of_clip if frame[feature] is not None]
            pooled = [row[f"{feature}_{statistic}"] for statistic in ("mean", "std", "p10", "p90")]
            if finite:
                expected = [np.mean(finite), np.std(finite), *np.percentile(finite, (10, 90))]
                assert np.allclose(pooled, expected, rtol=1e-15, atol=0)
            else:
                assert pooled == [None] * 4
    assert sum(frame["psnr_y"] is None for frame in by_clip["dog_1.y4m"]) == 1
    assert sum(frame["psnr_y"] is None for frame in by_clip["dog_2.y4m"]) == 3


def test_frames_of_clips_cut_to_the_common_beginning(lab: Lab) -> None:
    from tests.run.kit import video

    lab.clip("cat_1.y4m").write_bytes(video(seed="cat", noise=8, frames=2))
    assert lab.run("--frames", "--frame-mismatch", "shortest").code == 0
    frames = pq.ParquetFile(lab.out.with_suffix(".frames.parquet")).read().to_pylist()
    assert [frame["frame_index"] for frame in frames if frame["clip_name"] == "cat_1.y4m"] == [0, 1]
    assert len(frames) == 2 + 5 * 3 == lab.manifest().artefacts["frames"].rows


def test_every_line_of_the_json_log_is_json(lab: Lab) -> None:
    lab.make_trouble(cat_1="error")
    outcome = end(start(lab.arguments("--log", "json")))
    assert outcome.code == 4
    events = [json.loads(line) for line in outcome.err.splitlines()]
    kinds = [event["event"] for event in events if event["event"] != "progress"]
    assert (kinds[0], kinds[-1], sorted(kinds[1:-1])) == ("start", "stop", ["done"] * 5 + ["failed"])
    assert events[0] == {"event": "start", "total": 6, "done": 0, "failed": 0}
    failed = next(event for event in events if event["event"] == "failed")
    assert failed == {"event": "failed", "clip": "cat_1.y4m", "message": "the toy dislikes it; wind it up"}


def test_the_result_as_json(lab: Lab) -> None:
    outcome = lab.run("--json")
    said = json.loads(outcome.out)
    assert said["table"] == str(lab.out) and said["complete"] is True
    assert said["counters"]["parquet_rows"] == 6


def test_plain_lines_tell_of_failures(lab: Lab) -> None:
    lab.make_trouble(cat_1="error")
    outcome = lab.run("--log", "plain")
    assert outcome.err == "failed: cat_1.y4m: the toy dislikes it; wind it up\n"


def test_a_bar_on_a_terminal_shows_rates_and_time_to_go(lab: Lab) -> None:
    lab.make_trouble(cat_1="error", dog_1="slow")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *lab.arguments("--log", "auto")],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(ours)
    assert process.wait(timeout=30) == 4
    text = said.decode()
    assert "failed: cat_1.y4m: the toy dislikes it; wind it up" in text
    assert "clip/s" in text and "frame/s" in text and "to go" in text and "/6" in text
