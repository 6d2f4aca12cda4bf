"""Which features a head lives on, by permutation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from corekit.learning.head import Head
from corekit.learning.statistics import rmse

Values = npt.NDArray[np.float64]


def permutation_importance(head: Head, x: Values, y: Values, *, repeats: int = 5, seed: int = 0) -> Values:
    """How much the root mean square error grows where one feature's values are shuffled among the rows, shape ``(n_features,)``.

    The mean of ``repeats`` shuffles (Breiman, Machine Learning 2001), in the unit of the label.
    """
    random = np.random.default_rng(seed)
    base = rmse(head.predict(x), y) or 0.0
    growth = np.zeros(x.shape[1])
    for feature in range(x.shape[1]):
        for _ in range(repeats):
            shuffled = x.copy()
            shuffled[:, feature] = random.permutation(shuffled[:, feature])
            growth[feature] += (rmse(head.predict(shuffled), y) or 0.0) - base
    return growth / repeats
