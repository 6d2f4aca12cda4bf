"""The manifest: the JSON sidecar that says exactly how an artefact was made, as msgspec structs and a JSON Schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from corekit.errors import IntegrityError
from corekit.model import Licence

SCHEMA_ID: Literal["corekit-manifest-1"] = "corekit-manifest-1"
PROVENANCE_ID: Literal["ai-run-provenance-v1"] = "ai-run-provenance-v1"


class PathRecord(Struct, frozen=True, kw_only=True):
    """One input or output as it was found. ``sha256`` is of a file's bytes; a directory and a missing file have none."""

    path: str
    exists: bool
    kind: Literal["file", "directory", "missing"]
    sha256: str | None = None
    size_bytes: int | None = None


class RunProvenance(Struct, frozen=True, kw_only=True):
    """What was run on what, in the shape that readers of ``ai-run-provenance-v1`` expect."""

    schema: Literal["ai-run-provenance-v1"] = PROVENANCE_ID
    entrypoint: PathRecord
    argv: list[str]
    args: dict[str, Any]
    inputs: dict[str, PathRecord | list[PathRecord]]
    outputs: dict[str, PathRecord | list[PathRecord]]


class Artefact(Struct, frozen=True, kw_only=True):
    """One file that the command wrote, digested after the write."""

    file: str
    """Its name beside the manifest's table."""
    kind: Literal["clip-table", "frame-table", "v3-jsonl", "failures"]
    rows: int
    size_bytes: int
    sha256: str
    logical_sha256: str
    """Over columns, types and values, without volatile columns; see ``corekit.table.LogicalDigest``."""


class ColumnRecord(Struct, frozen=True):
    """Name and type of one column of the table."""

    name: str
    type: str


class TableRecord(Struct, frozen=True, kw_only=True):
    """The shape of the table."""

    schema_version: int
    schema_fingerprint: str
    feature_order: list[str]
    columns: list[ColumnRecord]


class CorpusRecord(Struct, frozen=True, kw_only=True):
    """The corpus and the terms it comes under."""

    name: str
    title: str
    version: str
    homepage: str
    licences: list[Licence]
    treat_as: str
    notes: list[str]


class PluginRecord(Struct, frozen=True, kw_only=True):
    """A plugin that took part."""

    kind: str
    name: str
    distribution: str
    version: str
    module: str


class CodeRecord(Struct, frozen=True, kw_only=True):
    """The code that ran: ``git_commit`` and ``git_dirty`` are null where it did not run from a checkout."""

    corekit: str
    python: str
    packages: dict[str, str]
    plugins: list[PluginRecord]
    git_commit: str | None
    git_dirty: bool | None


class EnvironmentRecord(Struct, frozen=True, kw_only=True):
    """The machine, without its name."""

    platform: str
    machine: str
    cpu: str
    cpu_count: int
    device: str
    source_date_epoch: str | None


class BackendRecord(Struct, frozen=True, kw_only=True):
    """Who computed the features; ``versions`` lists every set of library versions met among the rows."""

    name: str
    identity: dict[str, str]
    versions: list[dict[str, str]]


class NullRecord(Struct, frozen=True):
    """Why a feature has no value, and in how many rows."""

    reason: str
    rows: int


class FailureRecord(Struct, frozen=True, kw_only=True):
    """A clip that has no row."""

    clip_name: str
    path: str
    content: str
    origin: str
    stage: str
    message: str
    attempts: int


class TimingRecord(Struct, frozen=True, kw_only=True):
    """Wall-clock times; ``measuring_s`` is the sum over rows of the workers' time."""

    started: str
    finished: str
    wall_s: float
    measuring_s: float


class Manifest(Struct, frozen=True, kw_only=True):
    """Everything that is needed to check an artefact, and to make it again."""

    schema: Literal["corekit-manifest-1"] = SCHEMA_ID
    command: Literal["run"]
    run_id: str
    created: str
    run_provenance: RunProvenance
    artefacts: dict[str, Artefact]
    parents: list[str] = field(default_factory=list)
    """SHA-256 of the artefacts that this one was made from."""
    table: TableRecord
    corpus: CorpusRecord
    backend: BackendRecord
    code: CodeRecord
    environment: EnvironmentRecord
    features: list[str]
    """Features asked for."""
    options: dict[str, Any]
    """Options that change values, plugins' own among them."""
    clip_options: dict[str, dict[str, int]]
    """Options that followed from the clips: option to value to number of rows."""
    counters: dict[str, int]
    splits: dict[str, dict[str, int]]
    """Split to numbers of contents and of rows."""
    nulls: dict[str, list[NullRecord]]
    clip_notes: dict[str, list[str]]
    """What was noticed of a clip, such as a variable frame rate."""
    missing: list[str]
    failures: list[FailureRecord]
    timings: TimingRecord
    sections: dict[str, Any]
    """What the plugins add, by section name."""


def manifest_path(table: Path) -> Path:
    """Where a table's manifest lies unless it was moved: ``<table without suffix>.manifest.json``."""
    return table.with_name(f"{table.stem}.manifest.json")


def encode_manifest(manifest: Manifest) -> bytes:
    """Strict JSON, indented, keys in the order of the structs."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read_manifest(path: Path | str) -> Manifest:
    """Read a manifest.

    Raises
    ------
    IntegrityError
        The file is not a manifest of a version that this corekit knows.
    """
    path = Path(path)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise IntegrityError(
            f"{path} is not a {SCHEMA_ID} manifest ({error}); write it again with the command that made it"
        ) from error


def manifest_json_schema() -> bytes:
    """The published JSON Schema of the manifest, generated from the structs."""
    schema = msgspec.json.schema(Manifest)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA_ID, **schema}
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2) + b"\n"
