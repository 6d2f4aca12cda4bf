"""From sequences on disk to v3 rows: the sample, recorded logs, and the small corpus against what is known of it."""

from __future__ import annotations

import hashlib
import json
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from corekit_bvi_dvc.info import BviDvcOptions
from corekit_bvi_dvc.reader import read_clips
from corekit_bvi_dvc.sample import FRAMES, write_sample

from corekit import RunOptions, UsageError, make_sample, open_corpus, read_table, run, split_of
from corekit.schema import V3_COLUMNS
from corekit.video import probe
from tests.shared_data import SHARED, needs_shared


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample("bvi_dvc", tmp_path_factory.mktemp("corpus") / "bvi_dvc")


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class TestSample:
    def test_it_is_the_same_twice(self, sample: Path, tmp_path: Path) -> None:
        write_sample(tmp_path)
        assert digests(tmp_path) == digests(sample)

    def test_it_never_touches_what_is_there(self, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").touch()
        with pytest.raises(UsageError) as caught:
            write_sample(tmp_path)
        assert str(caught.value) == f"{tmp_path}: a sample is written into a new or empty folder; name another."

    def test_its_sequences_are_what_their_names_say(self, sample: Path) -> None:
        corpus = open_corpus("bvi_dvc", sample)
        assert {corpus.split(clip) for clip in corpus} == {"train", "val", "test"}
        assert len({clip.content for clip in corpus}) == len(corpus) - 1
        for clip in corpus:
            found = probe(corpus.path(clip))
            assert f"_{found.width}x{found.height}_{int(found.fps)}fps_10bit_420" in clip.name
            assert (found.codec, found.pix_fmt, found.n_frames) == ("h264", "yuv420p10le", FRAMES)
            assert not found.is_hdr

    def test_it_runs_and_says_so_in_its_section(self, sample: Path, tmp_path: Path) -> None:
        result = run(
            RunOptions(corpus="bvi_dvc", root=sample, out=tmp_path / "t.parquet", backend="cpu", features="psnr_y")
        )
        assert result.complete
        rows = read_table(result.table).data.to_pylist()
        assert {(row["preset"], row["crf"], row["label_kind"]) for row in rows} == {("fast", 35, "teacher")}
        assert result.manifest.sections["bvi_dvc"] == {
            "adapter": {
                "encoder": "libx264",
                "preset": "fast",
                "crf": 35,
                "pix_fmt": "yuv420p10le",
                "extra_params": "",
            },
            "encoder_versions": [rows[0]["encoder_version"]],
            "row_schema_version": 3,
            "rows": 4,
            "rows_by_tier": {"C": 1, "D": 3},
            "cache_files": 0,
            "frame_count": 4 * FRAMES,
            "sequences_in_archives": 0,
        }


def write_log(path: Path, vmaf: list[float]) -> None:
    """A log as libvmaf's tool writes it, with some of its features."""
    frames = [
        {"frameNum": number, "metrics": {"integer_adm2": 0.9, "integer_motion2": 2.0 + number, "vmaf": value}}
        for number, value in enumerate(vmaf)
    ]
    path.write_text(json.dumps({"version": "3.0.0", "frames": frames, "pooled_metrics": {"vmaf": {"mean": 1.0}}}))


class TestRecordedLogs:
    SETTINGS = {"encoder": "hevc_nvenc", "preset": "p4", "crf": "28"}  # noqa: RUF012

    @pytest.fixture
    def logs(self, sample: Path, tmp_path: Path) -> Path:
        (tmp_path / "logs").mkdir()
        for number, path in enumerate(sorted((sample / "Videos").iterdir())):
            write_log(tmp_path / "logs" / f"{path.stem}.json", [70.0 + number, 80.0 + number])
        return tmp_path / "logs"

    def options(self, root: Path, logs: Path, **settings: str) -> RunOptions:
        given = {"logs": str(logs), **self.SETTINGS, **settings}
        out = logs.parent / "t.parquet"
        return RunOptions(
            corpus="bvi_dvc", root=root, out=out, backend="recorded", settings=given, jsonl=True, frames=True
        )

    def test_rows_are_labelled_as_given_in_the_shape_of_v3(self, sample: Path, logs: Path) -> None:
        result = run(self.options(sample, logs))
        assert result.complete
        lines = [json.loads(line) for line in (logs.parent / "t.jsonl").read_text().splitlines()]
        assert [list(line)[:54] for line in lines] == [[column.name for column in V3_COLUMNS]] * 4
        for number, (line, path) in enumerate(zip(lines, sorted((sample / "Videos").iterdir()), strict=True)):
            assert line["src"] == f"bvi-dvc:{path.stem}"
            assert line["src_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert (line["encoder"], line["preset"], line["crf"]) == ("hevc_nvenc", "p4", 28)
            assert (line["encoder_version"], line["extra_params"], line["encode_path"]) == ("", "", "")
            assert (line["encode_size_bytes"], line["bitrate_kbps"], line["encode_time_ms"]) == (0, 0.0, 0)
            assert (line["vmaf_score"], line["vmaf_model"]) == (75.0 + number, "vmaf_v0.6.1")
            assert (line["adm2_mean"], line["motion2_mean"], line["motion2_std"]) == (0.9, 2.5, 0.5)
            assert line["vif_scale0_mean"] is None and line["enc_internal_qp_mean"] == 0.0
            assert (line["feature_backend"], line["label_kind"]) == ("recorded", "teacher")
        assert result.manifest.sections["bvi_dvc"]["cache_files"] == 4

    def test_another_label_reads_no_log_again(self, sample: Path, logs: Path) -> None:
        assert run(self.options(sample, logs)).counters["ok"] == 4
        result = run(self.options(sample, logs, crf="30"))
        assert result.counters["ok"] == 0
        assert {row["crf"] for row in read_table(result.table).data.to_pylist()} == {30}

    def test_a_sequence_in_an_archive_has_its_log_too(self, sample: Path, logs: Path, tmp_path: Path) -> None:
        packed = tmp_path / "packed"
        packed.mkdir()
        with zipfile.ZipFile(packed / "BVI-DVC Part 1.zip", "w") as archive:
            for path in (sample / "Videos").iterdir():
                archive.write(path, f"Videos/{path.name}")
        result = run(self.options(packed, logs))
        assert [row["vmaf_score"] for row in read_table(result.table).data.to_pylist()] == [75.0, 76.0, 77.0, 78.0]


@needs_shared
class TestSmallCorpus:
    truth: dict[str, Any] = (
        json.loads((SHARED / "TRUTH.json").read_text())["corpora"]["bvi_dvc"] if SHARED.is_dir() else {}
    )
    root = SHARED / "corpora" / "bvi_dvc"

    def test_contents_and_splits(self) -> None:
        clips = list(read_clips(self.root, BviDvcOptions()))
        assert [clip.name for clip in clips] == sorted(self.truth["expected_clips"])
        assert {clip.content: [clip.name] for clip in clips} == self.truth["content_groups"]
        assert {clip.content: split_of(clip.content, "chug-hdr-v1") for clip in clips} == self.truth["split"]

    def test_table(self, tmp_path: Path) -> None:
        options = RunOptions(
            corpus="bvi_dvc", root=self.root, out=tmp_path / "t.parquet", backend="cpu", split_seed="chug-hdr-v1",
            features="canonical,psnr_y,vmaf",
        )  # fmt: skip
        result = run(options)
        assert result.complete
        rows = {row["clip_name"]: row for row in read_table(result.table).data.to_pylist()}
        assert list(rows) == sorted(self.truth["clips"])
        assert {row["content"]: row["split"] for row in rows.values()} == self.truth["split"]
        for name, row in rows.items():
            known = self.truth["clips"][name]
            assert (row["bvi_dvc_tier"], row["content"], row["bvi_dvc_fps_token"]) == (
                known["tier"], known["content"], known["fps_token"],
            )  # fmt: skip
            assert (row["width"], row["height"], row["pix_fmt"]) == (known["width"], known["height"], known["pix_fmt"])
            assert row["framerate"] == float(Fraction(known["probed_frame_rate"]))
            assert row["frames_ref"] == row["frames_dis"] == known["frames"]
            assert (row["is_hdr"], row["bit_depth"]) == (False, 10)
            assert row["src"] == f"bvi-dvc:{name[:-4]}"
            assert 20 < row["vmaf_score"] < 96 and 20 < row["psnr_y_mean"] < 48
