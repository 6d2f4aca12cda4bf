"""Rows that a careful writer would not write: empty text where a value belongs, numbers and texts that no column holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corekit.errors import CorpusError, LabelError, UsageError
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


_BEYOND = 2**60 + 1


def test_whole_numbers_that_another_inputs_numbers_would_round_are_refused(tmp_path: Path) -> None:
    whole = write_jsonl(tmp_path / "a.jsonl", [label_row("a", mine=_BEYOND)])
    numbers = write_parquet(tmp_path / "b.parquet", [label_row("b", mine=1.5)])
    for order in ((whole, numbers), (numbers, whole)):
        with pytest.raises(CorpusError) as caught:
            merged(tmp_path / "o.parquet", *order)
        assert str(caught.value) == (
            f"column mine has whole numbers beyond 2^53 in {whole}, which the numbers in {numbers} would round; convert "
            "one of them"
        )
    [row], _ = merged(tmp_path / "o.parquet", whole)
    assert row["mine"] == _BEYOND
    small = write_jsonl(tmp_path / "c.jsonl", [label_row("c", mine=2**53)])
    rows, _ = merged(tmp_path / "o.parquet", small, numbers)
    assert [row["mine"] for row in rows] == [2.0**53, 1.5]


@pytest.mark.parametrize("values", [(_BEYOND, 0.5), (-_BEYOND, 7, 0.5)])
def test_whole_numbers_that_their_own_column_would_round_are_refused(values: tuple[float, ...], tmp_path: Path) -> None:
    message = (
        "mine is a whole number beyond 2^53, which its column of numbers would round; correct it, or write it as text in "
        "every row"
    )
    for order in (values, values[::-1]):
        rows = [label_row(str(at), mine=value) for at, value in enumerate(order)]
        path = write_jsonl(tmp_path / "a.jsonl", rows)
        with pytest.raises(LabelError) as caught:
            merged(tmp_path / "o.parquet", path)
        assert str(caught.value) == f"{path}:{order.index(values[0]) + 1}: {message}"


def test_a_label_that_would_be_rounded_is_refused(tmp_path: Path) -> None:
    row = label_row(mos=2**63 - 1, corpus="netflix")
    with pytest.raises(
        LabelError, match=r"a\.jsonl:1: mos is a whole number beyond 2\^53, .* would round; correct it$"
    ):
        merged(tmp_path / "o.parquet", write_jsonl(tmp_path / "a.jsonl", [row]))
    with pytest.raises(
        CorpusError, match=r"a\.parquet: column mos must hold numbers and has Integer value 9223372036854775807"
    ):
        merged(tmp_path / "o.parquet", write_parquet(tmp_path / "a.parquet", [row]))


def test_a_whole_float_beyond_64_bits_makes_a_column_of_numbers(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [label_row("a", mine=1), label_row("b", mine=1e300)])
    rows, _ = merged(tmp_path / "o.parquet", path)
    assert [row["mine"] for row in rows] == [1.0, 1e300]


_LABEL = '"src_sha256": "x", "mos": '


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            f'{{"src": "\\ud800.mp4", {_LABEL}3}}',
            "a text holds '\\ud800', half of a character; remove the line or correct it",
        ),
        (
            f'{{"src": "a", "\\udfff": 1, {_LABEL}NaN}}',
            "a text holds '\\udfff', half of a character; remove the line or correct it",
        ),
        ("[" * 100_000, "lists or objects lie too deep in one another; remove the line or correct it"),
        (
            f'{{"src": "a", {_LABEL}{"9" * 5000}}}',
            "a number has more digits than 64 bits hold; remove the line or correct it",
        ),
        (
            f'{{"src": "a", "corekit.line": 5, {_LABEL}3}}',
            "corekit.line is a name of corekit's own; rename the key",
        ),
        (f'{{"src": "\udcff", {_LABEL}3}}', "this is no JSON (not UTF-8); remove the line or correct it"),
    ],
)
def test_a_line_that_no_table_holds_is_named_with_the_reason(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(f"{json.dumps(label_row())}\n{line}\n".encode(errors="surrogateescape"))
    with pytest.raises(LabelError) as caught:
        merged(tmp_path / "o.parquet", path)
    assert str(caught.value) == f"{path}:2: {message}"


def test_both_halves_of_a_character_are_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"src": "\\ud83c\\udfa5.mp4", {_LABEL}NaN}}\n')
    [row], _ = merged(tmp_path / "o.parquet", path)
    assert row["src"] == "\U0001f3a5.mp4"


def test_a_column_of_our_own_name_is_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [label_row() | {"corekit.line": 5}])
    with pytest.raises(UsageError, match=r"a\.parquet: corekit\.line is a name of corekit's own; rename the column"):
        merged(tmp_path / "o.parquet", path)
