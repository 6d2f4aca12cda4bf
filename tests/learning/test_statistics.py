"""The field's measures, held to scipy and to their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from corekit.learning.statistics import (
    agreement,
    bootstrap_draws,
    corrected_t_test,
    fisher_interval,
    fit_mapping,
    krocc,
    percentile_interval,
    plcc,
    rmse,
    srocc,
)

few_values = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=40)
"""Pairs with many ties."""


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    both = np.array(pairs, np.float64)
    return both[:, 0].copy(), both[:, 1].copy()


def tau_b(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's definition, pair by pair."""
    concordant = tied_x = tied_y = total = 0
    for i in range(len(x)):
        for j in range(i):
            sign = np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])
            concordant += int(sign)
            tied_x += int(x[i] == x[j])
            tied_y += int(y[i] == y[j])
            total += 1
    return float(concordant / math.sqrt((total - tied_x) * (total - tied_y)))


@given(few_values)
@settings(max_examples=60, deadline=None)
def test_rank_correlations_with_ties_follow_their_definitions(pairs: list[tuple[int, int]]) -> None:
    x, y = arrays(pairs)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert srocc(x, y) is None and krocc(x, y) is None and plcc(x, y) is None
        return
    assert srocc(x, y) == pytest.approx(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1], abs=1e-12)
    assert krocc(x, y) == pytest.approx(tau_b(x, y), abs=1e-12)
    assert plcc(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)


def test_rmse_has_the_divisor_n() -> None:
    assert rmse(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == pytest.approx(math.sqrt(2.0))
    assert rmse(np.empty(0), np.empty(0)) is None


def test_two_pairs_have_no_correlation() -> None:
    assert srocc(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None


@pytest.mark.parametrize("falling", [False, True])
def test_the_logistic_fit_finds_the_curve(falling: bool) -> None:
    x = np.linspace(-3, 9, 200)
    y = 1.0 + 4.0 / (1.0 + np.exp(-(x - 2.5) / 1.2))
    y = 6.0 - y if falling else y
    mapping = fit_mapping(x, y, "logistic4")
    assert mapping.name == "logistic4"
    np.testing.assert_allclose(mapping(x), y, atol=1e-5)


def test_the_five_parameter_fit_finds_its_curve() -> None:
    x = np.linspace(0, 10, 120)
    y = 3.0 * (0.5 - 1.0 / (1.0 + np.exp(0.9 * (x - 4.0)))) + 0.1 * x + 2.0
    mapping = fit_mapping(x, y, "logistic5")
    assert mapping.name == "logistic5"
    np.testing.assert_allclose(mapping(x), y, atol=1e-4)


def test_fewer_pairs_than_parameters_are_fitted_by_a_line() -> None:
    mapping = fit_mapping(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]), "logistic4")
    assert mapping.name == "linear"
    np.testing.assert_allclose(mapping(np.array([5.0])), [10.0])


def test_two_pairs_are_not_mapped_at_all() -> None:
    found = agreement(np.array([1.0, 2.0]), np.array([3.0, 5.0]))
    assert found.mapping.name == "none" and found.rmse == found.rmse_raw


def test_a_constant_prediction_is_mapped_to_the_mean_and_has_no_correlation() -> None:
    label = np.array([1.0, 2.0, 3.0, 6.0, 8.0, 4.0])
    found = agreement(np.full(6, 7.0), label)
    assert (found.srocc, found.krocc, found.plcc) == (None, None, None)
    assert found.rmse == pytest.approx(float(label.std()))
    assert found.mapping.name == "linear"


def test_correlation_and_error_are_after_the_mapping_and_ranks_before_it() -> None:
    x = np.linspace(0, 1, 50)
    y = 1.0 + 4.0 / (1.0 + np.exp(-(x - 0.5) / 0.05))
    found = agreement(-x, y)
    assert found.srocc == pytest.approx(-1.0)
    assert found.plcc == pytest.approx(1.0, abs=1e-6)
    assert found.rmse == pytest.approx(0.0, abs=1e-3)
    assert found.plcc_raw is not None and found.plcc_raw < -0.9
    assert found.rmse_raw is not None and found.rmse_raw > 3.0


def test_fishers_interval_is_scipys() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=80)
    y = x + random.normal(size=80)
    expected = stats.pearsonr(x, y).confidence_interval(0.95)
    found = fisher_interval(plcc(x, y), 80, "plcc")
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    wider = fisher_interval(0.5, 80, "srocc")
    assert wider is not None and wider[0] < fisher_interval(0.5, 80, "plcc")[0]  # type: ignore[index]
    assert fisher_interval(None, 80, "plcc") is None
    assert fisher_interval(0.5, 3, "plcc") is None


def test_the_bootstrap_resamples_whole_groups() -> None:
    groups = np.repeat(np.arange(8), 5)
    values = np.repeat(np.random.default_rng(0).normal(size=8), 5)
    drawn = list(bootstrap_draws(groups, repeats=400, seed=1))
    interval = percentile_interval([float(values[rows].mean()) for rows in drawn])
    assert interval is not None
    assert all((np.bincount(groups[rows], minlength=8) % 5 == 0).all() for rows in drawn)
    spread = values[::5].std() / math.sqrt(8)
    assert interval[1] - interval[0] == pytest.approx(2 * 1.96 * spread, rel=0.2)
    assert list(bootstrap_draws(np.zeros(40, np.intp))) == []
    assert percentile_interval([None, None, 1.0]) is None


def test_the_paired_test_accounts_for_training_parts_that_overlap() -> None:
    differences = np.random.default_rng(3).normal(0.01, 0.02, size=100)
    naive = float(stats.ttest_1samp(differences, 0.0).pvalue)
    found = corrected_t_test(differences, test_fraction=0.2)
    assert found is not None and found > naive
    by_hand = differences.mean() / math.sqrt(differences.var(ddof=1) * (0.01 + 0.25))
    assert found == pytest.approx(2 * stats.t.sf(abs(by_hand), 99), abs=1e-12)
    assert corrected_t_test(np.array([0.1]), test_fraction=0.2) is None
    assert corrected_t_test(np.zeros(5), test_fraction=0.2) == 1.0
