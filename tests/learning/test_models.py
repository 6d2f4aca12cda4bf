"""What the models learn, from what, and that they learn it again."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from sklearn.svm import SVR

from corekit.learning import models
from corekit.learning.conformal import coverage, half_width
from corekit.learning.head import Scaling
from corekit.learning.importance import permutation_importance
from corekit.learning.models import AUTO, MODELS, Part, fit_auto, fit_svr

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(160, 4)) * (1.0, 30.0, 0.01, 1.0) + (0.0, 500.0, 0.0, 9.0)
Y = 3.0 + np.sin(X[:, 0]) + 0.02 * (X[:, 1] - 500.0) + RANDOM.normal(scale=0.1, size=160)
PART = Part(X[:120], Y[:120], np.arange(120) // 3)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_learns_and_learns_the_same_again(name: str) -> None:
    one, two = (MODELS[name].fit(PART, 5) for _ in "ab")
    predicted = one.head.predict(X[120:])
    np.testing.assert_array_equal(predicted, two.head.predict(X[120:]))
    assert one.residuals.size
    if name != "mlp-v1":  # which sees features as they are, and of these learns little
        assert np.sqrt(np.mean((predicted - Y[120:]) ** 2)) < 0.6 * Y[120:].std()


def test_the_best_of_several_is_chosen_inside_the_part() -> None:
    fitted = fit_auto(PART, 5)
    assert fitted.chosen["model"] in AUTO
    errors = {name: np.mean(MODELS[name].fit(PART, 5).residuals ** 2) for name in AUTO}
    assert errors[fitted.chosen["model"]] == min(errors.values())


def test_our_support_vector_arithmetic_is_scikit_learns() -> None:
    scaling = Scaling.min_max(X)
    head = fit_svr(X, Y, {"C": 8.0, "gamma": 0.5}, scaling_of=Scaling.min_max)
    mean, deviation = Y.mean(), Y.std()
    judge = SVR(C=8.0, gamma=0.5, epsilon=0.1).fit(scaling(X), (Y - mean) / deviation)
    expected = judge.predict(scaling(X)) * deviation + mean
    np.testing.assert_allclose(head.predict(X), expected, atol=1e-9)


@pytest.mark.parametrize("make", [Scaling.min_max, Scaling.standard, Scaling.robust])
def test_a_constant_feature_is_scaled_to_a_constant(make: object) -> None:
    x = X.copy()
    x[:, 2] = 4.0
    scaled = make(x)(x)  # type: ignore[operator]
    assert np.isfinite(scaled).all() and np.ptp(scaled[:, 2]) == 0


def test_many_rows_are_thinned_for_the_search_and_not_for_the_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_SEARCH_ROWS", 40)
    sizes: list[int] = []
    fit = models.fit_svr

    def counting(x: np.ndarray, y: np.ndarray, chosen: object, **more: object) -> object:
        sizes.append(len(y))
        return fit(x, y, chosen, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(models, "fit_svr", counting)
    MODELS["svr"].fit(PART, 1)
    assert set(sizes[:-1]) == {40} and sizes[-1] == 120


def test_auto_leaves_out_what_cannot_take_so_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: msgspec.structs.replace(model, most_rows=model.most_rows and 100) for name, model in MODELS.items()}
    monkeypatch.setattr(models, "MODELS", few)
    assert fit_auto(PART, 5).chosen["model"] == "ridge"


def test_one_group_alone_is_learnt_without_choosing() -> None:
    fitted = MODELS["ridge"].fit(Part(X[:20], Y[:20], np.zeros(20, np.intp)), 0)
    assert fitted.residuals.size == 0
    assert np.isfinite(fitted.head.predict(X[:3])).all()


def test_intervals_hold_what_they_promise_on_exchangeable_rows() -> None:
    random = np.random.default_rng(1)
    held = [
        coverage(np.zeros(200), random.normal(size=200), half_width(np.abs(random.normal(size=99)), 0.9) or 0.0)
        for _ in range(200)
    ]
    assert 0.89 < np.mean(held) < 0.92
    assert half_width(np.arange(5.0), 0.9) is None
    assert half_width(np.arange(9.0), 0.9) == 8.0


def test_the_features_that_matter_are_the_important_ones() -> None:
    head = MODELS["ridge"].fit(PART, 0).head
    importance = permutation_importance(head, X, Y)
    assert set(np.argsort(importance)[2:]) == {0, 1}
    assert importance[[2, 3]].max() < 0.05 * importance[[0, 1]].min()
