"""The main job on CHUG: the sample with the real libvmaf, its recorded logs, and the shared corpus against its truth."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corekit import RunOptions, RunResult, make_sample, run
from corekit.schema import FEATURES, STATISTICS
from tests.run.kit import table
from tests.shared_data import SHARED, needs_shared

ASKED = ("motion2", "psnr_y", "cambi", "vmaf")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield make_sample("chug", tmp_path_factory.mktemp("sample") / "chug")


@pytest.fixture(scope="module")
def result(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    out = tmp_path_factory.mktemp("out") / "chug.parquet"
    options = RunOptions(
        corpus="chug", root=sample, out=out, backend="libvmaf", features=",".join(ASKED), frames=True, workers=2
    )
    return run(options)


def rows_of(result: RunResult) -> dict[str, dict[str, Any]]:
    return table(result.table)


def test_the_sample_runs_clean(result: RunResult) -> None:
    assert result.complete and result.counters["failed"] == result.counters["missing"] == 0
    assert len(rows_of(result)) == result.counters["ok"] > 0


def test_no_clip_is_scored_against_itself(result: RunResult) -> None:
    rows = rows_of(result)
    for name, row in rows.items():
        assert row["ref_clip_name"] not in (None, name) and row["ref_sha256"] != row["src_sha256"]
        assert row["chug_ref"] == 0 and row["psnr_y_mean"] < 60
    by_content: dict[str, set[str]] = {}
    for row in rows.values():
        by_content.setdefault(row["content"], set()).add(row["ref_clip_name"])
    assert all(len(references) == 1 for references in by_content.values())


def test_depth_and_hdr_are_probed_and_reach_the_extractor(result: RunResult) -> None:
    rows = rows_of(result).values()
    assert {(row["bit_depth"], row["is_hdr"], row["hdr_transfer"], row["color_transfer_class"]) for row in rows} == {
        (10, True, "smpte2084", "pq")
    }
    assert result.manifest.clip_options == {"cambi_eotf": {"pq": len(rows)}}


def test_vmaf_is_there_and_of_one_model(result: RunResult) -> None:
    rows = rows_of(result).values()
    assert {row["vmaf_model"] for row in rows} == {"vmaf_v0.6.1"}
    assert all(0 < row["vmaf_score"] <= 100 for row in rows)
    assert all(row["vmaf_binary_version"] for row in rows)


def test_the_label_file_is_not_believed_over_the_file(sample: Path, tmp_path: Path) -> None:
    root = tmp_path / "chug"
    shutil.copytree(sample, root)
    labels = root / "chug.csv"
    lines = labels.read_text().splitlines()
    header = lines[0].split(",")
    cells = [line.split(",") for line in lines[1:]]
    for row in cells:
        row[header.index("height")] = "4320"
    labels.write_text("\n".join(",".join(row) for row in [header, *cells]) + "\n")
    done = run(RunOptions(corpus="chug", root=root, out=tmp_path / "o.parquet", features="none"))
    rows = rows_of(done).values()
    assert {row["chug_height_manifest"] for row in rows} == {4320}
    assert max(row["height"] for row in rows) < 4320


def test_a_malformed_label_row_is_refused_by_file_and_line(sample: Path, tmp_path: Path) -> None:
    from corekit import LabelError

    root = tmp_path / "chug"
    root.mkdir()
    text = (sample / "chug.csv").read_text().splitlines()
    text[2] = text[2] + ",one cell too many"
    (root / "chug.csv").write_text("\n".join(text))
    with pytest.raises(LabelError, match=rf"^{root}/chug.csv:3: the row has 14 columns and the header 13; "):
        run(RunOptions(corpus="chug", root=root, out=tmp_path / "o.parquet", features="none"))


def test_recorded_logs_become_the_same_rows(sample: Path, result: RunResult, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    frames: dict[str, list[dict[str, Any]]] = {}
    for frame in pq.ParquetFile(result.table.with_suffix(".frames.parquet")).read().to_pylist():
        metrics = {feature: frame[feature] for feature in ("psnr_y", "vmaf")} | {"integer_motion2": frame["motion2"]}
        of_clip = frames.setdefault(frame["clip_name"], [])
        of_clip.append({"frameNum": len(of_clip), "metrics": metrics})
    for name, of_clip in frames.items():
        (logs / f"{Path(name).stem}.json").write_text(json.dumps({"version": "old", "frames": of_clip}))
    names = sorted(frames)
    (logs / f"{Path(names[0]).stem}.json").unlink()
    (logs / f"{Path(names[1]).stem}.json").write_text("{")
    options = RunOptions(
        corpus="chug",
        root=sample,
        out=tmp_path / "recorded.parquet",
        backend="recorded",
        features=",".join(ASKED),
        settings={"logs": str(logs)},
    )
    recorded = run(options)
    assert not recorded.complete
    assert sorted(failure.clip_name for failure in recorded.failures) == names[:2]
    computed, again = rows_of(result), rows_of(recorded)
    assert sorted(again) == names[2:]
    for name, row in again.items():
        assert row["feature_backend"] == "recorded"
        for column in ("psnr_y_mean", "psnr_y_p10", "motion2_std", "vmaf_p90", "vmaf_score"):
            assert row[column] == pytest.approx(computed[name][column], abs=1e-12)
        assert row["cambi_mean"] is None
    assert "the recorded log has no such feature" in {null.reason for null in recorded.manifest.nulls["cambi"]}
    (logs / f"{Path(names[1]).stem}.json").write_text(json.dumps({"version": "old", "frames": frames[names[1]]}))
    assert run(options).counters["ok"] == 1


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SHARED / "TRUTH.json").read_text())
    return document


@needs_shared
def test_the_shared_corpus_is_what_its_truth_says(truth: dict[str, Any], tmp_path: Path) -> None:
    features = [name for name in FEATURES if name not in ("ciede2000", "float_ms_ssim")]
    root = SHARED / "corpora" / "chug"
    options = RunOptions(
        corpus="chug",
        root=root,
        out=tmp_path / "chug.parquet",
        backend="libvmaf",
        features=",".join(features),
        workers=2,
    )
    done = run(options)
    rows, expected = rows_of(done), truth["corpora"]["chug"]
    assert done.complete and len(rows) == expected["pairs_with_label"] == 18
    pairs = {f"{pair['dis']}.mp4": pair for pair in expected["pairs"]}
    assert rows.keys() == pairs.keys()
    for name, row in rows.items():
        pair, stem = pairs[name], Path(name).stem
        assert (row["ref_clip_name"], row["content"], row["rung"]) == (
            f"{pair['ref']}.mp4", pair["content"], pair["bitladder"],
        )  # fmt: skip
        assert row["mos_native"] == row["mos_raw_0_100"] == pair["mos"] and row["mos_se"] == expected["sos"][stem]
        assert row["split"] == expected["split"][pair["content"]]
        assert (row["width"], row["height"]) == (expected["probe"][stem]["width"], expected["probe"][stem]["height"])
    golden = [pair for pair in truth["golden"] if pair["corpus"] == "chug"]
    compared = set()
    for pair in golden:
        row = rows[f"{pair['dis']}.mp4"]
        for feature, pooled in (pair["pooled"] | pair["pooled_hdr"]).items():
            for statistic in STATISTICS:
                value = row[f"{feature}_{statistic}"]
                if value is not None:
                    assert value == pytest.approx(pooled[statistic], abs=3e-6), (feature, statistic)
                    compared.add(feature)
    assert len(golden) == 3 and compared == set(features) - done.manifest.nulls.keys()
    assert {"vmaf", "adm2", "vif_scale3", "motion2", "cambi", "psnr_hvs", "float_ssim"} <= compared


@needs_shared
def test_the_real_label_file_is_planned_without_clips(tmp_path: Path) -> None:
    from corekit import plan

    shutil.copy(SHARED / "labels" / "chug.csv", tmp_path / "chug.csv")
    report = plan(RunOptions(corpus="chug", root=tmp_path, out=tmp_path / "o" / "chug.parquet", features="none"))
    assert (report.clips, report.missing, report.contents, report.rows) == (5992, 5992, 856, 0)
    assert sum(split["contents"] for split in report.splits.values()) == 856
    assert not (tmp_path / "o").exists()
