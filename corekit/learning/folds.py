"""Which rows are learnt from and which are held out: folds that keep a group together, from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.intp]


class Fold(NamedTuple):
    """Row indices of one training and test part; ``validation`` is a part of its own where the corpus prescribes one."""

    name: str
    train: Rows
    test: Rows
    validation: Rows | None = None


def grouped(groups: Rows, *, repeats: int, test_fraction: float, seed: int) -> list[Fold]:
    """Repeated random splits of whole groups; ``groups`` numbers the group of every row, shape ``(n,)``.

    Each test part holds ``test_fraction`` of the groups, at least one and never all. A repeat depends on the seed and its own
    number alone, so that more repeats keep the first ones.
    """
    names = np.unique(groups)
    count = min(max(1, round(test_fraction * names.size)), names.size - 1)
    folds = []
    for repeat in range(repeats):
        held_out = np.random.default_rng([seed, repeat]).permutation(names)[:count]
        is_test = np.isin(groups, held_out)
        folds.append(Fold(str(repeat), np.flatnonzero(~is_test), np.flatnonzero(is_test)))
    return folds


def leave_one_out(groups: Rows, names: Sequence[str]) -> list[Fold]:
    """One fold for each group, named after it."""
    return [
        Fold(names[group], np.flatnonzero(groups != group), np.flatnonzero(groups == group))
        for group in np.unique(groups)
    ]


def stored(splits: Sequence[str | None]) -> Fold:
    """The split that the rows themselves state: ``train``, ``val`` and ``test``; rows of neither take no part."""
    values = np.array([split or "" for split in splits])
    validation = np.flatnonzero(values == "val")
    return Fold(
        "stored-split",
        np.flatnonzero(values == "train"),
        np.flatnonzero(values == "test"),
        validation if validation.size else None,
    )


def hold_out(groups: Rows, *, fraction: float, seed: int) -> tuple[Rows, Rows] | None:
    """One split of whole groups inside a training part, ``(kept, held out)``; None where there is one group alone."""
    if np.unique(groups).size < 2:
        return None
    fold = grouped(groups, repeats=1, test_fraction=fraction, seed=seed)[0]
    return fold.train, fold.test
