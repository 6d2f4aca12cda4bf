"""From the label file to rows of id and MOS: places, encoding, header. What a row means is decided in ``reader``."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from msgspec import Struct

from corekit import CorpusError, LabelError

VIDEOS = "KoNViD_1k_videos"
LABEL_FILES = ("KoNViD_1k_mos.csv", "KoNViD_1k_attributes.csv")
"""By precedence: the labels are of the first that is there, and others must agree. ``KoNViD_1k_subjective.csv`` is personal data."""
LABEL_FOLDERS = ("KoNViD_1k_metadata", "", VIDEOS)
MOST_ROWS = 5000
"""KoNViD-1k has 1,200; a file with more is that of another corpus."""

_ID = re.compile(r"[0-9]{1,20}")


class LabelRow(Struct, frozen=True):
    """One row of a label file: where it stands, and its stripped cells."""

    origin: str
    id: str
    mos: str

    @property
    def file(self) -> str:
        """The label file's path below the root."""
        return self.origin.rpartition(":")[0]


def read_files(root: Path) -> list[list[LabelRow]]:
    """The rows of every label file below ``root``, by precedence, with columns in any order and case.

    Raises ``LabelError`` with the line of what cannot be read, ``CorpusError`` where no file is there, one has no row, or so
    many that it is KoNViD-150k's.
    """
    names = [f"{folder}/{file}".lstrip("/") for file in LABEL_FILES for folder in LABEL_FOLDERS]
    present = [name for name in names if (root / name).is_file()]
    if not present:
        places = " or ".join(f"{LABEL_FOLDERS[0]}/{file}" for file in LABEL_FILES)
        raise CorpusError(f"{root}: no label file {places}; give --root the folder that holds {LABEL_FOLDERS[0]}.")
    return [_read(root / name, name) for name in present]


def _read(path: Path, name: str) -> list[LabelRow]:
    rows = list(islice(_rows(path, name), MOST_ROWS + 1))
    if len(rows) > MOST_ROWS:
        raise CorpusError(f"{path}: it has more than {MOST_ROWS:,} rows, so it is of KoNViD-150k; use --corpus k150k.")
    if not rows:
        raise CorpusError(f"{path}: the label file has a header and no rows; take it from the corpus anew.")
    return rows


def _rows(path: Path, name: str) -> Iterator[LabelRow]:
    lines = _csv_lines(path, _text(path))
    line, header = next(lines, (1, []))
    columns = [cell.strip().lower() for cell in header]
    if wrong := [wanted for wanted in ("flickr_id", "mos") if columns.count(wanted) != 1]:
        raise LabelError(path, line, f"the header must name {' and '.join(wrong)} once; take the file from the corpus.")
    id_, mos = columns.index("flickr_id"), columns.index("mos")
    for line, cells in lines:
        if len(cells) != len(header):
            problem = f"the row has {len(cells)} columns and the header {len(header)}; correct the row."
            raise LabelError(path, line, problem)
        if not _ID.fullmatch(cells[id_].strip()):
            problem = f"flickr_id {cells[id_][:60]!r} is not a whole number; correct the row, ids are written in full."
            raise LabelError(path, line, problem)
        yield LabelRow(f"{name}:{line}", cells[id_].strip(), cells[mos].strip())


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CorpusError(
            f"{path}: the label file cannot be read ({error.strerror}); check its permissions."
        ) from error
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
