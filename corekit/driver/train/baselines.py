"""What is reached without a pixel: the mean label, and what metadata alone tells; and how much a row-random split leaks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from corekit.driver.train.data import TrainData
from corekit.learning.models import fit_ridge
from corekit.learning.statistics import srocc

Values = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

_LEAK_REPEATS = 20
_ALPHA = 1.0


def mean_label(data: TrainData, train: Rows, test: Rows) -> Values:
    """The mean of the training labels for every test row."""
    return np.full(test.size, data.y[train].mean())


class MetadataBaseline:
    """The mean training label of the clip's rung; without rungs, a ridge on geometry, rate and duration.

    Learns from rows of one table and predicts rows of another, or of the same.
    """

    def __init__(self, learnt: TrainData, predicted: TrainData) -> None:
        self._learnt = learnt
        self._predicted = predicted
        self._by_rung = all(len(set(data.rungs)) > 1 for data in (learnt, predicted))
        self._names = [name for name in learnt.metadata_names if name in predicted.metadata_names]

    @property
    def title(self) -> str:
        """What it is for these rows; empty where there is no metadata."""
        if self._by_rung:
            return "mean label of the clip's rung"
        return f"ridge regression on {', '.join(self._names)}" if self._names else ""

    def predict(self, train: Rows, test: Rows) -> Values:
        """Labels of the rows ``test`` from the rows ``train``, shape ``(len(test),)``."""
        y = self._learnt.y[train]
        if self._by_rung:
            means = _means([self._learnt.rungs[row] for row in train], y)
            return np.array([means.get(self._predicted.rungs[row], float(y.mean())) for row in test])
        head = fit_ridge(self._columns(self._learnt, train), y, {"alpha": _ALPHA})
        return head.predict(self._columns(self._predicted, test))

    def _columns(self, data: TrainData, rows: Rows) -> Values:
        return data.metadata[rows][:, [data.metadata_names.index(name) for name in self._names]]


def row_random_leak(data: TrainData, *, test_fraction: float, seed: int) -> tuple[float | None, float | None]:
    """Median SROCC of a predictor that sees no pixel, the content's offset on its rung's mean, under a row-random and a grouped split.

    The first figure is what a row-random split gives away: other clips of the same content are in the training part.
    """
    random_rows, grouped_rows = [], []
    for repeat in range(_LEAK_REPEATS):
        shuffled = np.random.default_rng([seed, repeat]).permutation(data.n)
        count = max(1, round(test_fraction * data.n))
        random_rows.append(_offset_srocc(data, shuffled[count:], shuffled[:count]))
        groups = np.random.default_rng([seed, repeat]).permutation(len(data.group_names))
        held = np.isin(data.groups, groups[: max(1, round(test_fraction * groups.size))])
        grouped_rows.append(_offset_srocc(data, np.flatnonzero(~held), np.flatnonzero(held)))
    return _median(random_rows), _median(grouped_rows)


def _offset_srocc(data: TrainData, train: Rows, test: Rows) -> float | None:
    if not train.size:
        return None
    rungs = _means([data.rungs[row] for row in train], data.y[train])
    overall = float(data.y[train].mean())
    base = np.array([rungs.get(rung, overall) for rung in data.rungs])
    offsets = _means([str(data.groups[row]) for row in train], (data.y - base)[train])
    predicted = base[test] + np.array([offsets.get(str(data.groups[row]), 0.0) for row in test])
    return srocc(predicted, data.y[test])


def _means(names: Sequence[str], values: Values) -> dict[str, float]:
    sums: dict[str, list[float]] = {}
    for name, value in zip(names, values, strict=True):
        sums.setdefault(name, []).append(float(value))
    return {name: float(np.mean(found)) for name, found in sums.items()}


def _median(values: Sequence[float | None]) -> float | None:
    defined = [value for value in values if value is not None]
    return float(np.median(defined)) if defined else None
