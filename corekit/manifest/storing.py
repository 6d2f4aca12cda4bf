"""Manifests as files: where they lie, how they are sealed and read, and what a crash left between one and its artefacts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from corekit.errors import IntegrityError
from corekit.files import publish, sha256_file, temporary_beside
from corekit.manifest.commands import AnyManifest
from corekit.manifest.records import SCHEMA_ID, UNSEALED
from corekit.manifest.roots import Roots

_SEAL = re.compile(rb'("self_sha256": ")([0-9a-f]{64})(")')


def manifest_path(table: Path) -> Path:
    """Where a table's manifest lies unless it was moved: ``<table without suffix>.manifest.json``."""
    return table.with_name(f"{table.stem}.manifest.json")


def manifest_beside(path: Path) -> Path | None:
    """The manifest that speaks of an artefact, by the names that our commands give; None where none is there.

    That of a run also speaks of ``<table>.frames.parquet`` and ``<table>.jsonl``, that of a folder (a model) of all its files.
    """
    stem = path.stem.removesuffix(".frames").removesuffix(".failures").removesuffix(".duplicates")
    candidates = [
        path.with_name(f"{path.name}.manifest.json"),
        path.with_name(f"{path.stem}.manifest.json"),
        path.with_name(f"{stem}.manifest.json"),
        path.with_name("model.manifest.json"),
        path.with_name("evaluation.manifest.json"),
    ]
    return next((candidate for candidate in candidates if candidate.is_file() and candidate != path), None)


def encode_manifest(manifest: AnyManifest) -> bytes:
    """Strict JSON, indented, keys in the order of the structs; not sealed."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def sealed(manifest: AnyManifest, roots: Roots) -> bytes:
    """The file to be written: paths from named roots, and the digest of the file itself in it.

    The manifest in memory keeps the paths of this machine.
    """
    unsealed = msgspec.structs.replace(manifest, roots=roots.relations(), self_sha256=UNSEALED)
    content = roots.hide(encode_manifest(unsealed).decode()).encode()
    return content.replace(UNSEALED.encode(), hashlib.sha256(content).hexdigest().encode(), 1)


def seal_holds(content: bytes) -> bool | None:
    """Whether a manifest's bytes are those that were sealed; None of one that carries no digest (version 1)."""
    match = _SEAL.search(content)
    if match is None or match[2] == UNSEALED.encode():
        return None
    unsealed = content[: match.start(2)] + UNSEALED.encode() + content[match.end(2) :]
    return hashlib.sha256(unsealed).hexdigest().encode() == match[2]


def read_manifest(path: Path | str) -> AnyManifest:
    """Read a manifest, whatever command wrote it, of this version or an older one.

    Raises
    ------
    IntegrityError
        The file is not a manifest of a version that this corekit knows.
    """
    path = Path(path)
    try:
        manifest: AnyManifest = msgspec.json.decode(path.read_bytes(), type=AnyManifest)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise IntegrityError(
            f"{path} is not a {SCHEMA_ID} manifest ({error}); write it again with the command that made it"
        ) from error
    return manifest


def known_manifest(path: Path) -> AnyManifest | None:
    """The manifest there, or None where there is none of ours."""
    try:
        return read_manifest(path) if path.exists() else None
    except IntegrityError:
        return None


def settle(manifest: Path, artefacts: Iterable[Path]) -> None:
    """Finish or undo what a crash left between a manifest and the artefacts that it names.

    A prepared artefact is published if the manifest promises its digest, and removed otherwise.
    """
    known = known_manifest(manifest)
    promised = {artefact.file: artefact.sha256 for artefact in known.artefacts.values()} if known else {}
    for path in artefacts:
        temporary = temporary_beside(path)
        if not temporary.exists():
            continue
        if promised.get(path.name) == sha256_file(temporary):
            publish(path)
        else:
            temporary.unlink()
    temporary_beside(manifest).unlink(missing_ok=True)


def manifest_json_schema() -> bytes:
    """The published JSON Schema of the manifest, generated from the structs."""
    schema = msgspec.json.schema(AnyManifest)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA_ID, **schema}
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"
