"""The CHUG corpus as a corekit plugin: its hooks, each a thin door to the module that does the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from corekit import Clip, Column, CorpusInfo, ManifestSection, Pooled, Probe, Value, hookimpl
from corekit_chug.info import INFO, ChugOptions, row_values
from corekit_chug.reader import read_clips
from corekit_chug.section import section_content

if TYPE_CHECKING:
    from corekit import RunRecord

COREKIT_API = 1


@hookimpl
def corekit_corpus() -> CorpusInfo:
    """Describe CHUG."""
    return INFO


@hookimpl
def corekit_read_corpus(root: Path, options: ChugOptions) -> Iterator[Clip]:
    """Yield the clips of a CHUG, BrightVQ or Beyond8Bits label file, sorted by content, reference first, then rung."""
    return read_clips(root, options)


@hookimpl
def corekit_shape_row(clip: Clip, probe: Probe, pooled: Mapping[str, Pooled]) -> Mapping[Column, Value]:
    """Return CHUG's own columns: what the label file says, beside what core has probed."""
    return row_values(clip)


@hookimpl
def corekit_write_manifest(run: RunRecord) -> ManifestSection:
    """Return the section ``chug``: the ladder, the licences, and where the label file contradicts the clips."""
    return ManifestSection("chug", section_content(run))


@hookimpl
def corekit_make_sample(root: Path) -> bool:
    """Write a small invented corpus in CHUG's layout into the empty folder ``root``."""
    from corekit_chug.sample import write_sample

    write_sample(root)
    return True
