"""Tables from files: Parquet, CSV and JSONL as Arrow tables whose columns have names of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corekit.driver.sidecar import Sidecar
from corekit.errors import CorpusError, UsageError
from corekit.table import read_batches

if TYPE_CHECKING:
    import pyarrow as pa

_INT64 = range(-(2**63), 2**63)
_SHOWN = 40


def read_file(path: Path) -> pa.Table:
    """The rows of one table.

    Raises
    ------
    UsageError
        The file is missing or unreadable, its suffix says none of the formats, a column's name stands there twice, or values of one
        column are of several types.
    CorpusError
        There is no row.
    """
    table = _read(path)
    names = table.column_names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path}: two columns are named {twice}; rename one of them")
    return table


def _read(path: Path) -> pa.Table:
    import pyarrow as pa

    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        batches = list(read_batches(path))
        if not batches:
            raise CorpusError(f"{path}: the table has no row")
        return pa.concat_tables(batches)
    if not path.is_file():
        raise UsageError(f"{path} does not exist; name a table (Parquet, CSV or JSONL)")
    if suffix == ".csv":
        return _read_csv(path)
    if suffix in (".jsonl", ".ndjson"):
        return _read_jsonl(path)
    raise UsageError(f"{path}: give a table that ends in .parquet, .csv or .jsonl")


def _read_csv(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv

    try:
        table = pyarrow.csv.read_csv(path)
        table.column_names  # noqa: B018 - decodes the header
    except pa.ArrowException as error:
        raise UsageError(f"{path} is not CSV with a header ({error}); correct it") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: the header is not UTF-8; save the file as UTF-8") from error
    return table


def _read_jsonl(path: Path) -> pa.Table:
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    for line in Sidecar(path, "jsonl").lines():
        if line.values is None:
            raise UsageError(f"{path}:{line.number}: the line {line.problem}; correct it")
        rows.append({key: value for key, value in line.values.items() if not isinstance(value, (list, dict))})
        numbers.append(line.number)
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _array(path, name, rows, numbers) for name in names})


def _array(path: Path, name: str, rows: Sequence[Mapping[str, Any]], numbers: Sequence[int]) -> pa.Array:
    """One column of a JSONL table, null where a line has not its key."""
    import pyarrow as pa

    values = [row.get(name) for row in rows]
    known = [(value, number) for value, number in zip(values, numbers, strict=True) if value is not None]
    for value, number in known:
        first, line = known[0]
        if _kind(value) != _kind(first):
            raise UsageError(
                f"{path}:{number}: {name} is {_shown(value)}, a {_kind(value)}, where line {line} has a {_kind(first)}; correct it"
            )
        if isinstance(value, int) and value not in _INT64:
            raise UsageError(f"{path}:{number}: {name} is {_shown(value)}, which 64 bits do not hold; correct it")
    if any(isinstance(value, float) for value, _ in known):
        values = [None if value is None else float(value) for value in values]
    return pa.array(values)


def _kind(value: object) -> str:
    return {bool: "truth value", str: "text"}.get(type(value), "number")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
