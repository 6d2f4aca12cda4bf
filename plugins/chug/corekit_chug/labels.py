"""From a label file to its rows: encoding, header aliases, column counts. What a row means is decided in ``reader``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from corekit import CorpusError, LabelError

_ALIASES = {"video": "video_id", "mos_j": "mos", "sos_j": "sos"}
_REQUIRED = ("video_id", "mos", "ref")
_LADDER_ONLY = ("content_name", "bitladder", "name")
_SPELLING = {"video_id": "Video (or video_id)", "mos": "mos_j (or mos)", "sos": "sos_j (or sos)"}


class LabelRow(Struct, frozen=True):
    """One row of a label file: its line, counted from 1, and its stripped cells by canonical column name."""

    line: int
    cells: Mapping[str, str]

    def cell(self, column: str) -> str:
        """The cell of a column; empty where the file lacks the column."""
        return self.cells.get(column, "")


class LabelFile(Struct, frozen=True):
    """A parsed label file."""

    path: Path
    columns: tuple[str, ...]
    """Canonical column names in file order."""
    rows: tuple[LabelRow, ...]

    @property
    def names_contents(self) -> bool:
        """True for CHUG and BrightVQ; a Beyond8Bits file names neither content nor ladder."""
        return "content_name" in self.columns


def spelling(column: str) -> str:
    """How label files spell a canonical column, for messages."""
    return _SPELLING.get(column, column)


def read_label_file(path: Path) -> LabelFile:
    """Parse a label file of CHUG, BrightVQ or Beyond8Bits, with its columns in any order.

    Raises ``LabelError`` with the line of what cannot be read, ``CorpusError`` for a file without rows.
    """
    lines = _csv_lines(path, _text(path))
    line, header = next(lines, (1, []))
    columns = _canonical_header(path, line, header)
    rows = tuple(
        LabelRow(line, dict(zip(columns, _stripped_cells(path, line, cells, len(columns)), strict=True)))
        for line, cells in lines
    )
    if not rows:
        raise CorpusError(f"{path}: the label file has a header and no rows; take it from the corpus anew.")
    return LabelFile(path, columns, rows)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: the file cannot be read ({error.strerror}); check its permissions.") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LabelError(path, line, "the text is not UTF-8; save the label file as UTF-8.") from error


def _csv_lines(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield every line that is not blank, with the number of its first physical line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise LabelError(path, line, f"the row is not valid CSV ({error}); correct the row.") from error
        if cells:
            yield line, cells


def _canonical_header(path: Path, line: int, header: list[str]) -> tuple[str, ...]:
    if not header:
        raise LabelError(path, line, "the label file is empty; take it from the corpus anew.")
    lowered = [cell.strip().lower() for cell in header]
    columns = tuple(_ALIASES.get(name, name) for name in lowered)
    twice = sorted({spelling(column) for column in columns if column and columns.count(column) > 1})
    if twice:
        raise LabelError(path, line, f"the header names {', '.join(twice)} more than once; keep one column of each.")
    missing = [column for column in _REQUIRED if column not in columns]
    if "content_name" not in columns and any(column in columns for column in _LADDER_ONLY):
        missing.append("content_name")
    if missing:
        names = ", ".join(spelling(column) for column in missing)
        raise LabelError(path, line, f"the header lacks {names}; name a CHUG label file with --set labels=FILE.")
    return columns


def _stripped_cells(path: Path, line: int, cells: list[str], expected: int) -> list[str]:
    if len(cells) != expected:
        problem = f"the row has {len(cells)} columns and the header {expected}; correct the row."
        raise LabelError(path, line, problem)
    return [cell.strip() for cell in cells]
