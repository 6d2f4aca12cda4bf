"""Rows and tables to merge, as small as they may be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corekit.driver.merge import MergeOptions, MergeResult, merge
from corekit.schema import FEATURES, V3_COLUMNS

V2 = [column.name for column in V3_COLUMNS[:26]]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def encode_row(source: str = "a", **changes: Any) -> dict[str, Any]:
    """A v3 row of an encode, with the contract's defaults."""
    row = {column.name: column.default for column in V3_COLUMNS}
    row |= {name: None for name, value in row.items() if value != value}
    row |= {
        "schema_version": 3, "run_id": f"run-{source}", "timestamp": "2026-01-01T00:00:00+00:00", "src": f"{source}.mp4",
        "src_sha256": sha(source), "width": 64, "height": 48, "pix_fmt": "yuv420p", "framerate": 25.0, "duration_s": 1.0,
        "encoder": "libx264", "preset": "fast", "crf": 35, "vmaf_score": 80.0, "vmaf_model": "vmaf_v0.6.1",
    }  # fmt: skip
    return row | changes


def label_row(
    source: str = "a", mos: float | None = 3.0, corpus: str | None = "lsvq", **changes: Any
) -> dict[str, Any]:
    """A label row as the older scripts write it."""
    row = {"src": f"{source}.mp4", "src_sha256": sha(source), "mos": mos, "corpus": corpus}
    return row | changes


def own_row(clip: str, mos: float, corpus: str = "hours", **changes: Any) -> dict[str, Any]:
    """A label row as ours are: on an axis of its own, 0..10."""
    row = {
        "src_sha256": sha(clip), "corpus": corpus, "clip_name": clip, "content": clip, "label_kind": "mos",
        "mos": 1 + 0.4 * mos, "mos_native": mos, "mos_scale_min": 0.0, "mos_scale_max": 10.0, "split": "train",
    }  # fmt: skip
    return row | changes


def frame_rows(clip: str = "a", count: int = 3, **changes: Any) -> list[dict[str, Any]]:
    same = {"corpus": "toy", "source": "scene", "clip_name": clip, "codec": "h264", "teacher_model": "vmaf_v0.6.1"}
    return [
        {**same, "frame_index": index, **{feature: float(index) for feature in FEATURES}, **changes}
        for index in range(count)
    ]


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
    return path


def merged(out: Path, *inputs: Path | str, **options: Any) -> tuple[list[dict[str, Any]], MergeResult]:
    """The rows of the merged table, and the result."""
    result = merge(MergeOptions(inputs=tuple(map(str, inputs)), out=out, **options))
    if out.suffix == ".jsonl":
        return [json.loads(line) for line in out.read_text().splitlines()], result
    return pq.read_table(out).to_pylist(), result
