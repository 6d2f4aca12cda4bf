"""What KoNViD-1k adds to a manifest: labels, the recipe, the cache policy, and which clips were processed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from corekit import Clip, JSONValue

if TYPE_CHECKING:
    from corekit import RunRecord

_EXAMPLES = 5
CACHE_POLICY = "encodes are made in memory and never kept; measured rows are kept in the ledger"


def section_content(run: RunRecord) -> dict[str, JSONValue]:
    """Summarise a run over KoNViD-1k; ``recipe`` and ``crf`` are null under ``nr`` pairing."""
    measured = list(run.measured())
    done = {clip.name for clip, _ in measured}
    failed = [clip for clip in run.clips if clip.name not in done]
    synthetic = any(measurement.ref_sha256 for _, measurement in measured)
    recipe = run.clips[0].encode if synthetic and run.clips else None
    versions = {m.encoded.encoder_version for _, m in measured if m.encoded}
    return {
        "labels": _labels(run.clips),
        "recipe": msgspec.to_builtins(recipe),
        "crf": recipe.crf if recipe else None,
        "encoder_versions": [*sorted(versions)],
        "cache_policy": CACHE_POLICY,
        "selected_clips": len(run.clips),
        "processed_clips": len(measured),
        "failed_clips": len(failed),
        "failed_ids": [clip.content for clip in failed],
        "frame_count": sum(measurement.n_frames or 0 for _, measurement in measured),
    }


def _labels(clips: tuple[Clip, ...]) -> dict[str, JSONValue]:
    unusable = [clip.label.problem for clip in clips if clip.label.problem]
    doubled = [f"{clip.name} taken, not {clip.extra['other_files']}" for clip in clips if clip.extra["other_files"]]
    origins = (origin for clip in clips for origin in (clip.origin, *clip.other_origins))
    return {
        "files": [*sorted({origin.rpartition(":")[0] for origin in origins})],
        "unusable": {"count": len(unusable), "examples": [*unusable[:_EXAMPLES]]},
        "several_files": {"count": len(doubled), "examples": [*doubled[:_EXAMPLES]]},
    }
