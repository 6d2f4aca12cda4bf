"""From label rows to clips: labels, and which of the names of three generations a clip has. No video is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from corekit import Clip, CorpusError, Label, Value
from corekit_konvid.agreement import agree, parsed, refuse_difference
from corekit_konvid.info import INFO, KonvidOptions
from corekit_konvid.labels import VIDEOS, LabelRow, read_files

_SCALE = (1.0, 5.0)
_TOLERANCE = 0.05
"""How far a MOS may lie outside the scale and still be kept, as it is."""
_NAME = re.compile(r"([0-9]+)(|_original.*|_cut.*|_.*)\.mp4", re.IGNORECASE)
_GENERATIONS = ("", "_original", "_cut")
"""What follows the id in a file's name, today's first."""


class _Entry(Struct):
    """The first row that names an id, those that repeat it, and why they cannot be trusted."""

    row: LabelRow
    repeated: list[str]
    problem: str = ""


def read_clips(root: Path, options: KonvidOptions) -> Iterator[Clip]:
    """Yield every labelled clip once, sorted by id as text, whether its file is there or not.

    Raises ``CorpusError`` or ``LabelError`` where a label file cannot be trusted as a whole, or two of them differ; what
    spoils one label alone is that label's ``problem``, and under ``synthetic`` pairing costs the clip its ``konvid_mos`` only.
    """
    entries, *others = map(_entries, read_files(root))
    for other in others:
        refuse_difference(root, _first_rows(entries), _first_rows(other))
    files = _files(root)
    for id_ in sorted(entries):
        elsewhere = [other[id_].row.origin for other in others]
        yield _clip(entries[id_], elsewhere, files.get(id_, []), options)


def _entries(rows: Iterable[LabelRow]) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for row in rows:
        entry = entries.setdefault(row.id, _Entry(row, []))
        if entry.row is row:
            continue
        if agree(entry.row.mos, row.mos):
            entry.repeated.append(row.origin)
        elif not entry.problem:
            where = f"{entry.row.origin} and {row.origin}"
            entry.problem = f"{where} contradict each other on {row.id} ({entry.row.mos} and {row.mos}); keep one row."
    return entries


def _first_rows(entries: Mapping[str, _Entry]) -> dict[str, LabelRow]:
    return {id_: entry.row for id_, entry in entries.items()}


def _files(root: Path) -> dict[str, list[str]]:
    """Files by the id that their names begin with, today's generation first."""
    try:
        with os.scandir(root / VIDEOS) as entries:
            names = sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CorpusError(f"{root / VIDEOS}: it cannot be listed ({error.strerror}); check its permissions.") from error
    found: dict[str, list[str]] = {}
    for match in filter(None, map(_NAME.fullmatch, names)):
        found.setdefault(match[1], []).append(match[0])
    for same in found.values():
        same.sort(key=_generation)
    return found


def _generation(name: str) -> int:
    match = _NAME.fullmatch(name)
    tail = match[2].lower() if match else ""
    if not tail:
        return 0
    return next((place for place, mark in enumerate(_GENERATIONS) if mark and tail.startswith(mark)), len(_GENERATIONS))


def _clip(entry: _Entry, elsewhere: list[str], names: list[str], options: KonvidOptions) -> Clip:
    row = entry.row
    name = names[0] if names else f"{row.id}.mp4"
    label = _label(entry)
    extra: dict[str, Value] = {
        "konvid_mos": label.value,
        "konvid_flickr_id": row.id,
        "other_files": ", ".join(names[1:]),
    }
    if entry.repeated:
        extra["repeated_at"] = ", ".join(entry.repeated)
    return Clip(
        name=name,
        path=f"{VIDEOS}/{name}",
        content=row.id,
        label=label,
        origin=row.origin,
        other_origins=(*entry.repeated, *elsewhere),
        encode=options.recipe,
        extra=extra,
    )


def _label(entry: _Entry) -> Label:
    row, mos = entry.row, parsed(entry.row.mos)
    low, high = _SCALE
    problem = entry.problem
    if problem:
        pass
    elif not row.mos:
        problem = f"{row.origin}: MOS is blank; the clip has no label."
    elif mos is None:
        problem = f"{row.origin}: MOS is {row.mos[:60]!r}, not a finite number; correct the row."
    elif not low - _TOLERANCE <= mos <= high + _TOLERANCE:
        problem = f"{row.origin}: MOS is {mos}, outside {low:g} to {high:g}; correct the row."
    return Label(kind=INFO.label_kind, value=None if problem else mos, problem=problem)
