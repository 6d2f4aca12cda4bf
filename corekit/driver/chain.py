"""Manifests as links of a chain: each with the folders that its paths begin with, and the files and parents that it names."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from hashlib import file_digest
from pathlib import Path

import msgspec
from msgspec import Struct

from corekit.errors import IntegrityError, UsageError
from corekit.files import sha256_file
from corekit.manifest import (
    AnyManifest,
    Artefact,
    ParentRecord,
    PathRecord,
    manifest_beside,
    read_manifest,
    resolve,
    roots_here,
    seal_holds,
)

MANIFEST_SUFFIX = ".json"
DAMAGED = "damaged"
"""Stands for the digest of what an archive holds but does not give."""


class Places(Struct, frozen=True, kw_only=True):
    """Where the user says that things lie."""

    roots: Mapping[str, Path] = {}
    """Root of the manifests' paths to folder."""
    search: tuple[Path, ...] = ()
    """Folders in which a file that is not where it was is looked for by its digest."""


class Link:
    """One manifest on this machine."""

    def __init__(self, path: Path, places: Places) -> None:
        self.path = path
        self.places = places
        self.content = path.read_bytes()
        self.manifest: AnyManifest = read_manifest(path)
        self.roots = roots_here(self.manifest.roots, path.parent, places.roots)
        self._recorded = roots_here(self.manifest.roots, path.parent, {})

    @property
    def command(self) -> str:
        return str(type(self.manifest).__struct_config__.tag)

    @property
    def sealed(self) -> bool:
        """Whether manifests of its version carry a digest of themselves."""
        return self.manifest.schema != "corekit-manifest-1"

    @property
    def fault(self) -> str:
        """How the file is not as it was sealed, in one clause; empty where it is, or never was sealed."""
        holds = seal_holds(self.content)
        if holds is False:
            return "it was edited: its digest of itself does not hold"
        return "it was edited: its digest of itself is gone" if holds is None and self.sealed else ""

    def path_of(self, text: str) -> Path | None:
        """Where a path of the manifest is here; None where its root is not known.

        A root that the user gives may be that of another manifest of the chain: what is not there may be where it was.
        """
        found = [place for roots in (self.roots, self._recorded) if (place := _resolved(text, roots)) is not None]
        return next((place for place in found if is_there(place)), found[0] if found else None)

    def artefact_path(self, artefact: Artefact) -> Path:
        """Where an artefact is expected: in the output's folder."""
        return self.roots["output"] / artefact.file

    def inputs(self) -> Iterator[tuple[str, PathRecord]]:
        """Every input file, under the name of its kind; folders are left out."""
        for name, records in self.manifest.run_provenance.inputs.items():
            for record in records if isinstance(records, list) else [records]:
                if record.kind != "directory":
                    yield name, record

    def input_of(self, sha256: str) -> PathRecord | None:
        """The input with those bytes."""
        return next((record for _, record in self.inputs() if record.sha256 == sha256), None)

    def outputs(self) -> set[Path]:
        """The files that the command wrote."""
        return {self.artefact_path(artefact) for artefact in self.manifest.artefacts.values()}

    def parent_path(self, parent: ParentRecord) -> Path:
        """Where a parent is expected: where it was an input, else beside the output."""
        record = self.input_of(parent.sha256)
        found = self.path_of(record.path) if record else None
        return found or self.roots["output"] / parent.file

    def parent_link(self, parent: ParentRecord, file: Path) -> Link | None:
        """The parent's own manifest: the one with the recorded digest, beside the file or kept from an earlier state of it."""
        if parent.manifest_sha256 is None:
            return None
        candidates = [manifest_beside(file), *sorted(file.parent.glob(f"{file.stem}.manifest.*.json"))]
        for folder in (file.parent, *self.places.search):
            candidates += [folder / name for name in (f"{Path(parent.file).stem}.manifest.json",)]
        for candidate in filter(None, candidates):
            if candidate.is_file() and candidate != self.path and sha256_file(candidate) == parent.manifest_sha256:
                return Link(candidate, self.places)
        return None


def _resolved(text: str, roots: Mapping[str, Path]) -> Path | None:
    try:
        return Path(os.path.normpath(resolve(text, roots)))
    except KeyError:
        return None


def is_there(path: Path) -> bool:
    """Whether there is such a file, or an archive that may have it as a member."""
    return path.exists() or any(parent.is_file() for parent in path.parents)


def open_link(path: Path, places: Places) -> Link:
    """The manifest at ``path``, or of the artefact there.

    Raises
    ------
    UsageError
        There is neither a manifest nor an artefact with one.
    IntegrityError
        The manifest cannot be read.
    """
    absolute = place_of(path)
    if absolute.is_dir():
        found = next(
            (absolute / n for n in ("model.manifest.json", "evaluation.manifest.json") if (absolute / n).is_file()),
            None,
        )
        if found is None:
            raise UsageError(f"{path}: there is no manifest in this folder; name a manifest, a table or a model")
        return Link(found, places)
    if is_manifest(absolute):
        return Link(absolute, places)
    beside = manifest_beside(absolute)
    if beside is None:
        if not absolute.exists():
            raise UsageError(f"{path} does not exist; name a manifest, or a table or model with one beside it")
        raise UsageError(f"{path}: no manifest lies beside it, so nothing says what it should be")
    return Link(beside, places)


def place_of(path: Path) -> Path:
    """An absolute path without ``..``, which only the file system resolves rightly; links are left as they are named otherwise."""
    return path.resolve() if ".." in path.parts else path.absolute()


def is_manifest(path: Path) -> bool:
    """Whether a file is one of our manifests, readable or damaged, and not an artefact."""
    if not path.is_file() or path.suffix != MANIFEST_SUFFIX:
        return False
    try:
        content = msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ".manifest." in path.name
    known = isinstance(content, dict) and str(content.get("schema", "")).startswith("corekit-manifest-")
    return known or ".manifest." in path.name


def sha256_at(path: Path) -> str | None:
    """SHA-256 of a file, or of a member of a zip archive on the way; None where there is neither, ``DAMAGED`` where it cannot be unpacked."""
    if path.is_file():
        return sha256_file(path)
    for archive in path.parents:
        if archive.is_file() and zipfile.is_zipfile(archive):
            try:
                return _sha256_in(archive, path.relative_to(archive).as_posix())
            except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
                return DAMAGED
    return None


def _sha256_in(archive: Path, name: str) -> str | None:
    with zipfile.ZipFile(archive) as opened:
        if name not in opened.namelist():
            return None
        with opened.open(name) as member:
            return file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]


class Finder:
    """Looks for files by digest below some folders; each file is hashed at most once."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._by_size: dict[int, list[Path]] | None = None
        self._digests: dict[Path, str] = {}

    def find(self, sha256: str, size: int | None, name: str) -> Path | None:
        """A file with those bytes; without a size, only files of that name are looked at."""
        for path in self._candidates(size, name):
            if path not in self._digests:
                self._digests[path] = sha256_file(path)
            if self._digests[path] == sha256:
                return path
        return None

    def _candidates(self, size: int | None, name: str) -> list[Path]:
        if self._by_size is None:
            self._by_size = {}
            for folder in self._folders:
                for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                    self._by_size.setdefault(path.stat().st_size, []).append(path)
        if size is not None:
            return self._by_size.get(size, [])
        return [path for paths in self._by_size.values() for path in paths if path.name == name]


def unreadable(path: Path, error: IntegrityError) -> str:
    """What is wrong with a manifest that cannot be read, in one clause."""
    return str(error).removeprefix(f"{path} ")
