"""From a corpus on disk to a table: the sample, and the small corpus against what is known of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from corekit_k150k.info import K150kOptions
from corekit_k150k.reader import read_clips
from corekit_k150k.sample import FRAMES, write_sample

from corekit import RunOptions, UsageError, make_sample, open_corpus, read_table, run, split_of
from corekit.schema import INFORMATIVE
from corekit.video import probe
from tests.shared_data import SHARED, needs_shared


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample("k150k", tmp_path_factory.mktemp("corpus") / "k150k")


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
        lines = (sample / "k150ka_scores.csv").read_text().splitlines()
        assert lines[0] == "video_name,video_score"
        assert (sample / "k150kb_scores.csv").read_text().startswith("video_name,mos,video_score\norig_")
        folders = Counter(path.rpartition("/")[0] for path in digests(sample))
        assert folders == {"": 2, "k150ka_extracted": 7, "k150kb/k150kb": 3}

    def test_its_clips_are_h264(self, sample: Path) -> None:
        corpus = open_corpus("k150k", sample)
        assert {corpus.split(clip) for clip in corpus} == {"train", "val", "test"}
        for clip in corpus:
            if corpus.has(clip):
                found = probe(corpus.path(clip))
                assert (found.codec, found.pix_fmt, found.n_frames) == ("h264", "yuv420p", FRAMES)

    def test_it_runs(self, sample: Path, tmp_path: Path) -> None:
        result = run(RunOptions(corpus="k150k", root=sample, out=tmp_path / "t.parquet", features="none"))
        assert result.complete
        assert (result.counters["parquet_rows"], result.counters["missing"]) == (10, 1)
        assert result.manifest.missing == ["k150ka_extracted/orig_10200000677_540_5s.mp4"]
        assert result.manifest.sections["k150k"]["rows"] == {"a": 7, "b": 3}
        rows = read_table(result.table).data.to_pylist()
        assert [row["mos"] for row in rows] == [row["mos_native"] for row in rows]
        assert Counter((row["k150k_part"], row["n_ratings"]) for row in rows) == {("a", 5): 7, ("b", None): 3}


def test_a_contradicted_label_costs_its_row_alone(tmp_path: Path) -> None:
    write_sample(tmp_path / "root")
    labels = tmp_path / "root" / "k150ka_scores.csv"
    labels.write_text(labels.read_text() + "orig_8100000107_540_5s.mp4,1.2\n")
    result = run(RunOptions(corpus="k150k", root=tmp_path / "root", out=tmp_path / "t.parquet", features="none"))
    assert not result.complete
    assert [(failure.clip_name, failure.stage) for failure in result.failures] == [
        ("orig_8100000107_540_5s.mp4", "label")
    ]
    assert result.counters["parquet_rows"] == 9


@needs_shared
class TestSmallCorpus:
    truth = json.loads((SHARED / "TRUTH.json").read_text()) if SHARED.is_dir() else {}
    root = SHARED / "corpora" / "k150k"

    def test_labels_and_contents(self) -> None:
        truth = self.truth["corpora"]["k150k"]
        clips = list(read_clips(self.root, K150kOptions()))
        assert {clip.name: clip.label.value for clip in clips} == truth["labels"]
        assert [clip.name for clip in clips] == sorted(truth["expected_clips"])
        assert {clip.content: [clip.name] for clip in clips} == truth["content_groups"]
        assert {clip.content: split_of(clip.content, "chug-hdr-v1") for clip in clips} == truth["split"]

    def test_table(self, tmp_path: Path) -> None:
        truth = self.truth["corpora"]["k150k"]
        options = RunOptions(
            corpus="k150k", root=self.root, out=tmp_path / "t.parquet", backend="cpu", split_seed="chug-hdr-v1"
        )
        result = run(options)
        assert result.complete
        rows = {row["clip_name"]: row for row in read_table(result.table).data.to_pylist()}
        assert {name: row["mos_native"] for name, row in rows.items()} == truth["labels"]
        assert {row["content"]: row["split"] for row in rows.values()} == truth["split"]
        assert {row["pairing"] for row in rows.values()} == {"nr"}
        goldens = [golden for golden in self.truth["golden"] if golden["corpus"] == "k150k"]
        assert goldens
        for golden in goldens:
            row = rows[golden["clip"]]
            assert row["adm2_mean"] is None
            for feature in INFORMATIVE:
                for statistic in ("mean", "std", "p10", "p90"):
                    expected = golden["pooled"][feature][statistic]
                    assert row[f"{feature}_{statistic}"] == pytest.approx(expected, rel=1e-9, abs=1e-9), feature
