"""Tables on disk: Arrow schemas from the one definition of a row, Parquet in and out, the strict-JSON v3 view.

Nothing here knows of corpora, plugins or videos.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from corekit.errors import UsageError
from corekit.model import Column, Value
from corekit.schema import fingerprint

if TYPE_CHECKING:
    import pyarrow as pa

    from corekit.manifest import Manifest

Row = Mapping[str, Value]

ROWS_PER_GROUP = 8192
METADATA_PREFIX = "corekit."


class Written(msgspec.Struct, frozen=True):
    """What was written: rows, bytes' SHA-256 and the logical digest."""

    rows: int
    sha256: str
    logical_sha256: str


class Table(msgspec.Struct, frozen=True):
    """A table in memory with its manifest, None where none lies beside it."""

    path: Path
    data: Any
    """A ``pyarrow.Table``."""
    manifest: Manifest | None


def arrow_schema(columns: Sequence[Column], metadata: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of a table, with its fingerprint among the key-value metadata."""
    import pyarrow as pa

    types = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    fields = [pa.field(c.name, types[c.type], nullable=not c.required) for c in columns]
    entries = {**metadata, "schema_fingerprint": fingerprint(columns)}
    return pa.schema(fields, metadata={f"{METADATA_PREFIX}{key}": value for key, value in sorted(entries.items())})


def write_parquet(
    file: BinaryIO, columns: Sequence[Column], rows: Iterable[Row], metadata: Mapping[str, str]
) -> Written:
    """Write rows as Parquet, in order, ``ROWS_PER_GROUP`` at a time: memory does not grow with the table.

    A float that is not finite becomes null.
    """
    import pyarrow as pa

    schema = arrow_schema(columns, metadata)

    def batches() -> Iterator[pa.Table]:
        source = iter(rows)
        while chunk := list(islice(source, ROWS_PER_GROUP)):
            arrays = [
                pa.array([_storable(row.get(column.name)) for row in chunk], type=field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            yield pa.Table.from_arrays(arrays, schema=schema)

    return write_batches(file, columns, schema, batches())


def write_batches(file: BinaryIO, columns: Sequence[Column], schema: pa.Schema, batches: Iterable[pa.Table]) -> Written:
    """Write Arrow tables one after another as one Parquet file."""
    import pyarrow.parquet as pq

    digest = LogicalDigest(columns)
    hashing = _HashingFile(file)
    count = 0
    with pq.ParquetWriter(hashing, schema, compression="zstd", version="2.6") as writer:
        for batch in batches:
            batch.validate(full=True)
            _refuse_nulls(columns, batch)
            writer.write_table(batch, row_group_size=ROWS_PER_GROUP)
            digest.update(batch)
            count += batch.num_rows
    return Written(count, hashing.sha256(), digest.hexdigest())


def read_table(path: Path | str) -> Table:
    """Read a Parquet table and, where there is one, the manifest beside it.

    Raises
    ------
    UsageError
        The file is missing, damaged or no Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from corekit.manifest import manifest_path, read_manifest

    path = Path(path)
    try:
        with pq.ParquetFile(path) as file:
            data = file.read()
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; name a table that `corekit run` wrote") from error
    except pa.ArrowInvalid as error:
        raise UsageError(f"{path} is not a Parquet file; name a table that `corekit run` wrote") from error
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} cannot be read ({reason}); name a table that `corekit run` wrote") from error
    beside = manifest_path(path)
    return Table(path, data, read_manifest(beside) if beside.exists() else None)


class LogicalDigest:
    """SHA-256 over columns, types and values in order, whatever the encoding, compression and row groups.

    Per column three streams are hashed: one byte a value (1 valid, 0 null); the values (int64 and float64
    little-endian, a bool as one byte, text as UTF-8 without separator, null as zero or empty); for text, the lengths as
    int64. The digest is over ``name NUL type NUL`` and the streams' digests, column after column. Volatile columns
    are left out.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = [column for column in columns if not column.volatile]
        self._streams = [[hashlib.sha256() for _ in range(3)] for _ in self._columns]

    def update(self, batch: pa.Table) -> None:
        """Take the next rows."""
        import pyarrow.compute as pc

        for column, (valid, values, lengths) in zip(self._columns, self._streams, strict=True):
            array = batch.column(column.name).combine_chunks()
            valid.update(array.is_valid().cast("uint8").to_numpy(zero_copy_only=False).tobytes())
            if column.type == "str":
                filled = array.fill_null("")
                lengths.update(pc.binary_length(filled).cast("int64").to_numpy().astype("<i8").tobytes())
                values.update("".join(filled.to_pylist()).encode())
            elif column.type == "bool":
                values.update(array.fill_null(False).cast("uint8").to_numpy(zero_copy_only=False).tobytes())
            else:
                code = "<i8" if column.type == "int" else "<f8"
                values.update(array.fill_null(0).to_numpy(zero_copy_only=False).astype(code).tobytes())

    def hexdigest(self) -> str:
        total = hashlib.sha256()
        for column, streams in zip(self._columns, self._streams, strict=True):
            total.update(f"{column.name}\0{column.type}\0".encode())
            for stream in streams:
                total.update(stream.digest())
        return total.hexdigest()


def json_row(columns: Sequence[Column], row: Row, *, nan_literal: bool = False) -> bytes:
    """One line of the v3 view: every column, the contract's default where a value is unavailable, strict JSON.

    Where the contract's default is NaN the line says ``null``, or the bare token ``NaN`` with ``nan_literal``.
    """
    parts = []
    for column in columns:
        value = _storable(row.get(column.name))
        value = column.default if value is None else value
        if isinstance(value, float) and math.isnan(value):
            text = b"NaN" if nan_literal else b"null"
        else:
            text = msgspec.json.encode(value)
        parts.append(msgspec.json.encode(column.name) + b":" + text)
    return b"{" + b",".join(parts) + b"}"


def write_json_lines(
    file: BinaryIO, columns: Sequence[Column], rows: Iterable[Row], *, nan_literal: bool = False
) -> Written:
    """Write the v3 view of rows, one a line; its logical digest is that of its bytes."""
    hashing = _HashingFile(file)
    count = 0
    for row in rows:
        hashing.write(json_row(columns, row, nan_literal=nan_literal) + b"\n")
        count += 1
    return Written(count, hashing.sha256(), hashing.sha256())


def source_date_epoch() -> str | None:
    """The time that ``SOURCE_DATE_EPOCH`` fixes, ISO 8601 UTC, or None where it is not set."""
    value = os.environ.get("SOURCE_DATE_EPOCH")
    if value is None:
        return None
    try:
        return datetime.fromtimestamp(int(value), UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"SOURCE_DATE_EPOCH={value!r} is not a number of seconds; unset it or give one") from None


class _HashingFile:
    """A write-only binary file that hashes what passes."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, content: bytes) -> int:
        content = bytes(content)
        self._digest.update(content)
        return self._file.write(content)

    def tell(self) -> int:
        return self._file.tell()

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """The file belongs to the caller."""

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def sha256(self) -> str:
        return self._digest.hexdigest()


def _storable(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _refuse_nulls(columns: Sequence[Column], batch: pa.Table) -> None:
    for column in columns:
        if column.required and batch.column(column.name).null_count:
            row = batch.column(column.name).is_null().to_pylist().index(True)
            name = batch.column("clip_name")[row].as_py() if "clip_name" in batch.column_names else row
            raise ValueError(f"required column {column.name!r} is null for {name}")
