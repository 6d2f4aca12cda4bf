"""The regression models by name: how each is fitted inside a training part, hyper-parameters and stopping included."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from corekit.learning.folds import Rows, hold_out
from corekit.learning.head import Head, MeanHead, RidgeHead, Scaling, SvrHead

Values = npt.NDArray[np.float64]
ScalingOf = Callable[[Values], Scaling]
Learn = Callable[[Values, Values, Mapping[str, float]], Head]

DEFAULT = "svr-blend"
INNER_FRACTION = 0.2
"""Share of the training groups that choose hyper-parameters, stop training and calibrate intervals."""

_SEARCH_ROWS = 1500
"""Training rows, at most, on which hyper-parameters are tried; the chosen ones learn from all rows."""
_MOST_ROWS = 20_000
"""Rows that a support vector regression learns from in minutes: its time grows with their square."""
_EPSILON = 0.1
"""Half-width of the support vector regression's tube, in standard deviations of the label."""
_RIDGE_GRID = tuple(10.0**power for power in range(-4, 5))
_SVR_POWERS = (range(1, 11), range(-8, 2))
"""Powers of two of C and gamma on features in [0, 1]: the grid that VIDEVAL's authors search (Tu et al., IEEE TIP 2021)."""
_ROBUST_GRID = tuple(product((1.0, 2.0, 4.0, 8.0), (2.0**power for power in range(-9, -4))))
_FEW = 60
"""Features at which ``_ROBUST_GRID``'s gammas hold: with n features they are scaled by 60 / n."""


class Part(NamedTuple):
    """What a model may see: features ``(n, f)``, labels ``(n,)``, group numbers ``(n,)``, and rows set aside for choosing."""

    x: Values
    y: Values
    groups: Rows
    validation: tuple[Values, Values] | None = None
    """Features and labels that the corpus itself sets aside; None takes whole groups of the part."""


class Fitted(NamedTuple):
    """A head and what came of fitting it."""

    head: Head
    chosen: dict[str, Any]
    """Hyper-parameters."""
    residuals: Values
    """Absolute errors on groups that were held out inside the training part, for conformal intervals; empty without any."""


class Model(Struct, frozen=True, kw_only=True):
    """One way to learn a head."""

    name: str
    title: str
    fit: Callable[[Part, int], Fitted]
    """Takes a part and a seed."""
    needs_torch: bool = False
    most_rows: int | None = None
    """Rows beyond which it is refused."""


class _Inner(NamedTuple):
    x: Values
    y: Values
    held_x: Values
    held_y: Values


def _inner(part: Part, seed: int) -> _Inner | None:
    if part.validation is not None:
        return _Inner(part.x, part.y, *part.validation)
    split = hold_out(part.groups, fraction=INNER_FRACTION, seed=seed)
    if split is None:
        return None
    kept, held = split
    return _Inner(part.x[kept], part.y[kept], part.x[held], part.y[held])


def _thinned(inner: _Inner | None, seed: int) -> _Inner | None:
    """At most ``_SEARCH_ROWS`` of the rows to learn from, drawn by the seed."""
    if inner is None or len(inner.y) <= _SEARCH_ROWS:
        return inner
    rows = np.sort(np.random.default_rng(seed).choice(len(inner.y), size=_SEARCH_ROWS, replace=False))
    return inner._replace(x=inner.x[rows], y=inner.y[rows])


class _Search:
    """Tries hyper-parameters on held-out groups of a part, each point once, and remembers the best."""

    def __init__(self, part: Part, seed: int, learn: Learn) -> None:
        self._part = part
        self._learn = learn
        self._inner = _thinned(_inner(part, seed), seed)
        self._tried: set[tuple[float, ...]] = set()
        self.best: tuple[float, dict[str, float], Values] | None = None

    def try_all(self, points: Iterable[Mapping[str, float]]) -> None:
        for point in points:
            key = tuple(point.values())
            if key not in self._tried:
                self._tried.add(key)
                self._try(dict(point))

    def _try(self, point: dict[str, float]) -> None:
        if self._inner is None:
            self.best = self.best or (0.0, point, np.empty(0))
            return
        head = self._learn(self._inner.x, self._inner.y, point)
        errors = np.abs(head.predict(self._inner.held_x) - self._inner.held_y)
        score = float(np.mean(errors**2))
        if self.best is None or score < self.best[0]:
            self.best = (score, point, errors)

    def fitted(self) -> Fitted:
        """The head that the best point gives on the whole part."""
        assert self.best is not None
        _, point, residuals = self.best
        return Fitted(self._learn(self._part.x, self._part.y, point), dict(point), residuals)


def _searched(part: Part, seed: int, points: Iterable[Mapping[str, float]], learn: Learn) -> Fitted:
    search = _Search(part, seed, learn)
    search.try_all(points)
    return search.fitted()


def _ridge(part: Part, seed: int) -> Fitted:
    return _searched(part, seed, ({"alpha": alpha} for alpha in _RIDGE_GRID), fit_ridge)


def fit_ridge(x: Values, y: Values, chosen: Mapping[str, float]) -> RidgeHead:
    """Least squares with an L2 penalty ``alpha`` on standardised features."""
    from sklearn.linear_model import Ridge

    scaling = Scaling.standard(x)
    ridge = Ridge(alpha=chosen["alpha"], solver="svd").fit(scaling(x), y)
    return RidgeHead(scaling, np.asarray(ridge.coef_, np.float64), float(ridge.intercept_))


def fit_svr(x: Values, y: Values, chosen: Mapping[str, float], *, scaling_of: ScalingOf) -> SvrHead:
    """Epsilon support vector regression (libsvm) with a radial basis function on standardised features and label."""
    from sklearn.svm import SVR

    scaling = scaling_of(x)
    mean, deviation = float(y.mean()), float(y.std()) or 1.0
    model = SVR(C=chosen["C"], gamma=chosen["gamma"], epsilon=_EPSILON, cache_size=500)
    model.fit(scaling(x), (y - mean) / deviation)
    return SvrHead(
        scaling,
        np.ascontiguousarray(model.support_vectors_),
        np.asarray(model.dual_coef_)[0] * deviation,
        float(chosen["gamma"]),
        float(model.intercept_[0]) * deviation + mean,
    )


def _svr(part: Part, seed: int) -> Fitted:
    """Every other power of two first, from the middle of the grid outwards, then the neighbours of the best."""
    search = _Search(part, seed, partial(fit_svr, scaling_of=Scaling.min_max))
    costs, gammas = _SVR_POWERS
    coarse = sorted(product(costs[::2], gammas[::2]), key=lambda at: abs(at[0] - 5) + abs(at[1] + 4))
    search.try_all({"C": 2.0**cost, "gamma": 2.0**gamma} for cost, gamma in coarse)
    assert search.best is not None
    cost, gamma = (round(math.log2(search.best[1][name])) for name in ("C", "gamma"))
    around = product(range(cost - 1, cost + 2), range(gamma - 1, gamma + 2))
    search.try_all({"C": 2.0**c, "gamma": 2.0**g} for c, g in around if c in costs and g in gammas)
    return search.fitted()


def _robust_svr(part: Part, seed: int) -> Fitted:
    factor = _FEW / part.x.shape[1]
    grid = ({"C": c, "gamma": gamma * factor} for c, gamma in _ROBUST_GRID)
    return _searched(part, seed, grid, partial(fit_svr, scaling_of=Scaling.robust))


def _blend(part: Part, seed: int) -> Fitted:
    """The mean of the two support vector regressions, which err differently on heavy-tailed features."""
    members = {"min-max": _svr(part, seed), "robust": _robust_svr(part, seed)}
    inner = _thinned(_inner(part, seed), seed)
    residuals = np.empty(0)
    if inner is not None:
        heads = (
            fit_svr(inner.x, inner.y, members["min-max"].chosen, scaling_of=Scaling.min_max),
            fit_svr(inner.x, inner.y, members["robust"].chosen, scaling_of=Scaling.robust),
        )
        residuals = np.abs(MeanHead(heads).predict(inner.held_x) - inner.held_y)
    chosen = {f"{name}.{key}": value for name, member in members.items() for key, value in member.chosen.items()}
    return Fitted(MeanHead(tuple(member.head for member in members.values())), chosen, residuals)


def _mlp_v1(part: Part, seed: int) -> Fitted:
    from corekit.learning.mlp import fit_mlp_v1

    inner = _inner(part, seed)
    if inner is None:
        head, epoch = fit_mlp_v1(part.x, part.y, None, seed)
        return Fitted(head, {"epoch": epoch}, np.empty(0))
    head, epoch = fit_mlp_v1(inner.x, inner.y, (inner.held_x, inner.held_y), seed)
    return Fitted(head, {"epoch": epoch}, np.abs(head.predict(inner.held_x) - inner.held_y))


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="svr-blend",
            title="mean of two RBF support vector regressions: min-max scaled, and robustly scaled with tamed tails",
            fit=_blend,
            most_rows=_MOST_ROWS,
        ),
        Model(
            name="svr",
            title="RBF support vector regression on min-max scaled features (scikit-learn)",
            fit=_svr,
            most_rows=_MOST_ROWS,
        ),
        Model(name="ridge", title="ridge regression on standardised features (scikit-learn)", fit=_ridge),
        Model(
            name="mlp-v1",
            title="layer norm, two layers of 64 ReLU, sigmoid onto the label's range (PyTorch)",
            fit=_mlp_v1,
            needs_torch=True,
        ),
    )
}
"""Every model, the default first."""

AUTO = ("ridge", "svr", "svr-blend")
"""What ``auto`` chooses among, the simplest first: a tie goes to it."""


def fit_auto(part: Part, seed: int) -> Fitted:
    """The model with the least squared error on held-out groups of the part, of those that can take so many rows."""
    able = [name for name in AUTO if len(part.y) <= (MODELS[name].most_rows or len(part.y))]
    tried = [(name, MODELS[name].fit(part, seed)) for name in able]
    scores = [float(np.mean(fitted.residuals**2)) if fitted.residuals.size else 0.0 for _, fitted in tried]
    name, fitted = tried[int(np.argmin(scores))]
    return fitted._replace(chosen={"model": name, **fitted.chosen})
