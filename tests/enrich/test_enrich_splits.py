"""The split columns: derived where missing, from what the table or the metadata says of contents."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from corekit import UsageError, make_sample, open_corpus, split_of
from tests.enrich.kit import Bench

POLICY = "content-name-blake2s-80-10-10"
CONTENTS = ["one", "one", "two", None]


def rows(**more: object) -> list[dict[str, object]]:
    return [{"src": clip, "chug_video_id": clip, **more} for clip in ("a.mp4", "b.mp4", "c.mp4", "d.mp4")]


def test_they_follow_from_the_content_of_the_table(bench: Bench) -> None:
    bench.write_table({"content": CONTENTS})
    report = bench.enrich(bench.jsonl(*rows()), keys=(), corpus="chug")
    one, two = split_of("one", "chug-hdr-v1"), split_of("two", "chug-hdr-v1")
    assert bench.read().column_names[-4:] == ["chug_video_id", "split", "chug_split_key", "chug_split_policy"]
    assert bench.column("split") == [one, one, two, None]
    assert bench.column("chug_split_key") == CONTENTS
    assert bench.column("chug_split_policy") == [POLICY, POLICY, POLICY, None]
    assert report.counters["split_cells"] == 9
    assert bench.manifest().enrich.split_seeds == {"chug": "chug-hdr-v1"}


def test_they_follow_from_a_content_that_was_just_filled_in(bench: Bench) -> None:
    bench.enrich(bench.jsonl(*rows(chug_content_name="three")), keys=(), corpus="chug", split_seed="mine")
    assert bench.column("split") == [split_of("three", "mine")] * 4


def test_no_split_leaves_them(bench: Bench) -> None:
    bench.write_table({"content": CONTENTS})
    bench.enrich(bench.jsonl(*rows()), keys=(), corpus="chug", no_split=True)
    assert "split" not in bench.read().column_names


def test_splits_that_are_there_stay_unless_metadata_is_overwritten(bench: Bench) -> None:
    other = next(name for name in ("train", "val", "test") if name != split_of("one", "chug-hdr-v1"))
    given = {
        "content": CONTENTS,
        "split": [other, other, None, None],
        "split_policy": ["mine", "given-by-corpus", None, None],
    }
    bench.write_table(given)
    bench.enrich(bench.jsonl(*rows()), keys=(), corpus="chug")
    assert bench.column("split") == [other, other, split_of("two", "chug-hdr-v1"), None]
    assert bench.column("split_policy") == ["mine", "given-by-corpus", POLICY, None]
    assert bench.column("chug_split_key") == [None, None, "two", None]


def test_overwriting_derives_them_anew_but_for_those_that_the_corpus_gives(bench: Bench) -> None:
    given = {
        "content": ["one", "two", "two", None],
        "split": ["x", "val", "val", "test"],
        "split_policy": ["mine", "given-by-corpus", "given-by-corpus", "mine"],
    }
    bench.write_table(given)
    bench.enrich(bench.jsonl(*rows()), keys=(), corpus="chug", overwrite_metadata=True)
    assert bench.column("split") == [split_of("one", "chug-hdr-v1"), "val", "val", "test"]
    assert bench.column("split_policy") == [POLICY, "given-by-corpus", "given-by-corpus", "mine"]


def test_a_content_is_never_torn(bench: Bench) -> None:
    hashed = split_of("one", "chug-hdr-v1")
    other = next(name for name in ("train", "val", "test") if name != hashed)
    bench.write_table({"content": CONTENTS, "split": [other, None, None, None]})
    before = bench.table.read_bytes()
    with pytest.raises(
        UsageError, match=r"^content 'one' of .*t\.parquet would stand in the splits \w+ and \w+; give the"
    ):
        bench.enrich(bench.jsonl(*rows()), keys=(), corpus="chug")
    assert bench.table.read_bytes() == before


def test_what_says_no_content_leaves_them_and_says_so(bench: Bench) -> None:
    report = bench.enrich(bench.jsonl(*rows()), keys=(), corpus="chug")
    assert "splits are left as they are: neither the table nor the metadata names contents" in report.notes
    assert "split" not in bench.read().column_names


def test_the_corpus_itself_gives_metadata_contents_and_splits(bench: Bench, tmp_path: Path) -> None:
    root = tmp_path / "chug"
    make_sample("chug", root)
    clips = open_corpus("chug", root).clips
    bench.write_table(
        {
            "clip_name": [clip.name for clip in clips], "mos": [1.0] * len(clips), "adm2_mean": [0.5] * len(clips),
            "note": None, "grade": None,
        }
    )  # fmt: skip
    report = bench.enrich(None, corpus="chug", root=root, keys=(), min_coverage=1.0)
    for clip, row in zip(clips, bench.read().to_pylist(), strict=True):
        assert row["mos_raw_0_100"] == clip.label.value
        assert {key: row[key] for key in ("chug_video_id", "chug_ref", "chug_content_name")} == {
            key: clip.extra[key] for key in ("chug_video_id", "chug_ref", "chug_content_name")
        }
        assert row["split"] == split_of(clip.content, "chug-hdr-v1")
    assert report.counters["matched_rows"] == len(clips)
    labels = bench.manifest().run_provenance.inputs["labels"]
    assert isinstance(labels, list) and [record.path for record in labels] == ["{corpus}/chug.csv"]


def test_a_frame_table_takes_the_source_for_the_content(bench: Bench) -> None:
    bench.write_table({"frame_index": [0, 1, 0, 1], "source": ["s", "s", "t", "t"], "mos": None})
    bench.enrich(bench.jsonl(*rows()), keys=(), corpus="chug")
    assert bench.column("chug_split_key") == ["s", "s", "t", "t"]
    assert bench.manifest().artefacts["table"].kind == "frame-table"


def test_splits_of_text_that_is_a_dictionary(bench: Bench) -> None:
    bench.write_table(
        {"content": pa.array(CONTENTS).dictionary_encode(), "split": pa.nulls(4, pa.string()).dictionary_encode()}
    )
    bench.enrich(bench.jsonl(*rows()), keys=(), corpus="chug")
    assert bench.column("split")[0] == split_of("one", "chug-hdr-v1")
    assert pa.types.is_dictionary(bench.read().schema.field("split").type)


def test_a_sidecars_splits_are_the_corpuss_only_where_it_says_so(bench: Bench) -> None:
    bench.write_table({"content": ["one", "one", "two", "two"]})
    one, two = split_of("one", "chug-hdr-v1"), split_of("two", "chug-hdr-v1")
    bench.enrich(bench.jsonl(*rows(split="test")), keys=(), corpus="chug")
    assert bench.column("split") == [one, one, two, two]
    bench.enrich(bench.jsonl(*rows(split="test")), keys=(), corpus="chug", overwrite_metadata=True, split_seed="mine")
    assert bench.column("split") == [split_of(name, "mine") for name in ("one", "one", "two", "two")]
    assert bench.column("chug_split_key") == ["one", "one", "two", "two"]
    given = rows(split="test", split_policy="given-by-corpus")
    bench.enrich(bench.jsonl(*given), keys=(), corpus="chug", overwrite_metadata=True)
    assert bench.column("split") == ["test"] * 4
    assert bench.column("chug_split_policy") == ["given-by-corpus"] * 4
