"""What KoNViD-150k adds to a manifest: labels, rows by part, features that were computed, restart counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from corekit import Clip, JSONValue
from corekit.schema import FEATURES
from corekit_k150k.reader import VOTES

if TYPE_CHECKING:
    from corekit import RunRecord

_EXAMPLES = 5


def section_content(run: RunRecord) -> dict[str, JSONValue]:
    """Summarise a run over KoNViD-150k; the restart counters have the names that its older tables' readers know."""
    rows: Counter[str] = Counter()
    computed: Counter[str] = Counter()
    for clip, measurement in run.measured():
        rows[_part(clip)] += 1
        computed.update(measurement.pooled.keys())
    return {
        "labels": _labels(run.clips),
        "rows": dict(sorted(rows.items())),
        "feature_order": [*FEATURES],
        "extractor_split": {
            "computed": {name: computed[name] for name in FEATURES if computed[name]},
            "null": [name for name in FEATURES if not computed[name]],
        },
        "restart": _restart(run),
    }


def _labels(clips: tuple[Clip, ...]) -> dict[str, JSONValue]:
    origins = (origin for clip in clips for origin in (clip.origin, *clip.other_origins))
    return {
        "files": [*sorted({origin.rpartition(":")[0] for origin in origins})],
        "clips": dict(sorted(Counter(map(_part, clips)).items())),
        "unusable": _finding(clip.label.problem for clip in clips if clip.label.problem),
        "repeated_rows": _finding(
            f"{clip.origin} again at {clip.extra['repeated_at']}" for clip in clips if "repeated_at" in clip.extra
        ),
        f"part_a_no_mean_of_{VOTES}_votes": _finding(
            f"{clip.origin}: {clip.label.value}"
            for clip in clips
            if _part(clip) == "a" and clip.label.value is not None and clip.label.n_ratings is None
        ),
    }


def _restart(run: RunRecord) -> dict[str, JSONValue]:
    """Rows come from the ledger: all that were done before are recovered."""
    counters = run.counters
    names = {
        "total_clips": "total_clips", "done_before": "done_before", "pending_at_start": "pending_at_start",
        "recovered_rows": "done_before", "ok": "ok", "fail": "failed", "missing": "missing",
        "parquet_rows": "parquet_rows",
    }  # fmt: skip
    return {name: counters.get(counter) for name, counter in names.items()}


def _part(clip: Clip) -> str:
    return str(clip.extra["k150k_part"])


def _finding(examples: Iterable[str]) -> dict[str, JSONValue]:
    found = list(examples)
    return {"count": len(found), "examples": [*found[:_EXAMPLES]]}
