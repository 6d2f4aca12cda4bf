"""Mappings of predictions that fall where the label rises, and fits that a line beats."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from corekit.learning.statistics import MappingName, agreement, fit_mapping

RISING = (5.0453414758271835, 1.0235363101100736, 3.0454841075887185, 0.622836184209079)
"""Parameters of the curve fitted below before falling ones were looked at."""


def falling(seed: list[int], n: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.uniform(1, 5, n)
    return x, -2 * np.log1p(x) + random.normal(0, 0.05, n)


def test_a_logistic_fit_that_a_line_beats_is_a_line() -> None:
    found = agreement(*falling([12, 1440], 12))
    assert found.plcc_raw is not None and found.plcc_raw < -0.98
    assert found.plcc is not None and found.plcc >= abs(found.plcc_raw) - 1e-12


@pytest.mark.parametrize("name", ["logistic4", "logistic5"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_no_mapping_errs_more_than_a_line(name: MappingName, sign: float) -> None:
    for seed in range(40):
        x, y = falling([seed, 5], (8, 12, 40)[seed % 3])
        mapped, line = agreement(sign * x, y, name), agreement(sign * x, y, "linear")
        assert mapped.rmse is not None and line.rmse is not None
        assert mapped.rmse <= line.rmse * (1 + 1e-12), seed


def test_falling_predictions_are_mapped_as_well_as_rising_ones() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        x = random.uniform(1, 5, 40)
        y = 1 + 4 / (1 + np.exp(-(x - 3) / 0.5)) + random.normal(0, 0.2, 40)
        rising, turned = agreement(x, y), agreement(-x, y)
        assert (rising.mapping.name, turned.mapping.name) == ("logistic4", "logistic4")
        assert turned.rmse == pytest.approx(rising.rmse, rel=1e-4)


def test_a_rising_fit_is_what_it_was() -> None:
    random = np.random.default_rng(3)
    x = random.uniform(1, 5, 60)
    y = 1 + 4 / (1 + np.exp(-(x - 3) / 0.7)) + random.normal(0, 0.3, 60)
    mapping = fit_mapping(x, y)
    assert mapping.name == "logistic4"
    np.testing.assert_allclose(mapping.parameters, RISING, rtol=1e-6)


def test_predictions_that_differ_by_rounding_warn_of_nothing() -> None:
    label = np.arange(60.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mapping = fit_mapping(np.where(label > 30, 0.1, np.nextafter(0.1, 1)), label, "linear")
    assert mapping.parameters == pytest.approx((0.0, 29.5))
