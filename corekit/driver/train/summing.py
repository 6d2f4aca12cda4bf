"""From folds to the report and the predictions of every clip: what `train` and `evaluate` share."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from corekit.driver.train.data import TrainData
from corekit.driver.train.evaluation import Sums, imputed
from corekit.driver.train.model import TrainedModel
from corekit.driver.train.report import (
    Baseline,
    FeatureRecord,
    Gate,
    Importance,
    Interval,
    LabelRecord,
    Measures,
    PredictionRow,
    Protocol,
    Residual,
    TrainReport,
)
from corekit.learning.importance import permutation_importance

Values = npt.NDArray[np.float64]

_WORST = 20


class Told(Struct, frozen=True, kw_only=True):
    """What the report says beside the figures that follow from the folds."""

    protocol: Protocol
    n_trained: int
    chosen: dict[str, Any]
    impute: str
    gates: list[Gate]
    licences: list[str]
    hashes: dict[str, str]
    warnings: list[str]
    notes: list[str]


def make_report(
    model: TrainedModel, sums: Sums, measures: Measures, metadata_title: str, told: Told, learnt: tuple[Values, Values]
) -> tuple[TrainReport, list[PredictionRow]]:
    """Report and predictions; ``learnt`` are features and labels on which the importance is measured."""
    held, record = sums.data, model.record
    predicted, counts = sums.held_out(lambda result: result.predicted)
    metadata, _ = sums.held_out(lambda result: result.metadata)
    baselines = sums.baselines(metadata_title)
    x, y = learnt
    medians = np.array([entry.median for entry in record.inputs])
    importance = permutation_importance(model.head, imputed(x, medians), y, seed=told.protocol.seed)
    report = TrainReport(
        model_id=record.model_id,
        title=record.title,
        model=record.model,
        status="passed" if record.status == "passed" else "proposed",
        n=held.n,
        n_groups=len(held.group_names),
        n_trained=told.n_trained,
        label=LabelRecord(
            column=held.selection.label,
            kind=held.selection.label_kind,
            low=float(held.y.min()),
            high=float(held.y.max()),
            axis=list(held.label_range) if held.label_range else None,
        ),
        target=record.target,
        corpora=dict(sorted(Counter(held.corpora).items())),
        licences=told.licences,
        features=[FeatureRecord(name=i.name, low=i.low, high=i.high, median=i.median) for i in record.inputs],
        features_left_out=dict(held.selection.left_out),
        impute=told.impute,
        protocol=told.protocol,
        srocc=measures.srocc,
        krocc=measures.krocc,
        plcc=measures.plcc,
        rmse=measures.rmse,
        plcc_raw=measures.plcc_raw,
        rmse_raw=measures.rmse_raw,
        pooled=sums.pooled(predicted),
        baselines=baselines,
        per_corpus=sums.subsets(held.corpora, predicted),
        per_rung=sums.subsets(held.rungs, predicted),
        per_resolution=sums.subsets(held.resolutions, predicted),
        interval=Interval(level=record.level, half_width=record.half_width, coverage=sums.coverage()),
        importance=sorted(
            (Importance(entry.name, float(growth)) for entry, growth in zip(record.inputs, importance, strict=True)),
            key=lambda one: (-one.rmse_growth, one.feature),
        ),
        worst=_worst(held, predicted),
        gates=told.gates,
        chosen=told.chosen,
        hashes=told.hashes,
        warnings=[*told.warnings, *held.warnings, *_found_wanting(measures, baselines)],
        notes=[*told.notes, *sums.straightened()],
    )
    return report, _rows(held, predicted, metadata, counts, record.half_width)


def _worst(held: TrainData, predicted: Values) -> list[Residual]:
    """The clips with the largest residuals, the largest first."""
    order = np.argsort(-np.nan_to_num(np.abs(predicted - held.y), nan=-1.0), kind="stable")[:_WORST]
    return [
        Residual(
            clip=held.clips[row],
            group=held.group_names[held.groups[row]],
            label=float(held.y[row]),
            predicted=float(predicted[row]),
        )
        for row in order
        if np.isfinite(predicted[row])
    ]


def _found_wanting(measures: Measures, baselines: Sequence[Baseline]) -> list[str]:
    """Warnings that follow from the figures."""
    found = []
    if measures.srocc is None:
        found.append("the predictions are constant or the test parts too small: no correlation is defined")
    for baseline in baselines:
        against = baseline.comparison
        if baseline.name == "metadata-only" and against is not None and not against.better:
            p = "" if against.p is None else f", p = {against.p:.2g}"
            found.append(
                f"the model does not beat metadata alone ({baseline.title}): {against.measure} differs by "
                f"{against.difference:+.3f}{p}"
            )
    return found


def _rows(
    held: TrainData, predicted: Values, metadata: Values, counts: npt.NDArray[np.intp], half: float | None
) -> list[PredictionRow]:
    return [
        PredictionRow(
            clip=held.clips[row],
            group=held.group_names[held.groups[row]],
            corpus=held.corpora[row],
            rung=held.rungs[row],
            resolution=held.resolutions[row],
            label=float(held.y[row]),
            predicted=_number(predicted[row]),
            low=None if half is None else _number(predicted[row] - half),
            high=None if half is None else _number(predicted[row] + half),
            metadata_only=_number(metadata[row]),
            folds=int(counts[row]),
        )
        for row in range(held.n)
    ]


def sha256_of(parts: Iterable[str]) -> str:
    """SHA-256 over texts, one a line."""
    return hashlib.sha256("".join(f"{part}\n" for part in parts).encode()).hexdigest()


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
