"""From the label file of one part to its rows: encoding, header, columns. What a row means is decided in ``reader``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from corekit import CorpusError, LabelError
from corekit_k150k.info import Part

LABEL_FILES: dict[Part, str] = {"a": "k150ka_scores.csv", "b": "k150kb_scores.csv"}
LABEL_COLUMNS: dict[Part, str] = {"a": "video_score", "b": "mos"}


class LabelRow(Struct, frozen=True):
    """One row of a label file: its part, its line, counted from 1, and its stripped cells."""

    part: Part
    line: int
    name: str
    score: str
    """The cell of the label: ``video_score`` of part a, ``mos`` of part b."""
    video_score: str
    """``video_score`` of part b; empty in part a."""

    @property
    def origin(self) -> str:
        """Where the row stands, such as ``k150ka_scores.csv:17``."""
        return f"{LABEL_FILES[self.part]}:{self.line}"


def read_rows(root: Path, part: Part) -> Iterator[LabelRow]:
    """Yield the rows of a part's label file below ``root``, with its columns in any order.

    Raises ``LabelError`` with the line of what cannot be read, ``CorpusError`` where the file is missing or has no row.
    """
    path = root / LABEL_FILES[part]
    lines = _csv_lines(path, _text(path))
    line, header = next(lines, (1, []))
    name, score, video_score = _places(path, part, line, header)
    line = 0
    for line, cells in lines:
        if len(cells) != len(header):
            problem = f"the row has {len(cells)} columns and the header {len(header)}; correct the row."
            raise LabelError(path, line, problem)
        extra = cells[video_score].strip() if video_score is not None else ""
        yield LabelRow(part, line, cells[name].strip(), cells[score].strip(), extra)
    if not line:
        raise CorpusError(f"{path}: the label file has a header and no rows; take it from the corpus anew.")


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(f"{path}: the label file cannot be read ({error.strerror}); put it there.") from error
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


def _places(path: Path, part: Part, line: int, header: list[str]) -> tuple[int, int, int | None]:
    """Where video_name, the label and part b's video_score stand in a row."""
    columns = [cell.strip().lower() for cell in header]
    needed = ("video_name", LABEL_COLUMNS[part])
    wrong = [name for name in needed if columns.count(name) != 1]
    if wrong:
        raise LabelError(path, line, f"the header must name {' and '.join(wrong)} once; take the file from the corpus.")
    if part == "a" and "mos" in columns:
        raise LabelError(path, line, f"the header names mos, as part b does; is this {LABEL_FILES['b']}? rename it.")
    extra = columns.index("video_score") if part == "b" and "video_score" in columns else None
    return columns.index(needed[0]), columns.index(needed[1]), extra
