"""From a corpus on disk to a table under both pairings: the sample, and the small corpus against what is known of it."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from corekit_konvid.info import KonvidOptions
from corekit_konvid.reader import read_clips
from corekit_konvid.sample import FRAMES, write_sample

from corekit import RunOptions, UsageError, make_sample, open_corpus, read_table, run, split_of
from corekit.video import probe
from tests.shared_data import SHARED, needs_shared


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample("konvid", tmp_path_factory.mktemp("corpus") / "konvid")


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

    def test_its_layout_is_the_real_one(self, sample: Path) -> None:
        corpus = open_corpus("konvid", sample)
        assert {corpus.split(clip) for clip in corpus} == {"train", "val", "test"}
        assert any(int(clip.content) > 2**32 for clip in corpus)
        for clip in corpus:
            found = probe(corpus.path(clip))
            assert (found.codec, found.pix_fmt, found.n_frames) == ("h264", "yuv420p", FRAMES)
        stale = (sample / "KoNViD_1k_metadata" / "KoNViD_1k_attributes.csv").read_text().splitlines()
        assert stale[0] == "flickr_id,no,file_name,MOS"
        assert not (sample / "KoNViD_1k_videos" / stale[1].split(",")[2]).exists()

    def test_it_runs_synthetic_and_says_so_in_its_section(self, sample: Path, tmp_path: Path) -> None:
        (sample / "KoNViD_1k_videos" / "5300000462.mp4").rename(tmp_path / "away.mp4")
        try:
            options = RunOptions(
                corpus="konvid", root=sample, out=tmp_path / "t.parquet", backend="cpu", features="psnr_y",
                allow_missing=True,
            )  # fmt: skip
            result = run(options)
        finally:
            (tmp_path / "away.mp4").rename(sample / "KoNViD_1k_videos" / "5300000462.mp4")
        section = result.manifest.sections["konvid"]
        versions = {row["encoder_version"] for row in read_table(result.table).data.to_pylist()}
        assert section == {
            "labels": {
                "files": ["KoNViD_1k_metadata/KoNViD_1k_attributes.csv", "KoNViD_1k_metadata/KoNViD_1k_mos.csv"],
                "unusable": {"count": 0, "examples": []},
                "several_files": {"count": 0, "examples": []},
            },
            "recipe": {"encoder": "libx264", "preset": "veryfast", "crf": 35, "pix_fmt": "yuv420p", "extra_params": ""},
            "crf": 35,
            "encoder_versions": [*versions],
            "cache_policy": "encodes are made in memory and never kept; measured rows are kept in the ledger",
            "selected_clips": 6,
            "processed_clips": 5,
            "failed_clips": 1,
            "failed_ids": ["5300000462"],
            "frame_count": 5 * FRAMES,
        }

    def test_it_runs_nr_with_its_mos(self, sample: Path, tmp_path: Path) -> None:
        options = RunOptions(
            corpus="konvid", root=sample, out=tmp_path / "t.parquet", pairing="nr", backend="cpu", features="motion"
        )
        result = run(options)
        rows = read_table(result.table).data.to_pylist()
        assert {row["label_kind"] for row in rows} == {"mos"}
        assert [row["mos"] for row in rows] == [row["konvid_mos"] for row in rows]
        assert {(row["mos_scale_min"], row["mos_scale_max"]) for row in rows} == {(1.0, 5.0)}
        assert {(row["encoder"], row["ref_clip_name"], row["psnr_y_mean"]) for row in rows} == {(None, None, None)}
        section = result.manifest.sections["konvid"]
        assert isinstance(section, dict)
        assert (section["recipe"], section["crf"]) == (None, None)


@needs_shared
class TestSmallCorpus:
    truth: dict[str, Any] = (
        json.loads((SHARED / "TRUTH.json").read_text())["corpora"]["konvid"] if SHARED.is_dir() else {}
    )
    root = SHARED / "corpora" / "konvid"

    def test_labels_contents_and_splits(self) -> None:
        clips = list(read_clips(self.root, KonvidOptions()))
        assert {clip.content: clip.label.value for clip in clips} == self.truth["labels"]
        assert {clip.content: clip.name for clip in clips} == self.truth["clips"]
        assert [clip.content for clip in clips] == sorted(self.truth["expected_clips"])
        assert {clip.content: split_of(clip.content, "chug-hdr-v1") for clip in clips} == self.truth["split"]

    def test_table(self, tmp_path: Path) -> None:
        options = RunOptions(
            corpus="konvid", root=self.root, out=tmp_path / "t.parquet", backend="cpu", split_seed="chug-hdr-v1",
            features="canonical,psnr_y,vmaf", frames=True,
        )  # fmt: skip
        result = run(options)
        assert result.complete
        rows = {row["content"]: row for row in read_table(result.table).data.to_pylist()}
        assert list(rows) == sorted(self.truth["expected_clips"])
        assert {content: row["split"] for content, row in rows.items()} == self.truth["split"]
        assert {content: row["konvid_mos"] for content, row in rows.items()} == self.truth["labels"]
        assert {row["label_kind"] for row in rows.values()} == {"teacher"}
        for content, row in rows.items():
            header = self.truth["probe"][content]
            assert (row["width"], row["height"], row["pix_fmt"]) == (
                header["width"], header["height"], header["pix_fmt"],
            )  # fmt: skip
            assert row["framerate"] == float(Fraction(header["avg_frame_rate"]))
            assert row["frames_ref"] == row["frames_dis"] == int(header["nb_frames"])
            assert 20 < row["vmaf_score"] < 96 and 20 < row["psnr_y_mean"] < 48
            size, seconds = row["encode_size_bytes"], row["n_frames"] / row["framerate"]
            assert row["bitrate_kbps"] == pytest.approx(size * 8 / seconds / 1000, rel=1e-12)
        frames = pq.read_table(result.table.with_name("t.frames.parquet"))
        assert frames.num_rows == sum(int(header["nb_frames"]) for header in self.truth["probe"].values())
        assert set(frames["codec"].to_pylist()) == {"h264"}
