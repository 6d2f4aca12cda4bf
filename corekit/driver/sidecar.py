"""Metadata files line by line: JSONL, CSV and Parquet as rows of plain values, each with the line that it stands on."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from corekit.errors import LabelError, UsageError
from corekit.table import read_batches

Format = Literal["jsonl", "csv", "parquet"]
_FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_BOM = b"\xef\xbb\xbf"


class Line(Struct, frozen=True):
    """One row: its line, 1-based (of a Parquet file, the number of the row), and its values."""

    number: int
    values: dict[str, Any] | None
    """Strings, numbers, truth values, None, or whatever else stood there; None for a line that is no row."""
    problem: str = ""
    """Why it is no row."""


class Sidecar(Struct, frozen=True):
    """A metadata file; its format follows from the suffix."""

    path: Path
    format: Format

    @classmethod
    def of(cls, path: Path) -> Sidecar:
        """Recognize the file.

        Raises
        ------
        UsageError
            It is not there, or its suffix says none of the formats.
        """
        if path.suffix.lower() not in _FORMATS:
            raise UsageError(f"--metadata {path}: give a file that ends in {', '.join(_FORMATS)}")
        if not path.is_file():
            raise UsageError(f"--metadata {path}: there is no such file; give a JSONL, CSV or Parquet file")
        return cls(path, _FORMATS[path.suffix.lower()])

    @property
    def untyped(self) -> bool:
        """Whether every value is text, whatever it means."""
        return self.format == "csv"

    def where(self, line: int) -> str:
        """``chug.jsonl:17``."""
        return f"{self.path}:{line}"

    def lines(self) -> Iterator[Line]:
        """Every line that is not blank, in order.

        Raises
        ------
        UsageError
            The file cannot be read.
        LabelError
            The header of a CSV file is wrong: no line of it could be understood.
        """
        read = {"jsonl": _json_lines, "csv": _csv_lines, "parquet": _parquet_rows}[self.format]
        return read(self.path)


def _json_lines(path: Path) -> Iterator[Line]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            content = line.removeprefix(_BOM) if number == 1 else line
            if content.strip():
                yield _json_line(number, content.rstrip(b"\r\n"))


def _json_line(number: int, content: bytes) -> Line:
    try:
        text = content.decode()
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_not_a_number)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        return Line(number, None, f"is not UTF-8 ({error.reason} at byte {error.start})")
    except UnicodeEncodeError:
        return Line(number, None, "holds half of a surrogate pair, which is no text")
    except json.JSONDecodeError as error:
        return Line(number, None, f"is not JSON ({error.msg.removesuffix(' at')} at column {error.colno})")
    except (ValueError, RecursionError) as error:
        return Line(number, None, f"is not JSON ({error})")
    if not isinstance(value, dict):
        return Line(number, None, f"is a JSON {_kind(value)}, not an object")
    return Line(number, value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands there twice")
    return result


def _not_a_number(token: str) -> None:
    """``NaN`` and ``Infinity``, which older scripts write, say that there is no value."""


def _kind(value: object) -> str:
    names = {list: "list", str: "text", bool: "truth value", int: "number", float: "number"}
    return names.get(type(value), "null")


def _csv_lines(path: Path) -> Iterator[Line]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file, strict=True)
        header: list[str] | None = None
        while True:
            number = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if header is None:
                    raise LabelError(path, number, f"the header is not CSV ({error}); correct it") from error
                yield Line(number, None, f"is not CSV ({error})")
                continue
            if not any(row):
                continue
            if header is None:
                header = _header(path, number, row)
            else:
                yield _csv_line(number, header, row)


def _header(path: Path, line: int, names: list[str]) -> list[str]:
    names = [name.strip() for name in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if "" in names:
        raise LabelError(path, line, f"column {names.index('') + 1} of the header has no name; give it one")
    if twice:
        raise LabelError(path, line, f"the header names {twice[0]!r} twice; rename one of the two columns")
    if not _is_text(names):
        raise LabelError(path, line, "the header is not UTF-8; save the file as UTF-8")
    return names


def _csv_line(number: int, header: list[str], row: list[str]) -> Line:
    if len(row) != len(header):
        return Line(number, None, f"has {len(row)} cells where the header has {len(header)}")
    if not _is_text(row):
        return Line(number, None, "is not UTF-8")
    return Line(number, {name: cell or None for name, cell in zip(header, row, strict=True)})


def _is_text(cells: list[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


def _parquet_rows(path: Path) -> Iterator[Line]:
    number = 0
    for batch in read_batches(path):
        for row in batch.to_pylist():
            number += 1
            yield Line(number, row)
