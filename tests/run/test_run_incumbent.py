"""What went wrong with the scripts that people run today, by the numbers of that list, each shown to be impossible here."""

from __future__ import annotations

import subprocess
import time
import uuid
from typing import Any

import pytest

from tests.run.kit import MARK, Lab, all_gone, kill, start, video, wait_for

ALL = ["cat_1.y4m", "cat_2.y4m", "cat_3.y4m", "dog_1.y4m", "dog_2.y4m", "dog_3.y4m"]


def test_01_ten_clips_of_which_two_fail_and_are_retried_are_ten_rows(lab: Lab) -> None:
    for index in range(4):
        lab.add(f"cat_x{index}.y4m", "cat", frames=video(seed="cat", noise=index + 1))
    lab.write_labels()
    lab.make_trouble(cat_2="error", cat_x3="error")
    assert lab.run().code == 4
    assert len(lab.table()) == 8
    lab.trouble.unlink()
    assert lab.run("--retry-failed").code == 0
    assert len(lab.measured()) == 2 and len(lab.table()) == 10


def test_02_the_table_is_written_once_however_many_clips(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from corekit.table import write_parquet

    written: list[int] = []

    def counting(*arguments: Any) -> Any:
        done = write_parquet(*arguments)
        written.append(done.rows)
        return done

    monkeypatch.setattr("corekit.driver.publish.write_parquet", counting)
    assert lab.run().code == 0
    assert written == [6]


def test_03_an_extension_mismatch_gives_missing_clips_and_no_empty_rows(lab: Lab) -> None:
    for row in lab.rows:
        if row["content"] == "cat":
            row["path"] = row["path"].replace(".y4m", ".mp4")
    lab.write_labels()
    assert lab.run().code == 4
    assert list(lab.table()) == ALL[3:]
    assert lab.manifest().counters["missing"] == 4
    assert all(row["psnr_y_mean"] is not None and row["mos"] is not None for row in lab.table().values())


def test_04_a_column_without_values_says_why_in_the_manifest(lab: Lab) -> None:
    assert lab.run("--features", "psnr_y,vmaf").code == 0
    assert {row["vmaf_score"] for row in lab.table().values()} == {None}
    assert [(null.reason, null.rows) for null in lab.manifest().nulls["vmaf"]] == [("a toy has no vmaf", 6)]


def test_05_a_ladder_is_never_scored_against_itself(lab: Lab) -> None:
    lab.run()
    assert all(row["ref_clip_name"] == f"{row['content']}_ref.y4m" for row in lab.table().values())
    for row in lab.rows:
        row["ref"] = "0"
    lab.write_labels()
    outcome = lab.run()
    assert outcome.code == 3
    assert "no reference is named for content 'cat'; add its row, or use --pairing nr" in outcome.sentence


def test_08_different_frame_counts_are_never_cut_in_silence(lab: Lab) -> None:
    lab.clip("cat_2.y4m").write_bytes(video(seed="cat", frames=2))
    lab.make_trouble(dog_2="short")
    assert lab.run().code == 4
    assert list(lab.failures()) == ["cat_2.y4m", "dog_2.y4m"]


def test_09_no_row_of_a_label_file_is_dropped_without_a_word(lab: Lab) -> None:
    lab.row("cat_1.y4m")["mos"] = "99"
    lab.row("cat_2.y4m")["mos"] = "nan"
    lab.clip("cat_3.y4m").unlink()
    lab.write_labels()
    assert lab.run().code == 4
    fates = {*lab.table(), *lab.failures()}
    assert fates == set(ALL)


def test_10_no_run_without_a_row_exits_with_zero(lab: Lab) -> None:
    lab.make_trouble(**dict.fromkeys((name.removesuffix(".y4m") for name in ALL), "error"))
    assert lab.run().code == 4 and not lab.out.exists()
    assert lab.run().code == 4 and not lab.out.exists()


def test_11_nothing_is_reused_under_other_options(lab: Lab) -> None:
    lab.run("--features", "psnr_y")
    lab.run("--features", "motion2")
    assert lab.measured() == ALL
    row = lab.table()["cat_1.y4m"]
    assert row["psnr_y_mean"] is None and row["motion2_mean"] is not None


def test_12_a_killed_worker_takes_no_other_clip_along_and_its_last_words_are_shown(lab: Lab) -> None:
    lab.make_trouble(cat_1="abort")
    outcome = lab.run("--log", "plain")
    assert outcome.code == 4 and list(lab.table()) == ALL[1:]
    expected = "failed: cat_1.y4m: the worker was killed by SIGABRT (toy assertion failed)"
    assert outcome.err.splitlines() == [expected]


def test_14_no_scratch_video_is_written_or_left(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = lab.folder / "scratch"
    scratch.mkdir()
    lab.make_trouble(dog_1="hang")
    mark = uuid.uuid4().hex
    process = start(lab.arguments("--workers", "2"), {"TMPDIR": str(scratch), MARK: mark})
    assert wait_for(lambda: len(lab.measured()) == 3)
    assert list(scratch.iterdir()) == []
    kill(process)
    assert all_gone(mark)
    time.sleep(0.1)
    assert list(scratch.iterdir()) == []
    known = {".sqlite", ".lock", ".sqlite-journal"}
    assert {path.suffix for path in lab.out.parent.rglob("*") if path.is_file()} <= known


def test_15_one_process_measures_many_clips(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    original = subprocess.Popen

    def counting(*arguments: Any, **named: Any) -> Any:
        process = original(*arguments, **named)
        started.append(process.pid)
        return process

    monkeypatch.setattr("corekit.driver.pool.subprocess.Popen", counting)
    assert lab.run("--workers", "2").code == 0
    assert len([pid for pid in started if pid]) <= 2 + 2  # two workers, and git asked twice for the manifest


def test_16_a_limit_counts_what_is_done(lab: Lab) -> None:
    assert lab.run("--limit", "2").code == 0
    rows = list(lab.table())
    assert lab.run("--limit", "2").code == 0
    assert lab.measured() == [] and list(lab.table()) == rows


def test_18_constants_of_self_comparison_are_left_out_with_a_reason(lab: Lab) -> None:
    assert lab.run("--pairing", "nr", "--features", "psnr_y,motion2,cambi").code == 0
    row = lab.table()["cat_1.y4m"]
    assert (row["pairing"], row["psnr_y_mean"], row["ref_clip_name"]) == ("nr", None, None)
    assert row["motion2_mean"] is not None and row["cambi_mean"] is not None
    assert [null.reason for null in lab.manifest().nulls["psnr_y"]] == [
        "the clip is compared with itself, where the feature is a constant (--identity compute computes it)"
    ]
