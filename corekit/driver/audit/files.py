"""What lies below a corpus root: videos by folder, tables that nobody read, copies of one file. Nothing is decoded."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from msgspec import Struct

from corekit.driver.audit.findings import Findings
from corekit.driver.audit.report import Folder
from corekit.driver.corpus import Corpus
from corekit.driver.places import Places
from corekit.errors import ClipError
from corekit.model import Clip

VIDEO_SUFFIXES = frozenset(
    {
        ".264", ".265", ".3gp", ".avi", ".flv", ".h264", ".h265", ".hevc", ".ivf", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4",
        ".mpeg", ".mpg", ".mts", ".mxf", ".obu", ".ogv", ".ts", ".webm", ".wmv", ".y4m", ".yuv",
    }
)  # fmt: skip
TABLE_SUFFIXES = frozenset({".csv", ".json", ".jsonl", ".mat", ".tsv", ".txt", ".xls", ".xlsx"})
_PERSONAL = re.compile(r"votes?|subjective|workers?|raters?|participants?|subjects?|observers?|demographics?", re.I)
_DOCUMENT = re.compile(r"(read.?me|licen[cs]e|copying|citation|changelog|sha256|md5)", re.I)
_PIECE = 1 << 16
_MOST_COPIES = 4
"""Names of one group that are shown."""


class Disk(Struct, frozen=True, kw_only=True):
    """Files below the root by POSIX path relative to it; hidden files and folders are left out."""

    videos: Mapping[str, int]
    """Path to size in bytes."""
    tables: tuple[str, ...]


def list_files(corpus: Corpus, findings: Findings, on_file: Callable[[], None]) -> Disk:
    """List the tree below the root, and the archives that hold clips; a linked folder is entered where it holds clips."""
    root = corpus.root
    videos = dict(_members(root, {clip.archive for clip in corpus if clip.archive}))
    tables: list[str] = []
    entered: set[str] = set()
    pending = sorted(clip_folders(corpus), reverse=True)
    pending.append("")
    while pending:
        folder = pending.pop()
        if folder in entered:
            continue
        entered.add(folder)
        for entry, is_folder in _entries(root, folder, findings):
            path = f"{folder}/{entry.name}" if folder else entry.name
            suffix = PurePosixPath(entry.name).suffix.lower()
            if is_folder:
                pending.append(path)
            elif suffix in TABLE_SUFFIXES:
                tables.append(path)
            elif suffix in VIDEO_SUFFIXES and (size := _file_size(entry)) is not None:
                videos[path] = size
                on_file()
    return Disk(videos=dict(sorted(videos.items())), tables=tuple(sorted(tables)))


def _entries(root: Path, folder: str, findings: Findings) -> Iterator[tuple[os.DirEntry[str], bool]]:
    """The visible entries of a folder, and whether each is a folder and no link; nothing where there is none."""
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    yield entry, entry.is_dir(follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        findings.add("unreadable-folder", f"{folder or '.'}: {error.strerror}")


def _members(root: Path, archives: Iterable[str]) -> Iterator[tuple[str, int]]:
    """The videos in zip archives as clips name them, with their unpacked sizes; nothing of an archive that is broken."""
    for archive in archives:
        with suppress(OSError, BadZipFile), ZipFile(root / archive) as opened:
            for member in opened.infolist():
                path = PurePosixPath(member.filename)
                if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith("."):
                    yield f"{archive}/{member.filename}", member.file_size


def _file_size(entry: os.DirEntry[str]) -> int | None:
    try:
        status = entry.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def clip_folders(corpus: Iterable[Clip]) -> set[str]:
    """The folders that hold clips, or would; ``""`` is the root."""
    return {clip.path.rpartition("/")[0] for clip in corpus}


def orphans(corpus: Corpus, disk: Disk) -> list[str]:
    """Videos in or below the folders of the clips that no label names."""
    named, folders = {clip.path for clip in corpus}, clip_folders(corpus)
    homes = {folder: _is_below(folder, folders) for folder in {path.rpartition("/")[0] for path in disk.videos}}
    return [path for path in disk.videos if path not in named and homes[path.rpartition("/")[0]]]


def _is_below(folder: str, folders: set[str]) -> bool:
    return "" in folders or any(folder == other or folder.startswith(f"{other}/") for other in folders)


def folder_table(corpus: Corpus, missing: set[str], disk: Disk) -> tuple[Folder, ...]:
    """Folders that hold videos or should, most clips first."""
    named = Counter(clip.path.rpartition("/")[0] for clip in corpus)
    lacking = Counter(clip.path.rpartition("/")[0] for clip in corpus if clip.name in missing)
    files = Counter(path.rpartition("/")[0] for path in disk.videos)
    folders = sorted(named.keys() | files.keys(), key=lambda folder: (-named[folder], -files[folder], folder))
    return tuple(
        Folder(
            path=folder or ".", named=named[folder], present=named[folder] - lacking[folder], files=files[folder]
        )
        for folder in folders
    )  # fmt: skip


def check_missing(missing: Iterable[Clip], astray: Iterable[str], findings: Findings, *, normal: bool) -> None:
    """Find clips that are not there; says so where a file of nearly the same name is."""
    similar = {_folded(path): path for path in astray}
    for clip in missing:
        guess = similar.get(_folded(clip.path))
        hint = f"; is it {guess}?" if guess else ""
        where = f" ({clip.origin})" if clip.origin else ""
        findings.add("missing-clip-normal" if normal else "missing-clip", f"{clip.path}{where}{hint}")


def _folded(path: str) -> str:
    """What two spellings of one file name share: the stem in one case and one Unicode form."""
    return unicodedata.normalize("NFC", PurePosixPath(path).stem).casefold()


def check_tables(corpus: Corpus, disk: Disk, findings: Findings) -> None:
    """Name the files that look like labels and were not opened, those of single persons apart."""
    read = corpus.label_files()
    for path in disk.tables:
        name = path.rpartition("/")[2]
        if path in read or _DOCUMENT.match(name):
            continue
        personal = _PERSONAL.search(name) is not None
        findings.add("personal-data-file" if personal else "unread-table-file", path)


def check_copies(
    corpus: Corpus, disk: Disk, findings: Findings, *, split_seed: str | None, workers: int,
    on_file: Callable[[int, int], None],
) -> None:  # fmt: skip
    """Find clips that are the same bytes; in two splits they are a leak."""
    clips = {clip.path: clip for clip in corpus if disk.videos.get(clip.path)}
    for group in copies(corpus.places, clips, disk.videos, workers=workers, on_file=on_file):
        splits = [corpus.split(clips[path], split_seed) for path in group]
        names = [f"{path} ({split})" for path, split in zip(group, splits, strict=True)]
        more = [f"{len(names) - _MOST_COPIES} more"] if len(names) > _MOST_COPIES else []
        leak = len(set(splits)) > 1
        findings.add(
            "duplicate-across-splits" if leak else "duplicate-content", " = ".join(names[:_MOST_COPIES] + more)
        )


def copies(
    places: Places, clips: Mapping[str, Clip], sizes: Mapping[str, int], *,
    workers: int, on_file: Callable[[int, int], None],
) -> list[tuple[str, ...]]:  # fmt: skip
    """Groups of paths whose clips are the same bytes, each sorted.

    Only files of equal size are opened. Raw video has few sizes, so three pieces of each are compared before all of it is.
    """
    groups = _grouped({path: sizes[path] for path in clips})
    with ThreadPoolExecutor(workers) as pool:
        for digest in (_pieces, Places.sha256):
            suspects = [path for group in groups for path in group]
            digests: dict[str, str | None] = {}
            found = pool.map(partial(_digest, digest, places), (clips[path] for path in suspects))
            for path, value in zip(suspects, found, strict=True):
                digests[path] = value
                on_file(len(digests), len(suspects))
            groups = [equal for group in groups for equal in _grouped({path: digests[path] for path in group})]
    return sorted(tuple(sorted(group)) for group in groups)


def _grouped(keys: Mapping[str, object]) -> list[list[str]]:
    """Paths that share a key; those whose key is None share nothing."""
    groups: dict[object, list[str]] = defaultdict(list)
    for path, key in keys.items():
        if key is not None:
            groups[key].append(path)
    return [group for group in groups.values() if len(group) > 1]


def _digest(digest: Callable[[Places, Clip], str], places: Places, clip: Clip) -> str | None:
    """None where the file cannot be read: its header will say so."""
    try:
        return digest(places, clip)
    except (OSError, ClipError):
        return None


def _pieces(places: Places, clip: Clip) -> str:
    """Digest of the first, the middle and the last 64 KiB; of an archive's member, which has no middle, of all."""
    if clip.archive:
        return places.sha256(clip)
    total = hashlib.sha256()
    with places.path(clip).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        for start in (0, size // 2, max(0, size - _PIECE)):
            file.seek(start)
            total.update(file.read(_PIECE))
    return total.hexdigest()
