"""Every format is read back by something that is not ours, or by the command that it is for."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from corekit import CorpusError, EnrichOptions, UsageError, enrich, make_sample, run
from corekit import RunOptions as Run
from corekit.driver.export import ExportOptions, ExportResult, export, export_formats
from corekit.manifest import ExportManifest, read_manifest
from corekit.schema import V3_COLUMNS
from tests.shared_data import SHARED, needs_shared


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of the sample of CHUG with its frames."""
    folder = tmp_path_factory.mktemp("export")
    make_sample("chug", folder / "demo")
    run(
        Run(
            corpus="chug", root=folder / "demo", out=folder / "chug.parquet", features="canonical", backend="cpu", limit=6,
            frames=True, jsonl=True,
        )
    )  # fmt: skip
    return folder / "chug.parquet"


def written(table: Path, to: str, out: Path, **settings: str) -> ExportResult:
    return export(ExportOptions(table=table, to=to, out=out, settings=settings))


def rows_of(table: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(table).to_pylist()
    return rows


def test_croissant_is_valid_and_its_records_are_the_rows(sample: Path) -> None:
    import mlcroissant

    out = sample.with_name("chug.croissant.json")
    written(sample, "croissant", out)
    document = json.loads(out.read_text())
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert document["license"] == "CC BY-NC-SA 4.0"
    files = document["distribution"]
    assert all(len(file["sha256"]) == 64 for file in files)
    assert [file["@id"] for file in files[:3]] == ["table", "manifest", "labels-0"]
    fields = {field["name"]: field for field in document["recordSet"][0]["field"]}
    assert list(fields) == pq.read_schema(sample).names
    assert fields["width"]["description"] == "Width of the rated clip as displayed. Unit: px."
    assert fields["chug_bitladder"]["description"] == "Rung of the ladder, verbatim."
    assert str(sample.parent) not in out.read_text()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = mlcroissant.Dataset(str(out))
        assert not dataset.metadata.ctx.issues.errors
        records = list(dataset.records("rows"))
    for record, row in zip(records, rows_of(sample), strict=True):
        assert record["rows/clip_name"].decode() == row["clip_name"]
        assert record["rows/adm2_mean"] == row["adm2_mean"]
        assert record["rows/width"] == row["width"]


def test_jsonl_is_the_view_that_a_run_writes(sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    written(sample, "jsonl", out)
    assert out.read_bytes() == sample.with_suffix(".jsonl").read_bytes()
    row = json.loads(out.read_text().splitlines()[0])
    assert list(row)[:54] == [column.name for column in V3_COLUMNS]
    assert row["vmaf_score"] is None and row["encoder"] == ""
    written(sample, "jsonl", out, nan_literal="true")
    assert '"vmaf_score":NaN' in out.read_text()


def test_csv_is_read_back_exactly(sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    written(sample, "csv", out)
    schema = pq.read_schema(sample)
    types = {field.name: field.type for field in schema}
    options = pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False)
    read = pyarrow.csv.read_csv(out, convert_options=options)
    assert read.to_pylist() == rows_of(sample)
    with out.open(newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(rows_of(sample))


def test_the_sidecar_is_what_enrich_reads(sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "side.jsonl"
    written(sample, "sidecar", out)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert not {name for line in lines for name in line} & {
        "adm2_mean",
        "vmaf_mean",
        "run_id",
        "timestamp",
        "vmaf_score",
    }
    bare = tmp_path / "bare.parquet"
    data = pq.read_table(sample)
    pq.write_table(data.drop_columns([n for n in data.column_names if n.startswith("chug_")]), bare)
    report = enrich(EnrichOptions(table=bare, metadata=out, corpus="chug"))
    assert report.counters["matched_rows"] == data.num_rows
    again = {row["clip_name"]: row for row in rows_of(bare)}
    for row in rows_of(sample):
        assert again[row["clip_name"]]["chug_bitladder"] == row["chug_bitladder"]
        assert again[row["clip_name"]]["chug_height_manifest"] == row["chug_height_manifest"]


def test_fastvqa_labels_are_four_fields(sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.txt"
    written(sample, "fastvqa-labels", out)
    for line, row in zip(out.read_text().splitlines(), rows_of(sample), strict=True):
        filename, duration, fps, label = line.split(",")
        assert (filename, float(label)) == (row["src"], row["mos"])
        assert (float(duration), float(fps)) == (row["duration_s"], row["framerate"])


def test_the_vmaf_dataset_is_read_by_the_reader_of_such_files(sample: Path, tmp_path: Path) -> None:
    from corekit_netflix.dataset import read_dataset

    out = tmp_path / "dataset.py"
    written(sample, "vmaf-dataset", out, dataset_name="mine")
    dataset = read_dataset(out)
    rows = rows_of(sample)
    assert dataset.scalars["dataset_name"] == "mine" and dataset.scalars["yuv_fmt"] == "yuv420p10le"
    assert [entry.fields["path"] for entry in dataset.dis_videos] == [row["src"] for row in rows]
    assert [entry.fields["mos"] for entry in dataset.dis_videos] == [row["mos_native"] for row in rows]
    references = {entry.fields["content_id"]: entry.fields["path"] for entry in dataset.ref_videos}
    for entry, row in zip(dataset.dis_videos, rows, strict=True):
        assert references[entry.fields["content_id"]] == f"CHUG_Videos/{row['ref_clip_name']}"
        assert (entry.fields.get("width", dataset.scalars["width"])) == row["width"]
    namespace: dict[str, Any] = {}
    exec(out.read_text(), namespace)  # as VMAF's own tools do
    assert len(namespace["dis_videos"]) == len(rows)


def test_legacy_tables_have_the_older_columns(sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "legacy.parquet"
    written(sample, "legacy", out)
    read = pq.read_table(out)
    assert read.column_names[:9] == [
        "clip_name", "mos", "width", "height", "fps", "is_hdr", "motion_fps_weight", "adm2_mean", "adm2_std",
    ]  # fmt: skip
    assert len(read.column_names) == 7 + 2 * 26
    assert read.column("adm2_std").to_pylist() == pq.read_table(sample).column("adm2_std").to_pylist()
    assert read.column("ciede2000_mean").null_count == read.num_rows


@needs_shared
def test_legacy_columns_are_those_of_a_legacy_table(sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "legacy.parquet"
    written(sample, "legacy", out)
    theirs = pq.read_schema(SHARED / "legacy" / "full_features_chug_legacy.parquet")
    ours = pq.read_schema(out)
    assert [(field.name, field.type) for field in ours] == [(field.name, field.type) for field in theirs][: len(ours)]


def test_frames_go_to_the_formats_that_hold_them(sample: Path, tmp_path: Path) -> None:
    frames = sample.with_name("chug.frames.parquet")
    result = written(frames, "csv", tmp_path / "frames.csv")
    assert result.rows == pq.read_table(frames).num_rows
    with pytest.raises(UsageError, match=r"--to legacy: it holds clip tables, and .* is a frame table"):
        written(frames, "legacy", tmp_path / "x.parquet")


def test_an_export_has_a_manifest_with_its_parent(sample: Path, tmp_path: Path) -> None:
    result = written(sample, "csv", tmp_path / "rows.csv")
    manifest = read_manifest(tmp_path / "rows.csv.manifest.json")
    assert isinstance(manifest, ExportManifest) and manifest.format == "csv"
    assert manifest.parents[0].file == "chug.parquet" and manifest.parents[0].manifest_sha256
    assert result.rows == manifest.counters["rows"] == len(rows_of(sample))


def test_what_cannot_be_exported_is_refused(sample: Path, tmp_path: Path) -> None:
    names = "croissant, csv, fastvqa-labels, jsonl, legacy, sidecar, vmaf-dataset"
    with pytest.raises(UsageError, match=f"--to xml: no such format; give {names}"):
        written(sample, "xml", tmp_path / "x")
    with pytest.raises(UsageError, match="--set for the format jsonl"):
        written(sample, "jsonl", tmp_path / "x", nan="true")
    with pytest.raises(UsageError, match="is an input, and this command would write over it"):
        written(sample, "csv", sample)
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"clip_name": ["a"], "mos": [None], "value": [1.0]}), foreign)
    with pytest.raises(CorpusError, match="has no column src, which fastvqa-labels is made of"):
        written(foreign, "fastvqa-labels", tmp_path / "x")
    with pytest.raises(CorpusError, match="lacks 54 of the 54 keys of a v3 row, the first: schema_version"):
        written(foreign, "jsonl", tmp_path / "x")
    data = pq.read_table(sample)
    empty = data.set_column(data.column_names.index("mos"), "mos", pa.nulls(data.num_rows, pa.float64()))
    pq.write_table(empty, foreign)
    with pytest.raises(CorpusError, match="no row has a MOS"):
        written(foreign, "fastvqa-labels", tmp_path / "x")
    alone = data.set_column(data.column_names.index("pairing"), "pairing", pa.array(["nr"] * data.num_rows))
    pq.write_table(alone, foreign)
    with pytest.raises(CorpusError, match="is a row of the pairing nr, and a VMAF dataset pairs files with references"):
        written(foreign, "vmaf-dataset", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_core_formats_are_listed() -> None:
    listed = {one.name: one for one in export_formats()}
    assert listed["jsonl"].options == ("nan_literal",)
    assert all(one.distribution == "corekit" for one in listed.values())
    assert np.all([one.title for one in listed.values()])
