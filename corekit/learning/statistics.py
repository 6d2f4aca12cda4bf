"""How well predictions follow labels, in the field's measures (VQEG, ITU-T P.1401): correlations, mapped errors, intervals, tests."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Values = npt.NDArray[np.float64]
MappingName = Literal["logistic4", "logistic5", "linear", "none"]
Measure = Literal["srocc", "krocc", "plcc", "rmse"]
MEASURES: tuple[Measure, ...] = ("srocc", "krocc", "plcc", "rmse")

DRAWS = 300
"""Draws of a bootstrap."""
_FEWEST = 3
"""Pairs below which a correlation says nothing."""
_MOST_STEPS = 500
_PARAMETERS = {"logistic4": 4, "logistic5": 5}


class Mapping(Struct, frozen=True, kw_only=True):
    """A monotonic mapping of predictions to labels, fitted on the evaluated set."""

    name: MappingName
    """``linear`` also where the logistic fit that was asked for did not hold."""
    parameters: tuple[float, ...] = ()

    def __call__(self, predicted: Values) -> Values:
        """Predictions on the axis of the labels, shape and dtype as given."""
        return _CURVES[self.name](predicted, *self.parameters)


class Agreement(Struct, frozen=True, kw_only=True):
    """Predictions against labels of one set; a measure that is not defined there (constant or too few values) is None."""

    n: int
    srocc: float | None
    """Spearman's rank correlation of the raw predictions, mean ranks for ties."""
    krocc: float | None
    """Kendall's tau-b of the raw predictions."""
    plcc: float | None
    """Pearson's correlation after the mapping."""
    rmse: float | None
    """Root mean square error after the mapping, in the unit of the label."""
    plcc_raw: float | None
    rmse_raw: float | None
    mapping: Mapping


def srocc(predicted: Values, label: Values) -> float | None:
    """Spearman's rank correlation in [-1, 1], mean ranks for ties; None where it is not defined."""
    from scipy.stats import spearmanr

    return None if _undefined(predicted, label) else float(spearmanr(predicted, label).statistic)


def krocc(predicted: Values, label: Values) -> float | None:
    """Kendall's tau-b in [-1, 1]; None where it is not defined."""
    from scipy.stats import kendalltau

    return None if _undefined(predicted, label) else float(kendalltau(predicted, label).statistic)


def plcc(predicted: Values, label: Values) -> float | None:
    """Pearson's correlation in [-1, 1]; None where it is not defined."""
    from scipy.stats import pearsonr

    return None if _undefined(predicted, label) else float(pearsonr(predicted, label).statistic)


def rmse(predicted: Values, label: Values) -> float | None:
    """Root mean square error, divisor n; None of no values."""
    return float(np.sqrt(np.mean((predicted - label) ** 2))) if predicted.size else None


def agreement(predicted: Values, label: Values, mapping: MappingName = "logistic4") -> Agreement:
    """Every measure of one set: ranks on raw predictions, correlation and error after a mapping that is fitted on this set."""
    fitted = fit_mapping(predicted, label, mapping)
    mapped = fitted(predicted)
    return Agreement(
        n=int(predicted.size),
        srocc=srocc(predicted, label),
        krocc=krocc(predicted, label),
        plcc=plcc(mapped, label),
        rmse=rmse(mapped, label),
        plcc_raw=plcc(predicted, label),
        rmse_raw=rmse(predicted, label),
        mapping=fitted,
    )


def fit_mapping(predicted: Values, label: Values, name: MappingName = "logistic4") -> Mapping:
    """Least-squares fit of a mapping of predictions to labels (ITU-T P.1401 clause 7, VQEG's start values).

    A logistic fit that does not converge, that is asked of no more different predictions than it has parameters, that is not monotonic or
    that errs more than a line gives a linear one; constant predictions give the mean label, fewer than three pairs none at all.
    """
    if name == "none":
        return Mapping(name="none")
    line = _fit_linear(predicted, label)
    if name in _PARAMETERS and np.unique(predicted).size > _PARAMETERS[name]:
        fitted = _fit_logistic(predicted, label, name)
        if fitted is not None and _squares(fitted, predicted, label) <= _squares(line, predicted, label):
            return fitted
    return line


def fisher_interval(correlation: float | None, n: int, measure: Measure) -> tuple[float, float] | None:
    """95 % interval of a correlation over ``n`` pairs by Fisher's z; None where it is not defined.

    The variance of z is 1/(n-3) for Pearson's, 1.06/(n-3) for Spearman's and 0.437/(n-4) for Kendall's correlation
    (Fieller, Hartley and Pearson, Biometrika 1957).
    """
    numerator, lost = {"plcc": (1.0, 3), "srocc": (1.06, 3), "krocc": (0.437, 4)}[measure]
    if correlation is None or n <= lost:
        return None
    if abs(correlation) >= 1.0:
        return correlation, correlation
    z, half = math.atanh(correlation), 1.959963984540054 * math.sqrt(numerator / (n - lost))
    return math.tanh(z - half), math.tanh(z + half)


def bootstrap_draws(
    groups: npt.NDArray[np.intp], *, repeats: int = DRAWS, seed: int = 0
) -> Iterator[npt.NDArray[np.intp]]:
    """Row indices of each draw of whole groups with replacement; nothing where there are fewer than two groups.

    ``groups`` numbers the group of every row, shape ``(n,)``.
    """
    names = np.unique(groups)
    if names.size < 2:
        return
    rows = [np.flatnonzero(groups == name) for name in names]
    random = np.random.default_rng(seed)
    for _ in range(repeats):
        yield np.concatenate([rows[index] for index in random.integers(names.size, size=names.size)])


def percentile_interval(drawn: Sequence[float | None]) -> tuple[float, float] | None:
    """The middle 95 % of a statistic over the draws of a bootstrap; None where it is defined in fewer than half of them."""
    values = [value for value in drawn if value is not None]
    if not values or 2 * len(values) < len(drawn):
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def corrected_t_test(differences: Values, *, test_fraction: float) -> float | None:
    """Two-sided p of paired differences over repeated random splits, whose training parts overlap.

    The corrected resampled t-test of Nadeau and Bengio (Machine Learning, 2003): the variance is raised by
    ``test_fraction / (1 - test_fraction)``. None of fewer than two repeats.
    """
    from scipy.stats import t

    n = differences.size
    if n < 2:
        return None
    spread = float(np.var(differences, ddof=1)) * (1.0 / n + test_fraction / (1.0 - test_fraction))
    mean = float(np.mean(differences))
    if spread == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    return float(2.0 * t.sf(abs(mean) / math.sqrt(spread), n - 1))


def _undefined(predicted: Values, label: Values) -> bool:
    return predicted.size < _FEWEST or _is_constant(predicted) or _is_constant(label)


def _is_constant(values: Values) -> bool:
    """Whether values differ by no more than rounding does."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def _logistic4(x: Values, b1: float, b2: float, b3: float, b4: float) -> Values:
    from scipy.special import expit

    return b2 + (b1 - b2) * np.asarray(expit((x - b3) / abs(b4)))


def _logistic5(x: Values, b1: float, b2: float, b3: float, b4: float, b5: float) -> Values:
    from scipy.special import expit

    return b1 * (0.5 - np.asarray(expit(-b2 * (x - b3)))) + b4 * x + b5


def _logistic4_slopes(x: Values, b1: float, b2: float, b3: float, b4: float) -> Values:
    """Partial derivatives by the parameters, shape ``(n, 4)``."""
    from scipy.special import expit

    z = (x - b3) / abs(b4)
    share = np.asarray(expit(z))
    slope = (b1 - b2) * share * (1.0 - share)
    return np.column_stack([share, 1.0 - share, -slope / abs(b4), -slope * z / b4])


def _logistic5_slopes(x: Values, b1: float, b2: float, b3: float, b4: float, b5: float) -> Values:
    """Partial derivatives by the parameters, shape ``(n, 5)``."""
    from scipy.special import expit

    share = np.asarray(expit(-b2 * (x - b3)))
    slope = b1 * share * (1.0 - share)
    return np.column_stack([0.5 - share, slope * (x - b3), -slope * b2, x, np.ones_like(x)])


def _linear(x: Values, slope: float, offset: float) -> Values:
    return slope * x + offset


def _same(x: Values) -> Values:
    return x


_CURVES: dict[MappingName, Callable[..., Values]] = {
    "logistic4": _logistic4, "logistic5": _logistic5, "linear": _linear, "none": _same,
}  # fmt: skip


def _fit_logistic(predicted: Values, label: Values, name: MappingName) -> Mapping | None:
    from scipy.optimize import curve_fit

    spread, height = float(np.std(predicted)), float(np.ptp(label))
    # A fit that starts on a rising curve seldom turns round.
    falls = (plcc(predicted, label) or 0.0) < 0
    ends = [float(label.min()), float(label.max())] if falls else [float(label.max()), float(label.min())]
    start = [*ends, float(predicted.mean()), spread / 4]
    if name == "logistic5":
        start = [-height if falls else height, 1.0 / spread, float(predicted.mean()), 0.0, float(label.mean())]
    slopes = _logistic4_slopes if name == "logistic4" else _logistic5_slopes
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found, _ = curve_fit(_CURVES[name], predicted, label, p0=start, jac=slopes, maxfev=_MOST_STEPS)
        except (RuntimeError, ValueError, TypeError):
            return None
    fitted = Mapping(name=name, parameters=tuple(float(value) for value in found))
    ordered = fitted(np.sort(predicted))
    steps = np.diff(ordered)
    monotonic = bool((steps >= -1e-9 * height).all() or (steps <= 1e-9 * height).all())
    return fitted if np.isfinite(found).all() and np.isfinite(ordered).all() and monotonic else None


def _fit_linear(predicted: Values, label: Values) -> Mapping:
    if 0 < predicted.size < _FEWEST:
        return Mapping(name="none")  # a line through two points would be no finding
    if predicted.size == 0 or _is_constant(predicted):
        mean = float(label.mean()) if label.size else 0.0
        return Mapping(name="linear", parameters=(0.0, mean))
    # What differs by more than rounding has a slope, and numpy's own bound, which grows with n, would warn of it.
    slope, offset = np.polyfit(predicted, label, 1, rcond=np.finfo(np.float64).eps)
    return Mapping(name="linear", parameters=(float(slope), float(offset)))


def _squares(mapping: Mapping, predicted: Values, label: Values) -> float:
    return float(np.sum((mapping(predicted) - label) ** 2))
