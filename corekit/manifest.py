"""The manifest: the JSON sidecar that says exactly how an artefact was made, as msgspec structs and a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from corekit.errors import IntegrityError
from corekit.files import publish, sha256_file, temporary_beside
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
    """Wall-clock times; ``measuring_s`` is the sum over rows of the workers' time, where clips were measured."""

    started: str
    finished: str
    wall_s: float
    measuring_s: float | None = None


class ParentRecord(Struct, frozen=True, kw_only=True):
    """An artefact that this one was made from: its digests hold wherever the file moves."""

    file: str
    sha256: str
    manifest_sha256: str | None = None
    """Of the parent's own manifest, where one lay beside it."""


class Envelope(Struct, frozen=True, kw_only=True, tag_field="command"):
    """What the manifest of every command says; ``command`` tells which one made it."""

    schema: Literal["corekit-manifest-1"] = SCHEMA_ID
    created: str
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


class Manifest(TableEnvelope, frozen=True, kw_only=True, tag="run"):
    """Everything that is needed to check the artefacts of a run, and to make them again."""

    run_id: str
    corpus: CorpusRecord
    backend: BackendRecord
    features: list[str]
    """Features asked for."""
    options: dict[str, Any]
    """Options that change values, plugins' own among them."""
    clip_options: dict[str, dict[str, int]]
    """Options that followed from the clips: option to value to number of rows."""
    splits: dict[str, dict[str, int]]
    """Split to numbers of contents and of rows."""
    nulls: dict[str, list[NullRecord]]
    clip_notes: dict[str, list[str]]
    """What was noticed of a clip, such as a variable frame rate."""
    missing: list[str]
    failures: list[FailureRecord]
    sections: dict[str, Any]
    """What the plugins add, by section name."""


class LineRecord(Struct, frozen=True):
    """A line of a sidecar that was passed over, and why."""

    where: str
    problem: str


class ConflictRecord(Struct, frozen=True, kw_only=True):
    """A clip of which two rows of a sidecar say different things."""

    clip_name: str
    where: list[str]
    columns: list[str]


class EnrichSection(Struct, frozen=True, kw_only=True):
    """What was joined to what, by which rules, and what came of it."""

    corpora: list[str]
    join: dict[str, str]
    """``table`` and ``metadata``: the columns that were joined; ``normalize``: ``none`` or ``stem``."""
    available_keys: list[str]
    """Every key of the metadata."""
    keys: list[str]
    """Those that were taken."""
    overwrite_metadata: bool
    allow_labels: list[str]
    on_conflict: str
    skip_malformed: bool
    min_coverage: float
    split_seeds: dict[str, str]
    """Corpus to the seed of the splits that were derived."""
    updated_cells: dict[str, int]
    """Column to number of cells that changed."""
    new_columns: list[ColumnRecord]
    malformed: list[LineRecord]
    """The first of the lines that were passed over; ``counters`` has their number."""
    conflicts: list[ConflictRecord]
    """The first of the clips with conflicting rows; ``counters`` has their number."""
    earlier_manifest: str | None
    """Where the manifest of the table before lies."""
    notes: list[str]


class EnrichManifest(TableEnvelope, frozen=True, kw_only=True, tag="enrich"):
    """How metadata came into a table: ``parents`` holds the table before, ``counters`` what matched and changed."""

    enrich: EnrichSection


class MergeInput(Struct, frozen=True, kw_only=True):
    """One input of a merge, as it was found."""

    label: str
    file: str
    stored: Literal["parquet", "jsonl"]
    sha256: str
    rows: int
    rows_kept: int
    manifest: Literal["current", "stale", "missing", "unreadable"]
    """Whether the manifest beside it speaks of these bytes."""
    corpora: dict[str, int]
    """Corpus to number of rows; the empty name is of rows that name none."""
    teacher_model: str
    missing_features: list[str]
    """Features without a value in any row: they are null in the merged table."""
    null_cells: dict[str, int]
    """Feature to number of rows without a value, of those that have values elsewhere."""


class MergeSection(Struct, frozen=True, kw_only=True):
    """What was put together, by which rules, and what was dropped."""

    kind: Literal["clip", "frame"]
    inputs: list[MergeInput]
    corpora: dict[str, int]
    """Corpus to number of rows in the merged table."""
    scale: Literal["native", "0-100"]
    required_keys: list[str]
    """What a row must have."""
    label_required_keys: list[str]
    """What a label row of the older scripts must have."""
    dedup_key: list[str]
    """What makes two encode rows one; empty of frame tables, where nothing is dropped."""
    label_dedup_key: list[str]
    assumed_teacher: str
    vmaf_models: dict[str, int]
    feature_backends: dict[str, int]
    conflicts: dict[str, int]
    """Column to number of dropped encode rows that differ there from the row that stayed."""
    dropped: dict[str, int]
    """Reason to number of rows."""
    possible_duplicates: list[dict[str, Any]]
    """The first of the clip ids that occur in more than one corpus; ``counters`` has their number."""
    notes: list[str]


class MergeManifest(TableEnvelope, frozen=True, kw_only=True, tag="merge"):
    """How tables were put together: ``parents`` holds the inputs, ``counters`` what came of their rows."""

    merge: MergeSection


class TrainSection(Struct, frozen=True, kw_only=True):
    """What was learnt from what, and whether the model passed its gates; the report beside it says the rest."""

    model_id: str
    model: str
    status: Literal["passed", "proposed", "missed"]
    """``missed``: a required gate was missed and no model was written."""
    label: str
    label_kind: str
    target: str | None
    features: list[str]
    protocol: str
    seed: int
    folds_sha256: str
    srocc: float | None
    """Median over the folds, as the other two."""
    plcc: float | None
    rmse: float | None
    gates: dict[str, bool | None]
    warnings: list[str]


class TrainManifest(Envelope, frozen=True, kw_only=True, tag="train"):
    """How a model was made: ``parents`` holds the tables."""

    train: TrainSection


class EvaluateSection(Struct, frozen=True, kw_only=True):
    """Which rows a model was held against."""

    model_id: str
    rows: str
    """``test``: the table's own test split; ``all``: every row."""
    label: str
    srocc: float | None
    plcc: float | None
    rmse: float | None
    warnings: list[str]


class EvaluateManifest(Envelope, frozen=True, kw_only=True, tag="evaluate"):
    """How a model was evaluated: ``parents`` holds the model and the tables."""

    evaluate: EvaluateSection


class PredictManifest(TableEnvelope, frozen=True, kw_only=True, tag="predict"):
    """How scores were made: ``parents`` holds the model and the tables."""

    model_id: str


AnyManifest = Manifest | EnrichManifest | MergeManifest | TrainManifest | EvaluateManifest | PredictManifest
"""Whatever command wrote it."""


def manifest_path(table: Path) -> Path:
    """Where a table's manifest lies unless it was moved: ``<table without suffix>.manifest.json``."""
    return table.with_name(f"{table.stem}.manifest.json")


def encode_manifest(manifest: AnyManifest) -> bytes:
    """Strict JSON, indented, keys in the order of the structs."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def read_manifest(path: Path | str) -> AnyManifest:
    """Read a manifest, whatever command wrote it.

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
