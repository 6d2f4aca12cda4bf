"""The tables of the older scripts and what a correct merge makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.merge.rows import merged
from tests.shared_data import SHARED, needs_shared

pytestmark = needs_shared
LEGACY = SHARED / "legacy"
KEY = ("src_sha256", "encoder", "preset", "crf")


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((LEGACY / "EXPECTED.json").read_text())
    return document


def test_shards_of_encodes(expected: dict[str, Any], tmp_path: Path) -> None:
    case = expected["merge"]
    rows, result = merged(
        tmp_path / "out.parquet",
        *(LEGACY / name for name in case["inputs_in_order"]),
        dedup_key=tuple(case["natural_key"]),
        report_duplicates=True,
    )
    section, counters = result.manifest.merge, result.manifest.counters
    assert {given.file: given.rows for given in section.inputs} == case["rows_in"]
    for name in ("duplicates", "duplicates_identical", "duplicates_conflicting", "rows_out", "unique_sources"):
        assert counters[name] == case[name], name
    assert counters["v2_rows"] == case["v2_rows_in"]
    assert [row["run_id"] for row in rows] == case["output_run_ids_in_order"]
    assert list(rows[0]) == case["row_keys_out"]
    assert sum(row["vmaf_score"] or 0 for row in rows) == case["sum_vmaf_score_out"]
    additive = case["v3_additive_keys"]
    assert sum(all(row[key] is None for key in additive) for row in rows) == case["v2_rows_out"]
    canonical = [key for key in additive if key.endswith("_mean") and not key.startswith("enc_")]
    assert sum(all(row[key] is None for key in canonical) for row in rows) == case["rows_with_null_canonical6_out"]

    lines = [json.loads(line) for line in (tmp_path / "out.duplicates.jsonl").read_text().splitlines()]
    assert len(lines) == len(case["duplicate_list"])
    for line, pair in zip(lines, case["duplicate_list"], strict=True):
        assert list(line["key"].values()) == pair["key"]
        for side in ("kept", "dropped"):
            assert Path(line[side]["input"]).name == pair[side]["shard"]
            assert line[side]["line"] == pair[side]["line_1based"]
            assert line[side]["run_id"] == pair[side]["run_id"]
        assert line["identical"] is pair["identical"]
        assert line["differing_fields"] == pair["differing_fields"]


def test_the_json_view_of_them_is_valid_json(expected: dict[str, Any], tmp_path: Path) -> None:
    case = expected["merge"]
    merged(tmp_path / "o.jsonl", *(LEGACY / name for name in case["inputs_in_order"]), dedup_key=KEY)
    lines = (tmp_path / "o.jsonl").read_bytes().splitlines()
    rows = [json.loads(line, parse_constant=lambda token: pytest.fail(token)) for line in lines]
    assert [row["run_id"] for row in rows] == case["output_run_ids_in_order"]
    assert {tuple(row) for row in rows} == {tuple(case["row_keys_out"])}


def test_frame_shards(expected: dict[str, Any], tmp_path: Path) -> None:
    case = expected["combine"]
    ok = case["combine_ok"]
    named = [f"{label}={LEGACY / path}" for label, path in (text.split("=") for text in ok["inputs"])]
    rows, result = merged(tmp_path / "o.parquet", *named)
    assert len(rows) == ok["rows_out"]
    assert [name for name in rows[0] if name != "clip_name"] == case["output_columns"]
    section = result.manifest.merge
    assert section.corpora == ok["corpora"]
    assert {row["teacher_model"] for row in rows} == {ok["teacher_model"]}
    assert sum(row["ssimulacra2"] is None for row in rows) == ok["null_ssimulacra2_rows_out"]
    for given in section.inputs:
        shard = case["shards"][given.file]
        assert (given.rows, given.teacher_model) == (shard["rows"], shard["teacher_model"])
        assert given.missing_features == shard["missing_features"]
        assert given.null_cells == shard["null_cells"]
        own = {row["source"] for row in rows if row["corpus"] == given.label}
        assert sorted(own) == sorted(shard["sources"])
    assert {row["clip_name"] for row in rows if row["corpus"] == "konvid"} == {None}


def test_labels_of_the_older_chug_table(tmp_path: Path) -> None:
    table = LEGACY / "full_features_chug_legacy.parquet"
    rows, _ = merged(tmp_path / "o.parquet", table, scale="0-100", corpus_sources={table.name: "chug"})
    known = [row for row in rows if row["mos_raw_0_100"] is not None]
    assert known
    assert all(row["mos_0_100"] == row["mos_native"] == row["mos_raw_0_100"] for row in known)
    for row in rows:
        if row["mos_raw_0_100"] is None and row["mos_0_100"] is not None:
            assert row["mos_0_100"] == pytest.approx((row["mos"] - 1) * 25)
