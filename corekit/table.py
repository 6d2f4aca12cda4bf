"""Tables on disk: Arrow schemas from the one definition of a row, Parquet in and out, the strict-JSON v3 view.

Nothing here knows of corpora, plugins or videos.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from corekit.errors import UsageError
from corekit.model import Column, ColumnType, Value
from corekit.schema import CORE_COLUMNS, fingerprint

if TYPE_CHECKING:
    import pyarrow as pa

    from corekit.manifest import AnyManifest

Row = Mapping[str, Value]

ROWS_PER_GROUP = 8192
ROWS_PER_BATCH = 1 << 16
"""Rows of a table that are held at a time where it is carried over."""
METADATA_PREFIX = "corekit."
_READ_BUFFER = 1 << 20
_ARROW_NAMES = {"str": "string", "int": "int64", "float": "double", "bool": "bool"}
_VOLATILE = {column.name for column in CORE_COLUMNS if column.volatile}


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
    manifest: AnyManifest | None


def arrow_schema(columns: Sequence[Column], metadata: Mapping[str, str]) -> pa.Schema:
    """The Arrow schema of a table, with its fingerprint among the key-value metadata."""
    import pyarrow as pa

    fields = [pa.field(c.name, pa.type_for_alias(_ARROW_NAMES[c.type]), nullable=not c.required) for c in columns]
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


def write_batches(
    file: BinaryIO,
    columns: Sequence[Column],
    schema: pa.Schema,
    batches: Iterable[pa.Table],
    *,
    rows_per_group: int = ROWS_PER_GROUP,
) -> Written:
    """Write Arrow tables one after another as one Parquet file, each digested while it is compressed.

    What Parquet remembers of each row group stays in memory to the end: a table of many millions of rows wants large ones.
    """
    import pyarrow.parquet as pq

    digest = LogicalDigest(columns)
    hashing = HashingFile(file)
    count = 0
    text = [column.name for column in columns if column.type == "str"]
    with (
        ThreadPoolExecutor(1) as beside,
        pq.ParquetWriter(hashing, schema, compression="zstd", version="2.6", use_dictionary=text) as writer,
    ):
        for batch in batches:
            batch.validate(full=True)
            _refuse_nulls(columns, batch)
            digested = beside.submit(digest.update, batch)
            writer.write_table(batch, row_group_size=rows_per_group)
            digested.result()
            count += batch.num_rows
    return Written(count, hashing.sha256(), digest.hexdigest())


def read_table(path: Path | str) -> Table:
    """Read a Parquet table and, where there is one, the manifest beside it.

    Raises
    ------
    UsageError
        The file is missing, damaged or no Parquet.
    """
    import pyarrow.parquet as pq

    from corekit.manifest import manifest_path, read_manifest

    path = Path(path)
    with _reading(path), pq.ParquetFile(path) as file:
        data = file.read()
    beside = manifest_path(path)
    return Table(path, data, read_manifest(beside) if beside.exists() else None)


def read_schema(path: Path) -> pa.Schema:
    """The Arrow schema of a Parquet file, its metadata included; ``UsageError`` as of ``read_table``."""
    import pyarrow.parquet as pq

    with _reading(path):
        return pq.read_schema(path)


def read_batches(path: Path, columns: Sequence[str] | None = None, *, rows: int = ROWS_PER_BATCH) -> Iterator[pa.Table]:
    """The rows of a Parquet file in order, at most ``rows`` at a time; ``columns`` None takes them all.

    Memory does not grow with the file, whatever its row groups. ``UsageError`` as of ``read_table``.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _reading(path), pq.ParquetFile(path, buffer_size=_READ_BUFFER, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=rows, columns=columns):
            table = pa.Table.from_batches([batch])
            yield table if columns is None else table.select(columns)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist; name a table that `corekit run` wrote") from error
    except pa.ArrowInvalid as error:
        raise UsageError(f"{path} is not a Parquet file; name a table that `corekit run` wrote") from error
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} cannot be read ({reason}); name a table that `corekit run` wrote") from error


def columns_of(schema: pa.Schema) -> tuple[Column, ...]:
    """What the columns of any table are to a manifest; a type that has no counterpart among ours counts as ``str``."""
    return tuple(
        Column(
            name=field.name,
            type=column_type(field.type) or "str",
            description="",
            required=not field.nullable,
            volatile=field.name in _VOLATILE,
        )
        for field in schema
    )


def column_type(type_: pa.DataType) -> ColumnType | None:
    """Text, whole numbers of any width, floating point of any width or truth values; None for other types."""
    import pyarrow as pa

    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return "str"
    if pa.types.is_integer(type_):
        return "int"
    if pa.types.is_floating(type_):
        return "float"
    return "bool" if pa.types.is_boolean(type_) else None


class LogicalDigest:
    """SHA-256 over columns, types and values in order, whatever the encoding, compression and row groups.

    Per column three streams are hashed: one byte a value (1 valid, 0 null); the values (int64 and float64
    little-endian, a bool as one byte, text as UTF-8 without separator, null as zero or empty); for text, the lengths as
    int64. The digest is over ``name NUL type NUL`` and the streams' digests, column after column. Volatile columns
    are left out. Narrower numbers count as int64 or float64, dictionaries as what they stand for, and values of types
    that are not ours as the text that Python makes of them.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = [column for column in columns if not column.volatile]
        self._streams = [[hashlib.sha256() for _ in range(3)] for _ in self._columns]

    def update(self, batch: pa.Table) -> None:
        """Take the next rows."""
        import pyarrow.compute as pc

        for column, (valid, values, lengths) in zip(self._columns, self._streams, strict=True):
            array = _plain(batch.column(column.name), column.type)
            valid.update(array.is_valid().cast("uint8").to_numpy(zero_copy_only=False))
            if column.type == "str":
                filled = array.fill_null("")
                lengths.update(pc.binary_length(filled).cast("int64").to_numpy().astype("<i8", copy=False))
                values.update(_text_bytes(filled))
            elif column.type == "bool":
                values.update(array.fill_null(False).cast("uint8").to_numpy(zero_copy_only=False))
            else:
                code = "<i8" if column.type == "int" else "<f8"
                values.update(array.fill_null(0).to_numpy(zero_copy_only=False).astype(code, copy=False))

    def hexdigest(self) -> str:
        total = hashlib.sha256()
        for column, streams in zip(self._columns, self._streams, strict=True):
            total.update(f"{column.name}\0{column.type}\0".encode())
            for stream in streams:
                total.update(stream.digest())
        return total.hexdigest()


def logical_sha256(path: Path) -> tuple[int, str]:
    """Number of rows and logical digest of a Parquet table, ours or not; ``UsageError`` as of ``read_table``."""
    digest = LogicalDigest(columns_of(read_schema(path)))
    rows = 0
    for batch in read_batches(path):
        digest.update(batch)
        rows += batch.num_rows
    return rows, digest.hexdigest()


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
    hashing = HashingFile(file)
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


class HashingFile:
    """A write-only binary file that hashes and counts what passes."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0
        """Bytes written so far."""

    def write(self, content: bytes) -> int:
        content = bytes(content)
        self._digest.update(content)
        self.size += len(content)
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


def _text_bytes(array: pa.Array) -> memoryview:
    """The UTF-8 of a text array without nulls, one value after another."""
    import pyarrow as pa

    _, offsets, data = array.buffers()
    if data is None or not len(array):
        return memoryview(b"")
    bounds = memoryview(offsets).cast("i" if pa.types.is_string(array.type) else "q")
    return memoryview(data)[bounds[array.offset] : bounds[array.offset + len(array)]]


def _plain(column: pa.ChunkedArray, type_: ColumnType) -> pa.Array:
    """One array of the Arrow type that a column of that type has in our own tables."""
    import pyarrow as pa

    array = column.combine_chunks()
    if column_type(column.type) is None:
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], pa.string())
    return array.cast(_ARROW_NAMES[type_])


def _storable(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _refuse_nulls(columns: Sequence[Column], batch: pa.Table) -> None:
    for column in columns:
        if column.required and batch.column(column.name).null_count:
            row = batch.column(column.name).is_null().to_pylist().index(True)
            name = batch.column("clip_name")[row].as_py() if "clip_name" in batch.column_names else row
            raise ValueError(f"required column {column.name!r} is null for {name}")
