"""From label rows to clips: names, labels, contents, references, and where each clip lies. No video is opened here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from corekit import Clip, CorpusError, Label, LabelError, UsageError, Value
from corekit.model import Split
from corekit_chug.info import INFO, LABEL_MAX, LABEL_MIN, LADDER, ChugOptions
from corekit_chug.labels import LabelFile, LabelRow, read_label_file, spelling

LABEL_FILES = ("chug.csv", "manifest.csv")
CLIP_FOLDERS = ("CHUG_Videos", "CHUG_Dataset", "clips", "videos")
UNPAIRED = "a Beyond8Bits label file names neither content nor ladder, so the reference of its clips is not known"

_TOLERANCE = 0.05
"""How far a MOS may lie outside the scale and still be kept, as it is."""
_LONGEST_NAME = 255
_LARGEST_SIZE = 1 << 16
_NUMBER = re.compile(r"[+-]?([0-9]*\.)?[0-9]+([eE][+-]?[0-9]+)?")
_REFERENCE_TOKENS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
_SPLIT_TOKENS: dict[str, Split] = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_TEXT_CELLS = {
    "chug_video_id": "video_id",
    "chug_name": "name",
    "chug_bitladder": "bitladder",
    "chug_resolution": "resolution",
    "chug_bitrate_label": "bitrate",
    "chug_orientation": "orientation",
    "chug_content_name": "content_name",
}
_SIZE_CELLS = {"chug_height_manifest": "height", "chug_width_manifest": "width"}


class _Entry(Struct):
    """The rows that name one clip: the first, those that repeat it, and why they cannot be trusted."""

    row: LabelRow
    repeated: list[int]
    problem: str = ""


def read_clips(root: Path, options: ChugOptions) -> Iterator[Clip]:
    """Yield every clip of the label file once, whether its file is there or not.

    The order does not depend on the order of the rows: content name, reference first, rung of the ladder (lowest
    first, unknown rungs after the known), clip name. Raises ``CorpusError`` or ``LabelError`` where the label file
    cannot be trusted as a whole; what spoils one label alone is that label's ``problem``.
    """
    name, *copies = _label_file_names(root, options.labels)
    file = read_label_file(root / name)
    locations = _Locations(root, options.clips)
    clips = [_clip(file, name, copies, entry, locations) for entry in _entries(file, name)]
    _refuse_straddling(file, clips)
    return iter(sorted(clips, key=_plan_order))


def _plan_order(clip: Clip) -> tuple[str, bool, int, str, str]:
    rung = LADDER.index(clip.rung) if clip.rung in LADDER else len(LADDER)
    return clip.content, not clip.is_reference, rung, clip.rung, clip.name


def _label_file_names(root: Path, chosen: str) -> list[str]:
    """The label file's POSIX path relative to the root, and then those of its copies, which were read to know them as such."""
    if not root.is_dir():
        raise CorpusError(f"{root}: no such folder; give the folder that holds {' or '.join(LABEL_FILES)}.")
    if chosen:
        name = _inside("labels", chosen)
        if not (root / name).is_file():
            raise UsageError(f"--set labels={chosen}: there is no such file in {root}; give a path relative to it.")
        return [name]
    present = [name for name in LABEL_FILES if (root / name).is_file()]
    if not present:
        raise CorpusError(f"{root}: no label file {' or '.join(LABEL_FILES)}; name another with --set labels=FILE.")
    if len(present) > 1 and len({(root / name).read_bytes() for name in present}) > 1:
        choices = " or ".join(f"--set labels={name}" for name in present)
        raise CorpusError(f"{root}: {' and '.join(present)} are both label files and differ; choose with {choices}.")
    return present


def _inside(option: str, value: str) -> str:
    path = PurePosixPath(Path(value).as_posix())
    if Path(value).is_absolute() or ".." in path.parts or "\0" in value:
        raise UsageError(f"--set {option}={value}: the path leaves the corpus root; give one inside it.")
    return str(path)


class _Locations:
    """Which file lies in which folder: one listing per folder, names as the disk spells them."""

    def __init__(self, root: Path, chosen: str) -> None:
        folders = [_inside("clips", chosen)] if chosen else [*CLIP_FOLDERS, "."]
        present = [folder for folder in folders if (root / folder).is_dir()]
        if chosen and not present:
            raise UsageError(f"--set clips={chosen}: there is no such folder in {root}; give a path relative to it.")
        self._home = present[0] if present[0] != "." else CLIP_FOLDERS[0]
        self._paths: dict[str, str] = {}
        for folder in present:
            for name in _names_in(root / folder):
                self._paths.setdefault(name, str(PurePosixPath(folder, name)))

    def path_of(self, name: str) -> str:
        """The path of a clip relative to the root; of one that is missing, the path where it belongs."""
        return self._paths.get(name) or str(PurePosixPath(self._home, name))


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError as error:
        raise CorpusError(f"{folder}: it cannot be listed ({error.strerror}); check its permissions.") from error


def _entries(file: LabelFile, origin: str) -> Iterable[_Entry]:
    entries: dict[str, _Entry] = {}
    for row in file.rows:
        video = row.cell("video_id")
        entry = entries.setdefault(video, _Entry(row, []))
        if entry.row is row:
            continue
        differing = [column for column in file.columns if row.cell(column) != entry.row.cell(column)]
        if not differing:
            entry.repeated.append(row.line)
            continue
        problem = _contradiction(origin, entry.row, row, differing)
        flags = (_REFERENCE_TOKENS.get(each.cell("ref")) for each in (entry.row, row))
        if {"ref", "content_name"} & set(differing) and 1 in flags:
            raise LabelError(file.path, row.line, problem)
        entry.problem = entry.problem or problem
    return entries.values()


def _contradiction(origin: str, first: LabelRow, other: LabelRow, differing: list[str]) -> str:
    columns = ", ".join(spelling(column) for column in differing)
    where = f"{origin}:{first.line} and {origin}:{other.line}"
    return f"{where} contradict each other on {_shown(first.cell('video_id'))} in {columns}; keep one of the rows."


def _clip(file: LabelFile, origin: str, copies: list[str], entry: _Entry, locations: _Locations) -> Clip:
    row = entry.row
    name = _clip_name(file.path, row)
    where = f"{origin}:{row.line}"
    extra, garbled = _extra(row, where)
    reference = _reference_flag(file, row)
    if reference is not None:
        extra["chug_ref"] = reference
    if entry.repeated:
        extra["repeated_on_lines"] = ", ".join(map(str, entry.repeated))
    return Clip(
        name=name,
        path=locations.path_of(name),
        content=_content(file, row, name),
        label=_label(row, where, entry.problem or garbled),
        origin=where,
        other_origins=tuple(f"{copy}:{row.line}" for copy in copies),
        rung=row.cell("bitladder"),
        is_reference=file.names_contents and reference == 1,
        unpaired="" if file.names_contents else UNPAIRED,
        split=_split(file, row),
        extra=extra,
    )


def _clip_name(path: Path, row: LabelRow) -> str:
    video = row.cell("video_id")
    name = f"{video}.mp4"
    plain = video.isprintable() and not video.startswith(".") and not set(video) & set("/\\:")
    if not video or not plain or len(name.encode()) > _LONGEST_NAME:
        advice = "correct the row: a clip is named by its 32 hexadecimal digits"
        raise LabelError(path, row.line, f"Video {_shown(video)} is not the plain name of a file; {advice}.")
    return name


def _content(file: LabelFile, row: LabelRow, name: str) -> str:
    if not file.names_contents:
        return name
    content = row.cell("content_name")
    if not content:
        raise LabelError(file.path, row.line, "content_name is blank; correct the row, or its clip has no content.")
    return content


def _reference_flag(file: LabelFile, row: LabelRow) -> int | None:
    token = row.cell("ref")
    if token not in _REFERENCE_TOKENS and file.names_contents:
        raise LabelError(file.path, row.line, f"ref {_shown(token)} is neither 0 nor 1; correct the row.")
    return _REFERENCE_TOKENS.get(token)


def _split(file: LabelFile, row: LabelRow) -> Split | None:
    if "split" not in file.columns:
        return None
    token = row.cell("split").lower()
    if token not in _SPLIT_TOKENS:
        raise LabelError(file.path, row.line, f"split {_shown(token)} is none of train, val, test; correct the row.")
    return _SPLIT_TOKENS[token]


def _refuse_straddling(file: LabelFile, clips: list[Clip]) -> None:
    """A split that the file gives must keep every content on one side."""
    first: dict[str, Clip] = {}
    for clip in clips:
        other = first.setdefault(clip.content, clip)
        if other.split != clip.split:
            where = f"{other.origin} and {clip.origin}"
            problem = f"{where} put the content {_shown(clip.content)} into two splits; correct the column split."
            raise CorpusError(f"{file.path}: {problem}")


def _label(row: LabelRow, where: str, problem: str) -> Label:
    mos, mos_problem = _number(row, "mos", where)
    if not mos_problem and mos is None:
        mos_problem = f"{where}: {spelling('mos')} is blank; the clip has no label."
    elif mos is not None and not LABEL_MIN - _TOLERANCE <= mos <= LABEL_MAX + _TOLERANCE:
        mos_problem = f"{where}: {spelling('mos')} is {mos}, outside {LABEL_MIN:g} to {LABEL_MAX:g}; correct the row."
    spread, spread_problem = _number(row, "sos", where)
    if spread is not None and spread < 0:
        spread_problem = f"{where}: {spelling('sos')} is {spread}, and no spread is negative; correct the row."
    problem = problem or mos_problem or spread_problem
    if problem:
        return Label(kind=INFO.label_kind, problem=problem)
    return Label(kind=INFO.label_kind, value=mos, std_error=spread)


def _extra(row: LabelRow, where: str) -> tuple[dict[str, Value], str]:
    """What the row's own columns need, and the first cell that cannot be read as a number."""
    extra: dict[str, Value] = {key: row.cell(column) or None for key, column in _TEXT_CELLS.items()}
    extra["chug_framerate_manifest"], garbled = _number(row, "framerate", where)
    for key, column in _SIZE_CELLS.items():
        size, problem = _number(row, column, where)
        if size is not None and not (size.is_integer() and 0 < size <= _LARGEST_SIZE):
            size, problem = None, f"{where}: {column} is {row.cell(column)}, not a size in pixels; correct the row."
        extra[key] = None if size is None else int(size)
        garbled = garbled or problem
    return extra, garbled


def _number(row: LabelRow, column: str, where: str) -> tuple[float | None, str]:
    """A finite number and no problem; None and no problem for a blank cell; None and the problem otherwise."""
    cell = row.cell(column)
    if not cell:
        return None, ""
    if not _NUMBER.fullmatch(cell) or float(cell) in (float("inf"), float("-inf")):
        return None, f"{where}: {spelling(column)} is {_shown(cell)}, not a finite number; correct the row."
    return float(cell), ""


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 60 else f"{cell[:57]}...")
