"""Of which corpus a row is: what belongs to another one than the table's is no metadata of its clips."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from corekit import split_of
from corekit.errors import CorekitError, CorpusError, UsageError
from corekit.plugins.composition import Composition
from tests.enrich.kit import CLIPS, Bench

FOREIGN = {"src": "b.mp4", "corpus": "konvid", "x_a": "of another type", "note": 5, "x_konvid": 1}


def refused(bench: Bench, kind: type[CorekitError], *rows: Any, **more: Any) -> str:
    metadata, before = bench.jsonl(*rows), bench.table.read_bytes()
    with pytest.raises(kind) as caught:
        bench.enrich(metadata, **more)
    assert bench.table.read_bytes() == before
    return str(caught.value).replace(f"{bench.folder}/", "")


@pytest.fixture(params=["column", "metadata"])
def chug(bench: Bench, request: pytest.FixtureRequest) -> Bench:
    """A table that says in either way that all its clips are of chug."""
    if request.param == "column":
        bench.write_table({"corpus": ["chug", None, "chug", "chug"]})
    else:
        bench.write_table({}, metadata={"corekit.corpus": "chug"})
    return bench


def test_rows_of_another_corpus_are_left_out_and_noted(chug: Bench) -> None:
    rows = [FOREIGN, {"src": "a.mp4", "corpus": "chug", "x_a": 1}, FOREIGN, {"src": "c.mp4", "x_a": 3}]
    report = chug.enrich(chug.jsonl(*rows))
    assert chug.column("x_a") == [1, None, 3, None]
    assert report.new_columns == {"x_a": "int64"}
    assert chug.manifest().enrich.available_keys == ["src", "corpus", "x_a"]
    assert (
        "rows of the metadata that name a corpus of which the table has no clips (konvid) were left out: 2"
        in report.notes
    )
    assert {key: report.counters[key] for key in ("metadata_rows", "matched_rows", "unused_metadata_clips")} == {
        "metadata_rows": 4, "matched_rows": 2, "unused_metadata_clips": 1,
    }  # fmt: skip


def test_metadata_of_another_corpus_altogether(chug: Bench) -> None:
    rows = [{"src": clip, "corpus": "konvid", "x_a": 1} for clip in CLIPS]
    assert refused(chug, CorpusError, *rows) == (
        "every row of m.jsonl names another corpus (konvid) than t.parquet (chug); give metadata of the table's corpus"
    )


def test_a_corpus_that_is_asked_for_and_not_the_tables(chug: Bench) -> None:
    said = "--corpus konvid: the clips of t.parquet are of chug; name one that the table holds, or give another table"
    assert refused(chug, UsageError, {"src": "a.mp4", "x_a": 1}, corpus="konvid") == said
    assert chug.enrich(chug.jsonl({"src": "a.mp4", "x_a": 1}), corpus="chug").written


def test_the_same_holds_for_a_table_of_several(bench: Bench) -> None:
    bench.write_table({"corpus": ["chug", "netflix", "chug", "netflix"]})
    row = {"src": "a.mp4", "corpus": "chug", "x_a": 1}
    assert "are of chug, netflix;" in refused(bench, UsageError, row, corpus="konvid")
    report = bench.enrich(bench.jsonl(row, FOREIGN))
    assert bench.column("x_a") == [1, None, None, None]
    assert (report.counters["metadata_rows"], report.counters["unused_metadata_clips"]) == (2, 1)


def test_two_corpora_may_give_two_contents_one_name(bench: Bench) -> None:
    seeds = {"chug": "chug-hdr-v1", "konvid": seed_of("konvid")}
    names = (f"scene {number}" for number in range(1000))
    name = next(name for name in names if len({split_of(name, seed) for seed in seeds.values()}) == 2)
    bench.write_table({"corpus": ["chug", "konvid", "chug", None], "content": [name, name, name, None]})
    metadata = bench.jsonl(*({"src": clip, "corpus": corpus, "x_a": 1} for clip in CLIPS for corpus in seeds))
    bench.enrich(metadata)
    expected = [split_of(name, seeds[corpus]) for corpus in ("chug", "konvid", "chug")]
    assert bench.column("split") == [*expected, None]
    bench.write_table(
        {"corpus": ["chug", "konvid", "chug", None], "content": [name] * 4, "split": [expected[1], *[None] * 3]}
    )
    assert refused(bench, UsageError, {"src": "a.mp4", "corpus": "chug", "x_a": 1}).startswith(
        f"content {name!r} of t.parquet would stand in the splits "
    )


def seed_of(corpus: str) -> str:
    return Composition().add_corpus(corpus).split_seed


@pytest.mark.parametrize(("of_table", "of_sidecar"), [("k150k", "konvid-150k"), ("konvid-1k", "konvid")])
@pytest.mark.parametrize("beside", ["chug", None])
def test_older_names_of_a_corpus(bench: Bench, of_table: str, of_sidecar: str, beside: str | None) -> None:
    bench.write_table({"corpus": pa.array([of_table, of_table, of_table, beside])})
    bench.enrich(bench.jsonl({"src": "a.mp4", "corpus": of_sidecar, "x_a": 1}))
    assert bench.column("x_a") == [1, None, None, None]


def test_a_table_that_says_nothing_takes_them_all(bench: Bench) -> None:
    bench.enrich(bench.jsonl({"src": "a.mp4", "corpus": "konvid", "x_a": 1}, {"src": "b.mp4", "corpus": "k", "x_a": 2}))
    assert bench.column("x_a") == [1, 2, None, None]
