"""From a corpus on disk to a table: the sample, and the small corpus against what is known of it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from corekit_netflix.sample import write_sample

from corekit import RunOptions, UsageError, make_sample, open_corpus, read_table, run
from tests.shared_data import SHARED, needs_shared

FEATURES = "canonical,vmaf,psnr_y"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample("netflix", tmp_path_factory.mktemp("corpus") / "netflix")


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class TestSample:
    def test_it_is_the_same_everywhere(self, sample: Path) -> None:
        """No encoder and no transcendental function takes part, so the bytes are known."""
        whole = hashlib.sha256(json.dumps(digests(sample)).encode()).hexdigest()
        assert whole == "d5676e450b377166049d0f9c2e96c379bf382d4e72cac17126ac893a7c202cdc"

    def test_it_never_touches_what_is_there(self, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").touch()
        with pytest.raises(UsageError) as caught:
            write_sample(tmp_path)
        assert str(caught.value) == f"{tmp_path}: a sample is written into a new or empty folder; name another."

    def test_its_layout_is_the_real_one(self, sample: Path) -> None:
        names = [name for name in digests(sample) if name != "NFLX_dataset_public.py"]
        assert len(names) == 12
        layout = re.compile(r"ref/[A-Za-z]+_\d\dfps\.yuv|dis/[A-Za-z]+_\d\d_\d+_\d+\.yuv")
        assert all(layout.fullmatch(name) for name in names)

    def test_it_runs(self, sample: Path, tmp_path: Path) -> None:
        corpus = open_corpus("netflix", sample)
        assert {corpus.split(clip) for clip in corpus} == {"train", "val", "test"}
        result = run(RunOptions(corpus="netflix", root=sample, out=tmp_path / "t.parquet", features="none"))
        assert result.complete
        rows = read_table(result.table).data.to_pylist()
        assert len(rows) == 9
        assert {row["label_kind"] for row in rows} == {"dmos"}
        assert {row["mos"] for row in rows} == {None}
        assert {(row["mos_scale_min"], row["mos_scale_max"]) for row in rows} == {(0.0, None)}
        assert max(row["mos_native"] for row in rows) > 100
        assert result.manifest.sections["netflix"]["pairs"] == 9
        assert not [column for column in rows[0] if "expert" in column]

    def test_quality_rises_with_the_rung(self, sample: Path, tmp_path: Path) -> None:
        options = RunOptions(
            corpus="netflix", root=sample, out=tmp_path / "t.parquet", features="psnr_y", backend="cpu"
        )
        rows = read_table(run(options).table).data.to_pylist()
        psnr = [row["psnr_y_mean"] for row in rows]
        assert all(psnr[at] < psnr[at + 1] < psnr[at + 2] for at in (0, 3, 6))


def test_a_size_that_does_not_divide_is_one_failed_clip(tmp_path: Path) -> None:
    root = make_sample("netflix", tmp_path / "root")
    with (root / "dis" / "PaperKites_50_480_1050.yuv").open("ab") as file:
        file.write(b"x")
    result = run(RunOptions(corpus="netflix", root=root, out=tmp_path / "t.parquet", features="none"))
    assert not result.complete
    (failure,) = result.failures
    assert (failure.clip_name, failure.stage) == ("PaperKites_50_480_1050.yuv", "open")
    assert "are not a whole number of 384x216 yuv420p frames" in failure.message
    assert result.counters["parquet_rows"] == 8


@pytest.fixture(scope="class")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, root = SHARED / "corpora" / "netflix", tmp_path_factory.mktemp("small")
    (root / "NFLX_dataset_public.py").write_bytes((source / "NFLX_dataset_public.py").read_bytes())
    subprocess.run([sys.executable, source / "unpack.py", root], check=True, capture_output=True)
    return root


@needs_shared
def test_the_small_corpus_against_its_truth(small: Path, tmp_path: Path) -> None:
    whole = json.loads((SHARED / "TRUTH.json").read_text())
    truth = whole["corpora"]["netflix"]
    options = RunOptions(
        corpus="netflix", root=small, out=tmp_path / "t.parquet", features=FEATURES, backend="cpu",
        split_seed="chug-hdr-v1", include_references=True, workers=2,
    )  # fmt: skip
    result = run(options)
    assert result.complete
    rows = {row["src"]: row for row in read_table(result.table).data.to_pylist()}
    assert {src: row["mos_native"] for src, row in rows.items()} == truth["labels"]
    assert {src: row["src_sha256"] for src, row in rows.items()} == {
        src: unpacked["sha256"] for src, unpacked in truth["unpacked"].items()
    }
    assert {row["content"]: row["split"] for row in rows.values()} == truth["split"]
    pairs = {
        (row["content"], f"ref/{row['ref_clip_name']}", src, row["mos_native"],
         str(row["netflix_height_token"]), str(row["netflix_bitrate_token"]))
        for src, row in rows.items()
        if row["ref_clip_name"]
    }  # fmt: skip
    assert pairs == {
        (pair["content"], pair["ref"], pair["dis"], pair["dmos"], pair["height_token"], pair["kbps_token"])
        for pair in truth["pairs"]
    }
    assert {(row["width"], row["height"], row["pix_fmt"], row["n_frames"]) for row in rows.values()} == {
        (truth["width"], truth["height"], truth["pix_fmt"], truth["frames"])
    }
    assert {row["framerate"] for row in rows.values()} == {25.0}
    goldens = [golden for golden in whole["golden"] if golden["corpus"] == "netflix"]
    assert goldens
    for golden in goldens:
        row = rows[golden["dis"]]
        assert row["vmaf_score"] == pytest.approx(golden["pooled"]["vmaf"]["mean"], rel=1e-9)
        for feature in ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2", "psnr_y"):
            for statistic in ("mean", "std", "p10", "p90"):
                expected = golden["pooled"][feature][statistic]
                assert row[f"{feature}_{statistic}"] == pytest.approx(expected, rel=1e-9, abs=1e-9), feature
