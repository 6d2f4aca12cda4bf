"""Two tables cell by cell: what is equal, how far numbers are apart, and whether that is within what a feature allows itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from corekit.features.registry import REGISTRY
from corekit.schema import CORE_COLUMNS, FEATURES, STATISTICS, VMAF
from corekit.table import read_table

LIBVMAF_TOLERANCE = 1e-4
"""What libvmaf's own SIMD paths allow themselves."""
_VOLATILE = {column.name for column in CORE_COLUMNS if column.volatile}
_NAMED = 5


class ColumnDifference(Struct, frozen=True, kw_only=True):
    """One column that is not equal in every row."""

    column: str
    rows: int
    """Rows in which it differs."""
    clips: list[str]
    """The first of them."""
    largest: float | None
    """Largest difference of numbers; None of text, or where one side has no value."""
    tolerance: float
    """What the column's feature and backend allow; 0 of what is no feature."""
    recorded: str
    made_again: str
    """The values of the first clip."""

    @property
    def within(self) -> bool:
        return self.largest is not None and self.largest <= self.tolerance


class Compared(Struct, frozen=True, kw_only=True):
    """What came of comparing rows."""

    rows: int
    differences: list[ColumnDifference]
    only_recorded: list[str]
    """Rows that were not made again."""
    only_made_again: list[str]


def compare_tables(
    recorded: Path,
    again: Path,
    *,
    key: Sequence[str],
    ignore: frozenset[str],
    clips: frozenset[str] | None,
    backends: tuple[str, str],
) -> Compared:
    """Compare by ``key``; ``clips`` limits the recorded rows to those of a sample. Volatile columns are left out.

    ``backends`` are those of the rows that name none, recorded and made again.
    """
    one, two = _rows(recorded, key), _rows(again, key)
    if clips is not None:
        one = {name: row for name, row in one.items() if row.get("clip_name") in clips}
    shared = [name for name in one if name in two]
    columns: dict[str, None] = {}
    for name in shared[:1]:
        columns.update(dict.fromkeys([*one[name], *two[name]]))
    found = []
    for column in columns:
        if column in _VOLATILE or column in ignore:
            continue
        difference = _column(column, [(name, one[name], two[name]) for name in shared], backends)
        if difference is not None:
            found.append(difference)
    return Compared(
        rows=len(shared),
        differences=found,
        only_recorded=[_shown(name) for name in one if name not in two],
        only_made_again=[_shown(name) for name in two if name not in one],
    )


def tolerance_of(column: str, backend: str) -> float:
    """The largest difference that a column's feature and backend allow; 0 of what is no feature."""
    for feature in FEATURES:
        if column in (feature, *(f"{feature}_{statistic}" for statistic in STATISTICS)):
            return REGISTRY[feature].tolerance if backend in ("cpu", "cuda") else LIBVMAF_TOLERANCE
    if column == "vmaf_score":
        return REGISTRY[VMAF].tolerance if backend in ("cpu", "cuda") else LIBVMAF_TOLERANCE
    return 0.0


def _column(
    column: str, rows: Sequence[tuple[Any, Mapping[str, Any], Mapping[str, Any]]], default: tuple[str, str]
) -> ColumnDifference | None:
    differing = [
        (name, a.get(column), b.get(column), a, b) for name, a, b in rows if not _same(a.get(column), b.get(column))
    ]
    if not differing:
        return None
    largest: float | None = 0.0
    tolerance = math.inf
    for _, a, b, row, other in differing:
        apart = abs(a - b) if isinstance(a, float) and isinstance(b, float) else None
        largest = None if largest is None or apart is None else max(largest, apart)
        backends = (row.get("feature_backend") or default[0], other.get("feature_backend") or default[1])
        tolerance = min(tolerance, max(tolerance_of(column, backend) for backend in backends))
    _, a, b, _, _ = differing[0]
    return ColumnDifference(
        column=column,
        rows=len(differing),
        clips=[_shown(name) for name, *_ in differing[:_NAMED]],
        largest=largest,
        tolerance=tolerance,
        recorded=repr(a),
        made_again=repr(b),
    )


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and (a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b)))


def _rows(path: Path, key: Sequence[str]) -> dict[Any, dict[str, Any]]:
    data = read_table(path).data
    present = [name for name in key if name in data.column_names]
    rows: dict[Any, dict[str, Any]] = {}
    for number, row in enumerate(data.to_pylist()):
        name: tuple[Any, ...] = tuple(row[column] for column in present) or (number,)
        while name in rows:  # rows that the key does not tell apart are told apart by their order
            name = (*name, "again")
        rows[name] = row
    return rows


def _shown(name: Any) -> str:
    return " ".join(str(part) for part in name if part is not None)
