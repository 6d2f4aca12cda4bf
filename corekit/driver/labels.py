"""Whether a clip's label can be used, judged by what its corpus says of its labels. No file is opened here."""

from __future__ import annotations

import math

from corekit.model import Clip, CorpusInfo

LABEL_TOLERANCE = 0.05 + 1e-9
"""How far a label may lie outside its native scale and still be kept, as it is."""


def label_problem(clip: Clip, info: CorpusInfo) -> str:
    """Why a clip's label cannot be used: what the plugin says of it, or that it is no label of its corpus; empty if it can."""
    label, where = clip.label, clip.origin or clip.path
    if label.problem:
        return label.problem
    if label.value is not None and label.kind != info.label_kind:
        kinds = f"of kind {label.kind} and those of {info.name} of kind {info.label_kind}"
        return f"{where}: the label of {clip.name} is {kinds}; correct the plugin"
    if label.value is not None and label.kind == "none":
        return (
            f"{where}: {clip.name} has the label {label.value:g} of kind none, which has no value; correct the plugin"
        )
    return _value_problem(clip, info) or _spread_problem(clip)


def _value_problem(clip: Clip, info: CorpusInfo) -> str:
    label, where = clip.label, clip.origin or clip.path
    if label.kind == "none":
        return ""
    if label.value is None:
        return f"{where}: {clip.name} has no {label.kind}; fill it in, or leave the row out"
    if not math.isfinite(label.value):
        return f"{where}: the label of {clip.name} is {label.value:g}, not a finite number; correct the row"
    low = -math.inf if info.label_min is None else info.label_min
    high = math.inf if info.label_max is None else info.label_max
    if not low - LABEL_TOLERANCE <= label.value <= high + LABEL_TOLERANCE:
        scale = f"below {low:g}" if high == math.inf else f"outside {low:g} to {high:g}"
        return f"{where}: the label of {clip.name} is {label.value:g}, {scale}; correct the row"
    return ""


def _spread_problem(clip: Clip) -> str:
    label, where = clip.label, clip.origin or clip.path
    for what, spread in (("standard deviation", label.std_dev), ("standard error", label.std_error)):
        if spread is not None and not 0 <= spread < math.inf:
            return (
                f"{where}: the {what} of the label of {clip.name} is {spread:g}, not a number from 0; correct the row"
            )
    if label.n_ratings is not None and label.n_ratings < 1:
        count = f"{label.n_ratings} ratings, and none has less than 1"
        return f"{where}: the label of {clip.name} has {count}; correct the row"
    return ""
