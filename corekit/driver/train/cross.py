"""What keeps the table that a model is tested on apart from those that it learns from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from corekit.driver.parents import Parent
from corekit.driver.train.data import TrainData
from corekit.driver.train.model import Learnt
from corekit.errors import CorpusError, UsageError


def refuse_twice(paths: Sequence[Path], parents: Sequence[Parent], *, cross: bool) -> None:
    """Refuse a table that is given twice; with ``cross`` the last one is the table to test on.

    Raises
    ------
    UsageError
        Names both files.
    """
    first: dict[str, Path] = {}
    for number, (path, parent) in enumerate(zip(paths, parents, strict=True), start=1):
        if parent.sha256 not in first:
            first[parent.sha256] = path
            continue
        same = first[parent.sha256]
        if cross and number == len(paths):
            raise UsageError(
                f"--protocol cross:{path}: these are the rows of {same}, which the model learns from; test on another table"
            )
        raise UsageError(f"{path}: these are the rows of {same}, which would count twice; give each table once")


def refuse_other_labels(learnt: TrainData, other: TrainData, path: Path) -> None:
    """Refuse to test on labels of another kind or scale than those that were learnt.

    Raises
    ------
    UsageError
        Says what each table holds.
    """
    ours, theirs = learnt.selection.label_kind, other.selection.label_kind
    if ours != theirs:
        raise UsageError(
            f"--protocol cross:{path}: its labels are of the kind {theirs}, the model learns {ours}; test on a table of that kind"
        )
    ends = [data.label_range for data in (learnt, other) if data.label_range]
    if learnt.selection.label == "mos_native" and len(set(ends)) > 1:
        learns, has = (f"{low:g}..{high:g}" for low, high in ends)
        raise UsageError(
            f"--protocol cross:{path}: its labels are on the scale {has}, the model learns {learns}; test on a table of that scale, or learn "
            "--label mos"
        )


def without_learnt(learnt: TrainData, other: TrainData, path: Path) -> tuple[TrainData, list[str]]:
    """The rows to test on, less those of a clip or group that is learnt from, and the warning that some were left out.

    Raises
    ------
    CorpusError
        No row is left.
    """
    known = Learnt.of(learnt)
    shared = set(known.groups_in(other))
    numbers = [number for number, name in enumerate(other.group_names) if name in shared]
    rows = known.rows_in(other) | np.isin(other.groups, numbers)
    if not rows.any():
        return other, []
    clip = other.clips[int(np.argmax(rows))]
    said = f"{int(rows.sum())} of {other.n} rows of {path} are of clips or {other.group_column}s that the model learns from (the first: {clip})"
    if rows.all():
        raise CorpusError(f"{said}, so none is left to test on; choose --protocol grouped, or another table")
    return other.take(np.flatnonzero(~rows)), [f"{said}: they are left out of the test"]
