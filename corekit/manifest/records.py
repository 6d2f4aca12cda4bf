"""What the manifest of every command says: paths, artefacts, code, machine, parents, times; and what one of a table adds."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from corekit.model import Licence

SCHEMA_ID: Literal["corekit-manifest-2"] = "corekit-manifest-2"
PROVENANCE_ID: Literal["ai-run-provenance-v1"] = "ai-run-provenance-v1"
UNSEALED = "0" * 64
"""Stands where the manifest's own digest will stand while it is computed."""


class PathRecord(Struct, frozen=True, kw_only=True):
    """One input or output as it was found. ``sha256`` is of a file's bytes; a directory and a missing file have none.

    ``path`` begins with a named root, ``{corpus}/clips/a.mp4``, or is relative to the working folder.
    """

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
    """Its name beside the manifest."""
    kind: Literal[
        "clip-table",
        "frame-table",
        "v3-jsonl",
        "failures",
        "duplicates",
        "model-onnx",
        "model-safetensors",
        "model-card",
        "report-json",
        "report-html",
        "predictions",
        "folds",
        "scores",
        "export",
    ]
    rows: int | None = None
    """Of a table; None of a file that has no rows."""
    size_bytes: int
    sha256: str
    logical_sha256: str
    """Of a table over columns, types and values, without volatile columns (``corekit.table.LogicalDigest``); of another file its
    SHA-256."""


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
    """The machine; its name and the user's only where ``--record-host`` asks for them."""

    platform: str
    machine: str
    cpu: str
    cpu_count: int
    device: str
    source_date_epoch: str | None
    variables: dict[str, str] = field(default_factory=dict)
    """The other variables of the environment that corekit reads, those that are set."""
    host: str | None = None
    user: str | None = None


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
    """Wall-clock times; ``measuring_s`` is the sum over rows of the workers' time, where clips were measured."""

    started: str
    finished: str
    wall_s: float
    measuring_s: float | None = None


class ParentRecord(Struct, frozen=True, kw_only=True):
    """An artefact that this one was made from: its digests hold wherever the file moves."""

    file: str
    """Its name, without the folder."""
    sha256: str
    manifest_sha256: str | None = None
    """Of the parent's own manifest, where one lay beside it."""


class Envelope(Struct, frozen=True, kw_only=True, tag_field="command"):
    """What the manifest of every command says; ``command`` tells which one made it."""

    schema: Literal["corekit-manifest-2", "corekit-manifest-1"] = SCHEMA_ID
    self_sha256: str = UNSEALED
    """SHA-256 of this file with 64 zeros in this place; zeros of a manifest that was never sealed (version 1)."""
    created: str
    roots: dict[str, str | None] = field(default_factory=dict)
    """Named folders that paths begin with, and where each lies from the folder of this file; null where that says
    something of the machine, so that ``--root NAME=DIR`` must name it again."""
    run_provenance: RunProvenance
    artefacts: dict[str, Artefact]
    parents: list[ParentRecord] = field(default_factory=list)
    code: CodeRecord
    environment: EnvironmentRecord
    counters: dict[str, int]
    timings: TimingRecord


class TableEnvelope(Envelope, frozen=True, kw_only=True):
    """What the manifest of a command that writes a table says."""

    table: TableRecord
