"""One input of a merge, whatever it is stored as: its kind, its columns and its rows as typed Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from corekit.driver.merge.options import InputPath
from corekit.errors import CorpusError, UsageError
from corekit.model import Column, ColumnType
from corekit.schema import CORE_COLUMNS, FRAME_COLUMNS
from corekit.table import column_type, read_batches

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["clip", "frame"]

LINE = "corekit.line"
"""Column of a spilled JSONL file that says which line each row stood on."""

CLIP_TYPES: dict[str, ColumnType] = {column.name: column.type for column in CORE_COLUMNS}
FRAME_TYPES: dict[str, ColumnType] = {column.name: column.type for column in FRAME_COLUMNS}
EXACT = 2**53
"""As far as numbers, which are float64, tell every whole number from the next."""
_CELLS_AT_A_TIME = 1 << 21
_LEGACY_FRAME_NAMES = {"source": ("source", "key"), "clip_name": ("clip_name", "dis_basename")}


class Source(Struct, frozen=True, kw_only=True):
    """An opened input."""

    given: InputPath
    kind: Kind
    stored: Literal["parquet", "jsonl"]
    file: Path
    """The Parquet file to read: the input, or what a JSONL input was spilled to."""
    columns: tuple[Column, ...]
    """Under the names of the locked order, in the order of the file."""
    empty: frozenset[str]
    """Columns without a type of their own, because no row has a value there."""
    names: Mapping[str, str]
    """Column to its name in the file."""
    rows: int
    corpus: str
    """The corpus of rows that name none; empty where nothing says."""
    counts: Mapping[str, int]
    """What was noticed while a JSONL input was read."""

    @property
    def has(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns)

    def batches(self, wanted: Sequence[str]) -> Iterator[pa.Table]:
        """The rows in order, those of the wanted columns that the input has; not-finite numbers are null.

        Raises
        ------
        CorpusError
            A value does not fit the column's type.
        UsageError
            The file is damaged.
        """
        import pyarrow as pa

        columns = [column for column in self.columns if column.name in set(wanted)]
        rows = max(1024, _CELLS_AT_A_TIME // max(1, len(columns)))
        for stored in read_batches(self.file, [self.names[column.name] for column in columns], rows=rows):
            yield pa.table({c.name: self._typed(stored.column(self.names[c.name]), c) for c in columns})

    def place(self, row: int) -> str:
        """Where a row stands, counted from 0, for a person: ``a.jsonl:7``, ``a.parquet, row 7``."""
        line = self.line(row)
        return f"{self.given.shown}, row {row + 1}" if line is None else f"{self.given.shown}:{line}"

    def line(self, row: int) -> int | None:
        """The line of a JSONL input that a row stood on; None of a Parquet table."""
        return None if self.stored == "parquet" else int(self.lines([row])[0])

    def lines(self, rows: Sequence[int]) -> list[int]:
        """The lines that rows of a JSONL input stood on."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.file) as file:
            column = file.read(columns=[LINE]).column(0)
        return [int(value) for value in column.take(list(rows)).to_pylist()]

    def _typed(self, array: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            if column.type == "float":
                return _finite(array.cast(pa.float64()))
            if column.type == "int":
                return (_finite(array) if pa.types.is_floating(array.type) else array).cast(pa.int64())
            return array.cast(pa.string() if column.type == "str" else pa.bool_())
        except pa.ArrowInvalid as error:
            name = self.names[column.name]
            whole = pa.types.is_floating(array.type) and pc.any(pc.not_equal(pc.floor(_finite(array)), array)).as_py()
            why = "a number that is not whole" if whole else str(error).splitlines()[0]
            raise CorpusError(
                f"{self.given.shown}: column {name} must hold {WORDS[column.type]} and has {why}; correct it"
            ) from error


WORDS: dict[ColumnType, str] = {
    "str": "text",
    "int": "whole numbers",
    "float": "numbers",
    "bool": "true or false",
}


def open_parquet(given: InputPath, corpus: str) -> Source:
    """Open a Parquet table: ours, or one of the older scripts.

    Raises
    ------
    UsageError
        It is no Parquet, neither a clip nor a frame table, or a column has a type that no merged table holds.
    CorpusError
        It has no rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(given.path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(
            f"{given.shown} is no Parquet table that can be read; name another, or leave it out"
        ) from error
    kind = _kind(given, schema)
    if rows == 0:
        raise CorpusError(f"{given.shown} has no rows; leave it out")
    repeated = [name for name in schema.names if schema.names.count(name) > 1]
    if repeated:
        raise UsageError(f"{given.shown} has two columns {repeated[0]}; rename one")
    if LINE in schema.names:
        raise UsageError(f"{given.shown}: {LINE} is a name of corekit's own; rename the column")
    names = _names(kind, schema.names)
    known = CLIP_TYPES if kind == "clip" else FRAME_TYPES
    columns, empty = [], set()
    for name, stored in names.items():
        type_ = schema.field(stored).type
        found = column_type(type_)
        if pa.types.is_null(type_):
            empty.add(name)
        elif found is None or not _fits(found, known.get(name, found)):
            wanted = f"{WORDS[known[name]]}" if name in known else "text, numbers or true and false"
            raise UsageError(
                f"{given.shown}: column {stored} is {type_}, and a merged table holds {wanted} there; convert it"
            )
        columns.append(Column(name=name, type=known.get(name, found or "str"), description=""))
    return Source(
        given=given,
        kind=kind,
        stored="parquet",
        file=given.path,
        columns=tuple(columns),
        empty=frozenset(empty - known.keys()),
        names=names,
        rows=rows,
        corpus=corpus or (given.label if given.labelled and kind == "frame" else ""),
        counts={},
    )


def _kind(given: InputPath, schema: pa.Schema) -> Kind:
    names = set(schema.names)
    if "frame_index" in names:
        if not names & {"source", "key"}:
            raise UsageError(f"{given.shown} has frame_index and neither source nor key; name a frame table")
        return "frame"
    if names & {"clip_name", "src", "src_sha256"}:
        return "clip"
    raise UsageError(
        f"{given.shown} is neither a frame table (frame_index) nor a clip table (clip_name or src); leave it out"
    )


def _names(kind: Kind, stored: Sequence[str]) -> dict[str, str]:
    """Column to its name in the file, in the file's order."""
    renamed: dict[str, str] = {}
    if kind == "frame":
        for name, candidates in _LEGACY_FRAME_NAMES.items():
            found = next((candidate for candidate in candidates if candidate in stored), None)
            if found is not None:
                renamed[found] = name
    return {renamed.get(name, name): name for name in stored}


def _fits(found: ColumnType, wanted: ColumnType) -> bool:
    """Whether a column may become another: whole numbers are stored as floats where a writer met nulls."""
    return found == wanted or {found, wanted} == {"int", "float"}


def _finite(array: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    finite = pc.is_finite(array)
    if pc.all(finite).as_py() is not False:
        return array
    return pc.if_else(finite, array, pa.scalar(None, type=array.type))
