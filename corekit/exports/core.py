"""The formats that corekit brings, through the same hook as a stranger's."""

from __future__ import annotations

from collections.abc import Sequence

from corekit.exports.base import ExportFormat
from corekit.markers import hookimpl


@hookimpl
def corekit_export_formats() -> Sequence[ExportFormat]:
    from corekit.exports.croissant import CROISSANT
    from corekit.exports.rows import CSV, FASTVQA, JSONL, LEGACY, SIDECAR
    from corekit.exports.vmaf_dataset import VMAF_DATASET

    return (CROISSANT, CSV, FASTVQA, JSONL, LEGACY, SIDECAR, VMAF_DATASET)
