"""Split-conformal intervals: how wide an interval must be to hold a share of the labels of contents never seen."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

LEVEL = 0.9
"""Share of labels that an interval is to hold."""


def half_width(residuals: npt.NDArray[np.float64], level: float = LEVEL) -> float | None:
    """Half the width of the interval, from absolute errors on held-out rows; None where there are too few for the level.

    The ``ceil((n + 1) level)``-th smallest error (Lei et al., JASA 2018): intervals of that width hold at least ``level`` of the
    labels of exchangeable rows.
    """
    rank = math.ceil((residuals.size + 1) * level)
    return float(np.sort(residuals)[rank - 1]) if 0 < rank <= residuals.size else None


def coverage(predicted: npt.NDArray[np.float64], label: npt.NDArray[np.float64], half: float) -> float:
    """Share of labels within ``half`` of their prediction."""
    return float(np.mean(np.abs(predicted - label) <= half))
