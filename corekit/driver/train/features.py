"""Which columns a model learns from: sets, feature names, columns and globs, resolved against a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from corekit.errors import UsageError
from corekit.schema import CANONICAL, CORE_COLUMNS, FEATURES, POOLED_COLUMNS, STATISTICS, V3_COLUMNS, VMAF

_POOLED = {f"{feature}_{statistic}" for feature in FEATURES for statistic in STATISTICS}
_DESCRIBES = {column.name for column in CORE_COLUMNS} - _POOLED
"""Core's columns that are no features: a glob takes none of them."""
_ORDER = [c.name for c in (*V3_COLUMNS, *POOLED_COLUMNS) if c.name in _POOLED]

SETS: dict[str, tuple[str, ...]] = {
    "canonical": tuple(f"{feature}_mean" for feature in CANONICAL),
    "full": tuple(f"{feature}_{statistic}" for feature in FEATURES for statistic in STATISTICS),
}
"""Columns of core's own sets; a corpus's plugin adds its sets (``TrainingInfo.feature_sets``)."""


class Chosen(NamedTuple):
    """Columns in the order of the model's inputs, and those of a set or glob that were left out, with the reason."""

    columns: tuple[str, ...]
    left_out: dict[str, str]


def choose_features(
    text: str,
    *,
    available: Sequence[str],
    empty: Mapping[str, str],
    sets: Mapping[str, Sequence[str]],
    forbidden: Mapping[str, str],
) -> Chosen:
    """Resolve ``--features``.

    ``available`` are the table's numeric columns, ``empty`` maps the wholly null ones to that reason, ``sets`` are the sets
    beside core's, and ``forbidden`` maps columns that must not be learnt from (the label, what follows from it) to why.

    Raises
    ------
    UsageError
        A name is no set, feature or column, a glob matches nothing, or a forbidden column is named outright.
    """
    known = {**SETS, **sets}
    columns: list[str] = []
    left_out: dict[str, str] = {}
    for name in [part.strip() for part in text.split(",") if part.strip()]:
        if name in known:
            found = _of_set(known[name], available, empty, forbidden, left_out)
        elif any(mark in name for mark in "*?["):
            found = _of_glob(name, available, empty, forbidden, left_out)
        else:
            found = [_of_name(name, available, empty, forbidden)]
        columns += [column for column in found if column not in columns]
    if not columns:
        raise UsageError(f"--features {text}: no column of the table is left{_listed(left_out)}; name others")
    return Chosen(tuple(columns), left_out)


def _of_set(
    members: Sequence[str],
    available: Sequence[str],
    empty: Mapping[str, str],
    forbidden: Mapping[str, str],
    left_out: dict[str, str],
) -> list[str]:
    found = []
    for column in members:
        if column in forbidden:
            left_out[column] = forbidden[column]
        elif column in available:
            found.append(column)
        else:
            left_out[column] = empty.get(column, "the table has no such column")
    return found


def _of_glob(
    glob: str,
    available: Sequence[str],
    empty: Mapping[str, str],
    forbidden: Mapping[str, str],
    left_out: dict[str, str],
) -> list[str]:
    matching = [name for name in [*available, *empty] if fnmatchcase(name, glob) and name not in _DESCRIBES]
    if not matching:
        raise UsageError(f"--features {glob}: no numeric column of the table matches; it has {_few(available)}")
    return _of_set(matching, available, empty, forbidden, left_out)


def _of_name(name: str, available: Sequence[str], empty: Mapping[str, str], forbidden: Mapping[str, str]) -> str:
    column = f"{name}_mean" if name in FEATURES and name not in (*available, *empty) else name
    if column in forbidden:
        raise UsageError(f"--features {name}: {forbidden[column]}, so it cannot be learnt from; leave it out")
    if column in empty:
        raise UsageError(f"--features {name}: {column} has no value in any row; leave it out")
    if column not in available:
        raise UsageError(
            f"--features {name}: neither a set nor a numeric column of the table; it has {_few(available)}"
        )
    return column


def forbidden_columns(label: str, target: str | None) -> dict[str, str]:
    """Columns that must not be learnt from, and why: the label itself and whatever is derived from it."""
    derived = dict.fromkeys(("mos", "mos_native", "mos_0_100", "mos_std_dev", "mos_std_dev_0_100", "mos_se", "mos_se_0_100", "n_ratings", "mos_scale_min", "mos_scale_max", "mos_raw_0_100"), "it is a label column")  # fmt: skip
    derived[label] = "it is what is learnt"
    if target == VMAF:
        derived |= dict.fromkeys((f"vmaf_{statistic}" for statistic in STATISTICS), "it is what is learnt")
        derived["vmaf_score"] = "it is what is learnt"
    return derived


def _few(names: Sequence[str], most: int = 12) -> str:
    listed = ", ".join(names[:most]) or "none"
    return f"{listed} and {len(names) - most} more" if len(names) > most else listed


def _listed(left_out: Mapping[str, str]) -> str:
    if not left_out:
        return ""
    name, reason = next(iter(left_out.items()))
    return f" ({name}: {reason}; {len(left_out)} in all)" if len(left_out) > 1 else f" ({name}: {reason})"
