"""What BVI-DVC adds to a manifest: what rows were labelled with, and where they come from."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from corekit import JSONValue
from corekit.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from corekit import RunRecord


def section_content(run: RunRecord) -> dict[str, JSONValue]:
    """Summarise a run over BVI-DVC; ``cache_files`` counts rows whose values came from a recorded log."""
    rows: Counter[str] = Counter()
    logs = frames = 0
    versions: set[str] = set()
    for clip, measurement in run.measured():
        rows[str(clip.extra["bvi_dvc_tier"])] += 1
        logs += measurement.backend == "recorded"
        frames += measurement.n_frames or 0
        versions |= {measurement.encoded.encoder_version} if measurement.encoded else set()
    recipe = run.clips[0].encode if run.clips else None
    return {
        "adapter": msgspec.to_builtins(recipe),
        "encoder_versions": [*sorted(versions)],
        "row_schema_version": SCHEMA_VERSION,
        "rows": rows.total(),
        "rows_by_tier": dict(sorted(rows.items())),
        "cache_files": logs,
        "frame_count": frames,
        "sequences_in_archives": sum(bool(clip.archive) for clip in run.clips),
    }
