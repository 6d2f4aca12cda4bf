"""What is learnt: the label's column, its kind and its scale, none of which may be mixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from corekit.errors import UsageError
from corekit.schema import STATISTICS

if TYPE_CHECKING:
    from corekit.driver.train.data import TableView

Values = npt.NDArray[np.float64]

_NO_KIND = "none"
_MOST_SCALES = 3
_ROUNDING = 1e-6


def find_label(view: TableView, label: str | None, target: str | None) -> tuple[str, str]:
    """Column and kind of what is learnt.

    Raises
    ------
    UsageError
        There is no such column, it holds no numbers or a teacher's score, or kinds of labels are mixed.
    """
    if target is not None:
        column = view.first((f"{target}_mean", "vmaf_score") if target == "vmaf" else (f"{target}_mean", target))
        if column is None or not view.is_numeric(column):
            raise UsageError(
                f"--target {target}: {view.where} has no values of it; compute it with `corekit run` first"
            )
        return column, "teacher"
    kinds = label_kinds(view)
    kind = _one_kind(view, kinds) if kinds else "mos"
    if label is None and kind in ("teacher", "none"):
        raise UsageError(
            f"{view.where} holds no subjective labels (label_kind {kind}): a teacher's score is learnt under its own name, "
            "--target vmaf"
        )
    column = label or view.first(("mos", "mos_native") if kind == "mos" else ("mos_native",))
    if column is None:
        raise UsageError(f"{view.where} has no label column mos; name it with --label")
    view.require(column, "--label")
    if not view.is_numeric(column):
        raise UsageError(f"--label {column}: {view.where}: {view.text_among(column)[0]}; correct it, or name another")
    if any(column in (f"vmaf_{statistic}", "vmaf_score") for statistic in STATISTICS):
        raise UsageError(
            f"--label {column}: a teacher's score is no label; learn it under its own name with --target vmaf"
        )
    return column, kind


def label_kinds(view: TableView, rows: npt.NDArray[np.bool_] | None = None) -> list[str]:
    """Kinds of label that the rows state, or some of them, sorted."""
    if "label_kind" not in view.names:
        return []
    taken = [True] * view.n if rows is None else rows
    return sorted({kind for kind, is_taken in zip(view.text("label_kind"), taken, strict=True) if kind and is_taken})


def told_kind(view: TableView, labelled: npt.NDArray[np.bool_], learnt: str) -> tuple[str, list[str]]:
    """Kind of the labels, the learnt one where the rows state none, and the warning where it is another.

    Raises
    ------
    UsageError
        The rows state several kinds.
    """
    kinds = label_kinds(view, labelled)
    if not kinds or _NO_KIND in (*kinds, learnt):
        return learnt, []
    kind = _one_kind(view, kinds)
    if kind == learnt:
        return learnt, []
    return kind, [
        f"the labels of {view.where} are of the kind {kind}, the model learnt {learnt}: the figures compare two different scales"
    ]


def _one_kind(view: TableView, kinds: Sequence[str]) -> str:
    if len(kinds) > 1:
        raise UsageError(
            f"{view.where} mixes labels of the kinds {' and '.join(kinds)}, which are not one scale; give tables of one kind"
        )
    return kinds[0]


def label_range(
    view: TableView, label: str, y: Values, keep: npt.NDArray[np.intp]
) -> tuple[tuple[float, float] | None, list[str]]:
    """Ends of the label's axis, None where it is not known, and the warning where it is not the one that its name says.

    Raises
    ------
    UsageError
        Native labels are of several scales.
    """
    if label == "mos":
        low, high = float(y[keep].min()), float(y[keep].max())
        if low >= 1.0 - _ROUNDING and high <= 5.0 + _ROUNDING:
            return (1.0, 5.0), []
        return None, [
            f"{view.where}: the label mos reaches from {low:g} to {high:g}, so it is not on the axis 1..5 and the gates of that axis do not "
            "apply"
        ]
    if label != "mos_native" or not {"mos_scale_min", "mos_scale_max"} <= set(view.names):
        return None, []
    ends = [view.numbers(name)[keep] for name in ("mos_scale_min", "mos_scale_max")]
    scales = list(dict.fromkeys(f"{_end(low)}..{_end(high)}" for low, high in zip(*ends, strict=True)))
    if len(scales) > 1:
        raise UsageError(
            f"{view.where} mixes the scales {' and '.join(scales[:_MOST_SCALES])} in mos_native; learn --label mos, or give tables of one "
            "scale"
        )
    low, high = (float(values[0]) for values in ends)
    return ((low, high) if np.isfinite([low, high]).all() else None), []


def _end(value: float) -> str:
    return f"{value:g}" if np.isfinite(value) else "unknown"
