"""Small tables and sidecars for the tests of the enrichment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from corekit import EnrichManifest, EnrichOptions, EnrichReport, enrich, read_manifest
from corekit.manifest import manifest_path

CLIPS = ("a.mp4", "b.mp4", "c.mp4", "d.mp4")


class Bench:
    """A folder with one table, ``t.parquet``, of four clips with a feature, a label and two metadata columns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = folder / "t.parquet"
        self.write_table({})

    def write_table(self, columns: Mapping[str, Any], *, metadata: Mapping[str, str] | None = None) -> None:
        base: dict[str, Any] = {
            "clip_name": list(CLIPS),
            "mos": [1.0, 2.0, 3.0, 4.0],
            "adm2_mean": [0.25, None, 0.75, 1.0],
            "note": pa.array(["old", None, "kept", None]),
            "grade": pa.array([None, 7, None, None], pa.int32()),
        }
        table = pa.table({name: values for name, values in {**base, **columns}.items() if values is not None})
        pq.write_table(table.replace_schema_metadata(metadata), self.table)

    def jsonl(self, *rows: Mapping[str, Any] | str, name: str = "m.jsonl") -> Path:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        return self.file(name, "\n".join(lines) + "\n")

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def enrich(
        self, metadata: Path | None, *, keys: Sequence[str] = ("note", "grade", "x_*"), **more: Any
    ) -> EnrichReport:
        options: dict[str, Any] = {
            "table": self.table,
            "metadata": metadata,
            "keys": tuple(keys),
            "min_coverage": 0.0,
            **more,
        }
        return enrich(EnrichOptions(**options))

    def read(self, path: Path | None = None) -> pa.Table:
        return pq.read_table(path or self.table)

    def column(self, name: str) -> list[Any]:
        values: list[Any] = self.read().column(name).to_pylist()
        return values

    def manifest(self, table: Path | None = None) -> EnrichManifest:
        manifest = read_manifest(manifest_path(table or self.table))
        assert isinstance(manifest, EnrichManifest)
        return manifest

    def beside(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())
