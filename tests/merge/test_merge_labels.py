"""Labels on one scale, and which of two rows of the same content stays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corekit.errors import CorpusError, LabelError
from tests.merge.rows import encode_row, label_row, merged, own_row, write_jsonl, write_parquet


@pytest.mark.parametrize(
    ("corpus", "mos", "value", "kind", "head"),
    [
        ("lsvq", 3.0, 50.0, "mos", 3.0),
        ("konvid-150k", 5.03, 100.75, "mos", 5.03),
        ("KoNViD_1k", 1.0, 0.0, "mos", 1.0),
        ("waterloo-ivc-4k", 62.5, 62.5, "mos", 3.5),
        ("netflix-public", 109.2, 109.2, "dmos", None),
        ("bvi_dvc", 3.0, None, "none", None),
    ],
)
def test_the_scale_of_an_older_corpus(
    corpus: str, mos: float, value: float | None, kind: str, head: float | None, tmp_path: Path
) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [label_row(mos=mos, corpus=corpus)])
    [row], _ = merged(tmp_path / "o.parquet", path, scale="0-100")
    assert row["mos_0_100"] == (None if value is None else pytest.approx(value))
    assert (row["label_kind"], row["mos"]) == (kind, head)
    assert row["mos_native"] == (None if kind == "none" else mos)


def test_the_rows_own_scale_decides_and_the_spread_goes_with_it(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [own_row("a", 7.5, corpus="lsvq", mos_std_dev=0.5, mos_se=0.1)])
    [row], result = merged(tmp_path / "o.parquet", path, scale="0-100")
    assert row["mos_0_100"] == 75.0
    assert (row["mos_std_dev_0_100"], row["mos_se_0_100"]) == (pytest.approx(5.0), pytest.approx(1.0))
    assert (row["mos_native"], row["mos_std_dev"], row["mos_scale_max"], row["mos"]) == (7.5, 0.5, 10.0, 4.0)
    assert [column.name for column in result.manifest.table.columns][-3:] == [
        "mos_0_100", "mos_std_dev_0_100", "mos_se_0_100",
    ]  # fmt: skip


def test_a_dmos_with_both_ends_is_mapped_and_stays_a_dmos(tmp_path: Path) -> None:
    row = own_row("a", 5.0) | {"label_kind": "dmos", "mos": None}
    [row], _ = merged(tmp_path / "o.parquet", write_parquet(tmp_path / "a.parquet", [row]), scale="0-100")
    assert (row["mos_0_100"], row["label_kind"], row["mos"]) == (50.0, "dmos", None)


def test_native_leaves_an_unknown_scale_alone(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [label_row(mos=3.5, corpus="unheard")])
    [row], _ = merged(tmp_path / "o.parquet", path)
    assert (row["mos"], row["mos_native"], row["label_kind"]) == (3.5, None, None)
    assert "mos_0_100" not in row


def test_an_unknown_scale_is_an_error_with_the_row(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [label_row(), label_row("b", 3.5, corpus="unheard")])
    with pytest.raises(CorpusError) as caught:
        merged(tmp_path / "o.parquet", path, scale="0-100")
    assert str(caught.value) == (
        f"{path}:2: label 3.5 has no scale: corpus unheard has no known one; give the rows mos_scale_min and "
        "mos_scale_max, or name the corpus with --corpus-source PATH=NAME"
    )
    assert not (tmp_path / "o.parquet").exists()


def test_the_corpus_that_a_file_does_not_say(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [label_row(corpus=None), label_row("b", corpus="youtube-ugc")])
    rows, _ = merged(tmp_path / "o.parquet", path, scale="0-100", corpus_sources={str(path): "lsvq"})
    assert [row["corpus"] for row in rows] == ["lsvq", "youtube-ugc"]


@pytest.mark.parametrize("mos", [0.94, 5.06, -1.0])
def test_a_value_outside_its_scale_is_an_error_with_the_row(mos: float, tmp_path: Path) -> None:
    rows = [own_row("x", 3.0), own_row("y", mos) | {"mos_scale_min": 1.0, "mos_scale_max": 5.0}]
    path = write_parquet(tmp_path / "a.parquet", rows)
    with pytest.raises(CorpusError) as caught:
        merged(tmp_path / "o.parquet", path)
    assert str(caught.value) == f"{path}, row 2: label {mos:g} lies outside its native scale 1..5; correct it"


@pytest.mark.parametrize("mos", [0.95, 5.05])
def test_a_little_beyond_is_kept_and_never_clipped(mos: float, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [label_row(mos=mos)])
    [row], _ = merged(tmp_path / "o.parquet", path, scale="0-100")
    assert row["mos_0_100"] == pytest.approx((mos - 1) * 25)


def test_a_mos_that_may_stand_on_either_axis_is_refused(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [label_row("a", 2.5, "chug"), label_row("b", 3.5, "chug")])
    with pytest.raises(CorpusError, match=r"mos of all 2 rows lies below 5 and the corpus is rated 0\.\.100"):
        merged(tmp_path / "o.parquet", path, scale="0-100")


def test_chugs_raw_value_counts_and_its_sos_is_no_deviation(tmp_path: Path) -> None:
    row = label_row(mos=3.0, corpus="chug", mos_raw_0_100=50.0, mos_std_dev=2.0)
    [row], _ = merged(tmp_path / "o.parquet", write_jsonl(tmp_path / "a.jsonl", [row]), scale="0-100")
    assert (row["mos_native"], row["mos_0_100"], row["mos"]) == (50.0, 50.0, 3.0)
    assert (row["mos_std_dev"], row["mos_se"]) == (None, 2.0)


def test_a_bare_nan_label_is_missing(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [label_row(mos=math.nan), label_row("b")])
    rows, _ = merged(tmp_path / "o.parquet", path, scale="0-100")
    assert [row["mos_0_100"] for row in rows] == [None, 50.0]


def test_the_smaller_known_spread_wins_across_scales(tmp_path: Path) -> None:
    # 0.5 on 0..10 is 5 on 0..100 and wins against 0.4 on 1..5, which is 10
    ours = write_parquet(tmp_path / "a.parquet", [own_row("b", 5.0, mos_std_dev=0.5)])
    theirs = write_jsonl(tmp_path / "b.jsonl", [label_row("b", mos_std_dev=0.4), label_row("c")])
    rows, result = merged(tmp_path / "o.parquet", theirs, ours)
    assert [row["corpus"] for row in rows] == ["lsvq", "hours"]
    assert result.manifest.merge.dropped == {"larger spread": 1}
    assert result.manifest.counters["label_duplicates"] == 1


def test_a_standard_error_or_the_zero_of_no_ratings_is_no_known_deviation(tmp_path: Path) -> None:
    rows = [
        label_row("a", mos_se=0.01), label_row("a", mos_std_dev=0.9), label_row("b", mos_std_dev=0.0, n_ratings=0),
        label_row("b", mos_std_dev=0.9), label_row("c", mos_std_dev=0.0, n_ratings=5), label_row("c", mos_std_dev=0.9),
    ]  # fmt: skip
    rows, _ = merged(tmp_path / "o.parquet", write_jsonl(tmp_path / "a.jsonl", rows))
    assert [(row["src"], row["mos_std_dev"]) for row in rows] == [("a.mp4", 0.9), ("b.mp4", 0.9), ("c.mp4", 0.0)]


_SPREADS = st.none() | st.sampled_from([0.1, 0.2, 0.3])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), _SPREADS), min_size=1, max_size=12), st.integers(0, 12))
def test_label_rows_that_stay_are_those_of_a_plain_loop(rows: Sequence[tuple[str, float | None]], cut: int) -> None:
    best: dict[str, int] = {}
    for index, (name, spread) in enumerate(rows):
        held = rows[best[name]][1] if name in best else None
        if name not in best or (spread is not None and (held is None or spread < held)):
            best[name] = index
    numbered = [label_row(name, mos_std_dev=spread, n_ratings=at) for at, (name, spread) in enumerate(rows)]
    with TemporaryDirectory() as folder:
        parts = [part for part in (numbered[:cut], numbered[cut:]) if part]
        paths = [write_jsonl(Path(folder, f"{index}.jsonl"), part) for index, part in enumerate(parts)]
        merged_rows, result = merged(Path(folder, "o.parquet"), *paths)
    assert [row["n_ratings"] for row in merged_rows] == sorted(best.values())
    assert result.manifest.counters["label_duplicates"] == len(rows) - len(best)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "x"]), st.sampled_from([20, 35]))
                , min_size=1, max_size=12))  # fmt: skip
def test_encode_rows_that_stay_are_the_first_of_their_key(rows: Sequence[tuple[str, str, int]]) -> None:
    first = {row: index for index, row in reversed(list(enumerate(rows)))}
    made = [encode_row(s, extra_params=e, crf=c, encode_size_bytes=at) for at, (s, e, c) in enumerate(rows)]
    with TemporaryDirectory() as folder:
        merged_rows, _ = merged(Path(folder, "o.parquet"), write_jsonl(Path(folder, "a.jsonl"), made))
    assert [row["encode_size_bytes"] for row in merged_rows] == sorted(first.values())


def test_encodes_of_other_parameters_or_models_are_no_duplicates(tmp_path: Path) -> None:
    rows = [encode_row(), encode_row(extra_params="bframes=0"), encode_row(vmaf_model="vmaf_4k_v0.6.1")]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    kept, result = merged(tmp_path / "o.parquet", path)
    assert len(kept) == 3
    assert "vmaf_v0.6.1" in "".join(result.manifest.merge.notes)
    kept, _ = merged(tmp_path / "o.parquet", path, dedup_key=("src_sha256", "encoder", "preset", "crf"))
    assert len(kept) == 1


def test_an_encode_row_in_parquet_and_in_json_is_one(tmp_path: Path) -> None:
    stored = encode_row() | {"extra_params": None, "encode_path": None, "hdr_transfer": None, "shot_count": None}
    ours = write_parquet(tmp_path / "a.parquet", [stored | {"clip_name": "a.mp4"}])
    theirs = write_jsonl(tmp_path / "b.jsonl", [encode_row()])
    rows, result = merged(tmp_path / "o.parquet", ours, theirs)
    assert len(rows) == 1
    assert result.manifest.merge.conflicts == {"clip_name": 1}


def test_rows_without_a_content_hash_are_never_dropped(tmp_path: Path) -> None:
    rows = [own_row("a", 5.0) | {"src_sha256": None}] * 2
    kept, _ = merged(tmp_path / "o.parquet", write_parquet(tmp_path / "a.parquet", rows))
    assert len(kept) == 2


def test_one_clip_id_in_two_corpora_is_reported_and_kept(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", [own_row("orig_1234567_540_5s.mp4", 5.0, "k150k")])
    second = write_parquet(
        tmp_path / "b.parquet", [own_row("1234567.mp4", 5.0, "konvid"), own_row("x.mp4", 5.0, "konvid")]
    )
    rows, result = merged(tmp_path / "o.parquet", first, second, report_duplicates=True)
    assert len(rows) == 3
    assert result.manifest.merge.possible_duplicates == [{"clip_id": "1234567", "corpora": ["k150k", "konvid"]}]
    assert '"clip_id":"1234567"' in (tmp_path / "o.duplicates.jsonl").read_text()


def test_one_content_in_two_splits_is_refused(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", [own_row("a", 5.0)])
    second = write_parquet(tmp_path / "b.parquet", [own_row("b", 5.0) | {"content": "a", "split": "test"}])
    with pytest.raises(CorpusError) as caught:
        merged(tmp_path / "o.parquet", first, second)
    assert str(caught.value) == (
        f"content a of corpus hours is train in {first} and test in {second}; derive the split anew in one of them "
        "(corekit enrich --overwrite-metadata)"
    )


def test_one_name_of_a_content_in_two_corpora_is_two_contents(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", [own_row("a", 5.0)])
    second = write_parquet(
        tmp_path / "b.parquet", [own_row("a", 5.0, "days") | {"split": "test", "src_sha256": "0" * 64}]
    )
    rows, _ = merged(tmp_path / "o.parquet", first, second)
    assert [row["split"] for row in rows] == ["train", "test"]


def _bad(**changes: Any) -> dict[str, Any]:
    return encode_row() | changes


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": ', "this is no JSON (Expecting value); remove the line or correct it"),
        ("[1]", "this is no JSON object; remove the line or correct it"),
        (_bad(crf="x"), "crf is 'x', and its column holds whole numbers; correct it"),
        (_bad(crf=2.5), "crf is 2.5, and its column holds whole numbers; correct it"),
        (_bad(crf=2**63), f"crf is {2**63}, which 64 bits cannot hold; correct it"),
        (_bad(width=True), "width is True, and its column holds whole numbers; correct it"),
        (_bad(extra=[1]), "extra holds a list or an object; give one value"),
        (_bad(mine="x"), "mine is 'x', and line 1 has whole numbers there; correct one of them"),
        (_bad(schema_version=4), "schema_version 4 is newer than 3; upgrade corekit"),
        (_bad(frame_index=0), "this is a row of a frame; convert frame tables to Parquet first"),
        ({"src": "a"}, "a v3 row lacks schema_version, run_id"),
        ({"src": "a", "mos": 3.0}, "a label row lacks src_sha256; write the row again in full"),
    ],
)
def test_a_bad_line_is_named_and_nothing_written(line: Any, message: str, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [encode_row(mine=1)])
    with path.open("a") as file:
        import json

        file.write(line if isinstance(line, str) else json.dumps(line))
    with pytest.raises(LabelError) as caught:
        merged(tmp_path / "o.parquet", path)
    assert str(caught.value).startswith(f"{path}:2: {message}")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["a.jsonl"]


def test_mark_returns_and_blank_lines_are_passed_over(tmp_path: Path) -> None:
    import json

    path = tmp_path / "a.jsonl"
    text = f"\ufeff{json.dumps(encode_row())}\r\n\r\n{json.dumps(encode_row('b', crf=7.0))}"
    path.write_bytes(text.encode())
    rows, _ = merged(tmp_path / "o.parquet", path, report_duplicates=True)
    assert [row["crf"] for row in rows] == [35, 7]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n")
    with pytest.raises(CorpusError, match="has no rows; leave it out"):
        merged(tmp_path / "o.parquet", tmp_path / "a.jsonl")
