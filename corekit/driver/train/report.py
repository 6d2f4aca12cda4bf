"""What a training or an evaluation reports: the field's block of figures, as msgspec structs that JSON, HTML and the card share."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from corekit.learning.statistics import Agreement

Status = Literal["passed", "proposed"]


class Summary(Struct, frozen=True, kw_only=True):
    """One measure over the folds in which it is defined."""

    median: float
    mean: float
    std: float
    """Over the folds, ddof 0."""
    ci95: list[float] | None
    """Ends of the 95 % interval: percentiles over the folds of a repeated protocol, else a bootstrap over groups."""
    fisher95: list[float] | None = None
    """Of a correlation, by Fisher's z at the median with the median number of test clips."""
    folds: int
    """Folds in which the measure is defined."""


class Measures(Struct, frozen=True, kw_only=True):
    """The measures of one predictor; None where no fold defines it (a constant prediction has no correlation)."""

    srocc: Summary | None
    krocc: Summary | None
    plcc: Summary | None
    rmse: Summary | None
    plcc_raw: Summary | None
    rmse_raw: Summary | None


class Comparison(Struct, frozen=True, kw_only=True):
    """The model against a baseline on the same folds."""

    measure: str
    difference: float
    """Mean of model minus baseline; of ``rmse`` a negative one is better."""
    p: float | None
    method: str
    better: bool
    """Whether the model is better and ``p`` is below 0.05."""


class Baseline(Struct, frozen=True, kw_only=True):
    """What is reached without looking at a pixel."""

    name: str
    title: str
    measures: Measures
    comparison: Comparison | None


class Protocol(Struct, frozen=True, kw_only=True):
    """How rows were held out."""

    name: str
    repeats: int
    seed: int
    test_fraction: float | None
    group: str
    mapping: str
    interval: str
    """What ``ci95`` is here."""
    folds_sha256: str
    """Over the names of the test groups of every fold, in order."""


class Subset(Struct, frozen=True, kw_only=True):
    """Clips of one corpus, rung or resolution: each clip's prediction is the mean over the folds that held it out."""

    name: str
    agreement: Agreement


class Interval(Struct, frozen=True, kw_only=True):
    """Split-conformal intervals, ``prediction +- half_width``."""

    level: float
    half_width: float | None
    """Of the exported model, from all held-out clips; None where they are too few for the level."""
    coverage: float | None
    """Share of held-out labels within the intervals that each fold calibrated on training groups alone."""


class Importance(Struct, frozen=True):
    """One feature and the growth of the error where it is shuffled, in the unit of the label."""

    feature: str
    rmse_growth: float


class Residual(Struct, frozen=True, kw_only=True):
    """One clip that the model misjudges."""

    clip: str
    group: str
    label: float
    predicted: float


class Gate(Struct, frozen=True, kw_only=True):
    """One condition a model must meet to be more than proposed."""

    name: str
    limit: float
    value: float | None
    passed: bool | None
    """None where the gate does not apply."""
    reason: str = ""
    """Why it does not apply."""


class LabelRecord(Struct, frozen=True, kw_only=True):
    """What is learnt."""

    column: str
    kind: str
    low: float
    high: float
    """Least and greatest label among the rows."""
    axis: list[float] | None
    """Ends of the label's axis, where the rows state them."""


class FeatureRecord(Struct, frozen=True, kw_only=True):
    """One input of the model and its range on the training rows."""

    name: str
    low: float
    high: float
    median: float
    """Stands in for a missing value where the model was trained with ``--impute median``."""


class TrainReport(Struct, frozen=True, kw_only=True):
    """Everything that a training found out. The four measures stand at the top level, as the field prints them."""

    schema: Literal["corekit-train-report-1"] = "corekit-train-report-1"
    model_id: str
    title: str
    model: str
    status: Status
    n: int
    n_groups: int
    n_trained: int
    """Rows that the exported model was fitted on."""
    label: LabelRecord
    target: str | None
    """The teacher's feature that is learnt instead of a label."""
    corpora: dict[str, int]
    """Corpus to number of rows; the empty name is of rows that name none."""
    licences: list[str]
    features: list[FeatureRecord]
    features_left_out: dict[str, str]
    impute: str
    protocol: Protocol
    srocc: Summary | None
    krocc: Summary | None
    plcc: Summary | None
    rmse: Summary | None
    plcc_raw: Summary | None
    rmse_raw: Summary | None
    pooled: Agreement | None
    """Over all held-out clips together, each with its mean prediction over the folds: what folds of one clip cannot say."""
    baselines: list[Baseline]
    per_corpus: list[Subset]
    per_rung: list[Subset]
    per_resolution: list[Subset]
    interval: Interval
    importance: list[Importance]
    worst: list[Residual]
    gates: list[Gate]
    chosen: dict[str, Any]
    """Hyper-parameters of the exported model."""
    hashes: dict[str, str]
    """SHA-256 by what: ``tables`` (over the tables' digests), ``folds``, ``code`` (over the modules of the training)."""
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class FoldRecord(Struct, frozen=True, kw_only=True):
    """One fold of ``folds.json``: which groups it held out and what came of it."""

    name: str
    test_groups: list[str]
    agreement: Agreement
    metadata_srocc: float | None
    """Of the metadata-only baseline."""
    chosen: dict[str, Any]


class PredictionRow(Struct, frozen=True, kw_only=True):
    """One clip's line of ``predictions.parquet``; ``predicted`` is the mean over the folds that held the clip out."""

    clip: str
    group: str
    corpus: str
    rung: str
    resolution: str
    label: float
    predicted: float | None
    """None of a clip that was never held out."""
    low: float | None
    high: float | None
    """Ends of the exported model's interval round ``predicted``."""
    metadata_only: float | None
    """What the metadata-only baseline says, likewise."""
    folds: int
