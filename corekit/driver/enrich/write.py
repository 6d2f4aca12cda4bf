"""The second pass: the table rewritten beside itself, its manifest first, so that a kill leaves the old or the new one whole."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import corekit
from corekit.driver.provenance import path_record
from corekit.errors import IntegrityError
from corekit.files import prepare, publish, sha256_file, temporary_beside, write_atomic
from corekit.manifest import AnyManifest, Artefact, PathRecord, manifest_path, read_manifest
from corekit.schema import FRAME_COLUMNS, fingerprint
from corekit.table import METADATA_PREFIX, ROWS_PER_BATCH, columns_of, write_batches

if TYPE_CHECKING:
    import pyarrow as pa

_FINGERPRINT = f"{METADATA_PREFIX}schema_fingerprint".encode()


def settle(table: Path, manifest: Path) -> None:
    """Finish or undo what a kill left between a manifest and the table that it names."""
    temporary = temporary_beside(table)
    if temporary.exists():
        known = known_manifest(manifest)
        promised = {artefact.file: artefact.sha256 for artefact in known.artefacts.values()} if known else {}
        if promised.get(table.name) == sha256_file(temporary):
            publish(table)
        else:
            temporary.unlink()
    temporary_beside(manifest).unlink(missing_ok=True)


def known_manifest(path: Path) -> AnyManifest | None:
    """The manifest there, or None where there is none of ours."""
    try:
        return read_manifest(path) if path.exists() else None
    except IntegrityError:
        return None


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


def entrypoint_record() -> PathRecord:
    """The code that the command enters by."""
    shown = "corekit/driver/enrich/job.py"
    return path_record(Path(corekit.__file__).parents[1] / shown, shown=shown)
