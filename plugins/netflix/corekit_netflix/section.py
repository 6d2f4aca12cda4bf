"""What the Netflix Public dataset adds to a manifest: pairs, rows and features, and what the label file holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from corekit import Clip, JSONValue
from corekit.schema import FEATURES

if TYPE_CHECKING:
    from corekit import RunRecord

_EXAMPLES = 5


def section_content(run: RunRecord) -> dict[str, JSONValue]:
    """Summarise a run over the dataset."""
    pairs = rows = 0
    features: set[str] = set()
    for clip, measurement in run.measured():
        rows += 1
        pairs += not clip.is_reference
        features.update(measurement.pooled)
    return {
        "pairs": pairs,
        "rows": rows,
        "features": [name for name in FEATURES if name in features],
        "labels": _labels(run.clips),
    }


def _labels(clips: tuple[Clip, ...]) -> dict[str, JSONValue]:
    values = [clip.label.value for clip in clips if clip.label.value is not None]
    return {
        "files": [*sorted({clip.origin.rpartition(":")[0] for clip in clips})],
        "references": sum(clip.is_reference for clip in clips),
        "distorted": sum(not clip.is_reference for clip in clips),
        "contents": [*sorted({clip.content for clip in clips})],
        "dmos_min": min(values, default=None),
        "dmos_max": max(values, default=None),
        "dmos_above_100": sum(value > 100 for value in values),
        "raw_formats": dict(
            Counter(f"{raw.width}x{raw.height} {raw.pix_fmt} {raw.framerate}" for clip in clips if (raw := clip.raw))
        ),
        "unusable": _finding(clip.label.problem for clip in clips if clip.label.problem),
        "repeated_entries": _finding(
            f"{clip.origin} again on {clip.extra['repeated_on_lines']}"
            for clip in clips
            if "repeated_on_lines" in clip.extra
        ),
    }


def _finding(examples: Iterable[str]) -> dict[str, JSONValue]:
    found = list(examples)
    return {"count": len(found), "examples": [*found[:_EXAMPLES]]}
