"""Fold by fold: fit, predict what is held out, and sum up over folds, baselines and subsets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from corekit.driver.train.baselines import MetadataBaseline, mean_label
from corekit.driver.train.data import TrainData
from corekit.driver.train.report import Baseline, Comparison, FoldRecord, Measures, Subset, Summary
from corekit.errors import CorpusError
from corekit.learning.conformal import half_width
from corekit.learning.folds import Fold
from corekit.learning.models import MODELS, Fitted, Part, fit_auto
from corekit.learning.statistics import (
    DRAWS,
    Agreement,
    MappingName,
    Measure,
    agreement,
    bootstrap_draws,
    corrected_t_test,
    fisher_interval,
    percentile_interval,
    rmse,
    srocc,
)

Values = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Taken = Callable[[Values, Values], float | None]

AUTO = "auto"
_SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class FoldResult:
    """What one fold gave for the rows ``test``."""

    name: str
    test: Rows
    label: Values
    predicted: Values
    mean_label: Values
    metadata: Values | None
    half_width: float | None
    """Of the interval that the training part calibrated."""
    chosen: dict[str, Any]


def fit_model(name: str, part: Part, seed: int) -> Fitted:
    """Fit the model of that name, or the best of several, inside a training part."""
    return fit_auto(part, seed) if name == AUTO else MODELS[name].fit(part, seed)


def medians(x: Values) -> Values:
    """The median of every feature over the rows that have it, shape ``(n_features,)``; every feature has one in some row."""
    return np.array([np.median(column[np.isfinite(column)]) for column in x.T])


def refuse_unfillable(data: TrainData, folds: Sequence[Fold]) -> None:
    """Refuse features that have no value in a whole training part: no median could stand in for them.

    Raises
    ------
    CorpusError
        Names the feature and the fold.
    """
    for fold in folds:
        gone = ~np.isfinite(data.x[fold.train]).any(axis=0)
        if gone.any():
            raise CorpusError(
                f"the feature {data.selection.columns[int(np.argmax(gone))]} has no value in any of the {fold.train.size} training rows of "
                f"the fold {fold.name}, so no median can stand in for it; leave it out of --features"
            )


def imputed(x: Values, fill: Values) -> Values:
    """Features with ``fill`` where there is none."""
    return np.where(np.isfinite(x), x, fill)


def fit_rows(data: TrainData, train: Rows, validation: Rows | None, model: str, seed: int) -> tuple[Fitted, Values]:
    """Fit on some rows, and the medians that stand in for their missing features."""
    fill = medians(data.x[train])
    held = None if validation is None else (imputed(data.x[validation], fill), data.y[validation])
    part = Part(imputed(data.x[train], fill), data.y[train], data.groups[train], held)
    return fit_model(model, part, seed), fill


def run_fold(data: TrainData, fold: Fold, model: str, seed: int) -> tuple[FoldResult, Fitted]:
    """Learn from the training part and predict the test part, which nothing else has seen."""
    fitted, fill = fit_rows(data, fold.train, fold.validation, model, seed)
    metadata = MetadataBaseline(data, data)
    result = FoldResult(
        name=fold.name,
        test=fold.test,
        label=data.y[fold.test],
        predicted=fitted.head.predict(imputed(data.x[fold.test], fill)),
        mean_label=mean_label(data, fold.train, fold.test),
        metadata=metadata.predict(fold.train, fold.test) if metadata.title else None,
        half_width=half_width(fitted.residuals),
        chosen=fitted.chosen,
    )
    return result, fitted


def run_folds(
    data: TrainData, folds: Sequence[Fold], model: str, seed: int, *, workers: int, tell: Callable[[int], None]
) -> list[FoldResult]:
    """Every fold, in order; ``tell`` hears how many are done. The result does not depend on the number of workers."""
    from joblib import Parallel, delayed

    tasks = (delayed(_alone)(data, fold, model, seed) for fold in folds)
    results = []
    for result in Parallel(n_jobs=workers, return_as="generator")(tasks):
        results.append(result)
        tell(len(results))
    return results


def _alone(data: TrainData, fold: Fold, model: str, seed: int) -> FoldResult:
    return run_fold(data, fold, model, seed)[0]


class Sums:
    """Sums up the folds of one protocol."""

    def __init__(self, data: TrainData, results: Sequence[FoldResult], mapping: MappingName, *, seed: int) -> None:
        self.data = data
        self._results = results
        self._mapping: MappingName = mapping
        self._seed = seed
        self.repeated = len(results) > 1

    @property
    def interval(self) -> str:
        """What ``ci95`` is."""
        if self.repeated:
            return "2.5th to 97.5th percentile over the folds"
        return f"bootstrap over {self.data.group_column}s, {DRAWS} draws"

    def measures(self, of: Callable[[FoldResult], Values]) -> Measures:
        """The measures of one predictor over all folds."""
        found = [agreement(of(result), result.label, self._mapping) for result in self._results]
        drawn = [] if self.repeated else self._drawn(of)
        n = int(np.median([one.n for one in found]))
        return Measures(**{name: self._summary(name, found, drawn, n) for name in Measures.__struct_fields__})

    def baselines(self, metadata_title: str) -> list[Baseline]:
        """The baselines, each with how the model compares to it; without metadata the mean label alone."""
        found = [
            Baseline(
                name="mean-label",
                title="the mean label of the training rows",
                measures=self.measures(lambda result: result.mean_label),
                comparison=self._compare("rmse_raw", lambda result: result.mean_label, rmse, lower_is_better=True),
            )
        ]
        if metadata_title:
            found.append(
                Baseline(
                    name="metadata-only",
                    title=metadata_title,
                    measures=self.measures(_metadata),
                    comparison=self._compare("srocc", _metadata, srocc, lower_is_better=False),
                )
            )
        return found

    def held_out(self, of: Callable[[FoldResult], Values | None]) -> tuple[Values, npt.NDArray[np.intp]]:
        """Per row the mean prediction over the folds that held it out (NaN where none did), and their number."""
        total, count = np.zeros(self.data.n), np.zeros(self.data.n, np.intp)
        for result in self._results:
            values = of(result)
            if values is not None:
                np.add.at(total, result.test, values)
                np.add.at(count, result.test, 1)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan), count

    def pooled(self, predicted: Values) -> Agreement | None:
        """The agreement over all clips that were held out; None where there is none."""
        rows = np.flatnonzero(np.isfinite(predicted))
        return agreement(predicted[rows], self.data.y[rows], self._mapping) if rows.size else None

    def subsets(self, names: Sequence[str], predicted: Values) -> list[Subset]:
        """The agreement within each value of a column, over the clips that were held out."""
        found = []
        for name in sorted(set(names) - {""}):
            rows = np.flatnonzero((np.array(names) == name) & np.isfinite(predicted))
            if rows.size:
                found.append(Subset(name=name, agreement=agreement(predicted[rows], self.data.y[rows], self._mapping)))
        return found

    def coverage(self) -> float | None:
        """Share of held-out labels within the intervals that the training parts calibrated."""
        inside = [
            np.abs(result.predicted - result.label) <= result.half_width
            for result in self._results
            if result.half_width is not None
        ]
        return float(np.mean(np.concatenate(inside))) if inside else None

    def straightened(self) -> list[str]:
        """The note on folds that are mapped by less than the logistic that was asked for, or nothing."""
        if self._mapping not in ("logistic4", "logistic5"):
            return []
        found = [agreement(one.predicted, one.label, self._mapping).mapping.name for one in self._results]
        counts = {name: found.count(name) for name in ("linear", "none")}
        told = [f"{name} in {count} of {len(found)} folds" for name, count in counts.items() if count]
        return [f"the mapping is {' and '.join(told)}, where {self._mapping} did not hold"] if told else []

    def residuals(self) -> Values:
        """Absolute errors of every held-out prediction."""
        return np.concatenate([np.abs(result.predicted - result.label) for result in self._results])

    def _summary(self, name: str, found: Sequence[Agreement], drawn: Sequence[Agreement], n: int) -> Summary | None:
        values = np.array([value for one in found if (value := getattr(one, name)) is not None])
        if not values.size:
            return None
        median, measure = float(np.median(values)), name.removesuffix("_raw")
        fisher = None if measure == "rmse" else fisher_interval(median, n, cast(Measure, measure))
        over = values if self.repeated else [getattr(one, name) for one in drawn]
        return Summary(
            median=median,
            mean=float(values.mean()),
            std=float(values.std()),
            ci95=_listed(percentile_interval(list(over))),
            fisher95=_listed(fisher),
            folds=int(values.size),
        )

    def _drawn(self, of: Callable[[FoldResult], Values]) -> list[Agreement]:
        """The agreement in each draw of a bootstrap over the groups of the only fold."""
        result = self._results[0]
        predicted = of(result)
        draws = bootstrap_draws(self.data.groups[result.test], seed=self._seed)
        return [agreement(predicted[rows], result.label[rows], self._mapping) for rows in draws]

    def _compare(
        self, measure: str, other: Callable[[FoldResult], Values], statistic: Taken, *, lower_is_better: bool
    ) -> Comparison | None:
        """Model against baseline on the same folds: a paired test over repeats, or a bootstrap over groups of one fold."""
        pairs = [
            (ours, theirs)
            for result in self._results
            if (ours := statistic(result.predicted, result.label)) is not None
            and (theirs := statistic(other(result), result.label)) is not None
        ]
        if not pairs:
            return None
        differences = np.array([ours - theirs for ours, theirs in pairs])
        mean = float(differences.mean())
        if len(pairs) > 1:
            share = float(np.mean([result.test.size for result in self._results])) / self.data.n
            p, method = corrected_t_test(differences, test_fraction=share), "corrected resampled t-test over the folds"
        else:
            p, method = self._bootstrap_p(other, statistic), f"bootstrap over {self.data.group_column}s"
        improves = mean < 0 if lower_is_better else mean > 0
        better = improves and p is not None and p < _SIGNIFICANT
        return Comparison(measure=measure, difference=mean, p=p, method=method, better=better)

    def _bootstrap_p(self, other: Callable[[FoldResult], Values], statistic: Taken) -> float | None:
        """Twice the share of draws on the other side of no difference."""
        result = self._results[0]
        ours, theirs, label = result.predicted, other(result), result.label
        differences = []
        for rows in bootstrap_draws(self.data.groups[result.test], seed=self._seed):
            one, two = statistic(ours[rows], label[rows]), statistic(theirs[rows], label[rows])
            differences.append(None if one is None or two is None else one - two)
        if percentile_interval(differences) is None:
            return None
        values = np.array([value for value in differences if value is not None])
        below, above = float(np.mean(values <= 0)), float(np.mean(values >= 0))
        return min(1.0, 2.0 * min(below, above))


def _metadata(result: FoldResult) -> Values:
    assert result.metadata is not None
    return result.metadata


def _listed(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else [float(end) for end in interval]


def fold_record(result: FoldResult, groups: list[str], mapping: MappingName) -> FoldRecord:
    """What one fold gave, to be kept; ``groups`` are the names of those that it held out."""
    return FoldRecord(
        name=result.name,
        test_groups=groups,
        agreement=agreement(result.predicted, result.label, mapping),
        metadata_srocc=srocc(result.metadata, result.label) if result.metadata is not None else None,
        chosen=result.chosen,
    )
