"""The table and sidecar that older scripts left behind: every figure that is known of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from corekit import EnrichOptions, EnrichReport, enrich, split_of
from corekit.table import columns_of
from tests.shared_data import SHARED, needs_shared

LEGACY = SHARED / "legacy"

pytestmark = needs_shared


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((LEGACY / "EXPECTED.json").read_text())["enrich"]
    return found


@pytest.fixture
def table(tmp_path: Path, expected: dict[str, Any]) -> Path:
    path = tmp_path / "chug.parquet"
    shutil.copyfile(LEGACY / expected["inputs"]["table"], path)
    return path


def run(table: Path, **more: Any) -> EnrichReport:
    options: dict[str, Any] = {
        "table": table, "metadata": LEGACY / "chug.jsonl", "skip_malformed": True, "on_conflict": "skip", "min_coverage": 0,
        "no_split": True, **more,
    }  # fmt: skip
    return enrich(EnrichOptions(**options))


@pytest.mark.parametrize("mode", ["fill_missing", "overwrite"])
def test_counts_and_values(table: Path, expected: dict[str, Any], mode: str) -> None:
    before = pq.read_table(table)
    report = run(table, overwrite_metadata=mode == "overwrite")
    after = pq.read_table(table)
    outcome = expected[mode]
    assert report.counters == {
        "rows": expected["rows"],
        "metadata_rows": expected["sidecar_rows"],
        "matched_rows": expected["matched_rows"],
        "missing_rows": expected["rows"] - expected["matched_rows"],
        "updated_cells": outcome["updated_cells"],
        "split_cells": 0,
        "new_columns": len(expected["new_columns"]),
        "unused_metadata_clips": len(expected["sidecar_without_row"]),
        "repeated_metadata_rows": 0,
        "malformed_lines": expected["malformed_lines"],
        "conflicting_clips": len(expected["ambiguous_basenames"]),
    }
    assert [bad.where for bad in report.malformed] == [
        f"{LEGACY / 'chug.jsonl'}:{number}" for number in expected["malformed_line_numbers_1based"]
    ]
    assert [conflict.clip_name for conflict in report.conflicts] == expected["ambiguous_basenames"]
    assert list(report.new_columns) == expected["new_columns"]
    assert after.column_names == expected["columns_before"] + expected["new_columns"]
    rows = {row["clip_name"]: row for row in after.to_pylist()}
    for clip, values in outcome["final_metadata"].items():
        assert {key: rows[clip][key] for key in values} == values
    untouched = [name for name in before.column_names if name not in expected["keys"]]
    assert after.select(untouched).equals(before.select(untouched), check_metadata=True)
    assert after.schema.metadata == before.schema.metadata
    assert list(after.schema)[: len(before.schema)] == list(before.schema)


@pytest.mark.parametrize("mode", ["fill_missing", "overwrite"])
@pytest.mark.parametrize("policy", ["first", "last"])
def test_counts_where_one_of_two_rows_is_believed(
    table: Path, expected: dict[str, Any], mode: str, policy: str
) -> None:
    report = run(table, overwrite_metadata=mode == "overwrite", on_conflict=policy)
    assert report.counters["updated_cells"] == expected[mode][f"updated_cells_if_ambiguous_{policy}_wins"]
    assert report.counters["matched_rows"] == expected["matched_rows_if_ambiguous_count"]


@pytest.mark.parametrize("mode", ["fill_missing", "overwrite"])
def test_a_dry_run_lists_the_cells_of_old_columns(table: Path, expected: dict[str, Any], mode: str) -> None:
    before = table.read_bytes()
    report = run(table, overwrite_metadata=mode == "overwrite", dry_run=True)
    assert len(report.cells) == report.counters["updated_cells"] == expected[mode]["updated_cells"]
    old = [[cell.clip_name, cell.column] for cell in report.cells if cell.column in expected["columns_before"]]
    assert sorted(old) == sorted(expected[mode]["updated_cells_in_existing_columns"])
    assert table.read_bytes() == before
    assert list(table.parent.iterdir()) == [table]


def test_the_splits_of_a_legacy_table(table: Path) -> None:
    run(table, no_split=False)
    rows = [row for row in pq.read_table(table).to_pylist() if row["chug_content_name"] is not None]
    assert rows
    for row in rows:
        assert row["split"] == split_of(row["chug_content_name"], "chug-hdr-v1")
        assert row["chug_split_key"] == row["chug_content_name"]
        assert row["chug_split_policy"] == "content-name-blake2s-80-10-10"


def test_without_leave_the_first_malformed_line_stops_it(table: Path) -> None:
    before = table.read_bytes()
    with pytest.raises(
        Exception, match=r"chug\.jsonl:4: this line is not JSON \(.*; correct it, or pass over such lines"
    ):
        run(table, skip_malformed=False)
    assert table.read_bytes() == before


@pytest.mark.parametrize("name", ["konvid_full.parquet", "netflix_full.parquet"])
def test_legacy_frame_tables_are_joined_by_what_names_their_clips(tmp_path: Path, name: str) -> None:
    table = tmp_path / name
    shutil.copyfile(LEGACY / name, table)
    before = pq.read_table(table)
    key = "key" if "key" in before.column_names else "dis_basename"
    names = before[key].unique().to_pylist()
    sidecar = tmp_path / "m.jsonl"
    sidecar.write_text("".join(json.dumps({"src": f"x/{clip}", "x_n": n}) + "\n" for n, clip in enumerate(names)))
    report = enrich(EnrichOptions(table=table, metadata=sidecar, keys=("x_*",)))
    assert report.counters["updated_cells"] == before.num_rows
    after = pq.read_table(table)
    assert after["x_n"].to_pylist() == [names.index(clip) for clip in before[key].to_pylist()]
    assert after.drop_columns(["x_n"]).equals(before)
    assert columns_of(after.schema)[-1].type == "int"
