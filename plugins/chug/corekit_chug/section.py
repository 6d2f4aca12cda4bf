"""What CHUG adds to a manifest: the ladder, the licences, and where the label file contradicts the clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from corekit.model import Clip, CorpusInfo, JSONValue, Probe
from corekit_chug.info import LADDER

if TYPE_CHECKING:
    from corekit import RunRecord

HIGH_FRAME_RATE = 49.0
_FRAMERATE_TOLERANCE = 0.01
"""Hz; label files write 29.97 for 30000/1001."""
_EXAMPLES = 5


def section_content(run: RunRecord) -> dict[str, JSONValue]:
    """Summarise a run over CHUG; the contradictions compare the label file with every probe that the run took."""
    return {
        "labels": _labels(run.clips),
        "licences": _licences(run.info),
        "probed": _probed(list(_probes(run))),
    }


def _labels(clips: tuple[Clip, ...]) -> dict[str, JSONValue]:
    unpaired = any(clip.unpaired for clip in clips)
    origins = (origin for clip in clips for origin in (clip.origin, *clip.other_origins))
    return {
        "files": [*sorted({origin.rpartition(":")[0] for origin in origins})],
        "clips": len(clips),
        "contents": None if unpaired else len({clip.content for clip in clips}),
        "references": sum(clip.is_reference for clip in clips),
        "rungs": _counted(sorted((clip.rung for clip in clips), key=_rung_order)),
        "orientations": _counted(sorted(str(clip.extra.get("chug_orientation") or "unknown") for clip in clips)),
        "split_basis": _split_basis(clips, unpaired),
        "unusable_labels": sum(bool(clip.label.problem) for clip in clips),
        "repeated_rows": _finding(
            f"{clip.origin} again on {clip.extra['repeated_on_lines']}"
            for clip in clips
            if "repeated_on_lines" in clip.extra
        ),
    }


def _split_basis(clips: tuple[Clip, ...], unpaired: bool) -> str:
    if any(clip.split is not None for clip in clips):
        return "the label file's column split"
    return "clip name: contents are not known and may straddle the splits" if unpaired else "content name"


def _licences(info: CorpusInfo) -> dict[str, JSONValue]:
    statements: list[JSONValue] = [{"name": licence.name, "stated_in": licence.stated_in} for licence in info.licences]
    return {"statements": statements, "treat_as": info.treat_as}


def _probes(run: RunRecord) -> Iterator[tuple[Clip, Probe]]:
    """Every probed clip once: the rated ones, and each reference before the first clip compared with it."""
    references = {clip.content: clip for clip in run.clips if clip.is_reference}
    for clip, measurement in run.measured():
        if clip.is_reference:
            references.pop(clip.content, None)
        elif measurement.ref_probe is not None and clip.content in references:
            yield references.pop(clip.content), measurement.ref_probe
        yield clip, measurement.probe


def _probed(probes: list[tuple[Clip, Probe]]) -> dict[str, JSONValue]:
    return {
        "clips": len(probes),
        "transfer_classes": _counted(sorted(probe.transfer_class for _, probe in probes)),
        "portrait": sum(probe.height > probe.width for _, probe in probes),
        "landscape": sum(probe.height <= probe.width for _, probe in probes),
        "above_49_fps": sum(probe.fps > HIGH_FRAME_RATE for _, probe in probes),
        "variable_rate": sum(probe.variable_rate for _, probe in probes),
        "pq_or_hlg_without_bt2020": _finding(
            f"{clip.name}: {probe.transfer} with primaries {probe.primaries or 'unspecified'}"
            for clip, probe in probes
            if probe.transfer_class in ("pq", "hlg") and probe.primaries != "bt2020"
        ),
        "geometry_contradictions": _finding(
            f"{clip.name}: labels {width}x{height}, clip {probe.width}x{probe.height}"
            for clip, probe in probes
            if (width := clip.extra.get("chug_width_manifest")) is not None
            and (height := clip.extra.get("chug_height_manifest")) is not None
            and (width, height) != (probe.width, probe.height)
        ),
        "framerate_contradictions": _finding(
            f"{clip.name}: labels {rate} Hz, clip {probe.framerate}"
            for clip, probe in probes
            if isinstance(rate := clip.extra.get("chug_framerate_manifest"), float)
            and abs(rate - probe.fps) > _FRAMERATE_TOLERANCE
        ),
    }


def _rung_order(rung: str) -> tuple[int, str]:
    return (LADDER.index(rung) if rung in LADDER else len(LADDER)), rung


def _counted(names: Iterable[str]) -> dict[str, JSONValue]:
    return dict(Counter(names))


def _finding(examples: Iterable[str]) -> dict[str, JSONValue]:
    found = list(examples)
    return {"count": len(found), "examples": [*found[:_EXAMPLES]]}
