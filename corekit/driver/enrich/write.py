"""The second pass: the table rewritten beside itself, its manifest first, so that a kill leaves the old or the new one whole."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from corekit.errors import IntegrityError
from corekit.files import prepare, sha256_file, temporary_beside, write_atomic
from corekit.manifest import Artefact, manifest_path
from corekit.schema import FRAME_COLUMNS, fingerprint
from corekit.table import METADATA_PREFIX, ROWS_PER_BATCH, columns_of, write_batches

if TYPE_CHECKING:
    import pyarrow as pa

_FINGERPRINT = f"{METADATA_PREFIX}schema_fingerprint".encode()


def prepare_table(path: Path, schema: pa.Schema, batches: Iterable[pa.Table], *, mode: int | None) -> Artefact:
    """Write the next version of a table beside it and read it back; ``mode`` are the permissions to keep."""
    columns = columns_of(schema)
    with prepare(path) as file:
        written = write_batches(file, columns, schema, batches, rows_per_group=ROWS_PER_BATCH)
    temporary = temporary_beside(path)
    if sha256_file(temporary) != written.sha256:
        raise IntegrityError(f"{temporary} does not hold what was written; check the disk and run the command again")
    if mode is not None:
        temporary.chmod(stat.S_IMODE(mode))
    return Artefact(
        file=path.name,
        kind="frame-table" if FRAME_COLUMNS[3].name in schema.names else "clip-table",
        rows=written.rows,
        size_bytes=temporary.stat().st_size,
        sha256=written.sha256,
        logical_sha256=written.logical_sha256,
    )


def read_ahead(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same tables, each made while the one before is used."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, tables, None)
        while (table := coming.result()) is not None:
            coming = reader.submit(next, tables, None)
            yield table


def with_fingerprint(schema: pa.Schema) -> pa.Schema:
    """The schema with its own fingerprint among the metadata, where a table of ours has one; all other metadata stays."""
    metadata = dict(schema.metadata or {})
    if _FINGERPRINT in metadata:
        metadata[_FINGERPRINT] = fingerprint(columns_of(schema)).encode()
    return schema.with_metadata(metadata) if metadata else schema.remove_metadata()


def keep_manifest(table: Path, next_manifest: Path) -> tuple[Path | None, str | None]:
    """Where the table's own manifest will lie, and its digest; one that is about to be replaced is copied aside first."""
    own = manifest_path(table)
    if not own.is_file():
        return None, None
    content = own.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if own.resolve() != next_manifest.resolve():
        return own, digest
    kept = own.with_name(f"{table.stem}.manifest.{digest[:12]}.json")
    if not kept.exists():
        write_atomic(kept, content)
    return kept, digest
