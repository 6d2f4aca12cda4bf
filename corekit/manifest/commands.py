"""What each command adds to the envelope of its manifest."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from corekit.manifest.records import (
    BackendRecord,
    ColumnRecord,
    CorpusRecord,
    Envelope,
    FailureRecord,
    NullRecord,
    TableEnvelope,
)


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


class ExportManifest(Envelope, frozen=True, kw_only=True, tag="export"):
    """How a table was written in another format: ``parents`` holds it."""

    format: str
    distribution: str
    """Which one brought the format."""
    settings: dict[str, str]


AnyManifest = (
    Manifest | EnrichManifest | MergeManifest | TrainManifest | EvaluateManifest | PredictManifest | ExportManifest
)
"""Whatever command wrote it."""
