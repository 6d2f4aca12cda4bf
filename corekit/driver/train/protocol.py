"""From the protocol's name to folds, and the refusals that keep an evaluation honest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from corekit.driver.train.baselines import row_random_leak
from corekit.driver.train.data import TrainData
from corekit.driver.train.options import TrainOptions
from corekit.errors import CorpusError, UsageError
from corekit.learning import folds as learning_folds
from corekit.learning.folds import Fold

_FEWEST_GROUPS = 2
_NAMED = 5
_PARTS = ("train", "val", "test")


def make_folds(data: TrainData, options: TrainOptions) -> list[Fold]:
    """The folds of the protocol over these rows; ``cross`` has none here.

    Raises
    ------
    UsageError
        A row-random split of a table with groups, or a protocol that the table cannot have.
    CorpusError
        A content stands in two parts of the stored split.
    """
    name = options.protocol_name
    if name == "stored-split":
        return [_stored(data)]
    if name == "cross":
        return []
    if len(data.group_names) < _FEWEST_GROUPS:
        raise UsageError(
            f"--protocol {name}: all {data.n} rows are of one {data.group_column} ({data.group_names[0]}), so none can be held out; "
            "give a table of several contents"
        )
    if name == "random":
        return _random(data, options)
    if name == "loso":
        return learning_folds.leave_one_out(data.groups, data.group_names)
    return learning_folds.grouped(
        data.groups, repeats=options.repeats, test_fraction=options.test_fraction, seed=options.seed
    )


def small_groups(data: TrainData, folds: Sequence[Fold], protocol: str) -> str:
    """The sentence for folds whose test part is too small for a correlation; empty where there is none."""
    small = [fold.name for fold in folds if fold.test.size < 3 or np.ptp(data.y[fold.test]) == 0]
    if not small:
        return ""
    named = ", ".join(small[:_NAMED]) + (f" and {len(small) - _NAMED} more" if len(small) > _NAMED else "")
    return (
        f"{len(small)} of {len(folds)} folds of {protocol} hold out fewer than three different labels ({named}): correlations are not "
        "defined there and the summaries leave those folds out"
    )


def outside_split(data: TrainData) -> list[str]:
    """The note on rows that a stored split puts in no part, or nothing."""
    odd = Counter(split or "no split" for split in data.splits if split not in _PARTS)
    if not odd:
        return []
    named = ", ".join(f"{name} ({count})" for name, count in odd.most_common(_NAMED))
    return [f"{odd.total()} of {data.n} rows take no part, since their split is none of {', '.join(_PARTS)}: {named}"]


def folds_sha256(data: TrainData, folds: Sequence[Fold]) -> str:
    """SHA-256 over every fold's name and the sorted names of its test groups, one fold a line."""
    digest = hashlib.sha256()
    for fold in folds:
        digest.update("\t".join([fold.name, *test_groups(data, fold)]).encode() + b"\n")
    return digest.hexdigest()


def test_groups(data: TrainData, fold: Fold) -> list[str]:
    """Sorted names of the groups that a fold holds out."""
    return sorted(data.group_names[group] for group in np.unique(data.groups[fold.test]))


def _stored(data: TrainData) -> Fold:
    if not any(data.splits):
        raise UsageError("--protocol stored-split: the table has no column split; choose --protocol grouped")
    fold = learning_folds.stored(data.splits)
    for part, rows in (("train", fold.train), ("test", fold.test)):
        if not rows.size:
            raise UsageError(
                f"--protocol stored-split: no row of the table is in the split {part}; choose --protocol grouped"
            )
    parts: dict[int, dict[str, int]] = {}
    for row, split in enumerate(data.splits):
        if split in _PARTS:
            parts.setdefault(int(data.groups[row]), {}).setdefault(split, row)
    for group, found in parts.items():
        if len(found) > 1:
            (one, first), (other, second) = list(found.items())[:2]
            raise CorpusError(
                f"the {data.group_column} {data.group_names[group]} stands in two splits: {data.clips[first]} in {one} and "
                f"{data.clips[second]} in {other}, so the test would be of contents that were learnt; derive the splits anew "
                "(`corekit enrich` fills them content-disjointly)"
            )
    return fold


def _random(data: TrainData, options: TrainOptions) -> list[Fold]:
    if len(data.group_names) < data.n:
        leaked, honest = row_random_leak(data, test_fraction=options.test_fraction, seed=options.seed)
        reached = f"SROCC {leaked:.3f}" if leaked is not None else "an undefined SROCC"
        instead = f"{honest:.3f}" if honest is not None else "undefined"
        raise UsageError(
            f"--protocol random: {data.n} rows are of {len(data.group_names)} {data.group_column}s, and a row-random split puts clips of one "
            f"on both sides: here a predictor that sees no pixel (the {data.group_column}'s offset on its rung's mean) reaches {reached} "
            f"that way, {instead} on contents it has not seen; choose --protocol grouped"
        )
    return learning_folds.grouped(
        np.arange(data.n), repeats=options.repeats, test_fraction=options.test_fraction, seed=options.seed
    )
