"""Formats with a line per row: the v3 view, CSV, the sidecar, FAST-VQA's labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
from msgspec import Struct

from corekit.errors import CorpusError, UsageError
from corekit.exports.base import ExportFormat, ExportSource
from corekit.schema import FEATURES, STATISTICS, V3_COLUMNS
from corekit.table import read_schema, write_json_lines

if TYPE_CHECKING:
    import pyarrow as pa

_MEASURED = {f"{feature}_{statistic}" for feature in FEATURES for statistic in STATISTICS} | {
    "schema_version", "run_id", "timestamp", "vmaf_score", "vmaf_model", "score_time_ms", "ffmpeg_version",
    "vmaf_binary_version", "exit_status", "feature_backend", "n_frames", "frames_ref", "frames_dis", "encode_time_ms",
}  # fmt: skip
"""What a measuring gave: no label and no metadata."""
_SIDECAR_EMPTY = {column.name: column.default for column in V3_COLUMNS}


class JsonlOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``--set`` options of ``jsonl``."""

    nan_literal: bool = False
    """Write the bare token NaN where the contract's default is NaN, as older readers expect; else null."""


def _write_jsonl(source: ExportSource, file: BinaryIO, options: JsonlOptions) -> int:
    missing = [column.name for column in V3_COLUMNS if column.name not in source.names]
    if missing:
        raise CorpusError(
            f"{source.path} lacks {len(missing)} of the 54 keys of a v3 row, the first: {missing[0]}; export a table of `corekit run`"
        )
    written = write_json_lines(file, source.columns, source.rows(), nan_literal=options.nan_literal)
    return written.rows


def _write_csv(source: ExportSource, file: BinaryIO, options: Struct) -> int:
    """UTF-8, a header; text quoted, null an empty cell, numbers in their shortest exact form."""
    import pyarrow.csv as csv

    schema = read_schema(source.path)
    for field in schema:
        if not _is_a_cell(field.type):
            raise UsageError(
                f"{source.path}: column {field.name} is {field.type}, which no cell of a CSV holds; convert it to text, "
                "or leave it out of the table"
            )
    rows = 0
    with csv.CSVWriter(file, schema) as writer:
        for batch in source.batches():
            writer.write_table(batch)
            rows += batch.num_rows
    return rows


def _is_a_cell(type_: pa.DataType) -> bool:
    """Whether values of a type are one text each, that a reader of CSV finds again."""
    import pyarrow as pa

    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    bytes_ = pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_)
    views = pa.types.is_string_view(type_) or pa.types.is_binary_view(type_)
    return not (pa.types.is_nested(type_) or bytes_ or views)


def _write_sidecar(source: ExportSource, file: BinaryIO, options: Struct) -> int:
    """Labels and metadata alone, what has a value, one JSON object a line: what `corekit enrich` reads."""
    source.require(("clip_name",), "sidecar")
    columns = [column for column in source.columns if column.name not in _MEASURED]
    rows = 0
    for row in source.rows():
        kept = {column.name: row[column.name] for column in columns if _has_value(row[column.name])}
        file.write(msgspec.json.encode(kept) + b"\n")
        rows += 1
    return rows


def _has_value(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _write_fastvqa(source: ExportSource, file: BinaryIO, options: Struct) -> int:
    """``path,duration,fps,mos`` without a header, as the loaders of FAST-VQA split it; rows without a MOS are left out."""
    source.require(("clip_name", "src", "duration_s", "framerate", "mos"), "fastvqa-labels")
    rows = 0
    for row in source.rows():
        if not _has_value(row["mos"]):
            continue
        path = str(row["src"])
        if "," in path or "\n" in path:
            raise CorpusError(
                f"{source.path}: the path {path!r} holds a comma, at which FAST-VQA splits; rename the file"
            )
        file.write(f"{path},{_number(row['duration_s'])},{_number(row['framerate'])},{_number(row['mos'])}\n".encode())
        rows += 1
    if rows == 0:
        raise CorpusError(
            f"{source.path}: no row has a MOS, so there are no labels for FAST-VQA; export a table with MOS labels"
        )
    return rows


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def legacy_row(row: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """A row under the names and in the order of the older scripts' tables."""
    kept: dict[str, Any] = {
        "clip_name": row["clip_name"],
        "mos": row["mos"],
        "width": row["width"],
        "height": row["height"],
        "fps": row["framerate"],
        "is_hdr": row["is_hdr"],
        "motion_fps_weight": row["motion_fps_weight"],
    }
    for feature in LEGACY_FEATURES:
        for statistic in ("mean", "std"):
            name = f"{feature}_{statistic}"
            kept[name] = row[name] if name in names else None
    return kept


LEGACY_FEATURES = (
    "adm2", "adm_scale0", "adm_scale1", "adm_scale2", "adm_scale3", "vif_scale0", "vif_scale1", "vif_scale2",
    "vif_scale3", "motion", "motion2", "motion3", "psnr_y", "psnr_cb", "psnr_cr", "float_ssim", "float_ms_ssim", "cambi",
    "ciede2000", "psnr_hvs", "vmaf", "speed_temporal", "speed_chroma_u", "speed_chroma_v", "speed_chroma_uv", "adm3",
)  # fmt: skip
"""The 26 of the older scripts' KoNViD-150k table, in its order: with vmaf, without ssimulacra2."""


def _write_legacy(source: ExportSource, file: BinaryIO, options: Struct) -> int:
    """Parquet as the older scripts wrote it, so that their trainers read our tables."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    source.require(("clip_name", "mos", "width", "height", "framerate", "is_hdr", "motion_fps_weight"), "legacy")
    features = [f"{feature}_{statistic}" for feature in LEGACY_FEATURES for statistic in ("mean", "std")]
    schema = pa.schema(
        [("clip_name", pa.string()), ("mos", pa.float64()), ("width", pa.int64()), ("height", pa.int64()),
         ("fps", pa.float64()), ("is_hdr", pa.bool_()), ("motion_fps_weight", pa.float64()),
         *((name, pa.float64()) for name in features)]
    )  # fmt: skip
    rows = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in source.batches():
            converted = [legacy_row(row, source.names) for row in batch.to_pylist()]
            writer.write_table(pa.Table.from_pylist(converted, schema=schema))
            rows += len(converted)
    return rows


JSONL = ExportFormat(
    name="jsonl",
    title="v3 rows as strict JSON, one a line",
    suffix=".jsonl",
    write=_write_jsonl,
    options=JsonlOptions,
)
CSV = ExportFormat(name="csv", title="every column as CSV", suffix=".csv", write=_write_csv, kinds=("clip", "frame"))
SIDECAR = ExportFormat(
    name="sidecar",
    title="labels and metadata alone, what `corekit enrich` reads",
    suffix=".sidecar.jsonl",
    write=_write_sidecar,
)
FASTVQA = ExportFormat(
    name="fastvqa-labels",
    title="path,duration,fps,mos, as FAST-VQA and DOVER read labels",
    suffix=".fastvqa.txt",
    write=_write_fastvqa,
)
LEGACY = ExportFormat(
    name="legacy", title="Parquet as the older scripts wrote it", suffix=".legacy.parquet", write=_write_legacy
)
