"""From label rows to clips: names, labels, contents, and where each clip lies. No video, no file of votes is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from corekit import Clip, CorpusError, Label, LabelError, Value
from corekit_k150k.info import INFO, K150kOptions, Part
from corekit_k150k.labels import LABEL_COLUMNS, LABEL_FILES, LabelRow, read_rows

PARTS: tuple[Part, ...] = ("a", "b")
PART_FOLDERS: dict[Part, tuple[str, ...]] = {
    part: tuple(path for name in (f"k150k{part}_extracted", f"k150k{part}") for path in (name, f"{name}/k150k{part}"))
    for part in PARTS
}
CLIP_FOLDERS = (*PART_FOLDERS["a"], *PART_FOLDERS["b"], "clips")
"""Where clips lie, by precedence; archives unpack with and without a folder of their own."""
VOTES = 5
"""Ratings of a clip of part a."""

_SCALE = (1.0, 5.0)
_TOLERANCE = 0.05
"""How far a score may lie outside the scale and still be kept, as it is."""
_LONGEST_NAME = 255
_STEM = re.compile(r"orig_([0-9]+)_540_5s")
_NUMBER = re.compile(r"[+-]?([0-9]*\.)?[0-9]+([eE][+-]?[0-9]+)?")


class _Entry(Struct):
    """The rows that name one clip: the first, where the others are, those of them that repeat it, and why none can be trusted."""

    row: LabelRow
    others: list[str]
    repeated: list[str]
    problem: str = ""


def read_clips(root: Path, options: K150kOptions) -> Iterator[Clip]:
    """Yield every labelled clip once, sorted by clip name, whether its file is there or not.

    Raises ``CorpusError`` or ``LabelError`` where a label file cannot be trusted as a whole; what spoils one label
    alone is that label's ``problem``.
    """
    rows = (row for part in _parts(root, options) for row in read_rows(root, part))
    entries = _entries(root, rows)
    locations = _Locations(root)
    clips = [_clip(stem, entry, locations) for stem, entry in entries.items()]
    return iter(sorted(clips, key=lambda clip: clip.name))


def _parts(root: Path, options: K150kOptions) -> tuple[Part, ...]:
    if options.part != "all":
        return (options.part,)
    present = tuple(part for part in PARTS if (root / LABEL_FILES[part]).is_file())
    if not present:
        files = " or ".join(LABEL_FILES.values())
        raise CorpusError(f"{root}: no label file {files}; give --root the folder that holds one of them.")
    return present


class _Locations:
    """Which clip lies where: one listing per folder, joined by stem."""

    def __init__(self, root: Path) -> None:
        self._paths: dict[str, str] = {}
        self._present: list[str] = []
        for folder in CLIP_FOLDERS:
            names = _names_in(root / folder)
            if names is None:
                continue
            self._present.append(folder)
            for name in names:
                stem, _, suffix = name.rpartition(".")
                if suffix.lower() == "mp4":
                    self._paths.setdefault(stem, f"{folder}/{name}")

    def path_of(self, stem: str, part: Part) -> str:
        """The path of a clip relative to the root; of one that is missing, the path where it belongs."""
        return self._paths.get(stem) or f"{self._home(part)}/{stem}.mp4"

    def _home(self, part: Part) -> str:
        homes = (*PART_FOLDERS[part], "clips")
        return next((folder for folder in homes if folder in self._present), f"k150k{part}")


def _names_in(folder: Path) -> list[str] | None:
    """The sorted names in a folder; None where there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise CorpusError(f"{folder}: it cannot be listed ({error.strerror}); check its permissions.") from error


def _entries(root: Path, rows: Iterable[LabelRow]) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for row in rows:
        stem = _stem(root, row)
        entry = entries.get(stem)
        if entry is None:
            entries[stem] = _Entry(row, [], [])
            continue
        entry.others.append(row.origin)
        if _says(row, entry.row) == _says(entry.row, row):
            entry.repeated.append(row.origin)
        elif not entry.problem:
            where = f"{entry.row.origin} and {row.origin}"
            scores = " and ".join(f"{LABEL_COLUMNS[each.part]} {_shown(each.score)}" for each in (entry.row, row))
            entry.problem = f"{where} contradict each other on {_shown(row.name)} ({scores}); keep one of the rows."
    return entries


def _says(row: LabelRow, other: LabelRow) -> tuple[float | str, float | str]:
    """What a row says that another one might contradict; between the parts that is the label alone."""
    score, extra = (_parsed(cell) for cell in (row.score, row.video_score))
    return (score, extra) if row.part == other.part else (score, "")


def _stem(root: Path, row: LabelRow) -> str:
    """The clip's file name without extension, which is what joins it with the disk."""
    name = row.name
    stem = name.rpartition(".")[0] or name
    if _STEM.fullmatch(stem):
        return stem
    plain = name.isprintable() and not name.startswith(".") and not set(name) & set("/\\:")
    if not name or not plain or len(name.encode()) + len(".mp4") > _LONGEST_NAME:
        advice = "correct the row: clips are called orig_<id>_540_5s.mp4"
        problem = f"video_name {_shown(name)} is not the plain name of a file; {advice}."
        raise LabelError(root / LABEL_FILES[row.part], row.line, problem)
    return stem


def _clip(stem: str, entry: _Entry, locations: _Locations) -> Clip:
    row = entry.row
    path = locations.path_of(stem, row.part)
    match = _STEM.fullmatch(stem)
    video_score = _parsed(row.video_score)
    extra: dict[str, Value] = {
        "k150k_part": row.part,
        "k150k_video_score": video_score if isinstance(video_score, float) else None,
    }
    if entry.repeated:
        extra["repeated_at"] = ", ".join(entry.repeated)
    return Clip(
        name=path.rpartition("/")[2],
        path=path,
        content=match[1] if match else stem,
        label=_label(row, entry.problem),
        origin=row.origin,
        other_origins=tuple(entry.others),
        extra=extra,
    )


def _label(row: LabelRow, problem: str) -> Label:
    score = _parsed(row.score)
    problem = problem or _problem(row, score)
    if problem or not isinstance(score, float):
        return Label(kind=INFO.label_kind, problem=problem)
    votes = score * VOTES
    known = row.part == "a" and abs(votes - round(votes)) < 1e-6
    return Label(kind=INFO.label_kind, value=score, n_ratings=VOTES if known else None)


def _problem(row: LabelRow, score: float | str) -> str:
    column = LABEL_COLUMNS[row.part]
    low, high = _SCALE
    if not row.score:
        return f"{row.origin}: {column} is blank; the clip has no label."
    if isinstance(score, str):
        return f"{row.origin}: {column} is {_shown(score)}, not a finite number; correct the row."
    if not low - _TOLERANCE <= score <= high + _TOLERANCE:
        return f"{row.origin}: {column} is {score}, outside {low:g} to {high:g}; correct the row."
    if row.video_score and isinstance(_parsed(row.video_score), str):
        return f"{row.origin}: video_score is {_shown(row.video_score)}, not a finite number; correct the row."
    return ""


def _parsed(cell: str) -> float | str:
    """A finite number, or the cell itself where it is none."""
    if not _NUMBER.fullmatch(cell):
        return cell
    number = float(cell)
    return cell if number in (float("inf"), float("-inf")) else number


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 60 else f"{cell[:57]}...")
