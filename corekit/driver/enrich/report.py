"""What an enrichment did, or would do: the result that Python gets and the command prints."""

from __future__ import annotations

from msgspec import Struct

from corekit.manifest import ConflictRecord, LineRecord
from corekit.model import Value

MOST_CELLS = 10_000
"""Changed cells that a dry run lists; the counters are of all."""
MOST_LISTED = 1_000
"""Malformed lines, and conflicts, that are listed; the counters are of all."""


class CellChange(Struct, frozen=True, kw_only=True):
    """One cell that is given another value."""

    row: int
    """0 for the first row of the table."""
    clip_name: str | None
    column: str
    before: Value
    after: Value


class EnrichReport(Struct, frozen=True, kw_only=True):
    """The outcome; ``written`` is false for a dry run, and where there was nothing to change."""

    table: str
    """The file that was written, or would be."""
    manifest: str
    written: bool
    dry_run: bool
    counters: dict[str, int]
    """``rows``, ``metadata_rows``, ``matched_rows``, ``missing_rows``, ``updated_cells`` and what was passed over."""
    keys: tuple[str, ...]
    updated_cells: dict[str, int]
    """Column to number of cells that change."""
    new_columns: dict[str, str]
    """Name to Arrow type of the columns that are appended, in order."""
    malformed: tuple[LineRecord, ...]
    conflicts: tuple[ConflictRecord, ...]
    missing: tuple[str, ...]
    """The first clips of the table without metadata."""
    notes: tuple[str, ...]
    cells: tuple[CellChange, ...] = ()
    """Of a dry run, the first cells that would change, by row, then column."""
