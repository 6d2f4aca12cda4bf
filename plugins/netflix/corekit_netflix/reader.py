"""From the entries of a dataset file to clips: contents, labels, geometry, places. No video is opened."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from corekit import Clip, CorpusError, Label, LabelError, RawVideo, UsageError, Value
from corekit_netflix.dataset import Dataset, Entry, Scalar, read_dataset
from corekit_netflix.info import INFO, LABEL_FILE, NetflixOptions

REFERENCES, DISTORTED = "ref", "dis"
WIDTH, HEIGHT, PIX_FMT = 1920, 1080, "yuv420p"
"""Of every clip, whatever the height in its name, unless the dataset file says otherwise."""

_TOLERANCE = 0.05
"""How far a DMOS may lie below the scale and still be kept, as it is."""
_LARGEST_SIDE = 1 << 14
_LONGEST_NAME = 255
_PIX_FMT = re.compile(r"yuv4(20|22|44)p(10le|12le|16le)?")
_REFERENCE = re.compile(r"(?P<prefix>.+)_(?P<fps>[1-9][0-9]{0,2})fps\.yuv")
_ENCODE = re.compile(r"(?P<prefix>.+)_(?P<expert>[0-9]+)_(?P<height>[0-9]{1,5})_(?P<kbps>[0-9]{1,7})\.yuv")


class _Source(Struct, frozen=True):
    """A reference: what its distorted clips take from it."""

    name: str
    content: str
    prefix: str
    """Its file name before the frame rate, with which the names of its distorted clips begin."""
    raw: RawVideo
    entry: Entry


class _Rated(Struct):
    """The entries that name one clip: the first, the lines that repeat it, and why they cannot be trusted."""

    entry: Entry
    source: _Source
    repeated: list[int]
    problem: str = ""


def read_clips(root: Path, options: NetflixOptions) -> Iterator[Clip]:
    """Yield every clip of the label file once, whether its file is there or not.

    Sorted by content, reference first, then height, bitrate and name. Raises ``CorpusError`` or ``LabelError`` where
    the label file cannot be trusted as a whole; what spoils one label alone is that label's ``problem``.
    """
    return iter(sorted(_Reader(root, options).clips(), key=_plan_order))


def _plan_order(clip: Clip) -> tuple[str, bool, int, int, str]:
    height, kbps = (clip.extra[name] or 0 for name in ("netflix_height_token", "netflix_bitrate_token"))
    return clip.content, not clip.is_reference, int(height), int(kbps), clip.name


class _Reader:
    def __init__(self, root: Path, options: NetflixOptions) -> None:
        self._origin = _label_file(root, options.labels)
        self._path = root / self._origin
        self._locations = {folder: _names_in(root / folder) for folder in (REFERENCES, DISTORTED, ".")}

    def clips(self) -> Iterator[Clip]:
        dataset = read_dataset(self._path)
        sources = self._sources(dataset)
        rated = self._rated(dataset, sources)
        for source in sources.values():
            yield self._reference(source, rated.pop(source.name, None))
        for name, entry in rated.items():
            yield self._distorted(name, entry)

    def _sources(self, dataset: Dataset) -> dict[int, _Source]:
        """``content_id`` to reference."""
        width, height = (self._side(dataset, side, default) for side, default in (("width", WIDTH), ("height", HEIGHT)))
        pix_fmt = dataset.scalars.get("yuv_fmt", PIX_FMT)
        if not (isinstance(pix_fmt, str) and _PIX_FMT.fullmatch(pix_fmt)):
            raise self._wrong(dataset.lines["yuv_fmt"], f"yuv_fmt {_shown(pix_fmt)} is no format such as yuv420p")
        sources: dict[int, _Source] = {}
        for entry in dataset.ref_videos:
            key, name, content = self._key(entry), self._name(entry), self._content(entry)
            match = _REFERENCE.fullmatch(name)
            if match is None:
                raise self._wrong(entry.line, f"reference {_shown(name)} is not called <content>_<fps>fps.yuv")
            raw = RawVideo(width=width, height=height, pix_fmt=pix_fmt, framerate=f"{match['fps']}/1")
            source = _Source(name, content, match["prefix"], raw, entry)
            for other in sources.values():
                if key in sources or name == other.name or content == other.content:
                    lines = f"{other.entry.line} and {entry.line}"
                    raise self._wrong(entry.line, f"lines {lines} of ref_videos share an id, a name or a path")
            sources[key] = source
        return sources

    def _side(self, dataset: Dataset, name: str, default: int) -> int:
        value = dataset.scalars.get(name, default)
        if type(value) is not int or not 0 < value <= _LARGEST_SIDE:
            raise self._wrong(dataset.lines[name], f"{name} is not a size in pixels from 1 to {_LARGEST_SIDE}")
        return value

    def _key(self, entry: Entry) -> int:
        content_id = entry.fields.get("content_id")
        if type(content_id) is not int:
            raise self._wrong(entry.line, f"content_id {_shown(content_id)} is no whole number")
        return content_id

    def _name(self, entry: Entry) -> str:
        """Basename of the entry's ``path``; the folder before it is a placeholder in the published file."""
        path = entry.fields.get("path")
        name = re.split(r"[/\\]", path)[-1] if isinstance(path, str) else ""
        plain = name.isprintable() and not name.startswith(".") and ":" not in name
        if not plain or not name.endswith(".yuv") or len(name.encode()) > _LONGEST_NAME:
            raise self._wrong(entry.line, f"path {_shown(path)} does not end in the name of a .yuv file")
        return name

    def _content(self, entry: Entry) -> str:
        content = entry.fields.get("content_name")
        if not isinstance(content, str) or not content.strip():
            raise self._wrong(entry.line, f"content_name {_shown(content)} is no name")
        return content

    def _rated(self, dataset: Dataset, sources: dict[int, _Source]) -> dict[str, _Rated]:
        """Basename to what ``dis_videos`` says of it."""
        rated: dict[str, _Rated] = {}
        for entry in dataset.dis_videos:
            name, source = self._name(entry), sources.get(self._key(entry))
            if source is None:
                raise self._wrong(entry.line, f"content_id {_shown(entry.fields['content_id'])} is none of ref_videos")
            first = rated.setdefault(name, _Rated(entry, source, []))
            if first.entry is entry:
                continue
            wrong = [key for key in ("content_id", "dmos") if entry.fields.get(key) != first.entry.fields.get(key)]
            if not wrong:
                first.repeated.append(entry.line)
            elif not first.problem:
                where = f"{self._where(first.entry)} and {self._where(entry)}"
                what = f"contradict each other on {_shown(name)} in {' and '.join(wrong)}"
                first.problem = f"{where} {what}; keep one of the entries."
        return rated

    def _reference(self, source: _Source, rated: _Rated | None) -> Clip:
        label = Label(kind="none")
        if rated is not None:
            rated.problem = rated.problem or self._stranger(source.prefix, rated)
            label = self._label(rated)
        return self._clip(source.name, source, rated, label, entry=rated.entry if rated else source.entry)

    def _distorted(self, name: str, rated: _Rated) -> Clip:
        match = _ENCODE.fullmatch(name)
        if match:
            rated.problem = rated.problem or self._stranger(match["prefix"], rated)
        return self._clip(name, rated.source, rated, self._label(rated), entry=rated.entry, encode=match)

    def _clip(
        self,
        name: str,
        source: _Source,
        rated: _Rated | None,
        label: Label,
        *,
        entry: Entry,
        encode: re.Match[str] | None = None,
    ) -> Clip:
        is_reference = name == source.name
        extra: dict[str, Value] = {
            "netflix_height_token": int(encode["height"]) if encode else None,
            "netflix_bitrate_token": int(encode["kbps"]) if encode else None,
        }
        if rated and rated.repeated:
            extra["repeated_on_lines"] = ", ".join(map(str, rated.repeated))
        return Clip(
            name=name,
            path=self._path_of(name, REFERENCES if is_reference else DISTORTED),
            content=source.content,
            label=label,
            origin=self._where(entry),
            rung=f"{encode['height']}_{encode['kbps']}" if encode else "",
            is_reference=is_reference,
            extra=extra,
            raw=source.raw,
        )

    def _stranger(self, prefix: str, rated: _Rated) -> str:
        """A clip whose name begins with another content's would be compared with the wrong reference."""
        source = rated.source
        if prefix == source.prefix:
            return ""
        where = self._where(rated.entry)
        return f"{where}: the clip is called {prefix} but its content_id is that of {source.name}; correct the entry."

    def _label(self, rated: _Rated) -> Label:
        dmos = rated.entry.fields.get("dmos")
        problem = rated.problem
        value = _finite(dmos)
        if not problem and dmos is None:
            problem = f"{self._where(rated.entry)}: dmos is blank; the clip has no label."
        elif not problem and value is None:
            problem = f"{self._where(rated.entry)}: dmos is {_shown(dmos)}, not a finite number; correct the entry."
        elif not problem and value is not None and value < -_TOLERANCE:
            problem = f"{self._where(rated.entry)}: dmos is {value}, below 0; correct the entry."
        return Label(kind=INFO.label_kind, value=None if problem else value, problem=problem)

    def _path_of(self, name: str, home: str) -> str:
        other = DISTORTED if home == REFERENCES else REFERENCES
        folder = next((folder for folder in (home, other, ".") if name in self._locations[folder]), home)
        return str(PurePosixPath(folder, name))

    def _where(self, entry: Entry) -> str:
        return f"{self._origin}:{entry.line}"

    def _wrong(self, line: int, what: str) -> LabelError:
        return LabelError(self._path, line, f"{what}; correct the label file.")


def _label_file(root: Path, chosen: str) -> str:
    """The label file's POSIX path from the root; it may lie outside."""
    candidates = [chosen] if chosen else [LABEL_FILE, f"../{LABEL_FILE}"]
    found = next((name for name in candidates if "\0" not in name and (root / name).is_file()), None)
    if found is None and chosen:
        raise UsageError(f"--set labels={chosen}: there is no such file; give a path from {root}.")
    if found is None:
        raise CorpusError(
            f"{root}: no label file {LABEL_FILE} there or one folder up; put it beside {REFERENCES}/ and {DISTORTED}/, "
            "or name it with --set labels=FILE."
        )
    if Path(found).is_absolute():
        found = os.path.relpath(Path(found).resolve(), root.resolve())
    return Path(found).as_posix()


def _names_in(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as entries:
            return frozenset(entry.name for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise CorpusError(f"{folder}: it cannot be listed ({error.strerror}); check its permissions.") from error


def _finite(value: Scalar) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: Scalar) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        text = "a huge number"
    return text if len(text) <= 60 else f"{text[:57]}..."
