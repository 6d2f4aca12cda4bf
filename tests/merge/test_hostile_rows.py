"""Rows that a careful writer would not write: empty text where a value belongs, numbers and texts that no column holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.merge.rows import encode_row, label_row, merged, own_row, write_jsonl, write_parquet


def test_an_empty_hash_is_no_hash(tmp_path: Path) -> None:
    rows = [label_row(name, src_sha256="") for name in "abc"]
    kept, result = merged(tmp_path / "o.parquet", write_jsonl(tmp_path / "a.jsonl", rows))
    assert [row["src"] for row in kept] == ["a.mp4", "b.mp4", "c.mp4"]
    assert result.manifest.counters["unique_sources"] == 0
    encodes = write_jsonl(tmp_path / "b.jsonl", [encode_row(name, src_sha256="") for name in "ab"])
    kept, _ = merged(tmp_path / "p.parquet", encodes)
    assert [row["src"] for row in kept] == ["a.mp4", "b.mp4"]


def test_empty_text_in_a_key_is_a_value_where_it_is_the_default(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [encode_row(preset="", run_id=""), encode_row(preset="", run_id="")])
    kept, _ = merged(tmp_path / "o.parquet", path)
    assert len(kept) == 1
    kept, _ = merged(tmp_path / "p.parquet", path, dedup_key=("src_sha256", "run_id"))
    assert len(kept) == 2


def test_empty_contents_and_names_are_no_content_and_no_name(tmp_path: Path) -> None:
    rows = [
        own_row("a", 5.0, content="", clip_name=""),
        own_row("b", 5.0, content="", clip_name="", split="test"),
        own_row("c", 5.0, "days", content="", clip_name=""),
    ]
    kept, result = merged(tmp_path / "o.parquet", write_parquet(tmp_path / "a.parquet", rows))
    assert len(kept) == 3
    assert result.manifest.merge.possible_duplicates == []


def test_an_empty_corpus_is_no_corpus(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [label_row(corpus=""), label_row("b", corpus=None)])
    rows, result = merged(tmp_path / "o.parquet", path, scale="0-100", corpus_sources={str(path): "lsvq"})
    assert [(row["corpus"], row["mos_0_100"]) for row in rows] == [("lsvq", 50.0)] * 2
    assert result.manifest.merge.corpora == {"lsvq": 2}
    rows, _ = merged(tmp_path / "p.parquet", path)
    assert [row["corpus"] for row in rows] == [None, None]


@pytest.mark.parametrize("corpus", ["chug", "CHUG", "Chug"])
def test_chugs_sos_is_no_deviation_however_its_name_is_written(corpus: str, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [label_row(mos=50.0, corpus=corpus, mos_std_dev=2.0)])
    [row], _ = merged(tmp_path / "o.parquet", path, scale="0-100")
    assert (row["mos_0_100"], row["mos_std_dev"], row["mos_se"]) == (50.0, None, 2.0)
