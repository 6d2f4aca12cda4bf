"""Columns that no enrichment writes: what was measured, what identifies a row, and the labels."""

from __future__ import annotations

from corekit.schema import CORE_COLUMNS, FEATURES, FRAME_COLUMNS, STATISTICS

LABELS = (
    "mos", "mos_native", "mos_scale_min", "mos_scale_max", "mos_std_dev", "mos_se", "n_ratings", "label_kind",
)  # fmt: skip
"""The label columns; ``--allow-labels`` can name one that is wholly empty."""
SPLITS = ("split", "split_policy")
TABLE_NAMES = ("clip_name", "dis_basename", "src", "filename", "key")
"""Columns of a table that may name its clips, by preference; those after the first are of older tables."""

_MEASURED = {f"{feature}_{statistic}" for feature in FEATURES for statistic in STATISTICS} | {*FEATURES, "vmaf_score"}
_OTHERS = {column.name for column in (*CORE_COLUMNS, *FRAME_COLUMNS)} | {"fps", *TABLE_NAMES}


def why_protected(column: str) -> str:
    """What a column is that is never taken from metadata; empty for one that may be."""
    if column in _MEASURED or column.startswith("enc_internal_"):
        return "a feature column"
    if column in LABELS:
        return "a label column"
    if column in SPLITS:
        return "a split column, which follows from the content"
    return "a column of the run" if column in _OTHERS else ""
