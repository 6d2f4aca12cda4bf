"""JSONL inputs of a merge: v3 and v2 rows and the label rows of older scripts, checked line by line and spilled to Parquet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from corekit.driver.merge.options import InputPath
from corekit.driver.merge.source import CLIP_TYPES, EXACT, LINE, WORDS, Source
from corekit.errors import CorpusError, LabelError, UsageError
from corekit.model import Column, ColumnType
from corekit.schema import SCHEMA_VERSION, V3_COLUMNS
from corekit.table import arrow_schema

V2_KEYS = tuple(column.name for column in V3_COLUMNS[:26])
"""What every row of an encode must have; the keys after them came with v3."""
LABEL_KEYS = ("src", "src_sha256", "mos")
"""What a label row of the older scripts must have."""

_CHUNK = 8192
_PYTHON: dict[type, ColumnType] = {str: "str", int: "int", float: "float", bool: "bool"}
_LARGEST = 2**63


def open_jsonl(given: InputPath, corpus: str, spill: Path) -> Source:
    """Check a JSONL file and copy its rows, typed, to the Parquet file ``spill``, where later passes read them.

    Raises
    ------
    LabelError
        A line is no row: names the line and what is wrong with it.
    CorpusError
        The file has no rows.
    """
    survey = _Survey(given.shown)
    for number, row in _rows(given):
        survey.see(number, row)
    if survey.rows == 0:
        raise CorpusError(f"{given.shown} has no rows; leave it out")
    columns = survey.columns()
    _spill(given, columns, spill)
    return Source(
        given=given,
        kind="clip",
        stored="jsonl",
        file=spill,
        columns=columns,
        empty=frozenset(survey.empty()),
        names={column.name: column.name for column in columns},
        rows=survey.rows,
        corpus=corpus,
        counts=dict(survey.counts),
    )


class _Survey:
    """The keys of a file in order of appearance, with their types; refuses a row at its line."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._types: dict[str, ColumnType | None] = {}
        self._since: dict[str, int] = {}
        self._beyond: dict[str, int] = {}
        self._known: set[tuple[str, type]] = set()
        self.rows = 0
        self.counts: Counter[str] = Counter()

    def see(self, line: int, row: dict[str, Any]) -> None:
        self.rows += 1
        self._check_keys(line, row)
        for key, value in row.items():
            pair = (key, type(value))
            if pair in self._known and not (pair[1] is int and not -EXACT <= value <= EXACT):
                continue
            self._check_value(line, key, value)
            if pair[1] is not float or self._types[key] != "int":
                self._known.add(pair)

    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(name=name, type=type_ or "str", description="") for name, type_ in self._types.items())

    def empty(self) -> set[str]:
        return {name for name, type_ in self._types.items() if type_ is None}

    def _check_keys(self, line: int, row: dict[str, Any]) -> None:
        if LINE in row:
            raise LabelError(self._shown, line, f"{LINE} is a name of corekit's own; rename the key")
        if "frame_index" in row:
            raise LabelError(self._shown, line, "this is a row of a frame; convert frame tables to Parquet first")
        if "encoder" in row or "mos" not in row:
            required, what = V2_KEYS, "a v3 row"
        else:
            required, what = LABEL_KEYS, "a label row"
        missing = [key for key in required if key not in row]
        if missing:
            raise LabelError(self._shown, line, f"{what} lacks {', '.join(missing)}; write the row again in full")
        version = row.get("schema_version")
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise LabelError(
                self._shown, line, f"schema_version {version} is newer than {SCHEMA_VERSION}; upgrade corekit"
            )
        if "encoder" in row and "hdr_transfer" not in row:
            self.counts["v2_rows"] += 1

    def _check_value(self, line: int, key: str, value: Any) -> None:
        if value is None:
            self._types.setdefault(key, CLIP_TYPES.get(key))
            return
        found = _PYTHON.get(type(value))
        if found is None:
            raise LabelError(self._shown, line, f"{key} holds a list or an object; give one value")
        if found == "int" and not -_LARGEST <= value < _LARGEST:
            raise LabelError(self._shown, line, f"{key} is {value}, which 64 bits cannot hold; correct it")
        if found == "int" and not -EXACT <= value <= EXACT:
            self._beyond.setdefault(key, line)
        known = CLIP_TYPES.get(key) or self._types.get(key)
        if known is None or known == found or (known, found) == ("float", "int"):
            self._remember(line, key, known or found)
        elif (known, found) == ("int", "float") and value.is_integer() and -_LARGEST <= value < _LARGEST:
            self._remember(line, key, known)
        elif (known, found) == ("int", "float") and key not in CLIP_TYPES:
            self._remember(line, key, "float")
        elif key in CLIP_TYPES:
            raise LabelError(self._shown, line, f"{key} is {value!r}, and its column holds {WORDS[known]}; correct it")
        else:
            raise LabelError(
                self._shown,
                line,
                f"{key} is {value!r}, and line {self._since[key]} has {WORDS[known]} there; correct one of them",
            )

    def _remember(self, line: int, key: str, type_: ColumnType) -> None:
        if type_ == "float" and key in self._beyond:
            otherwise = "" if key in CLIP_TYPES else ", or write it as text in every row"
            raise LabelError(
                self._shown,
                self._beyond[key],
                f"{key} is a whole number beyond 2^53, which its column of numbers would round; correct it{otherwise}",
            )
        self._types[key] = type_
        self._since.setdefault(key, line)


def _spill(given: InputPath, columns: tuple[Column, ...], spill: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema([*columns, Column(name=LINE, type="int", description="")], {})
    with pq.ParquetWriter(spill, schema, compression="lz4") as writer:
        for chunk in _chunks(given):
            arrays = [pa.array(_cells(chunk, column), type=schema.field(column.name).type) for column in columns]
            arrays.append(pa.array([number for number, _ in chunk], type=pa.int64()))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _cells(chunk: list[tuple[int, dict[str, Any]]], column: Column) -> list[Any]:
    cells = [row.get(column.name) for _, row in chunk]
    return cells if column.type != "float" else [None if cell is None else float(cell) for cell in cells]


def _chunks(given: InputPath) -> Iterator[list[tuple[int, dict[str, Any]]]]:
    chunk = []
    for numbered in _rows(given):
        chunk.append(numbered)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _rows(given: InputPath) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their line numbers, counted from 1; blank lines and a byte-order mark are passed over."""
    decoder = msgspec.json.Decoder()
    try:
        with given.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
                if text:
                    yield number, _row(given, number, text, decoder)
    except OSError as error:
        raise UsageError(f"{given.shown} cannot be read ({error.strerror}); check it") from error


def _row(given: InputPath, number: int, text: bytes, decoder: msgspec.json.Decoder[Any]) -> dict[str, Any]:
    try:
        row = decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        row = _tolerant(given, number, text)
    if not isinstance(row, dict):
        raise LabelError(given.shown, number, "this is no JSON object; remove the line or correct it")
    return row


def _tolerant(given: InputPath, number: int, text: bytes) -> Any:
    """Older scripts write the bare tokens NaN and Infinity: a missing value."""
    try:
        row = json.loads(text.decode(), parse_constant=lambda token: None)
        if b"\\u" in text:  # this reader takes one half of a pair of escapes, which no table holds
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise LabelError(given.shown, number, f"{_reason(error)}; remove the line or correct it") from error
    return row


def _reason(error: ValueError | RecursionError) -> str:
    """Why a line cannot be read, for a person."""
    if isinstance(error, json.JSONDecodeError):
        return f"this is no JSON ({error.msg})"
    if isinstance(error, UnicodeDecodeError):
        return "this is no JSON (not UTF-8)"
    if isinstance(error, UnicodeEncodeError):
        return f"a text holds {error.object[error.start]!r}, half of a character"
    if isinstance(error, RecursionError):
        return "lists or objects lie too deep in one another"
    return "a number has more digits than 64 bits hold"
