"""Which columns a model learns from: sets, feature names, columns and globs, resolved against a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from corekit.errors import UsageError
from corekit.schema import CANONICAL, CORE_COLUMNS, FEATURES, POOLED_COLUMNS, STATISTICS, V3_COLUMNS, VMAF

_POOLED = {f"{feature}_{statistic}" for feature in FEATURES for statistic in STATISTICS}
_DESCRIBES = {column.name for column in CORE_COLUMNS} - _POOLED
"""Core's columns that are no features: a glob takes none of them."""
_ORDER = [c.name for c in (*V3_COLUMNS, *POOLED_COLUMNS) if c.name in _POOLED]

_WORDS = re.compile(r"[a-z]+")
_RATED = {"mos", "dmos", "sos", "jod", "score", "scores", "rating", "ratings", "vote", "votes", "opinion", "opinions"}

SETS: dict[str, tuple[str, ...]] = {
    "canonical": tuple(f"{feature}_mean" for feature in CANONICAL),
    "full": tuple(f"{feature}_{statistic}" for feature in FEATURES for statistic in STATISTICS),
}
"""Columns of core's own sets; a corpus's plugin adds its sets (``TrainingInfo.feature_sets``)."""


class Columns(NamedTuple):
    """A table's columns by what can be learnt from them."""

    numeric: Sequence[str]
    unusable: Mapping[str, str]
    """Columns without a value and those with text among their numbers, with that reason."""
    text: Mapping[str, str]
    """Columns of text, which no glob means, with what they hold."""


class Chosen(NamedTuple):
    """Columns in the order of the model's inputs, and those of a set or glob that were left out, with the reason."""

    columns: tuple[str, ...]
    left_out: dict[str, str]


def choose_features(
    text: str,
    columns: Columns,
    *,
    sets: Mapping[str, Sequence[str]],
    forbidden: Mapping[str, str],
) -> Chosen:
    """Resolve ``--features``.

    ``sets`` are the sets beside core's, and ``forbidden`` maps columns that must not be learnt from (the label, what follows from it)
    to why.

    Raises
    ------
    UsageError
        A name is no set, feature or column, a glob matches nothing, or a forbidden column is named outright.
    """
    known = {**SETS, **sets}
    chosen: list[str] = []
    left_out: dict[str, str] = {}
    for name in [part.strip() for part in text.split(",") if part.strip()]:
        if name in known:
            found = _of_set(known[name], columns, forbidden, left_out)
        elif any(mark in name for mark in "*?["):
            found = _of_glob(name, columns, forbidden, left_out)
        else:
            found = [_of_name(name, columns, forbidden)]
        chosen += [column for column in found if column not in chosen]
    if not chosen:
        raise UsageError(f"--features {text}: no column of the table is left{_listed(left_out)}; name others")
    return Chosen(tuple(chosen), left_out)


def _of_set(
    members: Sequence[str], columns: Columns, forbidden: Mapping[str, str], left_out: dict[str, str]
) -> list[str]:
    reasons = {**columns.text, **columns.unusable, **forbidden}
    found = []
    for column in members:
        if column in columns.numeric and column not in forbidden:
            found.append(column)
        else:
            left_out[column] = reasons.get(column, "the table has no such column")
    return found


def _of_glob(glob: str, columns: Columns, forbidden: Mapping[str, str], left_out: dict[str, str]) -> list[str]:
    available = [*columns.numeric, *columns.unusable]
    matching = [name for name in available if fnmatchcase(name, glob) and name not in _DESCRIBES]
    if not matching:
        raise UsageError(f"--features {glob}: no numeric column of the table matches; it has {_few(columns.numeric)}")
    rated = {name: "it is a label by its name" for name in matching if _is_rated(name)}
    return _of_set(matching, columns, {**rated, **forbidden}, left_out)


def _of_name(name: str, columns: Columns, forbidden: Mapping[str, str]) -> str:
    known = (*columns.numeric, *columns.unusable, *columns.text)
    column = f"{name}_mean" if name in FEATURES and name not in known else name
    if column in forbidden:
        raise UsageError(f"--features {name}: {forbidden[column]}, so it cannot be learnt from; leave it out")
    reason = columns.unusable.get(column) or columns.text.get(column)
    if reason:
        raise UsageError(f"--features {name}: {column} {reason.removeprefix('it ')}; leave it out")
    if column not in columns.numeric:
        raise UsageError(
            f"--features {name}: neither a set nor a numeric column of the table; it has {_few(columns.numeric)}"
        )
    return column


def _is_rated(name: str) -> bool:
    """Whether a column's name says that it is of people's scores or their spread: a glob takes it only by name."""
    return not _RATED.isdisjoint(_WORDS.findall(name.lower()))


def forbidden_columns(label: str, target: str | None) -> dict[str, str]:
    """Columns that must not be learnt from, and why: the label itself and whatever is derived from it."""
    derived = dict.fromkeys(("mos", "mos_native", "mos_0_100", "mos_std_dev", "mos_std_dev_0_100", "mos_se", "mos_se_0_100", "n_ratings", "mos_scale_min", "mos_scale_max", "mos_raw_0_100"), "it is a label column")  # fmt: skip
    family = target or label.rpartition("_")[0]
    if target is not None or family in FEATURES:
        derived |= dict.fromkeys((family, *(f"{family}_{s}" for s in STATISTICS)), "it is what is learnt")
    if family == VMAF:
        derived["vmaf_score"] = "it is what is learnt"
    derived[label] = "it is what is learnt"
    return derived


def _few(names: Sequence[str], most: int = 12) -> str:
    listed = ", ".join(names[:most]) or "none"
    return f"{listed} and {len(names) - most} more" if len(names) > most else listed


def _listed(left_out: Mapping[str, str]) -> str:
    if not left_out:
        return ""
    name, reason = next(iter(left_out.items()))
    return f" ({name}: {reason}; {len(left_out)} in all)" if len(left_out) > 1 else f" ({name}: {reason})"
