"""The split columns: derived where missing, from what the table or the metadata says of contents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    assert torn(bench, bench.jsonl(*rows())) == (
        f"content 'one' of {bench.table} would stand in the splits {other} and {hashed}; give the --split-seed of the "
        "splits that are there, derive all anew with --overwrite-metadata, or leave them all with --no-split"
    )


def torn(bench: Bench, metadata: Path, **more: Any) -> str:
    before = bench.table.read_bytes()
    with pytest.raises(UsageError) as caught:
        bench.enrich(metadata, keys=(), corpus="chug", **more)
    assert bench.table.read_bytes() == before
    return str(caught.value)


def test_a_split_of_the_metadata_is_taken_where_its_policy_says_that_the_corpus_gives_it(bench: Bench) -> None:
    bench.write_table(
        {"content": CONTENTS, "split": pa.nulls(4, pa.string()), "split_policy": pa.nulls(4, pa.string())}
    )
    given = [{**row, "split": "test", "split_policy": "given-by-corpus"} for row in rows()]
    derived = [{**row, "split": "test", "split_policy": POLICY} for row in rows()]
    bench.enrich(bench.jsonl(*given[:2], *derived[2:]), keys=(), corpus="chug")
    assert bench.column("split") == ["test", "test", split_of("two", "chug-hdr-v1"), None]
    assert bench.column("split_policy") == ["given-by-corpus", "given-by-corpus", POLICY, None]
    assert bench.column("chug_split_key") == [None, None, "two", None]


@pytest.mark.parametrize("policy", [{}, {"split_policy": POLICY}, {"split_policy": None}])
def test_any_other_split_of_the_metadata_changes_nothing(bench: Bench, policy: dict[str, str | None]) -> None:
    bench.write_table({"content": CONTENTS, "split_policy": pa.nulls(4, pa.string())})
    bench.enrich(bench.jsonl(*rows()), keys=(), corpus="chug")
    before = bench.read()
    sidecar = bench.jsonl(*rows(split="test", content="else", **policy))
    report = bench.enrich(sidecar, keys=(), corpus="chug", overwrite_metadata=True, out=bench.folder / "o.parquet")
    assert bench.read(bench.folder / "o.parquet")[:3].equals(before[:3])
    assert (f"the splits of {sidecar} were not taken: it does not say that the corpus gives them" in report.notes) == (
        not policy
    )
    bench.enrich(sidecar, keys=(), corpus="chug", overwrite_metadata=True, split_seed="other")
    assert bench.column("split")[:3] == [split_of(content, "other") for content in ("one", "one", "two")]


def test_a_content_that_the_metadata_itself_tears(bench: Bench) -> None:
    bench.write_table({"content": CONTENTS})
    given = [{**row, "split": "test", "split_policy": "given-by-corpus"} for row in rows()]
    given[1]["split"] = "val"
    metadata = bench.jsonl(*given)
    said = f"content 'one' of {bench.table} would stand in the splits test and val; the corpus prescribes one of them: "
    correct = f"correct the split in {metadata} or in the table, "
    anew, leave = "derive all anew with --overwrite-metadata, ", "or leave them all with --no-split"
    assert torn(bench, metadata) == said + correct + anew + leave
    assert torn(bench, metadata, overwrite_metadata=True) == said + correct + leave


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


def test_splits_that_the_label_file_of_the_corpus_prescribes_are_taken(bench: Bench, tmp_path: Path) -> None:
    root = tmp_path / "chug"
    make_sample("chug", root)
    header, *lines = (root / "chug.csv").read_text().splitlines()
    (root / "chug.csv").write_text("\n".join([f"{header},split", *(f"{line},test" for line in lines)]) + "\n")
    names = [clip.name for clip in open_corpus("chug", root).clips][:4]
    bench.write_table({"clip_name": names, "split_policy": pa.nulls(4, pa.string())})
    bench.enrich(None, corpus="chug", root=root, keys=())
    assert bench.column("split") == ["test"] * 4
    assert bench.column("split_policy") == bench.column("chug_split_policy") == ["given-by-corpus"] * 4


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
