"""What is known of an input beside its rows: its digest, and whether the manifest beside it still speaks of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from msgspec import Struct

from corekit.errors import IntegrityError
from corekit.files import sha256_file
from corekit.manifest import AnyManifest, manifest_beside, read_manifest

ManifestState = Literal["current", "stale", "missing", "unreadable"]


class Parent(Struct, frozen=True, kw_only=True):
    """An input file as it was found."""

    sha256: str
    size_bytes: int
    state: ManifestState
    """``stale``: the manifest speaks of other bytes than those of the file."""
    manifest: AnyManifest | None
    manifest_sha256: str | None
    changed_ns: int


def look_at(paths: Sequence[Path]) -> list[Parent]:
    """Hash every input, two at a time, and read the manifest beside it."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(_parent, paths))


def refuse_changed(paths: Sequence[Path], parents: Sequence[Parent]) -> None:
    """Refuse inputs that changed while they were read.

    Raises
    ------
    IntegrityError
        Names the file.
    """
    for path, parent in zip(paths, parents, strict=True):
        status = path.stat()
        if (status.st_mtime_ns, status.st_size) != (parent.changed_ns, parent.size_bytes):
            raise IntegrityError(f"{path} was changed while it was read; run the same command again")


def _parent(path: Path) -> Parent:
    status = path.stat()
    sha256 = sha256_file(path)
    beside = manifest_beside(path)
    state: ManifestState = "missing"
    manifest, manifest_sha256 = None, None
    if beside is not None:
        manifest_sha256 = sha256_file(beside)
        try:
            manifest = read_manifest(beside)
            # By its bytes: a table may have been renamed together with its manifest.
            digests = {artefact.sha256 for artefact in manifest.artefacts.values()}
            state = "current" if sha256 in digests else "stale"
        except IntegrityError:
            state = "unreadable"
    return Parent(
        sha256=sha256,
        size_bytes=status.st_size,
        state=state,
        manifest=manifest,
        manifest_sha256=manifest_sha256,
        changed_ns=status.st_mtime_ns,
    )
